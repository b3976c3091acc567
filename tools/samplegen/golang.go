package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v4"

	versioner "github.com/versioner-io/versioner/clients/go"
)

// goMethod returns the name of an operation's method.
func goMethod(op operation) string {
	if op.TextType != "" {
		return title(op.ID) + "WithBodyWithResponse"
	}
	return title(op.ID) + "WithResponse"
}

// goArguments writes the arguments of an operation's method, one to a line, with the types that the Go client declares.
func goArguments(op operation) (string, error) {
	method, ok := reflect.TypeFor[*versioner.ClientWithResponses]().MethodByName(goMethod(op))
	if !ok {
		return "", fmt.Errorf("the Go client has no method for %s", op.ID)
	}
	arguments := []string{"context.Background()"}
	inPath := op.PathParameters
	for i := 2; i < method.Type.NumIn()-1; i++ { // between the context and the request editors
		switch kind := method.Type.In(i); {
		case kind.Kind() == reflect.Pointer:
			arguments = append(arguments, goParameters(kind, op.QueryParameters))
		case kind == reflect.TypeFor[io.Reader]():
			arguments = append(arguments, "strings.NewReader("+jsonScalar(*op.Body)+")")
		case len(inPath) > 0:
			arguments = append(arguments, goValue(kind, example{value: text(inPath[0].Value)}))
			inPath = inPath[1:]
		case op.TextType != "" && kind.Kind() == reflect.String:
			arguments = append(arguments, strconv.Quote(op.TextType))
		default:
			arguments = append(arguments, goValue(kind, *op.Body))
		}
	}
	if len(arguments) == 1 {
		return arguments[0], nil
	}
	return "\n" + strings.Join(arguments, ",\n") + ",\n", nil
}

func goParameters(kind reflect.Type, parameters []parameter) string {
	if len(parameters) == 0 {
		return "nil"
	}
	object := &yaml.Node{Kind: yaml.MappingNode}
	for _, param := range parameters {
		object.Content = append(object.Content, text(param.Name), text(param.Value))
	}
	return goValue(kind, example{value: object})
}

// goValue writes an example as an expression that is assignable to a type.
func goValue(kind reflect.Type, e example) string {
	switch {
	case kind == reflect.TypeFor[uuid.UUID]():
		return "uuid.MustParse(" + strconv.Quote(e.value.Value) + ")"
	case kind == reflect.TypeFor[time.Time]():
		at, err := time.Parse(time.RFC3339, e.value.Value)
		if err != nil {
			panic(err)
		}
		return at.UTC().GoString()
	case kind == reflect.TypeFor[json.RawMessage]():
		return "json.RawMessage(`" + jsonStyle().value(0, e) + "`)"
	case strings.HasPrefix(kind.Name(), "Nullable["):
		return "nullable.NewNullableWithValue(" + goTyped(kind.Elem(), e) + ")"
	}
	switch kind.Kind() {
	case reflect.Pointer:
		if kind.Elem().Kind() == reflect.Struct && kind.Elem() != reflect.TypeFor[time.Time]() {
			return "&" + goValue(kind.Elem(), e)
		}
		return "new(" + goTyped(kind.Elem(), e) + ")"
	case reflect.Struct, reflect.Map, reflect.Slice:
		return goComposite(kind, e)
	default:
		return jsonScalar(e)
	}
}

// goTyped writes an expression of exactly that type, where an untyped constant would get another one.
func goTyped(kind reflect.Type, e example) string {
	value := goValue(kind, e)
	isConstant := value == jsonScalar(e)
	if name := kind.String(); isConstant && name != "string" && name != "bool" && name != "int" {
		return name + "(" + value + ")"
	}
	return value
}

func goComposite(kind reflect.Type, e example) string {
	var lines []string
	for name, member := range members(e.value) {
		if kind.Kind() == reflect.Map {
			lines = append(lines, strconv.Quote(name)+": "+goValue(kind.Elem(), e.member(name, member)))
			continue
		}
		field := goField(kind, name)
		lines = append(lines, field.Name+": "+goValue(field.Type, e.member(name, member)))
	}
	if kind.Kind() == reflect.Slice {
		for _, item := range e.value.Content {
			lines = append(lines, goValue(kind.Elem(), example{value: item}))
		}
		return kind.String() + "{" + strings.Join(lines, ", ") + "}"
	}
	if len(lines) == 0 {
		return kind.String() + "{}"
	}
	return kind.String() + "{\n" + strings.Join(lines, ",\n") + ",\n}"
}

func goField(kind reflect.Type, name string) reflect.StructField {
	for field := range kind.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return field
		}
	}
	panic("the Go type " + kind.String() + " has no field for " + name)
}

func text(value string) node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value} }
