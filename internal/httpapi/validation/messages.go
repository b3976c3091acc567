package validation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
)

// flattenErrors returns the single problems in the tree of errors that kin-openapi returns.
func flattenErrors(err error, root []any) []apperr.Field {
	switch failure := err.(type) { //nolint:errorlint // a tree of errors is walked, not a chain
	case nil:
		return nil
	case openapi3.MultiError:
		var all []apperr.Field
		for _, part := range failure {
			all = append(all, flattenErrors(part, root)...)
		}
		return all
	case *openapi3.SchemaError:
		if failure.SchemaField == "pattern" && failure.Value == "" {
			return nil // minLength reports it
		}
		return []apperr.Field{fieldError(failure, root)}
	default:
		return []apperr.Field{{Loc: root, Msg: "not valid", Type: "value_error"}}
	}
}

// fieldError describes a single problem. It never repeats the value, which may be a secret, or very long.
func fieldError(failure *openapi3.SchemaError, root []any) apperr.Field {
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
		field.Msg, field.Type = enumMessage(schema, failure.Value)
	case "minimum":
		field.Msg, field.Type = fmt.Sprintf("ensure this value is at least %v", *schema.Min), "value_error.number.not_ge"
	case "maximum":
		field.Msg, field.Type = fmt.Sprintf("ensure this value is at most %v", *schema.Max), "value_error.number.not_le"
	case "properties":
		field.Msg, field.Type = "unknown field", "value_error.extra"
		if name, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(failure.Reason, "property "), " is unsupported")); err == nil {
			field.Loc = append(field.Loc, name)
		}
	case "maxItems":
		field.Msg, field.Type = fmt.Sprintf("ensure this value has at most %d items", *schema.MaxItems), "value_error.list.max_items"
	case "minItems":
		field.Msg, field.Type = fmt.Sprintf("ensure this value has at least %d items", schema.MinItems), "value_error.list.min_items"
	case "uniqueItems":
		field.Msg, field.Type = "the items must not be repeated", "value_error.list.unique_items"
	case "format":
		field.Msg, field.Type = formatMessages[schema.Format], formatTypes[schema.Format]
	}
	return field
}

// enumMessage describes a value that is not in the enum. The spellings of a status are many: a value that is not a text gets the
// shorter message.
func enumMessage(schema *openapi3.Schema, value any) (msg, kind string) {
	if schema.Extensions[acceptedValuesExtension] == nil {
		return "value is not one of: " + join(schema.Enum), "type_error.enum"
	}
	switch value.(type) {
	case string:
		return "unknown status; accepted are: " + join(schema.Enum), "type_error.enum"
	case nil:
		return "null is not an allowed value", "type_error.none.not_allowed"
	default:
		return "value is not a valid string", "type_error.string"
	}
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
		return "must not be blank"
	}
	return "ensure this value matches " + pattern
}

//nolint:gochecknoglobals // a constant table
var formatTypes = map[string]string{
	"date-time": "value_error.datetime",
	"uuid":      "type_error.uuid",
}

//nolint:gochecknoglobals // a constant table
var formatMessages = map[string]string{
	"date-time": "must be an RFC 3339 timestamp with a time zone, such as 2026-11-21T18:00:00Z, in the years 1 to 9999",
	"uuid":      "value is not a valid uuid",
}

var errFormat = errors.New("not of the format")

func checkUUID(text string) error {
	if _, ok := ParseUUID(text); !ok {
		return errFormat
	}
	return nil
}

// ParseUUID parses the 36-character form of an identifier, the only one that the API accepts.
func ParseUUID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == len(id.String())
}

// checkTime also refuses times outside of the years 1 to 9999 in UTC: RFC 3339 cannot represent them.
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
