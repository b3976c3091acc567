package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/httpapi"
)

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	env := environment(t.TempDir())

	t.Run("JSONIsTheServedDocument", func(t *testing.T) {
		t.Parallel()
		stdout, stderr, err := call(t, env, "openapi", "--format", "json")
		require.NoError(t, err)
		require.Equal(t, string(httpapi.OpenAPIDocument()), stdout)
		require.Empty(t, stderr)
	})

	t.Run("YAMLIsTheSameDocument", func(t *testing.T) {
		t.Parallel()
		stdout, stderr, err := call(t, env, "openapi")
		require.NoError(t, err)
		require.Empty(t, stderr)
		require.Regexp(t, `^openapi: 3\.0\.3\ninfo:\n  title: Versioner API\n`, stdout, "in the order of the source")
		require.Contains(t, stdout, "  description: |\n    Versioner records", "chapters are text, not one quoted line")
		var printed any
		require.NoError(t, yaml.Unmarshal([]byte(stdout), &printed))
		back, err := json.Marshal(printed)
		require.NoError(t, err)
		require.JSONEq(t, string(httpapi.OpenAPIDocument()), string(back))
	})

	t.Run("RejectsOtherFormats", func(t *testing.T) {
		t.Parallel()
		stdout, stderr, err := call(t, env, "openapi", "--format", "xml")
		require.Error(t, err)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "yaml")
	})
}
