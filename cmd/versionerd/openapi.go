package main

import (
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/httpapi"
)

type openapiCommand struct {
	Format string `default:"yaml" enum:"yaml,json" help:"yaml, for people, or json, exactly as servers answer GET /openapi.json."`
}

// Run prints the specification alone on standard output. It needs no server and no database.
func (c openapiCommand) Run() error {
	if c.Format == "json" {
		_, err := os.Stdout.Write(httpapi.Specification())
		return err //nolint:wrapcheck // it names standard output
	}
	return printYAML(os.Stdout, httpapi.Specification())
}

// printYAML writes a JSON document as YAML, in the document's own order.
func printYAML(w io.Writer, document []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return fmt.Errorf("read the specification: %w", err)
	}
	forgetStyle(&root)
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

// forgetStyle takes JSON's braces and quotes away, and leaves the quotes that YAML needs to the encoder.
func forgetStyle(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		forgetStyle(child)
	}
}
