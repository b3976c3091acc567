package validation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// maxBody is the size limit of a body, in bytes: metadata of an event may have 256 KiB, the other fields are small.
const maxBody = 1 << 20

// preallocated bounds the buffer that is allocated before a body arrives: a client may declare more than it sends.
const preallocated = 4 << 10

// mergePatch is the media type of a JSON Merge Patch (RFC 7396), which every PATCH accepts.
const mergePatch = "application/merge-patch+json"

// calendarType is the media type of iCalendar files.
const calendarType = "text/calendar"

// eventsTag marks the operations that receive events of CI systems. Their bodies are read leniently: a pipeline cannot
// repair what it sends, and a rejected event is lost.
const eventsTag = "Events"

// Extensions of the specification that constrain fields beyond JSON Schema.
const (
	maxBytesExtension       = "x-max-bytes"
	emptyExtension          = "x-empty-as-null"
	acceptedValuesExtension = "x-accepted-values"
)

// Body validates the request bodies of one operation against the specification. It implements the part of JSON Schema that
// openapi.yaml uses.
type Body struct {
	schema       openapi3.Schema     // without its anyOf: a failing anyOf would hide the other problems
	alternatives openapi3.SchemaRefs // the anyOf, of which one must hold
	options      []openapi3.SchemaValidationOption
	limits       map[string]int // x-max-bytes by field
	names        []string       // fields that are names, sorted
	texts        []string       // fields that have texts that must not be blank, themselves or inside
	isLenient    bool           // whether the operation receives events
	textType     string         // the media type of a text, which has no schema to check; empty: JSON
	more         func(value any) []apperr.Field
}

// Require adds rules that schemas cannot express: their problems are listed with those of the schema, unless it has one of the same
// location. problems gets the decoded body, which may violate the schema.
func (v *Body) Require(problems func(value any) []apperr.Field) { v.more = problems }

// NewBody returns the validator of an operation, nil for an operation without a body. The error reports a schema that
// cannot be validated within bounds.
func NewBody(operation *openapi3.Operation) (*Body, error) {
	if operation.RequestBody == nil {
		return nil, nil //nolint:nilnil // no body, no validator
	}
	if operation.RequestBody.Value.Content.Get(calendarType) != nil {
		return &Body{textType: calendarType}, nil
	}
	media := operation.RequestBody.Value.Content.Get(echo.MIMEApplicationJSON)
	if media == nil || media.Schema == nil {
		return nil, fmt.Errorf("operation %s: a body must be a calendar, or JSON with a schema", operation.OperationID)
	}
	if err := requireBounds(media.Schema.Value); err != nil {
		return nil, fmt.Errorf("operation %s: %w", operation.OperationID, err)
	}
	for _, alternative := range media.Schema.Value.AnyOf {
		if len(alternative.Value.Required) == 0 || len(alternative.Value.Properties) > 0 {
			return nil, fmt.Errorf("operation %s: an alternative may only name required fields", operation.OperationID)
		}
	}
	v := &Body{
		schema:       *media.Schema.Value,
		alternatives: media.Schema.Value.AnyOf,
		options:      schemaOptions(),
		limits:       make(map[string]int),
		isLenient:    slices.Contains(operation.Tags, eventsTag),
	}
	v.schema.AnyOf = nil
	v.schema.Properties = maps.Clone(v.schema.Properties)
	for name, property := range v.schema.Properties {
		v.schema.Properties[name] = withReferenced(property)
	}
	for name, property := range v.schema.Properties {
		if limit, ok := property.Value.Extensions[maxBytesExtension].(float64); ok {
			v.limits[name] = int(limit)
		}
		if isName(property.Value) {
			v.names = append(v.names, name)
		}
		if hasTexts(property.Value) {
			v.texts = append(v.texts, name)
		}
	}
	slices.Sort(v.names)
	slices.Sort(v.texts)
	return v, nil
}

// withReferenced merges the schema that an optional property refers to into the property: OpenAPI 3.0 has no null beside a
// reference, so that these are written as an allOf of one.
func withReferenced(property *openapi3.SchemaRef) *openapi3.SchemaRef {
	if len(property.Value.AllOf) != 1 {
		return property
	}
	merged := *property.Value.AllOf[0].Value
	merged.Extensions = maps.Clone(merged.Extensions)
	maps.Copy(merged.Extensions, property.Value.Extensions)
	if merged.Nullable = property.Value.Nullable; merged.Nullable && len(merged.Enum) > 0 {
		merged.Enum = append(slices.Clone(merged.Enum), nil)
	}
	return openapi3.NewSchemaRef("", &merged)
}

// requireBounds returns an error for an array without maxItems: the number of its problems would be unbounded.
func requireBounds(schema *openapi3.Schema) error {
	for name, property := range schema.Properties {
		if err := requireBounds(property.Value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if schema.Items == nil {
		return nil
	}
	if schema.MaxItems == nil {
		return errors.New("a list must have maxItems")
	}
	return requireBounds(schema.Items.Value)
}

// schemaOptions makes kin-openapi report every problem and check the formats of the specification.
func schemaOptions() []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{
		openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.EnableFormatValidation(),
		openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
			"date-time": openapi3.NewCallbackValidator(checkTime),
			"uuid":      openapi3.NewCallbackValidator(checkUUID),
		}),
	}
}

// validatedBody replaces a body after validation: the generated code binds its value instead of decoding the body again.
type validatedBody struct {
	io.Reader

	value any
}

// ValidatedValue implements the interface that the generated code looks for.
func (b validatedBody) ValidatedValue() any { return b.value }

// Close implements io.Closer. The body was read to its end.
func (b validatedBody) Close() error { return nil }

type (
	rawBodyKey   struct{}
	validBodyKey struct{}
)

// RawBody returns the body that Body.Middleware read: as received, or cleaned for storage for an event.
func RawBody(ctx context.Context) []byte {
	raw, _ := ctx.Value(rawBodyKey{}).([]byte)
	return raw
}

// ValidBody returns the body that Body.Middleware has validated and normalized, as JSON: with the members that the client sent.
func ValidBody(ctx context.Context) (json.RawMessage, error) {
	encoded, err := json.Marshal(ctx.Value(validBodyKey{}))
	if err != nil {
		return nil, fmt.Errorf("encode a validated body: %w", err)
	}
	return encoded, nil
}

// Middleware reads, validates and normalizes the body. The error of an invalid one lists its problems.
func (v *Body) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !v.accepts(r) {
			return apperr.New(apperr.UnsupportedMedia, "Unsupported media type")
		}
		raw, err := readBody(c.Response(), r)
		if err != nil {
			return err
		}
		if v.textType != "" {
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), rawBodyKey{}, raw)))
			return next(c)
		}
		var invalidNames []string
		if v.isLenient {
			raw, invalidNames = ingest.CleanBody(raw, v.names...)
		}
		value, size, err := decodeJSON(raw)
		if err != nil {
			return err
		}
		if v.isLenient {
			v.coerce(value)
		}
		v.normalize(value)
		if problems := append(v.check(value, invalidNames), v.oversized(raw, size)...); len(problems) > 0 {
			return apperr.NewInvalid(problems...)
		}
		canonicalizeIntegers(&v.schema, value)
		r = r.WithContext(context.WithValue(context.WithValue(r.Context(), rawBodyKey{}, raw), validBodyKey{}, value))
		r.Body = validatedBody{Reader: strings.NewReader(""), value: value}
		r.ContentLength = int64(len(raw))
		r.Header.Set("Content-Type", echo.MIMEApplicationJSON) // the only type that the binder accepts
		c.SetRequest(r)
		return next(c)
	}
}

// accepts reports whether the headers declare JSON, or the type of the text, in UTF-8 without a content coding. Events may also spell that "utf8" and
// "identity".
func (v *Body) accepts(r *http.Request) bool {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isAccepted := media == echo.MIMEApplicationJSON || media == mergePatch && r.Method == http.MethodPatch
	if v.textType != "" {
		isAccepted = media == v.textType
	}
	if err != nil || !isAccepted {
		return false
	}
	charset, coding := strings.ToLower(params["charset"]), r.Header.Get("Content-Encoding")
	if v.isLenient {
		return slices.Contains([]string{"", "utf-8", "utf8"}, charset) && (coding == "" || strings.EqualFold(coding, "identity"))
	}
	return (charset == "" || charset == "utf-8") && coding == ""
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge()
	}
	var raw bytes.Buffer
	raw.Grow(int(min(max(r.ContentLength, 0), preallocated)) + bytes.MinRead)
	_, err := raw.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) { // the client may retry
		return nil, apperr.Wrap(apperr.Unavailable, "request body timed out", err)
	}
	if failure, ok := errors.AsType[*apperr.Error](err); ok { // of a middleware that bounds bodies
		return nil, failure
	}
	if err != nil {
		return nil, apperr.Wrap(apperr.MalformedJSON, errNotJSON.Message, err)
	}
	return raw.Bytes(), nil
}

func errTooLarge() error {
	return apperr.NewInvalid(apperr.Field{
		Loc: []any{"body"}, Msg: fmt.Sprintf("the body is larger than %d bytes", maxBody), Type: "value_error.too_large",
	})
}

// check returns the problems of the value, ordered by location. invalidNames lists names with replaced characters.
func (v *Body) check(value any, invalidNames []string) []apperr.Field {
	value = bound(&v.schema, value)
	problems := flattenErrors(v.schema.VisitJSON(value, v.options...), []any{"body"})
	if object, ok := value.(map[string]any); ok {
		problems = append(problems, v.requiredAlternative(object)...)
	}
	for _, problem := range problems {
		indexArrayPositions(value, problem.Loc[1:])
	}
	problems = addProblems(problems, v.allTextProblems(value, invalidNames))
	if v.more != nil {
		problems = addProblems(problems, v.more(value))
	}
	slices.SortStableFunc(problems, func(one, other apperr.Field) int {
		return strings.Compare(fmt.Sprint(one.Loc...), fmt.Sprint(other.Loc...))
	})
	return problems
}

// bound truncates an invalid value so that the number of problems does not grow with the body: an array to one item more
// than maxItems, and unknown fields of a closed object to apperr.MaxFields.
func bound(schema *openapi3.Schema, value any) any {
	switch value := value.(type) {
	case map[string]any:
		isClosed := schema.AdditionalProperties.Has != nil && !*schema.AdditionalProperties.Has
		unknown := 0
		for name, member := range value {
			if property := schema.Properties[name]; property != nil {
				value[name] = bound(property.Value, member)
			} else if unknown++; isClosed && unknown > apperr.MaxFields {
				delete(value, name)
			}
		}
	case []any:
		if schema.Items == nil || schema.MaxItems == nil {
			return value // of another type
		}
		list := value[:min(len(value), int(*schema.MaxItems)+1)] //nolint:gosec // at most a few hundred
		for i, item := range list {
			list[i] = bound(schema.Items.Value, item)
		}
		return list
	}
	return value
}

// oversized returns the problems of fields beyond their x-max-bytes. The size is an upper bound of the size of the body.
func (v *Body) oversized(raw []byte, size int) (problems []apperr.Field) {
	for name, limit := range v.limits {
		if size > limit && storedSize(field(raw, name)) > limit {
			problems = append(problems, apperr.Field{
				Loc: []any{"body", name}, Msg: fmt.Sprintf("larger than %d bytes of compact JSON", limit), Type: "value_error.too_large",
			})
		}
	}
	return problems
}

// field returns a field of a JSON object as it stands in the text, nil if it is absent.
func field(object []byte, name string) jsontext.Value {
	tokens := jsontext.NewDecoder(bytes.NewBuffer(object))
	if token, err := tokens.ReadToken(); err != nil || token.Kind() != '{' {
		return nil
	}
	for tokens.PeekKind() == '"' {
		token, err := tokens.ReadToken()
		if err != nil {
			return nil
		}
		isField := token.String() == name
		if value, err := tokens.ReadValue(); err != nil || isField {
			return value
		}
	}
	return nil
}

// addProblems adds problems of other locations.
func addProblems(problems, more []apperr.Field) []apperr.Field {
	return append(problems, slices.DeleteFunc(more, func(field apperr.Field) bool {
		return slices.ContainsFunc(problems, func(other apperr.Field) bool { return slices.Equal(other.Loc, field.Loc) })
	})...)
}

// indexArrayPositions converts array positions in loc to numbers. kin-openapi reports them as strings.
func indexArrayPositions(value any, loc []any) {
	for i, step := range loc {
		name, _ := step.(string)
		switch inside := value.(type) {
		case map[string]any:
			value = inside[name]
		case []any:
			position, err := strconv.Atoi(name)
			if err != nil || position >= len(inside) {
				return
			}
			loc[i], value = position, inside[position]
		default:
			return
		}
	}
}

// requiredAlternative returns the problems of the first alternative when none of them holds. A null field counts as absent.
func (v *Body) requiredAlternative(object map[string]any) []apperr.Field {
	if len(v.alternatives) == 0 || slices.ContainsFunc(v.alternatives, func(alternative *openapi3.SchemaRef) bool {
		return !slices.ContainsFunc(alternative.Value.Required, func(name string) bool { return object[name] == nil })
	}) {
		return nil
	}
	object = maps.Clone(object)
	maps.DeleteFunc(object, func(_ string, member any) bool { return member == nil })
	return flattenErrors(v.alternatives[0].Value.VisitJSON(object, v.options...), []any{"body"})
}
