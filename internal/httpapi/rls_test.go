package httpapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRLSHoldsWithoutAccountPredicates rebuilds the server without the comparisons of account_id with the caller's account in
// the queries: row-level security alone isolates the accounts then, and the tests of tenants must still pass.
func TestRLSHoldsWithoutAccountPredicates(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(root, "gen/dbgen/*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	predicate := regexp.MustCompile(`(\w+\.)?account_id = (\$\d+)\b`)
	replaced := make(map[string]string)
	removed := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		removed += len(predicate.FindAllIndex(text, -1))
		replaced[file] = filepath.Join(dir, filepath.Base(file))
		require.NoError(t, os.WriteFile(replaced[file], predicate.ReplaceAll(text, []byte(`${2}::uuid IS NOT NULL`)), 0o600))
	}
	require.Greater(t, removed, 80)
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))

	command := exec.CommandContext(t.Context(), "go", "test", "-count", "1", "-v", "-overlay", file, "-run", "^TestTenants", "./internal/httpapi")
	command.Dir = root
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: TestTenantsAndOperations", "the tests ran")
}
