package samples

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// goClient is what the source of the Go client declares.
type goClient struct {
	types     map[string]ast.Expr
	constants map[string]map[string]string // by type and value
	methods   map[string]*ast.FuncType
}

func parseGoClient(source []byte) (goClient, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "client.go", source, parser.SkipObjectResolution)
	if err != nil {
		return goClient{}, fmt.Errorf("read the Go client: %w", err)
	}
	client := goClient{types: make(map[string]ast.Expr), constants: make(map[string]map[string]string), methods: make(map[string]*ast.FuncType)}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			client.methods[d.Name.Name] = d.Type
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				client.declare(spec)
			}
		}
	}
	return client, nil
}

func (c goClient) declare(spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		c.types[s.Name.Name] = s.Type
	case *ast.ValueSpec:
		kind, isNamed := s.Type.(*ast.Ident)
		if !isNamed || len(s.Values) != 1 {
			return
		}
		literal, isLiteral := s.Values[0].(*ast.BasicLit)
		if !isLiteral {
			return
		}
		if value, err := strconv.Unquote(literal.Value); err == nil {
			if c.constants[kind.Name] == nil {
				c.constants[kind.Name] = make(map[string]string)
			}
			c.constants[kind.Name][value] = s.Names[0].Name
		}
	}
}

// sample is the operation with clients/go.
func (c goClient) sample(op operation) (string, error) {
	name := strings.ToUpper(op.id[:1]) + op.id[1:] + "WithResponse"
	method := c.methods[name]
	if method == nil {
		return "", fmt.Errorf("the client has no %s", name)
	}
	call, err := c.call(op, name, method)
	if err != nil {
		return "", err
	}
	connect := piece{lead: "client, err := versioner.NewClientWithResponses", open: "(", close: ")", trailing: true, parts: []piece{
		word(`os.Getenv("VERSIONER_API_URL")`),
	}}
	if op.variable != "" {
		connect.parts = append(connect.parts, word(`versioner.WithCredential(os.Getenv("`+op.variable+`"))`))
	}
	const failed = "if err != nil {\nlog.Fatal(err)\n}\n"
	const start = "answer, err := "
	code := "func main() {\n" + connect.layout("\t", 1, 8, 0) + "\n" + failed + "\n" +
		start + call.layout("\t", 1, 8+len(start), 0) + "\n" + failed
	end, err := c.ending(op)
	if err != nil {
		return "", err
	}
	code += end + "}\n"
	formatted, err := format.Source([]byte("package main\n\n" + goImports(code) + code))
	if err != nil {
		return "", fmt.Errorf("format the sample: %w", err)
	}
	return string(formatted), nil
}

// ending checks the answer and shows it.
func (c goClient) ending(op operation) (string, error) {
	const refused = " {\nlog.Fatal(answer.Status())\n}\n"
	switch {
	case op.isPage:
		return "if answer.StatusCode() != http.StatusOK" + refused + "fmt.Println(string(answer.Body))\n", nil
	case op.answer == nil:
		return "if answer.StatusCode() != http.StatusNoContent" + refused, nil
	}
	text := "if answer.JSON" + op.status + " == nil" + refused
	object := "answer.JSON" + op.status
	if item := op.list(); item != nil {
		return c.loop(text, object+".Items", item, op.document)
	}
	list, items := op.document.parts(op.answer)
	switch shown := op.document.shown(op.answer); {
	case shown != "":
		field, err := c.field(schemaName(op.answer), shown)
		return text + "fmt.Println(" + object + "." + field.Names[0].Name + ")\n", err
	case list != "":
		field, err := c.field(schemaName(op.answer), list)
		if err != nil {
			return "", err
		}
		return c.loop(text, object+"."+field.Names[0].Name, items, op.document)
	default:
		return text + "fmt.Println((*" + object + ")[\"openapi\"])\n", nil
	}
}

func (c goClient) loop(text, list string, item node, d document) (string, error) {
	field, err := c.field(schemaName(item), d.shown(item))
	if err != nil {
		return "", err
	}
	name := camelCase(noun(item))
	return text + "for _, " + name + " := range " + list + " {\nfmt.Println(" + name + "." + field.Names[0].Name + ")\n}\n", nil
}

func (c goClient) call(op operation, name string, method *ast.FuncType) (piece, error) {
	call := piece{lead: "client." + name, open: "(", close: ")", trailing: true, parts: []piece{word("context.Background()")}}
	inPath := slices.Clone(op.inPath)
	for _, param := range method.Params.List[1 : len(method.Params.List)-1] {
		switch kind := param.Type.(type) {
		case *ast.StarExpr:
			arguments, err := c.arguments(op, kind)
			if err != nil {
				return piece{}, err
			}
			call.parts = append(call.parts, arguments)
		default:
			if len(inPath) > 0 {
				call.parts = append(call.parts, word("uuid.MustParse("+quoted(inPath[0].example.Value)+")"))
				inPath = inPath[1:]
				continue
			}
			body, err := c.value(kind, op.body)
			if err != nil {
				return piece{}, err
			}
			call.parts = append(call.parts, body)
		}
	}
	return hugLast(call), nil
}

// hugLast has only the last argument broken, where what stands before it is short.
func hugLast(call piece) piece {
	last := call.parts[len(call.parts)-1]
	short := call
	short.parts = call.parts[:len(call.parts)-1]
	lead := strings.TrimSuffix(short.line(), ")") + ", " + last.lead
	if len(last.parts) == 0 || len(lead) > lineWidth {
		return call
	}
	last.lead = lead
	last.close += call.close
	return last
}

// arguments are the parameters that are not in the path.
func (c goClient) arguments(op operation, kind *ast.StarExpr) (piece, error) {
	if len(op.inQuery) == 0 {
		return word("nil"), nil
	}
	name := typeName(kind.X)
	object := piece{lead: "&versioner." + name, open: "{", close: "}", trailing: true}
	for _, param := range op.inQuery {
		field, err := c.field(name, param.name)
		if err != nil {
			return piece{}, err
		}
		value, err := c.value(field.Type, param.example)
		if err != nil {
			return piece{}, err
		}
		object.parts = append(object.parts, named(field.Names[0].Name+": ", value))
	}
	return object, nil
}

// field is the member of a struct that has that name in JSON.
func (c goClient) field(of, name string) (*ast.Field, error) {
	if object, ok := c.types[of].(*ast.StructType); ok {
		for _, field := range object.Fields.List {
			tag, err := strconv.Unquote(field.Tag.Value)
			if given, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ","); err == nil && given == name {
				return field, nil
			}
		}
	}
	return nil, fmt.Errorf("the Go type %s has no member %s", of, name)
}

// value is an example as a value of that type.
func (c goClient) value(kind ast.Expr, example node) (piece, error) {
	switch k := kind.(type) {
	case *ast.StarExpr:
		value, err := c.value(k.X, example)
		if strings.HasPrefix(value.lead, "versioner.") && value.open == "{" {
			return named("&", value), err
		}
		return around("new(", value), err
	case *ast.IndexExpr: // nullable.Nullable
		value, err := c.value(k.Index, example)
		return around("nullable.NewNullableWithValue(", value), err
	case *ast.ArrayType:
		list := piece{lead: "[]" + typeName(k.Elt), open: "{", close: "}", trailing: true}
		for _, item := range example.Content {
			value, err := c.value(k.Elt, item)
			if err != nil {
				return piece{}, err
			}
			list.parts = append(list.parts, value)
		}
		return list, nil
	case *ast.SelectorExpr:
		return selected(k, example)
	case *ast.Ident:
		return c.namedValue(k.Name, example)
	default:
		return piece{}, errors.New("an example of a type that samples cannot write yet")
	}
}

func (c goClient) namedValue(name string, example node) (piece, error) {
	switch target := c.types[name].(type) {
	case nil: // the language's own
		return jsonPiece(example), nil
	case *ast.StructType:
		object := piece{lead: "versioner." + name, open: "{", close: "}", trailing: true}
		for member, given := range members(example) {
			field, err := c.field(name, member)
			if err != nil {
				return piece{}, err
			}
			value, err := c.value(field.Type, given)
			if err != nil {
				return piece{}, err
			}
			object.parts = append(object.parts, named(field.Names[0].Name+": ", value))
		}
		return object, nil
	default:
		if constant := c.constants[name][example.Value]; constant != "" {
			return word("versioner." + constant), nil
		}
		return c.value(target, example)
	}
}

// selected is a value of a type of another package.
func selected(kind *ast.SelectorExpr, example node) (piece, error) {
	switch kind.Sel.Name {
	case "UUID":
		return word("uuid.MustParse(" + quoted(example.Value) + ")"), nil
	case "RawMessage":
		return word("json.RawMessage(`" + jsonPiece(example).line() + "`)"), nil
	default:
		return piece{}, fmt.Errorf("an example of the type %s, which samples cannot write yet", kind.Sel.Name)
	}
}

// around puts a call around a value.
func around(call string, value piece) piece {
	if value.open == "" {
		return word(call + value.lead + ")")
	}
	value.lead = call + value.lead
	value.close += ")"
	return value
}

func typeName(kind ast.Expr) string {
	if name, ok := kind.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// goImports are those that the code needs.
func goImports(code string) string {
	lines := []string{"import (", quoted("context")}
	for _, standard := range []string{"encoding/json", "fmt", "log", "net/http", "os"} {
		if name := standard[strings.LastIndex(standard, "/")+1:]; strings.Contains(code, name+".") {
			lines = append(lines, quoted(standard))
		}
	}
	lines = append(lines, "")
	for _, other := range []string{"github.com/google/uuid", "github.com/oapi-codegen/nullable"} {
		if strings.Contains(code, other[strings.LastIndex(other, "/")+1:]+".") {
			lines = append(lines, quoted(other))
		}
	}
	return strings.Join(lines, "\n") + "\nversioner \"github.com/versioner-io/versioner/clients/go\"\n)\n\n"
}
