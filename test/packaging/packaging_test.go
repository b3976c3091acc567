// Package packaging tests what the project ships beside its program: the Dockerfile, compose.yaml, the Helm chart, the systemd unit and the
// configuration of releases. It is a module of its own, as its tools have many dependencies.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return content
}

// requireConfiguration requires that the program accepts the environment variables and the arguments of a server. Variables that end in
// _FILE name files that do not exist here: they are replaced by files with the value of the secret.
func requireConfiguration(t *testing.T, variables map[string]string, arguments ...string) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(root, "bin/versionerd"))
	require.NoError(t, err)
	require.FileExists(t, program, "make build")
	secrets := map[string]string{
		"DATABASE_URL":              "postgres://versioner@db.example.com/versioner",
		"VERSIONER_KEY_PEPPER":      strings.Repeat("0", 64),
		"VERSIONER_ENCRYPTION_KEYS": strings.Repeat("A", 43) + "=",
		"REDIS_URL":                 "redis://redis.example.com:6379/0",
		"VERSIONER_SMTP_URL":        "smtps://user:password@smtp.example.com:465",
		"VERSIONER_JWT_ISSUERS":     `[{"issuer":"https://id.example.com","audience":["versioner"]}]`,
	}
	command := exec.CommandContext(t.Context(), program, append([]string{"config"}, arguments...)...)
	command.Env = []string{"HOME=" + t.TempDir()}
	for name, value := range variables {
		if setting, isFile := strings.CutSuffix(name, "_FILE"); isFile {
			secret, isKnown := secrets[setting]
			if !isKnown {
				secret = "secret"
			}
			value = filepath.Join(t.TempDir(), setting)
			require.NoError(t, os.WriteFile(value, []byte(secret), 0o600))
		}
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
