// Command generate writes the code samples of openapi.yaml to standard output, as an overlay for yq to merge. It stands in
// the root of the repository.
package main

import (
	"fmt"
	"os"

	"github.com/versioner-io/versioner/internal/samples"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		os.Exit(1)
	}
}

func run() error {
	specification, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	client, err := os.ReadFile("clients/go/versioner.gen.go")
	if err != nil {
		return fmt.Errorf("read the Go client: %w", err)
	}
	overlay, err := samples.Overlay(specification, client)
	if err != nil {
		return fmt.Errorf("write the samples: %w", err)
	}
	if _, err := os.Stdout.Write(overlay); err != nil {
		return fmt.Errorf("write the samples: %w", err)
	}
	return nil
}
