package spectest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// violation breaks one rule of a schema.
type violation struct {
	what string
	loc  []any // where
	// to is what stands there instead; nothing when the member is taken away.
	to   any
	gone bool
}

// apply returns a body with the violation.
func (v violation) apply(body any) any { return v.put(body, v.loc) }

func (v violation) put(value any, at []any) any {
	if len(at) == 0 {
		return v.to
	}
	switch place := at[0].(type) {
	case string:
		object, ok := value.(map[string]any)
		if !ok {
			object = make(map[string]any)
		}
		if len(at) == 1 && v.gone {
			delete(object, place)
			return object
		}
		object[place] = v.put(object[place], at[1:])
		return object
	case int:
		list, ok := value.([]any)
		if !ok || len(list) <= place {
			list = make([]any, place+1)
		}
		list[place] = v.put(list[place], at[1:])
		return list
	default:
		return value
	}
}

// kinds are those of JSON, with a value of each.
func kinds() map[string]any {
	return map[string]any{
		"string": "x", "integer": 7, "number": json.Number("1.5"), "boolean": true, "object": map[string]any{}, "array": []any{},
	}
}

// violations break each rule of the schema and of the schemas inside, at the place where it stands.
func violations(t *testing.T, reference *openapi3.SchemaRef, loc ...any) []violation {
	t.Helper()
	schema := reference.Value
	at := func(what string, to any) violation { return violation{what: what, loc: loc, to: to} }
	var found []violation
	for _, kind := range slices.Sorted(maps.Keys(kinds())) {
		if !schema.Type.Is(kind) {
			found = append(found, at("of the kind "+kind, kinds()[kind]))
		}
	}
	if !schema.Nullable {
		found = append(found, at("null", nil))
	}
	if len(schema.Enum) > 0 {
		return append(found, at("not of the enum", "nonsense"), at("in another case", strings.ToUpper(fmt.Sprint(schema.Enum[0]))))
	}
	switch {
	case schema.Type.Is("string"):
		for _, text := range badTexts(t, schema) {
			if takesEmpty(schema) && len(loc) == 1 && strings.Trim(text.value.(string), " \t\n\u00a0\u2003\u200b\ufeff") == "" {
				continue // names are trimmed, and empty means absent
			}
			found = append(found, at(text.what, text.value))
		}
	case schema.Type.Is("integer"):
		found = append(found, at("too low", int64(*schema.Min)-1), at("too high", int64(*schema.Max)+1), at("far too high", json.Number("1e30")))
	case schema.Type.Is("array"):
		if schema.MaxItems != nil {
			found = append(found, at("too many", slices.Repeat([]any{"started"}, int(*schema.MaxItems)+1)))
		}
		found = append(found, violations(t, schema.Items, append(slices.Clone(loc), 0)...)...)
	case schema.Type.Is("object"):
		found = append(found, badObjects(t, schema, loc)...)
	case schema.Type.Is("boolean"):
	default:
		require.Fail(t, "the tests do not know how to break this", "%v", loc)
	}
	return found
}

// takesEmpty says whether an empty text counts as absent: where any text may stand, or where the document says so.
func takesEmpty(schema *openapi3.Schema) bool {
	return schema.Nullable && (schema.Format == "" || schema.Extensions["x-empty-as-null"] == true)
}

func badTexts(t *testing.T, schema *openapi3.Schema) []sample {
	t.Helper()
	var found []sample
	switch schema.Format {
	case "":
		found = append(found, sample{"with NUL", "a\u0000b"})
	case "uuid":
		found = append(found, badUUIDs()...)
	case "date-time":
		found = append(found, badTimes()...)
	case "event-status":
		found = append(found, sample{"no word for a status", "nonsense"}, sample{"nothing", " "})
	default:
		require.Fail(t, "a format that the tests do not know", schema.Format)
	}
	if schema.MaxLength != nil {
		most := int(*schema.MaxLength)
		found = append(found, sample{"too long", strings.Repeat("x", most+1)}, sample{"too long, of four bytes each", strings.Repeat("\U0001f600", most+1)})
	}
	if schema.MinLength > 0 {
		found = append(found, sample{"too short", strings.Repeat("x", int(schema.MinLength)-1)})
	}
	switch schema.Pattern {
	case "":
	case namePattern:
		found = append(found, sample{"white space", " \t\n"}, sample{"white space of other kinds", "\u00a0\u2003"}, sample{"of no width", "\u200b\ufeff"},
			sample{"a control character", "x\u0001y"}, sample{"a line break inside", "x\ny"})
	case `^[!-~]([ -~]*[!-~])?$`:
		found = append(found, sample{"not ASCII", "é"}, sample{"space at the end", "x "}, sample{"space at the beginning", " x"}, sample{"a tabulator", "x\ty"})
	default:
		require.Fail(t, "a pattern that the tests do not know", schema.Pattern)
	}
	return found
}

func badUUIDs() []sample {
	const id = "01a1f44d-55e8-7b5b-b04b-7095f117bbe8"
	return []sample{
		{"no UUID", "7"},
		{"a letter too high", id[:len(id)-1] + "g"},
		{"cut off", id[:len(id)-1]},
		{"too long", id + "0"},
		{"without hyphens", strings.ReplaceAll(id, "-", "")},
		{"in braces", "{" + id + "}"},
		{"as a URN", "urn:uuid:" + id},
		{"padded", " " + id},
	}
}

func badTimes() []sample {
	return []sample{
		{"no time", "now"},
		{"empty", ""},
		{"a date", "2026-11-21"},
		{"without a zone", "2026-11-21T18:00:00"},
		{"with a space", "2026-11-21 18:00:00Z"},
		{"not of the calendar", "2026-02-30T00:00:00Z"},
		{"hour 24", "2026-11-21T24:00:00Z"},
		{"before year 1", "0000-12-31T23:59:59Z"},
		{"after year 9999", "9999-12-31T23:59:59-01:00"},
		{"five digits", "10000-01-01T00:00:00Z"},
		{"a number", "1763748000"},
		{"padded", "2026-11-21T18:00:00Z "},
	}
}

func badObjects(t *testing.T, schema *openapi3.Schema, loc []any) []violation {
	t.Helper()
	below := func(name string) []any { return append(slices.Clone(loc), name) }
	var found []violation
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if slices.Contains(schema.Required, name) {
			found = append(found, violation{what: name + " is missing", loc: below(name), gone: true})
		}
		found = append(found, violations(t, schema.Properties[name], below(name)...)...)
	}
	if closed(schema) {
		found = append(found, violation{what: "an unknown member", loc: below("nonsense"), to: 1})
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			found = append(found, violation{what: "an unknown member", loc: below(strings.ToUpper(name)), to: "x"})
		}
	}
	if limit, ok := schema.Extensions["x-max-bytes"].(float64); ok {
		found = append(found, violation{what: "too large", loc: loc, to: map[string]any{"a": strings.Repeat("x", int(limit)-len(`{"a":""}`)+1)}})
	}
	return found
}

// badParams are texts that a parameter may not be.
func badParams(t *testing.T, param *openapi3.Parameter) []sample {
	t.Helper()
	schema := param.Schema.Value
	var found []sample
	switch {
	case len(schema.Enum) > 0:
		found = []sample{{"not of the enum", "nonsense"}, {"in another case", strings.ToUpper(fmt.Sprint(schema.Enum[0]))}, {"empty", ""}}
	case schema.Type.Is("integer"):
		found = []sample{
			{"too low", strconv.FormatInt(int64(*schema.Min)-1, 10)},
			{"too high", strconv.FormatInt(int64(*schema.Max)+1, 10)},
			{"empty", ""},
			{"no number", "x"},
			{"a fraction", "1.5"},
			{"padded", " 1"},
			{"hexadecimal", "0x1"},
			{"an exponent", "1e1"},
			{"beyond 64 bits", "18446744073709551617"},
		}
	default:
		found = badTexts(t, schema)
		if schema.Format != "" {
			found = append(found, sample{"empty", ""})
		}
	}
	if param.In != openapi3.ParameterInHeader {
		return append(found, sample{"not UTF-8", "\xff"}, sample{"NUL", "\x00"})
	}
	return slices.DeleteFunc(found, func(s sample) bool { // what no client of ours can send
		text := s.value.(string)
		return strings.ContainsAny(text, "\x00\n") || strings.TrimSpace(text) != text
	})
}
