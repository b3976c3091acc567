package validation

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
)

// Params validates the parameters of one operation against the specification. Each parameter has a single value.
type Params struct {
	params []*openapi3.Parameter
	// isPublic disables the checks of the query string: browsers and load balancers may add parameters to requests for public
	// documents and health checks. Other operations reject unknown parameters, as a misspelled filter must not be ignored.
	isPublic bool
}

// NewParams returns the validator of an operation. The error reports a parameter of an unsupported type.
func NewParams(path *openapi3.PathItem, operation *openapi3.Operation) (Params, error) {
	v := Params{isPublic: len(apigen.OperationSchemes[operation.OperationID]) == 0}
	for _, reference := range append(append(openapi3.Parameters{}, path.Parameters...), operation.Parameters...) {
		param := reference.Value
		if kind := param.Schema.Value.Type; !kind.Is("string") && !kind.Is("integer") {
			return v, fmt.Errorf("operation %s: parameter %s is neither a string nor an integer", operation.OperationID, param.Name)
		}
		v.params = append(v.params, param)
	}
	return v, nil
}

// Middleware rejects requests with invalid parameters. The error lists their problems.
func (v Params) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// url.URL.Query silently drops parameters that cannot be decoded.
		query, err := url.ParseQuery(c.Request().URL.RawQuery)
		var problems []apperr.Field
		if !v.isPublic {
			if err != nil {
				return apperr.NewInvalid(apperr.Field{Loc: []any{"query"}, Msg: "the query cannot be decoded", Type: "value_error.query"})
			}
			problems = v.unknown(query)
		}
		for _, param := range v.params {
			problems = append(problems, checkParam(param, paramValues(c, query, param))...)
		}
		if len(problems) > 0 {
			return apperr.NewInvalid(problems...)
		}
		return next(c)
	}
}

// unknown returns the problems of query parameters that the operation does not have, up to apperr.MaxFields.
func (v Params) unknown(query url.Values) []apperr.Field {
	var problems []apperr.Field
	for _, name := range slices.Sorted(maps.Keys(query)) {
		isKnown := slices.ContainsFunc(v.params, func(param *openapi3.Parameter) bool {
			return param.In == openapi3.ParameterInQuery && param.Name == name
		})
		if !isKnown && len(problems) < apperr.MaxFields {
			problems = append(problems, apperr.Field{Loc: []any{"query", name}, Msg: "unknown parameter", Type: "value_error.extra"})
		}
	}
	return problems
}

func paramValues(c echo.Context, query url.Values, param *openapi3.Parameter) []string {
	switch param.In {
	case openapi3.ParameterInPath:
		return []string{c.Param(param.Name)}
	case openapi3.ParameterInHeader:
		return c.Request().Header[http.CanonicalHeaderKey(param.Name)]
	default:
		return query[param.Name]
	}
}

func checkParam(param *openapi3.Parameter, values []string) []apperr.Field {
	loc := []any{param.In, param.Name}
	switch {
	case len(values) == 0 && param.Required:
		return []apperr.Field{{Loc: loc, Msg: "field required", Type: "value_error.missing"}}
	case len(values) == 0:
		return nil
	case len(values) > 1:
		return []apperr.Field{{Loc: loc, Msg: "parameter must not be repeated", Type: "value_error.duplicate"}}
	case !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0):
		return []apperr.Field{{Loc: loc, Msg: "contains characters that cannot be stored", Type: "value_error.text"}}
	}
	var value any = values[0]
	if param.Schema.Value.Type.Is("integer") {
		number, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return []apperr.Field{{Loc: loc, Msg: "value is not a valid integer", Type: "type_error.integer"}}
		}
		value = float64(number)
	}
	return flattenErrors(param.Schema.Value.VisitJSON(value, schemaOptions()...), loc)
}
