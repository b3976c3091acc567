package samples

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// curl is the operation as a command.
func curl(op operation) string {
	var lines []string
	command := `curl "$VERSIONER_API_URL` + op.target() + `"`
	if isImplied := op.method == "get" || op.method == "post" && op.body != nil; !isImplied {
		command = "curl -X " + strings.ToUpper(op.method) + strings.TrimPrefix(command, "curl")
	}
	lines = append(lines, command)
	if op.variable != "" {
		lines = append(lines, `-H "Authorization: Bearer $`+op.variable+`"`)
	}
	if op.body != nil {
		body := jsonPiece(op.body).layout("  ", 1, len("  -d ''"), 0)
		lines = append(lines, `-H "Content-Type: application/json"`, "-d '"+strings.ReplaceAll(body, "'", `'\''`)+"'")
	}
	return strings.Join(lines, " \\\n  ") + "\n"
}

// jsonPiece is a value in JSON.
func jsonPiece(value node) piece {
	switch value.Kind {
	case yaml.MappingNode:
		object := piece{open: "{", close: "}"}
		for name, member := range members(value) {
			object.parts = append(object.parts, named(quoted(name)+": ", jsonPiece(member)))
		}
		return object
	case yaml.SequenceNode:
		list := piece{open: "[", close: "]"}
		for _, item := range value.Content {
			list.parts = append(list.parts, jsonPiece(item))
		}
		return list
	default:
		if isText(value) {
			return word(quoted(value.Value))
		}
		return word(value.Value)
	}
}

func isText(value node) bool { return value.ShortTag() == "!!str" || value.ShortTag() == "!!timestamp" }

func isNull(value node) bool { return value.ShortTag() == "!!null" }

func isTrue(value node) bool { return value.Value == "true" }

func isBoolean(value node) bool { return value.ShortTag() == "!!bool" }

// quoted is a text between double quotes, as all four languages have it.
func quoted(text string) string { return strconv.Quote(text) }
