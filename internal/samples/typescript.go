package samples

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// typescript is the operation with clients/typescript.
func typescript(op operation) string {
	if op.isPage {
		return "const page = await fetch(`${process.env.VERSIONER_API_URL}" + op.path + "`);\nconsole.log(await page.text());\n"
	}
	options := piece{open: "{", close: "}", space: " ", trailing: true, parts: []piece{word("client")}}
	if len(op.inPath) > 0 {
		options.parts = append(options.parts, named("path: ", typescriptObject(op.inPath)))
	}
	if len(op.inQuery) > 0 {
		options.parts = append(options.parts, named("query: ", typescriptObject(op.inQuery)))
	}
	if op.body != nil {
		options.parts = append(options.parts, named("body: ", typescriptPiece(op.body)))
	}
	call := piece{lead: op.id, open: "(", close: ")", parts: []piece{options}}

	settings := ""
	if op.variable == "VERSIONER_TOKEN" {
		settings = "{ credential: process.env.VERSIONER_TOKEN }"
	}
	var text strings.Builder
	text.WriteString("import { createClient, " + op.id + " } from \"@versioner/client\";\n\n")
	text.WriteString("const client = createClient(" + settings + ");\n")
	d := op.document
	if item := op.list(); item != nil {
		loop := "for await (const " + camelCase(noun(item)) + " of "
		text.WriteString(loop + hug(call).layout("  ", 0, len(loop), 3) + ") {\n")
		text.WriteString("  console.log(" + camelCase(noun(item)) + "." + d.shown(item) + ");\n}\n")
		return text.String()
	}
	if op.answer == nil {
		text.WriteString("await " + hug(call).layout("  ", 0, len("await "), 1) + ";\n")
		return text.String()
	}
	name := camelCase(noun(op.answer))
	start := "const " + name + " = await "
	text.WriteString(start + hug(call).layout("  ", 0, len(start), 1) + ";\n")
	switch list, items := d.parts(op.answer); {
	case d.shown(op.answer) != "":
		text.WriteString("console.log(" + name + "." + d.shown(op.answer) + ");\n")
	case list != "":
		text.WriteString("for (const " + camelCase(noun(items)) + " of " + name + "." + list + ") {\n")
		text.WriteString("  console.log(" + camelCase(noun(items)) + "." + d.shown(items) + ");\n}\n")
	default:
		text.WriteString("console.log(" + name + "[\"openapi\"]);\n")
	}
	return text.String()
}

// hug lets the brackets of a call and of its only argument open and close together.
func hug(call piece) piece {
	only := call.parts[0]
	only.lead = call.lead + call.open + only.lead
	only.close += call.close
	return only
}

func typescriptObject(params []parameter) piece {
	object := piece{open: "{", close: "}", space: " ", trailing: true}
	for _, param := range params {
		object.parts = append(object.parts, named(param.name+": ", typescriptPiece(param.example)))
	}
	return object
}

func typescriptPiece(value node) piece {
	switch value.Kind {
	case yaml.MappingNode:
		object := piece{open: "{", close: "}", space: " ", trailing: true}
		for name, member := range members(value) {
			object.parts = append(object.parts, named(name+": ", typescriptPiece(member)))
		}
		return object
	case yaml.SequenceNode:
		list := piece{open: "[", close: "]", trailing: true}
		for _, item := range value.Content {
			list.parts = append(list.parts, typescriptPiece(item))
		}
		return list
	default:
		return jsonPiece(value)
	}
}

func camelCase(words []string) string {
	name := slices.Clone(words)
	for i, word := range words[1:] {
		name[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(name, "")
}
