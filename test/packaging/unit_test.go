package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnit checks the unit with systemd-analyze, and that the program accepts its settings.
func TestUnit(t *testing.T) {
	t.Parallel()
	unit := string(read(t, "deploy/systemd/versioner.service"))
	program, err := filepath.Abs(filepath.Join(root, "bin/versionerd"))
	require.NoError(t, err)
	installed := filepath.Join(t.TempDir(), "versioner.service")
	require.NoError(t, os.WriteFile(installed, []byte(strings.ReplaceAll(unit, "/usr/bin/versionerd", program)), 0o600))
	for _, arguments := range [][]string{{"verify", "--man=no"}, {"security", "--offline=true", "--threshold=30"}} {
		output, err := exec.CommandContext(t.Context(), "systemd-analyze", append(arguments, installed)...).CombinedOutput()
		require.NoError(t, err, "%s: %s", arguments[0], output)
		if arguments[0] == "verify" {
			require.Empty(t, string(output), "it warns about unknown lines")
		}
	}

	lines := func(name string) (values []string) {
		for _, found := range regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1) {
			values = append(values, found[1])
		}
		return values
	}
	credentials := make(map[string]bool)
	for _, line := range lines("LoadCredential") {
		name, _, _ := strings.Cut(line, ":")
		credentials["%d/"+name] = true
	}
	variables := make(map[string]string)
	for _, line := range lines("Environment") {
		name, value, _ := strings.Cut(line, "=")
		variables[name] = strings.ReplaceAll(value, "%S", t.TempDir())
		if strings.HasSuffix(name, "_FILE") {
			require.True(t, credentials[value], value)
			delete(credentials, value)
		}
	}
	require.Empty(t, credentials, "each credential is passed")
	requireConfiguration(t, variables)
	require.Equal(t, []string{"notify"}, lines("Type"))
	seconds, err := strconv.Atoi(lines("TimeoutStopSec")[0])
	require.NoError(t, err)
	require.Greater(t, seconds, 28, "the server takes up to 28 seconds to drain")
}
