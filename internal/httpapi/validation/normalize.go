package validation

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/versioner-io/versioner/internal/ingest"
)

// coerce converts fields of an event that clients send with another type: integers to strings where CI systems have
// numbers, and strings to booleans. It drops completed_at of a status that is not terminal without validating it.
func (v *Body) coerce(value any) {
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

// normalize normalizes names and the spelling of a status, and replaces empty strings by null where null is allowed, before lengths are checked. Other
// formats are affected only where x-empty-as-null is set: CI systems write unknown times as empty strings.
func (v *Body) normalize(value any) {
	object, _ := value.(map[string]any)
	for _, name := range v.texts {
		if member, isPresent := object[name]; isPresent {
			object[name] = normalizeNames(v.schema.Properties[name].Value, member)
		}
	}
	for name, member := range object {
		text, isText := member.(string)
		property := v.schema.Properties[name]
		if !isText || property == nil {
			continue
		}
		if text == "" && property.Value.Nullable && (property.Value.Format == "" || property.Value.Extensions[emptyExtension] == true) {
			object[name] = nil
		} else if property.Value.Extensions[acceptedValuesExtension] != nil {
			object[name] = strings.ToLower(strings.TrimSpace(text))
		}
	}
}

// normalizeNames returns a value with its names normalized, those in lists and objects, too. textProblems reports their problems.
func normalizeNames(schema *openapi3.Schema, value any) any {
	switch value := value.(type) {
	case string:
		if isName(schema) {
			name, _ := ingest.NormalizeName(value)
			return name
		}
	case map[string]any:
		for name, property := range schema.Properties {
			if member, isPresent := value[name]; isPresent {
				value[name] = normalizeNames(property.Value, member)
			}
		}
	case []any:
		for i, item := range value {
			if schema.Items != nil {
				value[i] = normalizeNames(schema.Items.Value, item)
			}
		}
	}
	return value
}

// canonicalizeIntegers rewrites integers of a valid value in the form that the generated code can decode: JSON Schema
// accepts 24.0 and 2.4e1 as integers. Numbers of other types stay as sent.
func canonicalizeIntegers(schema *openapi3.Schema, value any) {
	object, _ := value.(map[string]any)
	for name, member := range object {
		property := schema.Properties[name]
		if property == nil {
			continue
		}
		canonicalizeIntegers(property.Value, member)
		if number, ok := member.(json.Number); ok && property.Value.Type.Is("integer") {
			if whole, err := number.Float64(); err == nil {
				object[name] = json.Number(strconv.FormatFloat(whole, 'f', -1, 64))
			}
		}
	}
}
