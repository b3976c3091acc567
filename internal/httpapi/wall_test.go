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

// TestSecondWall builds the server anew with every comparison of account_id with the caller's account taken out of the
// queries and the functions: the database alone keeps the accounts apart then, and the tests of tenants must still pass.
func TestSecondWall(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	replaced := make(map[string]string)
	removed := 0
	remove := func(pattern, predicate, instead string) {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			found := regexp.MustCompile(predicate)
			removed += len(found.FindAllIndex(text, -1))
			replaced[file] = filepath.Join(dir, filepath.Base(file))
			require.NoError(t, os.WriteFile(replaced[file], found.ReplaceAll(text, []byte(instead)), 0o600))
		}
	}
	remove("gen/dbgen/*.go", `(\w+\.)?account_id = (\$\d+)\b`, `${2}::uuid IS NOT NULL`)
	remove("db/migrations/*.sql", `(\w+\.)?account_id = p_account_id\b`, `true`)
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
