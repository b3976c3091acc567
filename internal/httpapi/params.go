package httpapi

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

// paramValidator checks an operation's parameters against the specification, all of them single values.
type paramValidator struct {
	params []*openapi3.Parameter
	// isPublic disables the checks of the query string. Elsewhere a filter with a typing error must not be ignored. Browsers
	// and load balancers, which read the public documents and health checks, may add parameters against caches.
	isPublic bool
}

func newParamValidator(path *openapi3.PathItem, operation *openapi3.Operation) (paramValidator, error) {
	v := paramValidator{isPublic: len(apigen.OperationSchemes[operation.OperationID]) == 0}
	for _, reference := range append(append(openapi3.Parameters{}, path.Parameters...), operation.Parameters...) {
		param := reference.Value
		if kind := param.Schema.Value.Type; !kind.Is("string") && !kind.Is("integer") {
			return v, fmt.Errorf("operation %s: parameter %s is neither text nor a whole number", operation.OperationID, param.Name)
		}
		v.params = append(v.params, param)
	}
	return v, nil
}

// middleware lets requests with valid parameters pass, and reports every problem of the others.
func (v paramValidator) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// url.URL.Query would silently drop parameters that cannot be decoded.
		query, err := url.ParseQuery(c.Request().URL.RawQuery)
		var problems []apperr.Field
		if !v.isPublic {
			if err != nil {
				return apperr.NewInvalid(apperr.Field{Loc: []any{"query"}, Msg: "the query cannot be decoded", Type: "value_error.query"})
			}
			problems = v.unknown(query)
		}
		for _, param := range v.params {
			problems = append(problems, checkParam(param, given(c, query, param))...)
		}
		if len(problems) > 0 {
			return apperr.NewInvalid(problems...)
		}
		return next(c)
	}
}

// unknown returns a problem for each parameter of the query that the operation does not have.
func (v paramValidator) unknown(query url.Values) []apperr.Field {
	var problems []apperr.Field
	for _, name := range slices.Sorted(maps.Keys(query)) {
		isKnown := slices.ContainsFunc(v.params, func(param *openapi3.Parameter) bool {
			return param.In == openapi3.ParameterInQuery && param.Name == name
		})
		if !isKnown {
			problems = append(problems, apperr.Field{Loc: []any{"query", name}, Msg: "unknown parameter", Type: "value_error.extra"})
		}
	}
	return problems
}

func given(c echo.Context, query url.Values, param *openapi3.Parameter) []string {
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
		return []apperr.Field{{Loc: loc, Msg: "given more than once", Type: "value_error.duplicate"}}
	case !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0):
		return []apperr.Field{{Loc: loc, Msg: "not text that can be stored", Type: "value_error.text"}}
	}
	var value any = values[0]
	if param.Schema.Value.Type.Is("integer") {
		number, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return []apperr.Field{{Loc: loc, Msg: "value is not a valid integer", Type: "type_error.integer"}}
		}
		value = float64(number)
	}
	return flatten(param.Schema.Value.VisitJSON(value, schemaOptions()...), loc)
}
