package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// TestBackupAndRestore backs up a running server with its secrets, restores into an empty directory, and records an event there with a key
// of the first server: one command each.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir, other := newDataDir(t), newDataDir(t)
	work := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	stranger, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	identityFile, strangerFile, file := filepath.Join(work, "identity"), filepath.Join(work, "stranger"), filepath.Join(work, "backup.tar.age")
	require.NoError(t, os.WriteFile(identityFile, []byte(identity.String()+"\n"), 0o600))
	require.NoError(t, os.WriteFile(strangerFile, []byte(stranger.String()+"\n"), 0o600))
	event := func(version string) map[string]any {
		return map[string]any{"product_name": "checkout", "version": version, "environment_name": "production", "status": "completed"}
	}

	server := launch(t, environment(dir), "serve")
	stdout, stderr, err := call(t, environment(dir), "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err, stderr)
	key := strings.TrimSpace(stdout)
	for _, version := range []string{"1", "2", "3"} {
		status, body := post(server.url, key, event(version))
		require.Equal(t, http.StatusOK, status, "%s", body)
	}
	_, stderr, err = call(t, environment(dir), "backup", "--to", file, "--recipient", identity.Recipient().String(), "--with-secrets")
	require.NoError(t, err, stderr)
	require.Regexp(t, `Backed up \d+ rows of \d+ tables, schema version \d+\.\n$`, stderr)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	server.stop(t)

	_, stderr, err = call(t, environment(other), "restore", "--from", file, "--identity", strangerFile)
	require.Error(t, err)
	require.Contains(t, stderr, "the backup is encrypted for other recipients")
	require.NoDirExists(t, other)
	_, stderr, err = call(t, environment(other), "restore", "--from", file, "--identity", identityFile)
	require.NoError(t, err, stderr)
	require.Regexp(t, `Restored the backup of .*: \d+ rows of \d+ tables\. Servers can start\.\n$`, stderr)
	require.Equal(t, rowsOf(t, dir), rowsOf(t, other))
	for _, secret := range []string{"key-pepper", "encryption-key"} {
		want, err := os.ReadFile(filepath.Join(dir, secret))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(other, secret))
		require.NoError(t, err)
		require.Equal(t, want, got, secret)
	}
	restored := launch(t, environment(other), "serve")
	status, body := post(restored.url, key, event("4"))
	require.Equal(t, http.StatusOK, status, "%s", body)
	restored.stop(t)

	_, stderr, err = call(t, environment(other), "restore", "--from", file, "--identity", identityFile)
	require.Error(t, err)
	require.Contains(t, stderr, "the data directory "+other+" is not empty, it has ")
}

// TestRestoreWithoutSecrets needs the pepper of the server in the data directory.
func TestRestoreWithoutSecrets(t *testing.T) {
	t.Parallel()
	dir, other := newDataDir(t), newDataDir(t)
	_, stderr, err := call(t, environment(dir), "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err, stderr)
	file := filepath.Join(t.TempDir(), "backup.tar")
	_, stderr, err = call(t, environment(dir), "backup", "--to", file)
	require.NoError(t, err, stderr)

	_, stderr, err = call(t, environment(other), "restore", "--from", file)
	require.Error(t, err)
	require.Contains(t, stderr, "the backup has no secrets: put the file key-pepper, and encryption-key, of its server into "+other)
	require.NoDirExists(t, other)
	_, stderr, err = call(t, environment(other, "VERSIONER_KEY_PEPPER="+strings.Repeat("x", 32)), "restore", "--from", file)
	require.Error(t, err)
	require.Contains(t, stderr, "is not that of the database")
	require.NoError(t, os.Mkdir(other, 0o755))
	pepper, err := os.ReadFile(filepath.Join(dir, "key-pepper"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(other, "key-pepper"), pepper, 0o600))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	truncated := file + ".truncated"
	require.NoError(t, os.WriteFile(truncated, content[:len(content)-9000], 0o600))
	_, stderr, err = call(t, environment(other), "restore", "--from", truncated)
	require.Error(t, err)
	require.Contains(t, stderr, "truncated or damaged")
	_, stderr, err = call(t, environment(other), "restore", "--from", file)
	require.NoError(t, err, stderr)
	require.Equal(t, rowsOf(t, dir), rowsOf(t, other))
}

func TestBackupArguments(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	for want, args := range map[string][]string{
		"--with-secrets: requires --recipient":                      {"backup", "--to", "x", "--with-secrets"},
		`--recipient "age1x": use a public key of age`:              {"backup", "--to", "x", "--recipient", "age1x"},
		"open the backup: open /missing: no such file or directory": {"restore", "--from", "/missing"},
		"--identity /missing: open /missing":                        {"restore", "--from", "x", "--identity", "/missing"},
	} {
		_, stderr, err := call(t, environment(dir), args...)
		require.Error(t, err, args)
		require.Contains(t, stderr, want)
	}
	require.NoDirExists(t, dir)
}

// rowsOf returns a digest of the rows of each table in a data directory that no server uses, without the times at which keys were last used:
// a server writes them later.
func rowsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	rows, _ := conn.Query(t.Context(), "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'river%'")
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	digests := make(map[string]string)
	for _, table := range tables {
		var digest string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT coalesce(md5(string_agg(digested::text, '|' ORDER BY digested::text)), '') FROM ONLY "+table+" AS t, LATERAL (SELECT to_jsonb(t) - 'last_used_at') AS d (digested)").Scan(&digest))
		digests[table] = digest
	}
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, database.Stop(t.Context()))
	return digests
}
