// Package samples writes the code samples of the specification: for each operation, how it is called with curl and with each
// client, from the examples that openapi.yaml gives. `make generate` adds them to the document that is served; the tests
// have every one of them run.
package samples

import (
	"encoding/json"
	"fmt"
)

// Sample is how documentation tools want one (x-codeSamples).
type Sample struct {
	Lang   string `json:"lang"`
	Label  string `json:"label"`
	Source string `json:"source"`
}

// Overlay returns what is to be merged into the document: the samples, by path and method. It reads the document and the
// source of the Go client, which says what the types are called in Go.
func Overlay(specification, goClient []byte) ([]byte, error) {
	document, err := parse(specification)
	if err != nil {
		return nil, err
	}
	client, err := parseGoClient(goClient)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]map[string]any)
	for _, op := range document.operations() {
		golang, err := client.sample(op)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.id, err)
		}
		if paths[op.path] == nil {
			paths[op.path] = make(map[string]any)
		}
		paths[op.path][op.method] = map[string]any{"x-codeSamples": []Sample{
			{Lang: "Shell", Label: "curl", Source: curl(op)},
			{Lang: "TypeScript", Label: "TypeScript", Source: typescript(op)},
			{Lang: "Python", Label: "Python", Source: python(op)},
			{Lang: "Go", Label: "Go", Source: golang},
		}}
	}
	overlay, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		return nil, fmt.Errorf("write the samples: %w", err)
	}
	return overlay, nil
}
