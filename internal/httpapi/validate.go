package httpapi

import (
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
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// namePattern is what the specification asks of names.
const namePattern = `\S`

// maxBody bounds a request's body: an event's metadata may have 256 KiB, the rest is small.
const maxBody = 1 << 20

// mergePatch is the proper name of what PATCH takes (RFC 7396).
const mergePatch = "application/merge-patch+json"

// eventsTag marks the operations that CI systems send events to. Their bodies are read leniently (contract.md §3): a
// pipeline cannot repair what it sends, and an event that is refused is lost.
const eventsTag = "Events"

// What the specification says of members beyond JSON Schema.
const (
	maxBytesExtension = "x-max-bytes"
	emptyExtension    = "x-empty-is-absent"
)

// bodyValidator checks a request's body against the specification. What it knows of JSON Schema is what openapi.yaml uses.
type bodyValidator struct {
	schema       openapi3.Schema     // without its alternatives: one that is missing must not hide the other problems
	alternatives openapi3.SchemaRefs // of which one must hold
	options      []openapi3.SchemaValidationOption
	limits       map[string]int // x-max-bytes by member
	names        []string       // members that are names
	isLenient    bool           // whether the operation takes events
}

// newBodyValidator returns nil for an operation without a body.
func newBodyValidator(operation *openapi3.Operation) (*bodyValidator, error) {
	if operation.RequestBody == nil {
		return nil, nil //nolint:nilnil // no body, no validator
	}
	media := operation.RequestBody.Value.Content.Get(echo.MIMEApplicationJSON)
	if media == nil || media.Schema == nil {
		return nil, fmt.Errorf("operation %s: a body must be JSON and have a schema", operation.OperationID)
	}
	if err := requireBounds(media.Schema.Value); err != nil {
		return nil, fmt.Errorf("operation %s: %w", operation.OperationID, err)
	}
	v := &bodyValidator{
		schema:       *media.Schema.Value,
		alternatives: media.Schema.Value.AnyOf,
		options:      schemaOptions(),
		limits:       make(map[string]int),
		isLenient:    slices.Contains(operation.Tags, eventsTag),
	}
	v.schema.AnyOf = nil
	for name, property := range v.schema.Properties {
		if limit, ok := property.Value.Extensions[maxBytesExtension].(float64); ok {
			v.limits[name] = int(limit)
		}
		if property.Value.Pattern == namePattern {
			v.names = append(v.names, name)
		}
	}
	slices.Sort(v.names)
	return v, nil
}

// requireBounds returns an error for a list without maxItems: each of its items could have a problem.
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

// schemaOptions has a schema checked as we mean it: every problem, and the formats that we know.
func schemaOptions() []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{
		openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.EnableFormatValidation(),
		openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
			"event-status": openapi3.NewCallbackValidator(checkStatus),
			"date-time":    openapi3.NewCallbackValidator(checkTime),
			"uuid":         openapi3.NewCallbackValidator(checkUUID),
		}),
	}
}

// validatedBody is a body that was read and checked: the generated code binds its value instead of decoding it again.
type validatedBody struct {
	io.Reader

	value any
}

// ValidatedValue is what the generated code looks for.
func (b validatedBody) ValidatedValue() any { return b.value }

// Close does nothing: the body was read to its end.
func (b validatedBody) Close() error { return nil }

type rawBodyKey struct{}

// rawBody returns the body as it was received; that of an event is cleaned for storage.
func rawBody(ctx context.Context) []byte {
	raw, _ := ctx.Value(rawBodyKey{}).([]byte)
	return raw
}

// middleware reads the body, once for all, and lets valid requests pass.
func (v *bodyValidator) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !v.accepts(r) {
			return apperr.New(apperr.UnsupportedMedia, "Unsupported media type")
		}
		raw, err := readBody(c.Response(), r)
		if err != nil {
			return err
		}
		var invalidNames []string
		if v.isLenient {
			raw, invalidNames = ingest.CleanBody(raw, v.names...)
		}
		value, err := decodeJSON(raw)
		if err != nil {
			return err
		}
		if v.isLenient {
			v.coerce(value)
		}
		v.normalize(value)
		if problems := v.check(value, invalidNames); len(problems) > 0 {
			return apperr.NewInvalid(problems...)
		}
		writeIntegers(&v.schema, value)
		r = r.WithContext(context.WithValue(r.Context(), rawBodyKey{}, raw))
		r.Body = validatedBody{Reader: strings.NewReader(""), value: value}
		r.ContentLength = int64(len(raw))
		r.Header.Set("Content-Type", echo.MIMEApplicationJSON) // the binder knows no other
		c.SetRequest(r)
		return next(c)
	}
}

// accepts reports whether the body is JSON in UTF-8 without a content coding, by its headers. For events, "utf8" and
// "identity" mean that, too.
func (v *bodyValidator) accepts(r *http.Request) bool {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := media == echo.MIMEApplicationJSON || media == mergePatch && r.Method == http.MethodPatch
	if err != nil || !isJSON {
		return false
	}
	charset, coding := strings.ToLower(params["charset"]), r.Header.Get("Content-Encoding")
	if v.isLenient {
		return slices.Contains([]string{"", "utf-8", "utf8"}, charset) && (coding == "" || strings.EqualFold(coding, "identity"))
	}
	return (charset == "" || charset == "utf-8") && coding == ""
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := apperr.NewInvalid(apperr.Field{
		Loc: []any{"body"}, Msg: fmt.Sprintf("the body is larger than %d bytes", maxBody), Type: "value_error.too_large",
	})
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) { // it may be sent again
		return nil, apperr.Wrap(apperr.Unavailable, "the body did not arrive whole in time", err)
	}
	if err != nil {
		return nil, apperr.Wrap(apperr.Malformed, errNotJSON.Message, err)
	}
	return raw, nil
}

// coerce converts members of an event that clients send in another type: integers to texts where most CI systems have
// numbers, and texts to booleans. It drops completed_at when the status is not terminal, without reading it.
func (v *bodyValidator) coerce(value any) {
	object, _ := value.(map[string]any)
	for _, name := range []string{"build_number", "invoke_id"} {
		if number, ok := object[name].(json.Number); ok && isInteger(number) {
			object[name] = number.String()
		}
	}
	for name, member := range object {
		text, isText := member.(string)
		if property := v.schema.Properties[name]; isText && property != nil && property.Value.Type.Is("boolean") {
			switch strings.ToLower(strings.TrimSpace(text)) {
			case "true":
				object[name] = true
			case "false":
				object[name] = false
			}
		}
	}
	text, _ := object["status"].(string)
	if status, ok := ingest.ParseStatus(text); ok && !status.IsTerminal() {
		delete(object, "completed_at")
	}
}

// isInteger reports whether the number has neither a fraction nor an exponent.
func isInteger(number json.Number) bool {
	return strings.Trim(number.String(), "-0123456789") == ""
}

// normalize brings names into their normal form and replaces empty texts by null where any text or none is allowed, before
// lengths are checked. Empty times are null for events alone: CI systems write unknown values as empty texts.
func (v *bodyValidator) normalize(value any) {
	object, _ := value.(map[string]any)
	for name, member := range object {
		text, isText := member.(string)
		property := v.schema.Properties[name]
		if !isText || property == nil {
			continue
		}
		if property.Value.Pattern == namePattern {
			text, _ = ingest.NormalizeName(text) // checkNames reports the problem
			object[name] = text
		}
		if text == "" && property.Value.Nullable && (property.Value.Format == "" || property.Value.Extensions[emptyExtension] == true) {
			object[name] = nil
		}
	}
}

// writeIntegers writes whole numbers of a valid value as the generated code reads them: to JSON Schema, 24.0 and 2.4e1 are
// integers, too. What the schema does not call an integer stays as it was sent.
func writeIntegers(schema *openapi3.Schema, value any) {
	object, _ := value.(map[string]any)
	for name, member := range object {
		property := schema.Properties[name]
		if property == nil {
			continue
		}
		writeIntegers(property.Value, member)
		if number, ok := member.(json.Number); ok && property.Value.Type.Is("integer") {
			if whole, err := number.Float64(); err == nil {
				object[name] = json.Number(strconv.FormatFloat(whole, 'f', -1, 64))
			}
		}
	}
}

// check returns the problems of the value, in the order of their places. In the invalid names, characters were replaced.
func (v *bodyValidator) check(value any, invalidNames []string) []apperr.Field {
	value = bound(&v.schema, value)
	problems := flatten(v.schema.VisitJSON(value, v.options...), []any{"body"})
	if object, ok := value.(map[string]any); ok {
		problems = append(problems, v.missingAlternative(object)...)
		problems = append(problems, v.checkNames(object, invalidNames, problems)...)
		for name, limit := range v.limits {
			if compactSize(object[name]) > limit {
				problems = append(problems, apperr.Field{
					Loc: []any{"body", name}, Msg: fmt.Sprintf("larger than %d bytes of compact JSON", limit), Type: "value_error.too_large",
				})
			}
		}
	}
	for _, problem := range problems {
		countPositions(value, problem.Loc[1:])
	}
	slices.SortStableFunc(problems, func(one, other apperr.Field) int {
		return strings.Compare(fmt.Sprint(one.Loc...), fmt.Sprint(other.Loc...))
	})
	return problems
}

// bound cuts a value that is too long to be valid, so that the number of problems does not grow with the body: a list to one
// item more than it may have, and unknown members, where there may be none, to apperr.MaxFields.
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
		list := value[:min(len(value), int(*schema.MaxItems)+1)] //nolint:gosec // a hundred or so
		for i, item := range list {
			list[i] = bound(schema.Items.Value, item)
		}
		return list
	}
	return value
}

// checkNames returns the problems of names that the schema cannot express, and that are not among those already found.
func (v *bodyValidator) checkNames(object map[string]any, invalid []string, found []apperr.Field) []apperr.Field {
	var problems []apperr.Field
	for _, name := range v.names {
		loc := []any{"body", name}
		text, _ := object[name].(string)
		_, problem := ingest.NormalizeName(text)
		switch {
		case slices.Contains(invalid, name):
			problems = append(problems, apperr.Field{Loc: loc, Msg: "must not contain NUL or characters that are not Unicode", Type: "value_error.text"})
		case text == "" || problem == "" || slices.ContainsFunc(found, func(other apperr.Field) bool { return slices.Equal(other.Loc, loc) }):
		default:
			problems = append(problems, apperr.Field{Loc: loc, Msg: problem, Type: "value_error.text"})
		}
	}
	return problems
}

// countPositions makes numbers of the positions in lists on the way to a place, which kin-openapi tells as texts.
func countPositions(value any, loc []any) {
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

// missingAlternative says what the first alternative asks for, when none of them holds: that is the advice to give. What is
// null does not hold.
func (v *bodyValidator) missingAlternative(object map[string]any) []apperr.Field {
	object = maps.Clone(object)
	maps.DeleteFunc(object, func(_ string, member any) bool { return member == nil })
	for _, alternative := range v.alternatives {
		if alternative.Value.VisitJSON(object, v.options...) == nil {
			return nil
		}
	}
	if len(v.alternatives) == 0 {
		return nil
	}
	return flatten(v.alternatives[0].Value.VisitJSON(object, v.options...), []any{"body"})
}

// flatten walks what kin-openapi reports down to the single problems.
func flatten(err error, root []any) []apperr.Field {
	switch failure := err.(type) { //nolint:errorlint // a tree of errors is walked, not a chain
	case nil:
		return nil
	case openapi3.MultiError:
		var all []apperr.Field
		for _, part := range failure {
			all = append(all, flatten(part, root)...)
		}
		return all
	case *openapi3.SchemaError:
		if failure.SchemaField == "pattern" && failure.Value == "" {
			return nil // minLength has said so
		}
		return []apperr.Field{describe(failure, root)}
	default:
		return []apperr.Field{{Loc: root, Msg: "not valid", Type: "value_error"}}
	}
}

// describe words a single problem. It never repeats the value: that may be a secret, or very long.
func describe(failure *openapi3.SchemaError, root []any) apperr.Field {
	schema := failure.Schema
	loc := slices.Clip(root)
	for _, name := range failure.JSONPointer() {
		loc = append(loc, name)
	}
	field := apperr.Field{Loc: loc, Type: "value_error." + failure.SchemaField, Msg: "not valid"}
	switch failure.SchemaField {
	case "required":
		field.Msg, field.Type = "field required", "value_error.missing"
	case "type":
		expected := strings.Join(schema.Type.Slice(), " or ")
		field.Msg, field.Type = "value is not a valid "+expected, "type_error."+expected
	case "nullable":
		field.Msg, field.Type = "null is not an allowed value", "type_error.none.not_allowed"
	case "minLength":
		field.Msg, field.Type = fmt.Sprintf("ensure this value has at least %d characters", schema.MinLength), "value_error.any_str.min_length"
	case "maxLength":
		field.Msg, field.Type = fmt.Sprintf("ensure this value has at most %d characters", *schema.MaxLength), "value_error.any_str.max_length"
	case "pattern":
		field.Msg, field.Type = patternMessage(schema.Pattern), "value_error.str.regex"
	case "enum":
		field.Msg, field.Type = fmt.Sprintf("value is not one of: %s", join(schema.Enum)), "type_error.enum"
	case "minimum":
		field.Msg, field.Type = fmt.Sprintf("ensure this value is at least %v", *schema.Min), "value_error.number.not_ge"
	case "maximum":
		field.Msg, field.Type = fmt.Sprintf("ensure this value is at most %v", *schema.Max), "value_error.number.not_le"
	case "properties":
		field.Msg, field.Type = "a member that is not known here", "value_error.extra"
		if name, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(failure.Reason, "property "), " is unsupported")); err == nil {
			field.Loc = append(field.Loc, name)
		}
	case "maxItems":
		field.Msg, field.Type = fmt.Sprintf("ensure this value has at most %d items", *schema.MaxItems), "value_error.list.max_items"
	case "format":
		field.Msg, field.Type = formatMessages[schema.Format], formatTypes[schema.Format]
	}
	return field
}

func join(values []any) string {
	words := make([]string, 0, len(values))
	for _, value := range values {
		if value != nil {
			words = append(words, fmt.Sprint(value))
		}
	}
	return strings.Join(words, ", ")
}

func patternMessage(pattern string) string {
	if pattern == namePattern {
		return "ensure this value is not only white space"
	}
	return "ensure this value matches " + pattern
}

//nolint:gochecknoglobals // a constant table
var formatTypes = map[string]string{
	"event-status": "type_error.enum",
	"date-time":    "value_error.datetime",
	"uuid":         "type_error.uuid",
}

//nolint:gochecknoglobals // a constant table
var formatMessages = map[string]string{
	"event-status": "unknown status; accepted are: " + strings.Join(ingest.StatusAliases(), ", "),
	"date-time":    "not a time such as 2026-11-21T18:00:00Z: RFC 3339, with a zone, from year 1 to 9999",
	"uuid":         "value is not a valid uuid",
}

var errFormat = errors.New("not of the format")

func checkStatus(text string) error {
	if _, ok := ingest.ParseStatus(text); !ok {
		return errFormat
	}
	return nil
}

func checkUUID(text string) error {
	if _, err := uuid.Parse(text); err != nil || len(text) != len(uuid.UUID{}.String()) {
		return errFormat
	}
	return nil
}

// checkTime also refuses what would leave the years 1 to 9999 in UTC: it could be stored, but not be written again.
func checkTime(text string) error {
	var at time.Time
	if err := at.UnmarshalText([]byte(text)); err != nil {
		return errFormat
	}
	if year := at.UTC().Year(); year < 1 || year > 9999 {
		return errFormat
	}
	return nil
}
