package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/embeddedpg"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

// beProgram makes this test binary the program itself.
const beProgram = "VERSIONERD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		main()
		return
	}
	testdb.Main(m)
}

// program is a running versionerd.
type program struct {
	command *exec.Cmd
	url     string
	stdout  *testapi.Logs
	stderr  *testapi.Logs
	exited  chan error
}

// newDataDir returns a directory that PostgreSQL's user can traverse. Cleanup stops the PostgreSQL of a killed program.
func newDataDir(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "versionerd-test-") //nolint:usetesting // t.TempDir is closed to PostgreSQL's user
	require.NoError(t, err)
	require.NoError(t, os.Chmod(base, 0o755))
	dir := filepath.Join(base, "data")
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(dir, "pgdata", "postmaster.pid")); err == nil {
			var pid int
			if _, err := fmt.Sscan(string(text), &pid); err == nil {
				_ = syscall.Kill(pid, syscall.SIGQUIT)
			}
		}
		require.Eventually(t, func() bool { return os.RemoveAll(base) == nil }, 10*time.Second, 50*time.Millisecond)
	})
	return dir
}

func environment(dir string, more ...string) []string {
	kept := []string{beProgram + "=1", "VERSIONER_DATA_DIR=" + dir, "VERSIONER_ADDR=127.0.0.1:0", "VERSIONER_OPERATOR_ADDR="}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "VERSIONER_") && !strings.HasPrefix(entry, "DATABASE_URL=") {
			kept = append(kept, entry)
		}
	}
	return append(kept, more...)
}

// listening matches the address in the output of dev and the log of serve.
var listening = regexp.MustCompile(`(?:listening on |"url":")(http://[0-9.:]+)`)

// launch runs a server until the test ends, and returns it once it listens.
func launch(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := start(t, env, args...)
	p.awaitListening(t)
	return p
}

// start runs the program until the test ends.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{command: exec.Command(os.Args[0], args...), stdout: &testapi.Logs{}, stderr: &testapi.Logs{}, exited: make(chan error, 1)}
	p.command.Env, p.command.Stdout, p.command.Stderr = env, p.stdout, p.stderr
	require.NoError(t, p.command.Start())
	go func() { p.exited <- p.command.Wait() }()
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	return p
}

func (p *program) awaitListening(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := listening.FindStringSubmatch(p.stdout.String() + p.stderr.String())
		if found != nil {
			p.url = found[1]
		}
		return found != nil || len(p.exited) > 0
	}, time.Minute, 5*time.Millisecond, "it neither listens nor exits")
	require.NotEmpty(t, p.url, "%s%s", p.stdout, p.stderr)
}

// stop sends SIGINT and requires a clean exit within seconds.
func (p *program) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(os.Interrupt))
	select {
	case err := <-p.exited:
		require.NoError(t, err, "%s", p.stderr)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it does not exit", "%s", p.stderr)
	}
}

// call runs a command until it exits.
func call(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	var out, errs bytes.Buffer
	command.Env, command.Stdout, command.Stderr = env, &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// post sends a deployment event; status 0 is no answer.
func post(url, key string, event map[string]any) (int, []byte) {
	return postTo(url+"/deployment-events/", key, event)
}

func postTo(address, credential string, object map[string]any) (int, []byte) {
	return postWithKey(address, credential, "", object)
}

// postWithKey sends a request, with an Idempotency-Key unless idempotencyKey is empty.
func postWithKey(address, credential, idempotencyKey string, object map[string]any) (int, []byte) {
	return postBy(http.DefaultClient, address, credential, idempotencyKey, object)
}

// postBy sends an event. If the server has just closed the connection of earlier requests, it is sent once more on another one, as events may be
// repeated. The status 0 means that there was no answer; the error is returned instead.
func postBy(client *http.Client, address, credential, idempotencyKey string, object map[string]any) (int, []byte) {
	body, err := json.Marshal(object)
	if err != nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	request.Header.Set("Content-Type", "application/json")
	request.Header["Idempotency-Key"] = []string{} // repeats are harmless; net/http sends no such header
	if idempotencyKey != "" {
		request.Header.Set("Idempotency-Key", idempotencyKey)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return response.StatusCode, answer
}

func someEvent() map[string]any {
	return map[string]any{"product_name": "p", "version": "1", "environment_name": "e", "status": "completed", "invoke_id": "1"}
}

var keyPattern = regexp.MustCompile(`sk_[a-z0-9_-]+_k[0-9]+_[0-9A-Za-z]+`)

func TestDev(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	first := launch(t, environment(dir), "dev")
	require.Contains(t, first.stdout.String(), first.url+"/docs")
	key := keyPattern.FindString(first.stdout.String())
	require.NotEmpty(t, key)

	// The printed curl commands work when pasted.
	var pasted strings.Builder
	lines := bufio.NewScanner(strings.NewReader(first.stdout.String()))
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "curl ") || pasted.Len() > 0 && strings.HasPrefix(lines.Text(), "  -") {
			pasted.WriteString(lines.Text() + "\n")
		}
	}
	paste := exec.Command("bash", "-c", pasted.String())
	paste.Env = environment(dir)
	answer, err := paste.CombinedOutput()
	require.NoError(t, err, "%s", answer)
	require.Contains(t, string(answer), `"status":"completed"`)
	require.Contains(t, string(answer), `"next_cursor":null`, "the second line mints a token and reads")

	link := signInLink(t, first)
	require.Equal(t, "versioner_session", follow(t, link))
	require.Empty(t, follow(t, link), "the link is valid once")

	// A second server on the same directory reports its holder.
	_, stderr, err := call(t, environment(dir), "dev")
	require.Error(t, err)
	require.Contains(t, stderr, fmt.Sprintf("in use by process %d since", first.command.Process.Pid))
	first.stop(t)
	require.NotContains(t, first.stderr.String(), key)

	again := launch(t, environment(dir), "dev")
	require.NotRegexp(t, keyPattern, again.stdout.String()+again.stderr.String(), "a restart prints no API key")
	require.Equal(t, "versioner_session", follow(t, signInLink(t, again)))
	status, body := post(again.url, key, someEvent())
	require.Equal(t, http.StatusOK, status, "%s", body)
	again.stop(t)
}

// TestDevelopmentTokens checks that dev accepts a minted token, and serve does not.
// signInLink returns the link that the server prints last.
func signInLink(t *testing.T, server *program) string {
	t.Helper()
	var link string
	require.Eventually(t, func() bool {
		lines := strings.Split(strings.TrimSpace(server.stdout.String()), "\n")
		link = lines[len(lines)-1]
		return strings.HasPrefix(link, server.url+"/auth/dev?token=")
	}, time.Minute, 5*time.Millisecond, "the last line is a link")
	return link
}

// follow opens a link and returns the name of the cookie that it sets, if any.
func follow(t *testing.T, link string) string {
	t.Helper()
	if cookie := followed(t, link); cookie != nil {
		return cookie.Name
	}
	return ""
}

// followed opens a link and returns the cookie that it sets, nil without one.
func followed(t *testing.T, link string) *http.Cookie {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(link)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	for _, cookie := range response.Cookies() {
		return cookie
	}
	return nil
}

func TestDevelopmentTokens(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	token, stderr, err := call(t, env, "token", "--account", "demo", "--role", "viewer")
	require.NoError(t, err, stderr)
	require.Regexp(t, `^[\w-]+\.[\w-]+\.[\w-]+\n$`, token, "standard output has only the token")
	status := func(server *program) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/products/", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	dev := launch(t, env, "dev")
	require.Equal(t, http.StatusOK, status(dev))
	dev.stop(t)
	serve := launch(t, env, "serve")
	require.Equal(t, http.StatusUnauthorized, status(serve))
	serve.stop(t)
	for _, args := range [][]string{{"--role", "emperor"}, {"--account", "Acme"}} {
		_, _, err := call(t, env, append([]string{"token"}, args...)...)
		require.Error(t, err, args)
	}
}

func TestServeAndKeys(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	server := launch(t, env, "serve")
	require.Eventually(t, func() bool { return strings.Contains(server.stderr.String(), "versionerd keys create") }, 5*time.Second, 10*time.Millisecond)
	require.Empty(t, server.stdout.String())

	stdout, stderr, err := call(t, env, "keys", "create", "--account", "acme", "--name", "ci", "--expires", "720h")
	require.NoError(t, err, stderr)
	key := strings.TrimSuffix(stdout, "\n")
	require.Regexp(t, "^"+keyPattern.String()+"$", key, "the key alone goes to standard output")
	require.Contains(t, stderr, `account "acme"`)
	status, body := post(server.url, key, someEvent())
	require.Equal(t, http.StatusOK, status, "%s", body)

	stdout, _, err = call(t, env, "keys", "list", "--account", "acme")
	require.NoError(t, err)
	require.Contains(t, stdout, "sk_acme_k1_")
	require.Contains(t, stdout, "active")
	require.NotContains(t, stdout, key)

	for i, scopes := range [][]string{{"--scope", "preflight"}, {"--scope=preflight,events"}, {"--scope", "skip_preflight", "--scope", "events"}} {
		stdout, stderr, err := call(t, env, append([]string{"keys", "create", "--account", "acme", "--name", "scoped"}, scopes...)...)
		require.NoError(t, err, stderr)
		status, body := post(server.url, strings.TrimSpace(stdout), someEvent())
		require.Equal(t, i > 0, status == http.StatusOK, "events need their scope: %d %s", status, body)
		status, body = postTo(server.url+"/preflight/", strings.TrimSpace(stdout), map[string]any{"product_name": "p", "version": "1", "environment_name": "e"})
		require.Equal(t, i < 2, status == http.StatusOK, "so does a preflight: %d %s", status, body)
	}
	stdout, _, err = call(t, env, "keys", "list", "--account", "acme")
	require.NoError(t, err)
	for _, scopes := range []string{" events ", " preflight ", " events,preflight ", " events,skip_preflight "} {
		require.Contains(t, stdout, scopes)
	}

	_, stderr, err = call(t, env, "keys", "revoke", "--account", "acme", "k1")
	require.NoError(t, err, stderr)
	revoked := time.Now()
	require.Eventually(t, func() bool { status, _ := post(server.url, key, someEvent()); return status == http.StatusUnauthorized }, time.Second, 10*time.Millisecond)
	require.Less(t, time.Since(revoked), 2*time.Second)
	server.stop(t)

	// Without a server the commands work too.
	stdout, stderr, err = call(t, env, "keys", "list", "--account", "acme")
	require.NoError(t, err, stderr)
	require.Contains(t, stdout, "revoked")
	for _, args := range [][]string{
		{"list", "--account", "missing"},
		{"revoke", "--account", "acme", "k9"},
		{"create", "--account", "live", "--name", "x"},
		{"create", "--account", "Acme", "--name", "x"},
		{"create", "--account", "acme", "--name", " "},
		{"create", "--account", "acme", "--name", "x", "--expires", "-1h"},
		{"create", "--account", "acme", "--name", "x", "--expires", "soon"},
		{"create", "--account", "acme", "--name", "x", "--scope", "admin"},
		{"create", "--account", "acme", "--name", "x", "--scope", ""},
		{"create", "--account", "acme"},
	} {
		stdout, stderr, err := call(t, env, append([]string{"keys"}, args...)...)
		require.Error(t, err, args)
		require.NotRegexp(t, keyPattern, stdout+stderr)
		require.NotContains(t, stderr, "panic")
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()

	t.Run("ReportsAllProblemsTogether", func(t *testing.T) {
		t.Parallel()
		_, stderr, err := call(t, environment("", "VERSIONER_ADDR=8080", "VERSIONER_LOG_LEVEL=loud", "DATABASE_URL=postgres://u:hunter2@:x/", "VERSIONER_KEY_PEPPER=short",
			"VERSIONER_DRAIN_DELAY=soon", "VERSIONER_MAIL_FORM=a@example.com"), "serve")
		require.Error(t, err)
		for _, part := range []string{
			"VERSIONER_ADDR", "127.0.0.1:8080", "VERSIONER_LOG_LEVEL", "info", "DATABASE_URL", "postgres://", "VERSIONER_KEY_PEPPER", "openssl rand",
			`VERSIONER_DRAIN_DELAY "soon"`, "VERSIONER_MAIL_FORM is not a setting: did you mean VERSIONER_MAIL_FROM?",
		} {
			require.Contains(t, stderr, part)
		}
		require.NotContains(t, stderr, "hunter2")
	})
	t.Run("RequiresSecretsWithExternalDatabase", func(t *testing.T) {
		t.Parallel()
		_, stderr, err := call(t, environment("", "DATABASE_URL=postgres://u@127.0.0.1/d"), "serve")
		require.Error(t, err)
		require.Contains(t, stderr, "VERSIONER_KEY_PEPPER is not set")
		require.Contains(t, stderr, "VERSIONER_ENCRYPTION_KEYS is not set")
	})
}

func TestHelp(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		stdout, stderr, err := call(t, environment(""), args...)
		require.NoError(t, err, stderr)
		require.Empty(t, stderr)
		return stdout
	}

	require.Equal(t, help("--help"), help(), "the program alone prints its usage")
	for _, name := range []string{"dev", "serve", "worker", "keys", "limits", "token", "demo", "openapi", "completion"} {
		require.Contains(t, help(), "\n  "+name)
	}
	serve := help("serve", "--help")
	for _, setting := range config.AllSettings() {
		require.Contains(t, serve, "$"+setting.Env)
	}
	require.Contains(t, serve, "default: 127.0.0.1:8080")
	create := help("keys", "create", "--help")
	for _, flag := range []string{"--account", "--name", "--scope", "skip_preflight", "--expires", "--data-dir", "--database-url", "--key-pepper"} {
		require.Contains(t, create, flag)
	}
	for _, flag := range []string{"--addr", "--jwt-issuer", "--smtp-url", "--encryption-keys"} {
		require.NotContains(t, create, flag)
		require.NotContains(t, help("token", "--help"), flag)
	}
	require.Regexp(t, `^\S+ \(\S+, \S+, go1\.\S+, \w+/\w+\)\n$`, help("--version"))
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]string{"bash": "complete -C", "zsh": "bashcompinit", "fish": "complete -f -c versionerd"} {
		stdout, _, err := call(t, environment(""), "completion", shell)
		require.NoError(t, err)
		require.Contains(t, stdout, want)
	}
	stdout, _, err := call(t, environment("", "COMP_LINE=versionerd keys c"))
	require.NoError(t, err)
	require.Equal(t, "create\n", stdout)
	stdout, _, err = call(t, environment(""), "completion", "bash", "--program", "/usr/bin/versionerd")
	require.NoError(t, err)
	require.Equal(t, "complete -C '/usr/bin/versionerd' versionerd\n", stdout)
}

func TestManPage(t *testing.T) {
	t.Parallel()
	page, _, err := call(t, environment(""), "man")
	require.NoError(t, err)
	require.Regexp(t, `^\.TH VERSIONERD 1 "\d{4}-\d\d-\d\d" `, page)
	plain := strings.ReplaceAll(page, `\&`, "")
	for _, text := range []string{"serve", "keys create", "--scope", "--addr", "$VERSIONER_ADDR", "default: 127.0.0.1:8080"} {
		require.Contains(t, plain, text)
	}
	again, _, err := call(t, environment(""), "man")
	require.NoError(t, err)
	require.Equal(t, page, again)
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	server := launch(t, environment(newDataDir(t)), "dev")
	_, stderr, err := call(t, environment(newDataDir(t), "VERSIONER_ADDR="+strings.TrimPrefix(server.url, "http://")), "dev")
	require.Error(t, err)
	require.Contains(t, stderr, "address already in use; choose another address")
	require.NotContains(t, stderr, "panic")
	server.stop(t)
}

// TestSeparateWorker records events with one program and delivers their notifications with another.
func TestSeparateWorker(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	env := environment(dir, "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8")
	server := launch(t, env, "dev", "--no-worker")
	received := newHooks(t)
	received.subscribe(t, env, server.url)
	status, _ := post(server.url, keyPattern.FindString(server.stdout.String()), someEvent())
	require.Equal(t, http.StatusOK, status)
	count := func() int {
		received.mu.Lock()
		defer received.mu.Unlock()
		return len(received.times)
	}
	requireMaintenance(t, dir)
	require.Zero(t, count(), "no worker is running")

	worker := start(t, env, "worker")
	require.Eventually(t, func() bool { return count() == 1 }, time.Minute, 20*time.Millisecond, "%s", worker.stderr)
	worker.stop(t)
	server.stop(t)
}

// requireMaintenance waits until the server with this data directory has run every task once. A partition for its first event existed
// before.
func requireMaintenance(t *testing.T, dir string) {
	t.Helper()
	dsn, err := embeddedpg.WaitForHolder(t.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	count := func(query string) (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
		return n
	}
	require.Equal(t, 1, count("SELECT count(*) FROM events"))
	require.Zero(t, count("SELECT count(*) FROM events_default"))
	require.Eventually(t, func() bool {
		return count("SELECT count(DISTINCT args) FROM river_job WHERE queue = 'maintenance' AND state = 'completed'") == 10
	}, time.Minute, 50*time.Millisecond)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	env := environment(newDataDir(t))
	_, _, err := call(t, env, "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err)
	for want, args := range map[string][]string{
		`Account "acme": 5 requests per hour.`:                                  {"account", "acme", "5"},
		`Key k1 of account "acme": an unlimited number of requests per minute.`: {"key", "acme", "k1", "0"},
		`Account "acme": 7 notifications per day.`:                              {"deliveries", "acme", "7"},
		`Key k1 of account "acme": the server-wide default per minute.`:         {"key", "acme", "k1", "default"},
	} {
		_, stderr, err := call(t, env, append([]string{"limits"}, args...)...)
		require.NoError(t, err)
		require.Contains(t, stderr, want)
	}
	for want, args := range map[string][]string{
		`there is no account "other"`:    {"account", "other", "5"},
		`there is no account "another"`:  {"deliveries", "another", "5"},
		`account "acme" has no key "k9"`: {"key", "acme", "k9", "5"},
		`is not a number of requests`:    {"key", "acme", "k1", "many"},
	} {
		_, stderr, err := call(t, env, append([]string{"limits"}, args...)...)
		require.Error(t, err)
		require.Contains(t, stderr, want)
	}
}
