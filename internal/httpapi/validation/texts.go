package validation

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// namePattern marks texts that must not be blank in the specification, maxName those of them that are names: longer ones may have several lines.
const (
	namePattern = `\S`
	maxName     = 255
)

// isName reports whether a schema is that of names, which are normalized.
func isName(schema *openapi3.Schema) bool {
	return schema.Pattern == namePattern && schema.MaxLength != nil && *schema.MaxLength <= maxName
}

// hasTexts reports whether values of a schema have texts that must not be blank.
func hasTexts(schema *openapi3.Schema) bool {
	for _, property := range schema.Properties {
		if hasTexts(property.Value) {
			return true
		}
	}
	return schema.Pattern == namePattern || schema.Items != nil && hasTexts(schema.Items.Value)
}

// allTextProblems returns the problems of names and other texts that the schema cannot express. invalid lists names with replaced characters.
func (v *Body) allTextProblems(value any, invalid []string) (problems []apperr.Field) {
	object, _ := value.(map[string]any)
	for _, name := range v.texts {
		loc := []any{"body", name}
		if slices.Contains(invalid, name) {
			problems = append(problems, apperr.Field{Loc: loc, Msg: "must not contain NUL or characters that are not Unicode", Type: "value_error.text"})
			continue
		}
		problems = append(problems, textProblems(v.schema.Properties[name].Value, object[name], loc)...)
	}
	return problems
}

// textProblems returns the problems of the texts of a value. An empty one has a problem of the schema.
func textProblems(schema *openapi3.Schema, value any, loc []any) (problems []apperr.Field) {
	switch value := value.(type) {
	case string:
		if schema.Pattern != namePattern || value == "" {
			return nil
		}
		name, problem := ingest.NormalizeName(value)
		if problem != "" && (isName(schema) || name == "") {
			return []apperr.Field{{Loc: loc, Msg: problem, Type: "value_error.text"}}
		}
	case map[string]any:
		for name, property := range schema.Properties {
			problems = append(problems, textProblems(property.Value, value[name], append(slices.Clip(loc), name))...)
		}
	case []any:
		for i, item := range value {
			if schema.Items != nil {
				problems = append(problems, textProblems(schema.Items.Value, item, append(slices.Clip(loc), i))...)
			}
		}
	}
	return problems
}
