// Command gensecurity prints gen/apigen/security.gen.go: the security hooks of openapi.yaml, an interface with one method for each
// security scheme, the permission of each operation, the scope of API keys, and the operations that wait for another server.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed security.go.tmpl
var source string

type operation struct {
	ID         string
	Schemes    []string
	Permission string
	Scope      string
	IsOutbound bool
}

func main() {
	if err := run("openapi.yaml"); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "gensecurity:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	document, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return fmt.Errorf("load the document: %w", err)
	}
	hooks := template.Must(template.New("security").Funcs(template.FuncMap{"method": method}).Parse(source))
	var code bytes.Buffer
	if err := hooks.Execute(&code, map[string]any{
		"Schemes": slices.Sorted(maps.Keys(document.Components.SecuritySchemes)), "Operations": operations(document),
	}); err != nil {
		return fmt.Errorf("execute the template: %w", err)
	}
	formatted, err := format.Source(code.Bytes())
	if err != nil {
		return fmt.Errorf("format the code: %w", err)
	}
	_, err = os.Stdout.Write(formatted)
	return err //nolint:wrapcheck // of standard output
}

// operations lists the operations of the document by path and method. An operation's own security counts, not that of the document:
// a test requires every operation to have one.
func operations(document *openapi3.T) []operation {
	var list []operation
	for _, path := range slices.Sorted(maps.Keys(document.Paths.Map())) {
		of := document.Paths.Value(path).Operations()
		for _, httpMethod := range slices.Sorted(maps.Keys(of)) {
			next := operation{ID: of[httpMethod].OperationID}
			if of[httpMethod].Security != nil {
				for _, requirement := range *of[httpMethod].Security {
					next.Schemes = append(next.Schemes, slices.Sorted(maps.Keys(requirement))...)
				}
			}
			next.Permission, _ = of[httpMethod].Extensions["x-permission"].(string)
			next.Scope, _ = of[httpMethod].Extensions["x-scope"].(string)
			next.IsOutbound, _ = of[httpMethod].Extensions["x-outbound"].(bool)
			list = append(list, next)
		}
	}
	return list
}

// method is the name of a scheme's method.
func method(scheme string) string { return strings.ToUpper(scheme[:1]) + scheme[1:] }
