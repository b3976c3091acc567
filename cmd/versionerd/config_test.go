package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/config"
)

// secretValues returns a valid value of each secret setting. Each contains "canary".
func secretValues() map[string]string {
	return map[string]string{
		"DATABASE_URL":                    "postgres://user:canary@127.0.0.1:1/versioner",
		"VERSIONER_READ_DATABASE_URL":     "postgres://user:canary@127.0.0.1:1/versioner",
		"REDIS_URL":                       "redis://user:canary@127.0.0.1:1/0",
		"VERSIONER_KEY_PEPPER":            "canary-0123456789-0123456789-0123456789",
		"VERSIONER_ENCRYPTION_KEYS":       "canary" + strings.Repeat("A", 37) + "=," + strings.Repeat("B", 43) + "=",
		"VERSIONER_SMTP_URL":              "smtp://user:canary@127.0.0.1:1",
		"VERSIONER_SIGN_IN_CLIENT_SECRET": "canary",
		"VERSIONER_JWT_ISSUERS":           `[{"issuer":"https://a.example.com","audience":["x"],"client_id":"y","client_secret":"canary"}]`,
	}
}

// otherSettings are those that the secret ones require.
func otherSettings(dir string) []string {
	return environment(dir, "VERSIONER_MAIL_FROM=versioner@example.com", "VERSIONER_PUBLIC_URL=https://versioner.example.com",
		"VERSIONER_JWT_ISSUER=https://b.example.com", "VERSIONER_JWT_AUDIENCE=x", "VERSIONER_SIGN_IN_CLIENT_ID=y")
}

func secretNames(t *testing.T) []string {
	t.Helper()
	isSecret := regexp.MustCompile(`SECRET|PEPPER|PASSWORD|ENCRYPTION_KEYS|DATABASE_URL$|^REDIS_URL$|SMTP_URL|ISSUERS`)
	var names []string
	for _, setting := range config.AllSettings() {
		require.Equal(t, isSecret.MatchString(setting.Env), setting.Secret, setting.Env)
		if setting.Secret {
			require.Contains(t, secretValues(), setting.Env)
			names = append(names, setting.Env)
		}
	}
	return names
}

type describedSettings struct{ Settings []config.Effective }

func (d describedSettings) of(name string) config.Effective {
	for _, setting := range d.Settings {
		if setting.Name == name {
			return setting
		}
	}
	return config.Effective{}
}

func describe(t *testing.T, env []string, args ...string) (described describedSettings) {
	t.Helper()
	stdout, stderr, err := call(t, env, append([]string{"config", "--json"}, args...)...)
	require.NoError(t, err, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), &described))
	require.Len(t, described.Settings, len(config.AllSettings()))
	return described
}

// TestConfig prints settings of every source, and no secret.
func TestConfig(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	env := otherSettings(dir)
	file := filepath.Join(t.TempDir(), "pepper")
	for name, value := range secretValues() {
		if name == "VERSIONER_KEY_PEPPER" {
			require.NoError(t, os.WriteFile(file, []byte(value+"\n"), 0o600))
			name, value = name+"_FILE", file
		}
		env = append(env, name+"="+value)
	}
	described := describe(t, env, "--log-level", "debug", "--no-worker")
	require.Equal(t, config.Effective{Name: "VERSIONER_LOG_LEVEL", Flag: "--log-level", Value: "debug", Source: config.FromFlag}, described.of("VERSIONER_LOG_LEVEL"))
	require.Equal(t, false, described.of("VERSIONER_WORKER").Value)
	require.Equal(t, config.Effective{Name: "VERSIONER_DATA_DIR", Flag: "--data-dir", Value: dir, Source: config.FromEnvironment}, described.of("VERSIONER_DATA_DIR"))
	require.Equal(t, config.Effective{Name: "VERSIONER_DRAIN_DELAY", Flag: "--drain-delay", Value: "5s", Source: config.FromDefault}, described.of("VERSIONER_DRAIN_DELAY"))
	require.Nil(t, described.of("VERSIONER_CORS_ORIGINS").Value)
	pepper := described.of("VERSIONER_KEY_PEPPER")
	require.Equal(t, config.FromFile, pepper.Source)
	require.Equal(t, file, pepper.File)
	require.Equal(t, config.FromFlag, describe(t, env, "--key-pepper", strings.Repeat("x", 32)).of("VERSIONER_KEY_PEPPER").Source, "flags have precedence")

	for _, args := range [][]string{{"config"}, {"config", "--json"}} {
		stdout, stderr, err := call(t, env, args...)
		require.NoError(t, err, stderr)
		require.NotContains(t, stdout+stderr, "canary")
		for _, name := range secretNames(t) {
			require.Regexp(t, `(?s)\b`+name+`\b.+\*\*\*`, stdout)
		}
	}
	table, _, err := call(t, env, "config")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^VERSIONER_KEY_PEPPER +file `+regexp.QuoteMeta(file)+` +\*+$`, table)
	require.Regexp(t, `(?m)^VERSIONER_JWT_AUDIENCE +environment .* x$`, table)

	stdout, stderr, err := call(t, append(env, "VERSIONER_DRAIN_DELAY=long"), "config")
	require.Error(t, err)
	require.Contains(t, stdout, "VERSIONER_DRAIN_DELAY", "an invalid configuration is printed, too")
	require.Contains(t, stderr, `VERSIONER_DRAIN_DELAY "long"`)
}

// TestSecretFiles gives every secret setting in a file.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for _, name := range secretNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			variables := otherSettings(filepath.Join(folder, "data"))
			for other, value := range secretValues() {
				if other != name {
					variables = append(variables, other+"="+value)
				}
			}
			with := func(more ...string) []string { return append(slices.Clip(variables), more...) }
			file := filepath.Join(folder, "secret")
			require.NoError(t, os.WriteFile(file, []byte(secretValues()[name]+"\r\n"), 0o600))
			setting := describe(t, with(name+"_FILE="+file)).of(name)
			require.Equal(t, config.FromFile, setting.Source)
			require.NotNil(t, setting.Value)

			_, stderr, err := call(t, with(name+"_FILE="+file, name+"="+secretValues()[name]), "serve")
			require.Error(t, err)
			require.Contains(t, stderr, name+" and "+name+"_FILE are both set")

			_, stderr, err = call(t, with(name+"_FILE="+folder+"/missing"), "serve")
			require.Error(t, err)
			require.Equal(t, "versionerd: invalid configuration\n"+name+"_FILE: open "+folder+"/missing: no such file or directory; name a file that this user can read\n", stderr,
				"no rule reports that the setting has no value")

			require.NoError(t, os.WriteFile(file, []byte(" \n"), 0o600))
			_, stderr, err = call(t, with(name+"_FILE="+file), "serve")
			require.Error(t, err)
			require.Contains(t, stderr, name+"_FILE: "+file+" is empty")
		})
	}
}

// TestPepperInAFile is the same pepper as the one in the environment.
func TestPepperInAFile(t *testing.T) {
	t.Parallel()
	dir, file := newDataDir(t), filepath.Join(t.TempDir(), "pepper")
	pepper := secretValues()["VERSIONER_KEY_PEPPER"]
	require.NoError(t, os.WriteFile(file, []byte(pepper+"\n"), 0o600))
	_, stderr, err := call(t, environment(dir, "VERSIONER_KEY_PEPPER="+pepper), "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err, stderr)
	_, stderr, err = call(t, environment(dir, "VERSIONER_KEY_PEPPER_FILE="+file), "keys", "list", "--account", "acme")
	require.NoError(t, err, stderr)
	require.NoError(t, os.WriteFile(file, []byte(pepper+"x\n"), 0o600))
	_, stderr, err = call(t, environment(dir, "VERSIONER_KEY_PEPPER_FILE="+file), "keys", "list", "--account", "acme")
	require.Error(t, err)
	require.Contains(t, stderr, "VERSIONER_KEY_PEPPER does not match this database")
}
