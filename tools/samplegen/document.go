package main

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// node is a part of the document. Its members keep their order.
type node = *yaml.Node

// operation is the data of the templates.
type operation struct {
	ID, Method, Path string
	Variable         string // the environment variable with the credential; empty without authentication
	PathParameters   []parameter
	QueryParameters  []parameter
	Body             *example
	TextType         string // the media type of a body that is a text, not JSON
	Status           string // of the successful response
	HasAnswer        bool
	IsList, IsPage   bool // whether the response is a page of a list with items, or an HTML page
	IsFeed           bool // whether the address of a calendar feed is all that a client needs
}

type parameter struct {
	Name   string
	Value  string
	IsTime bool
}

// example is a value of a schema.
type example struct {
	document node
	value    node
	schema   node
}

func parse(text []byte) ([]operation, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("parse the document: %w", err)
	}
	document := file.Content[0]
	var operations []operation
	for path, item := range members(get(document, document, "paths")) {
		for method, op := range members(item) {
			// A browser navigates to an operation that redirects; programs do not call it.
			if get(document, op, "operationId") != nil && get(document, op, "responses", "302") == nil {
				operations = append(operations, parseOperation(document, path, method, item, op))
			}
		}
	}
	return operations, nil
}

func parseOperation(document node, path, method string, item, op node) operation {
	parsed := operation{ID: get(document, op, "operationId").Value, Method: method, Path: path}
	for _, requirement := range items(get(document, op, "security")) { // the first that samples can use
		switch {
		case parsed.Variable != "":
		case get(document, requirement, "ApiKeyAuth") != nil:
			parsed.Variable = "VERSIONER_API_KEY"
		case get(document, requirement, "JWTAuth") != nil:
			parsed.Variable = "VERSIONER_TOKEN"
		}
	}
	parsed.IsFeed = get(document, op, "security").Content != nil && get(document, items(get(document, op, "security"))[0], "CalendarFeedToken") != nil
	var shown []string
	for _, name := range items(get(document, op, "x-example-parameters")) {
		shown = append(shown, name.Value)
	}
	for _, reference := range slices.Concat(items(get(document, item, "parameters")), items(get(document, op, "parameters"))) {
		next := parameter{Name: get(document, reference, "name").Value}
		if value := get(document, reference, "example"); value != nil {
			next.Value = value.Value
		}
		next.IsTime = get(document, reference, "schema", "format") != nil && get(document, reference, "schema", "format").Value == "date-time"
		switch {
		case get(document, reference, "in").Value == "path":
			parsed.PathParameters = append(parsed.PathParameters, next)
		case slices.Contains(shown, next.Name):
			parsed.QueryParameters = append(parsed.QueryParameters, next)
		}
	}
	parsed.Body = bodyExample(document, get(document, op, "requestBody", "content", "application/json"))
	if calendar := get(document, op, "requestBody", "content", "text/calendar"); calendar != nil {
		parsed.Body, parsed.TextType = bodyExample(document, calendar), "text/calendar"
	}
	for status, response := range members(get(document, op, "responses")) {
		if strings.HasPrefix(status, "2") {
			answer := get(document, response, "content", "application/json", "schema")
			parsed.Status = status
			parsed.HasAnswer = answer != nil
			parsed.IsList = property(document, answer, "next_cursor") != nil && property(document, answer, "items") != nil
			parsed.IsPage = get(document, response, "content", "text/html") != nil
		}
	}
	return parsed
}

// Text is an example that is a text.
func (e example) Text() string { return e.value.Value }

// bodyExample returns the first example of a request body, which is the simplest; nil without a body.
func bodyExample(document, media node) *example {
	if media == nil {
		return nil
	}
	body := &example{document: document, value: get(document, media, "example"), schema: raw(media, "schema")}
	for _, first := range members(get(document, media, "examples")) {
		body.value = get(document, first, "value")
		break
	}
	return body
}

// Target is the URL path with its query.
func (o operation) Target() string {
	target := o.Path
	for _, param := range o.PathParameters {
		target = strings.ReplaceAll(target, "{"+param.Name+"}", param.Value)
	}
	var query []string
	for _, param := range o.QueryParameters {
		query = append(query, param.Name+"="+param.Value)
	}
	if len(query) == 0 {
		return target
	}
	return target + "?" + strings.Join(query, "&")
}

// get returns the node at a path of member names, nil if a member is missing. It resolves references.
func get(document, from node, names ...string) node {
	for _, name := range names {
		from = raw(resolve(document, from), name)
	}
	return resolve(document, from)
}

// property returns the schema of an object's property, also of an object composed with allOf.
func property(document, schema node, name string) node {
	schema = resolve(document, schema)
	if own := raw(raw(schema, "properties"), name); own != nil {
		return own
	}
	for _, part := range items(raw(schema, "allOf")) {
		if found := property(document, part, name); found != nil {
			return found
		}
	}
	return nil
}

func resolve(document, from node) node {
	for reference := raw(from, "$ref"); reference != nil; reference = raw(from, "$ref") {
		from = document
		for name := range strings.SplitSeq(strings.TrimPrefix(reference.Value, "#/"), "/") {
			from = raw(from, name)
		}
	}
	return from
}

// raw returns a member without resolving it.
func raw(from node, name string) node {
	for key, value := range members(from) {
		if key == name {
			return value
		}
	}
	return nil
}

func members(of node) iter.Seq2[string, node] {
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

func items(list node) []node {
	if list == nil {
		return nil
	}
	return list.Content
}

// boundary matches where a word of a camelCase name ends.
var boundary = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

func snake(name string) string {
	return strings.ToLower(boundary.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}
