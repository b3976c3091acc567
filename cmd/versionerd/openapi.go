package main

import (
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/httpapi"
)

type openapiCommand struct {
	Format string `default:"yaml" enum:"yaml,json" help:"yaml, or json exactly as servers answer GET /openapi.json."`
}

// Run prints the document to standard output, without a server or database.
func (c openapiCommand) Run() error {
	if c.Format == "json" {
		_, err := os.Stdout.Write(httpapi.OpenAPIDocument())
		return err //nolint:wrapcheck // names standard output
	}
	return printYAML(os.Stdout, httpapi.OpenAPIDocument())
}

// printYAML writes a JSON document as YAML in the same order.
func printYAML(w io.Writer, document []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return fmt.Errorf("read the specification: %w", err)
	}
	resetYAMLStyle(&root)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return fmt.Errorf("print the specification: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("print the specification: %w", err)
	}
	return nil
}

// resetYAMLStyle removes JSON's braces and quotes; the encoder adds the quotes that YAML needs.
func resetYAMLStyle(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		resetYAMLStyle(child)
	}
}
