// Command samplegen prints the code samples of openapi.yaml as an overlay (x-codeSamples of each operation) for yq to merge: each
// operation called with curl and with the three clients, with the values of the document's examples. The tests run every sample.
package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

// sample is an item of x-codeSamples, as documentation tools read it.
type sample struct {
	Lang   string `json:"lang"`
	Label  string `json:"label"`
	Source string `json:"source"`
}

func main() {
	if err := run("openapi.yaml"); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "samplegen:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // a constant
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	operations, err := parse(text)
	if err != nil {
		return err
	}
	templates := template.Must(template.New("").Funcs(functions()).ParseFS(files, "templates/*.tmpl"))
	paths := make(map[string]map[string]any)
	for _, op := range operations {
		samples, err := samplesOf(op, templates)
		if err != nil {
			return fmt.Errorf("%s: %w", op.ID, err)
		}
		if paths[op.Path] == nil {
			paths[op.Path] = make(map[string]any)
		}
		paths[op.Path][op.Method] = map[string]any{"x-codeSamples": samples}
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"paths": paths}); err != nil {
		return fmt.Errorf("write the samples: %w", err)
	}
	return nil
}

func samplesOf(op operation, templates *template.Template) ([]sample, error) {
	samples := []sample{
		{Lang: "Shell", Label: "curl"}, {Lang: "TypeScript", Label: "TypeScript"}, {Lang: "Python", Label: "Python"}, {Lang: "Go", Label: "Go"},
	}
	for i := range samples {
		var source strings.Builder
		if err := templates.ExecuteTemplate(&source, samples[i].Label+".tmpl", op); err != nil {
			return nil, fmt.Errorf("execute the template: %w", err)
		}
		samples[i].Source = source.String()
	}
	golang, err := format.Source([]byte(samples[3].Source))
	if err != nil {
		return nil, fmt.Errorf("format the Go sample: %w", err)
	}
	samples[3].Source = string(golang)
	return samples, nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"upper": strings.ToUpper, "title": title, "snake": snake, "shell": shellQuote, "contains": strings.Contains,
		"json": jsonStyle().value, "typescript": typescriptStyle().value, "python": pythonValue, "pythonName": pythonName, "goArguments": goArguments, "goMethod": goMethod,
	}
}

// pythonName returns the name of an argument: the client appends an underscore to a keyword of the language.
func pythonName(name string) string {
	if name == "from" {
		return name + "_"
	}
	return name
}

func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
