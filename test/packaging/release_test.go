package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestReleaseConfiguration validates .goreleaser.yaml with the schema of goreleaser, which needs a newer Go than the project to run.
func TestReleaseConfiguration(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("goreleaser.schema.json")
	require.NoError(t, err)
	validate := func(content string) error {
		var configuration any
		require.NoError(t, yaml.Unmarshal([]byte(content), &configuration))
		return schema.Validate(configuration)
	}
	content := string(read(t, ".goreleaser.yaml"))
	require.NoError(t, validate(content))
	require.Error(t, validate(strings.Replace(content, "nfpms:", "nfpmss:", 1)), "unknown keys are rejected")

	var configuration struct {
		NFPMs []struct{ Contents []struct{ Src, Dst string } }
	}
	require.NoError(t, yaml.Unmarshal([]byte(content), &configuration))
	generated := string(read(t, "deploy/packages/generate"))
	for _, item := range configuration.NFPMs[0].Contents {
		name, isGenerated := strings.CutPrefix(item.Src, "dist-packages/")
		if isGenerated {
			require.Contains(t, generated, `"$out/`+name+`"`)
		} else if item.Src != "" {
			_, err := os.Stat(filepath.Join(root, item.Src))
			require.NoError(t, err)
		}
	}
}
