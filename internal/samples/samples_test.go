package samples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// languages are those of the samples, in the order in which they are shown.
func languages() []string { return []string{"curl", "TypeScript", "Python", "Go"} }

// sample is the operation in a language, as the document is served with it.
func (o operation) sample(language string) string {
	all, _ := o.Extensions["x-codeSamples"].([]any)
	for _, one := range all {
		if sample := one.(map[string]any); sample["label"] == language {
			return sample["source"].(string)
		}
	}
	return ""
}

func TestEveryOperationHasSamples(t *testing.T) {
	t.Parallel()
	for _, op := range operations(specification(t, testapi.New(t))) {
		for _, language := range languages() {
			require.NotEmpty(t, op.sample(language), "%s in %s", op.OperationID, language)
		}
	}
}

func TestCurlSamples(t *testing.T) {
	t.Parallel()
	tellWith(t, newStory(t), "curl", func(op operation) []string { return []string{"bash", "-euc", op.sample("curl")} })
}

// TestGoSamples has all samples in one program, a package each.
func TestGoSamples(t *testing.T) {
	t.Parallel()
	story := newStory(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	replaced := make(map[string]string)
	write := func(name, source string) {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
		replaced[filepath.Join(root, "internal", "samples", "program", name)] = path
	}
	var imports, cases strings.Builder
	for _, op := range operations(story.spec) {
		name := strings.ToLower(op.OperationID)
		source := op.sample("Go")
		require.Equal(t, 1, strings.Count(source, "package main\n")*strings.Count(source, "func main() {\n"), op.OperationID)
		source = strings.NewReplacer("package main\n", "package "+name+"\n", "func main() {\n", "func Main() {\n").Replace(source)
		write(name+"/main.go", source)
		_, _ = fmt.Fprintf(&imports, "%q\n", "github.com/versioner-io/versioner/internal/samples/program/"+name)
		_, _ = fmt.Fprintf(&cases, "case %q: %s.Main()\n", op.OperationID, name)
	}
	write("main.go", "package main\nimport (\n\"os\"\n"+imports.String()+")\nfunc main() {\nswitch os.Args[1] {\n"+cases.String()+"default: panic(os.Args[1])\n}\n}\n")
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "-o", program, "./internal/samples/program")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	tellWith(t, story, "Go", func(op operation) []string { return []string{program, op.OperationID} })
}

// TestPythonSamples has mypy check all samples, and runs them. It needs an interpreter that has the client and mypy: `make
// test-python` gives it.
func TestPythonSamples(t *testing.T) {
	t.Parallel()
	python := os.Getenv("VERSIONER_TEST_PYTHON")
	if python == "" {
		t.Skip("VERSIONER_TEST_PYTHON names no interpreter that has the client: make test-python does")
	}
	story := newStory(t)
	dir := t.TempDir()
	for _, op := range operations(story.spec) {
		file := filepath.Join(dir, "sample_"+op.OperationID+".py")
		require.NoError(t, os.WriteFile(file, []byte(op.sample("Python")), 0o600))
	}
	check := exec.CommandContext(t.Context(), python, "-m", "mypy", "--strict", "--config-file=", "--python-version=3.10", ".")
	check.Dir = dir
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)

	tellWith(t, story, "Python", func(op operation) []string {
		return []string{python, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", op.sample("Python")}
	})
}

// TestTypeScriptSamples compiles all samples against the client's package, which `make test-typescript` has built, and runs
// them.
func TestTypeScriptSamples(t *testing.T) {
	t.Parallel()
	client := os.Getenv("VERSIONER_TEST_TYPESCRIPT")
	if client == "" {
		t.Skip("VERSIONER_TEST_TYPESCRIPT names no directory of the built client: make test-typescript does")
	}
	client, err := filepath.Abs(client)
	require.NoError(t, err)
	story := newStory(t)
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
	for _, op := range operations(story.spec) {
		file := filepath.Join(dir, op.OperationID+".ts")
		require.NoError(t, os.WriteFile(file, []byte(op.sample("TypeScript")), 0o600))
		command = append(command, file)
	}
	compile := exec.CommandContext(t.Context(), filepath.Join(client, "node_modules/.bin/tsc"), command...)
	compile.Dir = dir
	output, err := compile.CombinedOutput()
	require.NoError(t, err, "%s", output)

	tellWith(t, story, "TypeScript", func(op operation) []string { return []string{"node", filepath.Join(dir, op.OperationID+".js")} })
}

// tellWith has the story told by the samples of a language. A sample shows the first example of its operation: other
// examples are sent without one.
func tellWith(t *testing.T, story *story, language string, command func(operation) []string) {
	t.Helper()
	told := make(map[string]bool)
	for _, now := range steps() {
		op := find(story.spec, now.operation)
		if now.example != "" && !op.shows(t, now.example) {
			story.tell(t, now, func() { story.request(t, now) })
			continue
		}
		told[now.operation] = true
		story.tell(t, now, func() {
			arguments := command(op)
			run := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
			run.Env = append(os.Environ(), "VERSIONER_API_URL="+story.URL, "VERSIONER_API_KEY="+story.Key, "VERSIONER_TOKEN="+story.Token)
			output, err := run.CombinedOutput()
			story.mu.Lock()
			defer story.mu.Unlock()
			require.NoError(t, err, "%s: %v: %s\n%s", now.operation, story.trouble, output, op.sample(language))
			require.True(t, len(output) > 0 || op.isSilent(), "%s shows nothing", now.operation)
		})
	}
	require.Len(t, told, len(operations(story.spec)), "every sample has run")
}

// shows tells whether the samples show that example: the command has all texts of it, and the others are of the same one.
func (o operation) shows(t *testing.T, example string) bool {
	t.Helper()
	source := o.sample("curl")
	best := ""
	for _, name := range o.examples() {
		if all := texts(o.requestExample(name)); !slices.ContainsFunc(all, func(text string) bool { return !strings.Contains(source, text) }) {
			best = name
		}
	}
	require.NotEmpty(t, best, "the samples of %s show no example", o.OperationID)
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

// isSilent tells whether the operation answers nothing.
func (o operation) isSilent() bool {
	_, response := o.success()
	return len(response.Content) == 0
}
