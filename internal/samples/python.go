package samples

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// python is the operation with clients/python.
func python(op operation) string {
	if op.isPage {
		return "import os\n\nimport httpx\n\npage = httpx.get(os.environ[\"VERSIONER_API_URL\"] + \"" + op.path + "\")\nprint(page.text)\n"
	}
	d := op.document
	call := piece{lead: "client." + strings.Join(words(op.id), "_"), open: "(", close: ")", trailing: true}
	for _, param := range op.inPath {
		call.parts = append(call.parts, word(quoted(param.example.Value)))
	}
	if op.body != nil {
		call.parts = append(call.parts, d.pythonPiece(op.body, op.bodySchema))
	}
	for _, param := range op.inQuery {
		call.parts = append(call.parts, word(param.name+"="+quoted(param.example.Value)))
	}

	arguments := ""
	if op.variable == "VERSIONER_TOKEN" {
		arguments = `credential=os.environ["VERSIONER_TOKEN"]`
	}
	var code strings.Builder
	code.WriteString("with Versioner(" + arguments + ") as client:\n")
	switch item := op.list(); {
	case item != nil:
		name := strings.Join(noun(item), "_")
		loop := "    for " + name + " in "
		code.WriteString(loop + call.layout("    ", 1, len(loop), 1) + ":\n        print(" + name + "." + d.shown(item) + ")\n")
	case op.answer == nil:
		code.WriteString("    " + call.layout("    ", 1, len("    "), 0) + "\n")
	default:
		name := strings.Join(noun(op.answer), "_")
		start := "    " + name + " = "
		code.WriteString(start + call.layout("    ", 1, len(start), 0) + "\n")
		code.WriteString(d.pythonPrint(name, op.answer))
	}
	return pythonImports(code.String()) + code.String()
}

func (d document) pythonPrint(name string, answer node) string {
	switch list, items := d.parts(answer); {
	case d.shown(answer) != "":
		return "print(" + name + "." + d.shown(answer) + ")\n"
	case list != "":
		item := strings.Join(noun(items), "_")
		return "for " + item + " in " + name + "." + list + ":\n    print(" + item + "." + d.shown(items) + ")\n"
	default:
		return "print(" + name + "[\"openapi\"])\n"
	}
}

// pythonImports are those that the code needs.
func pythonImports(code string) string {
	var standard string
	if strings.Contains(code, "os.environ") {
		standard += "import os\n"
	}
	if strings.Contains(code, "UUID(") {
		standard += "from uuid import UUID\n"
	}
	if standard != "" {
		standard += "\n"
	}
	names := "Versioner"
	if strings.Contains(code, "models.") {
		names += ", models"
	}
	return standard + "from versioner_client import " + names + "\n\n"
}

func (d document) pythonPiece(value, schema node) piece {
	target := d.follow(schema)
	switch value.Kind {
	case yaml.MappingNode:
		if d.member(target, "properties") != nil {
			model := piece{lead: "models." + schemaName(schema), open: "(", close: ")", trailing: true}
			for name, member := range members(value) {
				model.parts = append(model.parts, named(name+"=", d.pythonPiece(member, raw(raw(target, "properties"), name))))
			}
			return model
		}
		object := piece{open: "{", close: "}", trailing: true}
		for name, member := range members(value) {
			object.parts = append(object.parts, named(quoted(name)+": ", d.pythonPiece(member, nil)))
		}
		return object
	case yaml.SequenceNode:
		list := piece{open: "[", close: "]", trailing: true}
		for _, item := range value.Content {
			list.parts = append(list.parts, d.pythonPiece(item, raw(target, "items")))
		}
		return list
	default:
		return word(pythonScalar(value, target))
	}
}

func pythonScalar(value, schema node) string {
	format := raw(schema, "format")
	switch {
	case format != nil && format.Value == "uuid":
		return "UUID(" + quoted(value.Value) + ")"
	case isNull(value):
		return "None"
	case isBoolean(value) && isTrue(value):
		return "True"
	case isBoolean(value):
		return "False"
	default:
		return jsonPiece(value).line()
	}
}
