package main

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// style is how a language writes values: an object with a line for each member, a list on one line.
type style struct {
	object   func(e example) (open, end string, key func(name string) string)
	scalar   func(e example) string
	indent   string
	trailing string // follows the last member of an object
}

func jsonStyle() style {
	return style{object: braces(func(name string) string { return strconv.Quote(name) + ": " }), scalar: jsonScalar, indent: "  "}
}

func typescriptStyle() style {
	return style{object: braces(func(name string) string { return name + ": " }), scalar: jsonScalar, indent: "  ", trailing: ","}
}

func braces(key func(string) string) func(example) (string, string, func(string) string) {
	return func(example) (string, string, func(string) string) { return "{", "}", key }
}

// value writes an example after a line that has that many levels of indentation.
func (s style) value(level int, e example) string {
	switch e.value.Kind {
	case yaml.MappingNode:
		open, end, key := s.object(e)
		var lines []string
		for name, member := range members(e.value) {
			lines = append(lines, "\n"+strings.Repeat(s.indent, level+1)+key(name)+s.value(level+1, e.member(name, member)))
		}
		if len(lines) == 0 {
			return open + end
		}
		return open + strings.Join(lines, ",") + s.trailing + "\n" + strings.Repeat(s.indent, level) + end
	case yaml.SequenceNode:
		var list []string
		for _, item := range e.value.Content {
			list = append(list, s.value(level, example{document: e.document, value: item, schema: raw(resolve(e.document, e.schema), "items")}))
		}
		return "[" + strings.Join(list, ", ") + "]"
	default:
		return s.scalar(e)
	}
}

func (e example) member(name string, value node) example {
	return example{document: e.document, value: value, schema: property(e.document, e.schema, name)}
}

func jsonScalar(e example) string {
	if tag := e.value.ShortTag(); tag == "!!str" || tag == "!!timestamp" {
		return strconv.Quote(e.value.Value)
	}
	return e.value.Value
}

func pythonValue(level int, e example) string {
	return style{object: pythonObject, scalar: pythonScalar, indent: "    ", trailing: ","}.value(level, e)
}

// pythonObject opens a model where the schema has a name, and a dictionary elsewhere.
func pythonObject(e example) (open, end string, key func(name string) string) {
	reference := raw(e.schema, "$ref")
	if target := resolve(e.document, e.schema); reference != nil && (raw(target, "properties") != nil || raw(target, "allOf") != nil) {
		name := reference.Value[strings.LastIndex(reference.Value, "/")+1:]
		return "models." + name + "(", ")", func(name string) string { return name + "=" }
	}
	return "{", "}", func(name string) string { return strconv.Quote(name) + ": " }
}

func pythonScalar(e example) string {
	format := get(e.document, e.schema, "format")
	switch text := jsonScalar(e); {
	case format != nil && format.Value == "uuid":
		return "UUID(" + text + ")"
	case text == "null":
		return "None"
	case text == "true" || text == "false":
		return title(text)
	default:
		return text
	}
}
