package packaging

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"
)

// offline describes every base image as an empty one for linux, so that no registry is called.
type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, reference string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return reference, "", []byte(`{"os":"linux","architecture":"amd64"}`), nil
}

func lintDockerfile(t *testing.T, content []byte) *lint.LintResults {
	t.Helper()
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", content)
	source.Definition = &llb.Definition{}
	results, err := dockerfile2llb.DockerfileLint(t.Context(), content, dockerfile2llb.ConvertOpt{SourceMap: source, MetaResolver: offline{}})
	require.NoError(t, err)
	return results
}

// TestDockerfile applies the rules of `docker build --check`.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	content := read(t, "Dockerfile")
	results := lintDockerfile(t, content)
	require.Nil(t, results.Error)
	require.Empty(t, results.Warnings)

	misspelt := lintDockerfile(t, []byte(strings.Replace(string(content), "FROM scratch", "from scratch AS Final", 1)))
	require.NotEmpty(t, misspelt.Warnings, "the rules are applied")

	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindSubmatch(read(t, "go.mod"))
	require.NotNil(t, toolchain)
	require.Contains(t, string(content), "golang:"+string(toolchain[1])+" ")
}

// TestDockerignore requires that the context of the build has every package of the program.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "./cmd/versionerd")
	command.Dir = root
	output, err := command.Output()
	require.NoError(t, err)
	ignored := string(read(t, ".dockerignore"))
	for _, path := range strings.Fields(string(output)) {
		inModule := strings.TrimPrefix(path, "github.com/versioner-io/versioner/")
		require.True(t, included(ignored, inModule), "%s is not in the context", inModule)
	}
}

// included reports whether .dockerignore has an exception for the path or one of its parents.
func included(ignored, path string) bool {
	for line := range strings.SplitSeq(ignored, "\n") {
		exception, isException := strings.CutPrefix(line, "!")
		if isException && (path == exception || strings.HasPrefix(path, exception+"/")) {
			return true
		}
	}
	return false
}
