package samples

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// node is a part of the document; its members keep the order in which they are written.
type node = *yaml.Node

// document is openapi.yaml.
type document struct{ root node }

// operation is what the samples tell of one.
type operation struct {
	document document

	id, method, path string
	variable         string // the one of the environment that holds the credential; empty where none is needed
	inPath, inQuery  []parameter
	body             node // the example of the request, and its schema
	bodySchema       node
	status           string
	answer           node // the schema of the answer; nil when there is none to read
	isPage           bool // the answer is a page for browsers
}

type parameter struct {
	name    string
	example node
	schema  node
}

func parse(text []byte) (document, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return document{}, fmt.Errorf("read the document: %w", err)
	}
	return document{root: root.Content[0]}, nil
}

// member returns the member at the end of the names, nil when there is none; references are followed on the way.
func (d document) member(of node, names ...string) node {
	for _, name := range names {
		of = raw(d.follow(of), name)
	}
	return d.follow(of)
}

// raw returns a member as it is written.
func raw(of node, name string) node {
	for key, value := range members(of) {
		if key == name {
			return value
		}
	}
	return nil
}

// follow returns what a reference leads to.
func (d document) follow(of node) node {
	for reference := raw(of, "$ref"); reference != nil; reference = raw(of, "$ref") {
		of = d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(reference.Value, "#/"), "/") {
			of = raw(of, name)
		}
	}
	return of
}

// members walks the members of an object.
func members(of node) func(yield func(string, node) bool) {
	return func(yield func(string, node) bool) {
		if of == nil || of.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i < len(of.Content); i += 2 {
			if !yield(of.Content[i].Value, of.Content[i+1]) {
				return
			}
		}
	}
}

// operations are those of the document, in its order.
func (d document) operations() []operation {
	var all []operation
	for path, item := range members(raw(d.root, "paths")) {
		for method, op := range members(item) {
			if raw(op, "operationId") != nil {
				all = append(all, d.operation(path, method, item, op))
			}
		}
	}
	return all
}

func (d document) operation(path, method string, item, op node) operation {
	found := operation{document: d, id: raw(op, "operationId").Value, method: method, path: path}
	for _, requirement := range raw(op, "security").Content {
		found.variable = "VERSIONER_API_KEY"
		if raw(requirement, "JWTAuth") != nil {
			found.variable = "VERSIONER_TOKEN"
		}
	}
	var shown []string
	if names := raw(op, "x-example-parameters"); names != nil {
		for _, name := range names.Content {
			shown = append(shown, name.Value)
		}
	}
	for _, reference := range append(contentOf(raw(item, "parameters")), contentOf(raw(op, "parameters"))...) {
		param := d.follow(reference)
		given := parameter{name: raw(param, "name").Value, example: raw(param, "example"), schema: raw(param, "schema")}
		switch {
		case raw(param, "in").Value == "path":
			found.inPath = append(found.inPath, given)
		case slices.Contains(shown, given.name):
			found.inQuery = append(found.inQuery, given)
		}
	}
	if media := d.member(op, "requestBody", "content", "application/json"); media != nil {
		found.bodySchema = raw(media, "schema")
		found.body = raw(media, "example")
		for _, example := range members(raw(media, "examples")) { // the first one is the simplest
			found.body = d.member(example, "value")
			break
		}
	}
	for status, response := range members(raw(op, "responses")) {
		if strings.HasPrefix(status, "2") {
			found.status = status
			found.answer = raw(d.member(response, "content", "application/json"), "schema")
			found.isPage = d.member(response, "content", "text/html") != nil
		}
	}
	return found
}

func contentOf(list node) []node {
	if list == nil {
		return nil
	}
	return list.Content
}

// target is the address, as the examples of the parameters give it.
func (o operation) target() string {
	target := o.path
	for _, param := range o.inPath {
		target = strings.ReplaceAll(target, "{"+param.name+"}", param.example.Value)
	}
	var query []string
	for _, param := range o.inQuery {
		query = append(query, param.name+"="+param.example.Value)
	}
	if len(query) > 0 {
		target += "?" + strings.Join(query, "&")
	}
	return target
}

// schemaName is the name of what a reference leads to.
func schemaName(schema node) string {
	reference := raw(schema, "$ref")
	if reference == nil {
		return ""
	}
	return reference.Value[strings.LastIndex(reference.Value, "/")+1:]
}

// list returns the schema of what a page holds; nil when the answer is no page of a list.
func (o operation) list() node {
	if o.document.member(o.answer, "properties", "next_cursor") == nil {
		return nil
	}
	return raw(o.document.member(o.answer, "properties", "items"), "items")
}

// shown is the member that tells most about an object, in one line.
func (d document) shown(schema node) string {
	properties := d.member(schema, "properties")
	for _, name := range []string{"key", "delivered", "action", "status", "event_type", "name", "version", "environment_name", "openapi"} {
		if member := d.member(properties, name); member != nil && raw(member, "nullable") == nil {
			return name
		}
	}
	return ""
}

// parts is the first member that is a list, for an object about which no other member tells anything.
func (d document) parts(schema node) (name string, of node) {
	for name, member := range members(d.member(schema, "properties")) {
		if items := raw(d.follow(member), "items"); items != nil {
			return name, items
		}
	}
	return "", nil
}

// noun is what an object of a schema is called in code, as words: APIKey is "api key", RecordedDeployment "deployment".
func noun(schema node) []string {
	name := schemaName(schema)
	if name == "" {
		return []string{"document"}
	}
	for _, prefix := range []string{"Recorded", "Created", "Notification", "Release"} {
		if rest := strings.TrimPrefix(name, prefix); rest != "" && !strings.HasPrefix(rest, "Progress") {
			name = rest
		}
	}
	return words(name)
}

var boundary = regexp.MustCompile(`([A-Z]+)([A-Z][a-z])|([a-z0-9])([A-Z])`)

// words takes a name apart: listAPIKeys is "list api keys".
func words(name string) []string {
	name = boundary.ReplaceAllString(boundary.ReplaceAllString(name, "$1$3 $2$4"), "$1$3 $2$4")
	return strings.Fields(strings.ToLower(name))
}
