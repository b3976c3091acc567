package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testdb"
)

// pasteLine runs the curl line that a command has printed, against that server.
func pasteLine(t *testing.T, env []string, output, serverURL string) []byte {
	t.Helper()
	line := regexp.MustCompile(`(?m)^curl -sS http://[^/]+(/.*)$`).FindStringSubmatch(output)
	require.NotNil(t, line, output)
	paste := exec.Command("bash", "-c", "curl -sS "+serverURL+line[1])
	paste.Env = env
	answer, err := paste.Output()
	require.NoError(t, err)
	return answer
}

// TestDemoWithoutAServer seeds an account, and reads it.
func TestDemoWithoutAServer(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	stdout, stderr, err := call(t, env, "demo", "--days", "14")
	require.NoError(t, err, stderr)
	require.Regexp(t, `\n[\d,]+ of [\d,]+ events\n`, stderr, "plain lines, as standard error is no terminal")
	require.NotContains(t, stderr, "\r")
	for _, part := range []string{`Account "demo" has sample data (seed 1)`, "20, in 4 environments; 12 users", " rollbacks among them", "keys create --account demo"} {
		require.Contains(t, stdout, part)
	}
	require.NotRegexp(t, keyPattern, stdout+stderr, "its API key is not printed")

	server := launch(t, env, "dev")
	answer := pasteLine(t, env, stdout, server.url)
	var page struct {
		Items []map[string]any `json:"items"`
	}
	require.NoError(t, json.Unmarshal(answer, &page), "%s", answer)
	require.Greater(t, len(page.Items), 20)

	_, stderr, err = call(t, env, "demo", "--seed", "2")
	require.Error(t, err)
	require.Contains(t, stderr, `account "demo": it has data already, nothing was added; choose another account, such as --account demo2`)

	// Events of CI systems are newer.
	key, stderr, err := call(t, env, "keys", "create", "--account", "demo", "--name", "ci")
	require.NoError(t, err, stderr)
	status, body := post(server.url, strings.TrimSpace(key), map[string]any{"product_name": "storefront", "version": "99.0.0", "environment_name": "production", "status": "completed"})
	require.Equal(t, http.StatusOK, status, "%s", body)
	isListed := func() bool { return strings.Contains(string(pasteLine(t, env, stdout, server.url)), `"99.0.0"`) }
	require.Eventually(t, isListed, 10*time.Second, 100*time.Millisecond, "requests share a list for two seconds")
	server.stop(t)
}

// TestDemoBesideAServer rejects accounts with data, and seeds another one.
func TestDemoBesideAServer(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	server := launch(t, env, "dev")
	key, stderr, err := call(t, env, "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err, stderr)
	status, _ := post(server.url, strings.TrimSpace(key), someEvent())
	require.Equal(t, http.StatusOK, status)
	_, stderr, err = call(t, env, "demo", "--account", "acme", "--days", "7")
	require.Error(t, err)
	require.Contains(t, stderr, `account "acme": it has data already, nothing was added; choose another account, such as --account acme2`)

	status, _ = post(server.url, keyPattern.FindString(server.stdout.String()), someEvent())
	require.Equal(t, http.StatusOK, status)
	_, stderr, err = call(t, env, "demo", "--days", "7")
	require.Error(t, err)
	require.Contains(t, stderr, `account "demo": it has data already`, "one event is data")
	stdout, stderr, err := call(t, env, "demo", "--account", "sample", "--days", "7", "--addr", strings.TrimPrefix(server.url, "http://"))
	require.NoError(t, err, stderr)
	require.Contains(t, string(pasteLine(t, env, stdout, server.url)), `"storefront"`)
	link := regexp.MustCompile(`(?m)^http://\S+/auth/dev\?token=\S+$`).FindString(stdout)
	require.Contains(t, link, server.url)
	cookie := followed(t, link)
	require.NotNil(t, cookie)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/environment-state/", nil)
	require.NoError(t, err)
	request.AddCookie(cookie)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	shown, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(shown), `"storefront"`, "the link signs in to the account of the data")
	require.Nil(t, followed(t, link), "once")
	server.stop(t)
}

// TestDemoOfAnExternalDatabase encrypts the channels with the key of the servers. It needs no data directory.
func TestDemoOfAnExternalDatabase(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	settings := []string{"DATABASE_URL=" + testdb.New(t), "VERSIONER_KEY_PEPPER=" + strings.Repeat("p", 40)}
	_, stderr, err := call(t, environment(missing, settings...), "demo", "--days", "7")
	require.Error(t, err)
	require.Contains(t, stderr, "VERSIONER_ENCRYPTION_KEYS is not set")

	settings = append(settings, "VERSIONER_ENCRYPTION_KEYS="+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	env := environment(missing, settings...)
	_, stderr, err = call(t, env, "demo", "--days", "7")
	require.NoError(t, err, stderr)
	stdout, stderr, err := call(t, env, "keyring", "status")
	require.NoError(t, err, stderr)
	require.Contains(t, stdout, "another key than the first one: 0 notification channels")
	require.NoDirExists(t, missing)
}

// TestDemoIsInterrupted sends SIGINT during seeding, and seeds again.
func TestDemoIsInterrupted(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	first := start(t, env, "demo", "--days", "90")
	require.Eventually(t, func() bool { return strings.Contains(first.stderr.String(), " events\n") }, time.Minute, 5*time.Millisecond)
	require.NoError(t, first.command.Process.Signal(syscall.SIGINT))
	select {
	case err := <-first.exited:
		require.Error(t, err)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it does not stop")
	}
	require.Contains(t, first.stderr.String(), "versionerd: stopped: nothing was added\n")
	require.Empty(t, first.stdout.String())

	_, stderr, err := call(t, env, "demo", "--days", "7")
	require.NoError(t, err, stderr)
}

func TestDemoRejectsInvalidFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--days: use 7 to 365": {"--days", "6"},
		"account":              {"--account", "Acme"},
		"--seed":               {"--seed", "-1"},
	} {
		_, stderr, err := call(t, environment(""), append([]string{"demo"}, args...)...)
		require.Error(t, err)
		require.Contains(t, stderr, want)
	}
	stdout, _, err := call(t, environment(""), "demo", "--help")
	require.NoError(t, err)
	for _, part := range []string{"--account", "--seed", "--days", "sample data"} {
		require.Contains(t, stdout, part)
	}
}
