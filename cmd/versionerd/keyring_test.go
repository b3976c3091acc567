package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// TestRotateSecrets replaces the pepper and the encryption key by the steps of docs/production.md, behind a balancer and under load.
func TestRotateSecrets(t *testing.T) {
	t.Parallel()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	dirs := []string{newDataDir(t), newDataDir(t)}
	env := func(server int, names ...string) []string {
		var peppers, keys []string
		for _, name := range names {
			peppers = append(peppers, strings.Repeat(name, 40))
			keys = append(keys, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(name), 32)))
		}
		return environment(dirs[server], "DATABASE_URL="+database.DSN(), "VERSIONER_KEY_PEPPER="+strings.Join(peppers, ","), "VERSIONER_ENCRYPTION_KEYS="+strings.Join(keys, ","),
			"VERSIONER_DRAIN_DELAY=1s", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0")
	}
	addresses := []string{freeAddr(t), freeAddr(t)}
	servers := make([]*program, 2)
	restart := func(names ...string) { // one at a time
		for i, address := range addresses {
			if servers[i] != nil {
				servers[i].terminate(t)
			}
			servers[i] = launch(t, append(env(i, names...), "VERSIONER_ADDR="+address), "dev")
			require.Eventually(t, func() bool { return isReady(address) }, time.Minute, 10*time.Millisecond)
			time.Sleep(300 * time.Millisecond) // until the balancer has checked it
		}
	}
	keyring := func(command string, names ...string) (string, error) {
		stdout, _, err := call(t, env(0, names...), "keyring", command)
		return stdout, err
	}
	newKey := func(name string, secrets ...string) string {
		token, stderr, err := call(t, env(0, secrets...), "keys", "create", "--account", "demo", "--name", name)
		require.NoError(t, err, stderr)
		return strings.TrimSpace(token)
	}

	restart("o")
	balancer, url := newBalancer(t, addresses)
	require.Eventually(t, func() bool {
		balancer.mu.Lock()
		defer balancer.mu.Unlock()
		return len(balancer.ready) == 2
	}, time.Minute, 10*time.Millisecond)
	used, unused := newKey("used", "o"), newKey("unused", "o")
	session := followed(t, signInLink(t, servers[1]))
	require.NotNil(t, session)
	token, _, err := call(t, env(0, "o"), "token", "--account", "demo")
	require.NoError(t, err)
	status, answer := send(t, http.MethodPost, servers[0].url+"/notification-channels/", strings.TrimSpace(token), map[string]any{
		"name": "w", "channel_type": "webhook", "config": map[string]any{"url": "https://hooks.example.com/secret", "secret": "0123456789-0123456789-0123456789"},
	})
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	requireSession := func() {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/notification-channels/", nil)
		require.NoError(t, err)
		request.AddCookie(session)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		var channels struct {
			Items []struct{ Config map[string]any }
		}
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, json.NewDecoder(response.Body).Decode(&channels))
		require.NotEmpty(t, channels.Items[0].Config, "the configuration can be decrypted")
	}
	requireSession()
	load := newWriters(url, used, 4)

	restart("o", "n")
	requireSession()
	restart("n", "o")
	requireSession()
	created := newKey("created", "n", "o")
	status, _ = post(url, created, someEvent())
	require.Equal(t, http.StatusOK, status)
	printed, err := keyring("status", "n", "o")
	require.NoError(t, err)
	require.Contains(t, printed, "first one: 0 notification channels, 0 sessions")
	require.Regexp(t, `(?s)2 active API keys.*demo +k1 +first key +never.*demo +k3 +unused +never`, printed)
	_, err = keyring("rotate", "n", "o")
	require.Error(t, err, "unused keys need the old pepper")
	_, stderr, err := call(t, env(0, "n"), "keys", "list", "--account", "demo")
	require.Error(t, err)
	require.Contains(t, stderr, "VERSIONER_KEY_PEPPER does not match this database")

	status, _ = post(url, unused, someEvent())
	require.Equal(t, http.StatusOK, status)
	_, stderr, err = call(t, env(0, "n", "o"), "keys", "revoke", "--account", "demo", "k1")
	require.NoError(t, err, stderr)
	printed, err = keyring("rotate", "n", "o")
	require.NoError(t, err, printed)
	require.Contains(t, printed, "0 active API keys")
	requireSession()

	restart("n")
	requireSession()
	load.stop()
	require.Zero(t, balancer.lost)
	require.Equal(t, map[int]int{http.StatusOK: load.statuses[http.StatusOK]}, load.statuses)
	for _, key := range []string{used, unused, created} {
		status, answer := post(url, key, someEvent())
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var keyIDs int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(DISTINCT substring(encrypted_config FROM 1 FOR 4)) FROM notification_channels").Scan(&keyIDs))
	require.Equal(t, 1, keyIDs)
	for _, server := range servers {
		server.stop(t)
	}
}

// TestRotateSecretsOfDataDirectory replaces the secrets of the embedded PostgreSQL, which are files.
func TestRotateSecretsOfDataDirectory(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	run := func(args ...string) (output string, err error) {
		stdout, stderr, err := call(t, environment(dir), args...)
		return stdout + stderr, err
	}
	_, err := run("keys", "create", "--account", "acme", "--name", "unused")
	require.NoError(t, err)
	output, err := run("keyring", "rotate")
	require.NoError(t, err, output)
	files := map[string]string{"key-pepper": strings.Repeat("n", 64), "encryption-key": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32))}
	for name, secret := range files {
		former, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(secret+","+string(former)), 0o600))
	}
	output, err = run("keyring", "rotate")
	require.Error(t, err)
	require.Regexp(t, `acme +k1 +unused +never`, output)
	output, err = run("keys", "revoke", "--account", "acme", "k1")
	require.NoError(t, err, output)
	output, err = run("keyring", "rotate")
	require.NoError(t, err, output)
	for name, secret := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600))
	}
	output, err = run("keyring", "status")
	require.NoError(t, err, output)
	require.Contains(t, output, "0 active API keys")
}
