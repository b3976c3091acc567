package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// languages are the labels of the samples.
func languages() []string { return []string{"curl", "TypeScript", "Python", "Go"} }

// sample returns the code sample of the operation in a language.
func (o operation) sample(language string) string {
	all, _ := o.Extensions["x-codeSamples"].([]any)
	for _, one := range all {
		if sample := one.(map[string]any); sample["label"] == language {
			return sample["source"].(string)
		}
	}
	return ""
}

// sampled returns the operations that programs call.
func sampled(document *openapi3.T) []operation {
	return slices.DeleteFunc(operations(document), operation.isRedirect)
}

func TestEveryOperationHasSamples(t *testing.T) {
	t.Parallel()
	for _, op := range operations(specification(t, testapi.New(t))) {
		for _, language := range languages() {
			if op.isRedirect() {
				require.Empty(t, op.sample(language), "%s in %s", op.OperationID, language)
				continue
			}
			require.NotEmpty(t, op.sample(language), "%s in %s", op.OperationID, language)
		}
	}
}

func TestCurlSamples(t *testing.T) {
	t.Parallel()
	runSamples(t, newScenario(t), "curl", func(op operation) []string { return []string{"bash", "-euc", op.sample("curl")} })
}

// TestGoSamples compiles the samples into one program, as a package each, and runs them.
func TestGoSamples(t *testing.T) {
	t.Parallel()
	scenario := newScenario(t)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	replaced := make(map[string]string)
	write := func(name, source string) {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
		replaced[filepath.Join(root, "internal", "spectest", "program", name)] = path
	}
	var imports, cases strings.Builder
	for _, op := range sampled(scenario.spec) {
		name := strings.ToLower(op.OperationID)
		source := op.sample("Go")
		require.Equal(t, 1, strings.Count(source, "package main\n")*strings.Count(source, "func main() {\n"), op.OperationID)
		source = strings.NewReplacer("package main\n", "package "+name+"\n", "func main() {\n", "func Main() {\n").Replace(source)
		write(name+"/main.go", source)
		_, _ = fmt.Fprintf(&imports, "%q\n", "github.com/versioner-io/versioner/internal/spectest/program/"+name)
		_, _ = fmt.Fprintf(&cases, "case %q: %s.Main()\n", op.OperationID, name)
	}
	write("main.go", "package main\nimport (\n\"os\"\n"+imports.String()+")\nfunc main() {\nswitch os.Args[1] {\n"+cases.String()+"default: panic(os.Args[1])\n}\n}\n")
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "-o", program, "./internal/spectest/program")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	runSamples(t, scenario, "Go", func(op operation) []string { return []string{program, op.OperationID} })
}

// TestPythonSamples checks the samples with mypy and runs them. `make test-python` names an interpreter with the client and mypy.
func TestPythonSamples(t *testing.T) {
	t.Parallel()
	python := os.Getenv("VERSIONER_TEST_PYTHON")
	if python == "" {
		t.Skip("VERSIONER_TEST_PYTHON is not set; make test-python sets it")
	}
	scenario := newScenario(t)
	dir := t.TempDir()
	for _, op := range sampled(scenario.spec) {
		file := filepath.Join(dir, "sample_"+op.OperationID+".py")
		require.NoError(t, os.WriteFile(file, []byte(op.sample("Python")), 0o600))
	}
	cache, err := filepath.Abs("../../../clients/python/.mypy_cache/samples")
	require.NoError(t, err)
	check := exec.CommandContext(t.Context(), python, "-m", "mypy", "--strict", "--config-file=", "--python-version=3.10", "--cache-dir="+cache, ".")
	check.Dir = dir
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)

	runSamples(t, scenario, "Python", func(op operation) []string {
		return []string{python, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", op.sample("Python")}
	})
}

// TestTypeScriptSamples compiles the samples against the package that `make test-typescript` has built, and runs them.
func TestTypeScriptSamples(t *testing.T) {
	t.Parallel()
	client := os.Getenv("VERSIONER_TEST_TYPESCRIPT")
	if client == "" {
		t.Skip("VERSIONER_TEST_TYPESCRIPT is not set; make test-typescript sets it")
	}
	client, err := filepath.Abs(client)
	require.NoError(t, err)
	scenario := newScenario(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type": "module"}`), 0o600))
	for name, target := range map[string]string{"@versioner/client": client, "@types/node": filepath.Join(client, "node_modules/@types/node"), "undici-types": filepath.Join(client, "node_modules/undici-types")} {
		link := filepath.Join(dir, "node_modules", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o700))
		require.NoError(t, os.Symlink(target, link))
	}
	command := []string{
		"--strict", "--target", "es2022", "--module", "nodenext", "--moduleDetection", "force", "--types", "node", "--outDir", dir,
	}
	for _, op := range sampled(scenario.spec) {
		file := filepath.Join(dir, op.OperationID+".ts")
		require.NoError(t, os.WriteFile(file, []byte(op.sample("TypeScript")), 0o600))
		command = append(command, file)
	}
	compile := exec.CommandContext(t.Context(), filepath.Join(client, "node_modules/.bin/tsc"), command...)
	compile.Dir = dir
	output, err := compile.CombinedOutput()
	require.NoError(t, err, "%s", output)

	runSamples(t, scenario, "TypeScript", func(op operation) []string { return []string{"node", filepath.Join(dir, op.OperationID+".js")} })
}

// runSamples runs the scenario with the samples of a language. A sample has one example of its operation; the other examples are
// sent without a sample.
func runSamples(t *testing.T, scenario *scenario, language string, command func(operation) []string) {
	t.Helper()
	requestCount := make(map[string]bool)
	for _, current := range steps() {
		op := find(scenario.spec, current.operation)
		if op.isRedirect() || current.example != "" && !op.showsExample(t, current.example) {
			scenario.runStep(t, current, func() { scenario.request(t, current) })
			continue
		}
		requestCount[current.operation] = true
		scenario.runStep(t, current, func() {
			arguments := command(op)
			run := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
			run.Env = append(os.Environ(), "VERSIONER_API_URL="+scenario.URL, "VERSIONER_API_KEY="+scenario.Key, "VERSIONER_TOKEN="+scenario.Token,
				"VERSIONER_CALENDAR_URL="+scenario.URL+"/deployment-calendar.ics?token="+scenario.Feed)
			output, err := run.CombinedOutput()
			scenario.mu.Lock()
			defer scenario.mu.Unlock()
			require.NoError(t, err, "%s: %v: %s\n%s", current.operation, scenario.err, output, op.sample(language))
			require.True(t, len(output) > 0 || op.hasNoContent(), "%s prints nothing", current.operation)
		})
	}
	require.Len(t, requestCount, len(sampled(scenario.spec)), "every sample has run")
}

// showsExample reports whether the samples have that example: the curl command contains all of its texts.
func (o operation) showsExample(t *testing.T, example string) bool {
	t.Helper()
	source := o.sample("curl")
	best := ""
	for _, name := range o.examples() {
		if all := texts(o.requestExample(name)); !slices.ContainsFunc(all, func(text string) bool { return !strings.Contains(source, text) }) {
			best = name
		}
	}
	require.NotEmpty(t, best, "the samples of %s contain no example", o.OperationID)
	return best == example
}

func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			all = append(all, texts(member)...)
		}
	case []any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	case string:
		all = append(all, v)
	}
	return all
}

// hasNoContent reports whether the response has no body.
func (o operation) hasNoContent() bool {
	_, response := o.success()
	return len(response.Content) == 0
}
