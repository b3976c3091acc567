package doctest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// awaitRefusal gives the server the second that it may take to hear of a revocation, and a busy machine some more.
func (s *server) awaitRefusal(t *testing.T, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := send(t, http.MethodPost, s.url+deploy, key, "{}") // which records nothing
		return status == http.StatusUnauthorized
	}, startPatience, poll, "the page has revoked it")
}

// firstKey is the one that `versionerd dev` prints.
func (s *server) firstKey(t *testing.T) string {
	t.Helper()
	require.Eventually(t, func() bool { return keyPattern.MatchString(s.said.String()) }, startPatience, poll)
	return keyPattern.FindString(s.said.String())
}

var keyPattern = regexp.MustCompile(`sk_demo_k[0-9]+_[0-9A-Za-z]+`)

// requireSubset compares what a page shows, shortened, with what was answered.
func requireSubset(t *testing.T, shown, answered any) {
	t.Helper()
	switch shown := shown.(type) {
	case map[string]any:
		object, ok := answered.(map[string]any)
		require.True(t, ok, "%v is no object", answered)
		for name, value := range shown {
			require.Contains(t, object, name)
			requireSubset(t, value, object[name])
		}
	case []any:
		require.Len(t, answered, len(shown))
		for i, value := range shown {
			requireSubset(t, value, answered.([]any)[i])
		}
	case string:
		if !regexp.MustCompile(`^([0-9a-f-]{36}|2026-.*Z)$`).MatchString(shown) { // identifiers and times differ
			require.Equal(t, shown, answered)
		}
	default:
		require.Equal(t, shown, answered)
	}
}

func requireShown(t *testing.T, shown, answered string) {
	t.Helper()
	var left, right any
	require.NoError(t, json.Unmarshal([]byte(shown), &left))
	require.NoError(t, json.Unmarshal([]byte(answered), &right), answered)
	requireSubset(t, left, right)
}

// testReadme pastes what `make run` prints where the page has a placeholder.
func testReadme(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	key := s.firstKey(t)
	client := installClient(t)
	require.NoError(t, os.Rename(filepath.Join(client, "client"), filepath.Join(client, "versioner")))
	for i, entry := range s.env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			s.env[i] = "PATH=" + client + ":" + path
		}
	}
	shown := g.take(t, "json")[0].text
	for i, b := range g.take(t, "sh") {
		said := s.shell(t, strings.ReplaceAll(b.text, "sk_demo_k1_…", key))
		if i == 0 {
			requireShown(t, shown, said)
		}
	}
	s.awaitRefusal(t, key)
	require.Len(t, items(t, s.url+"/deployments/?product=checkout", s.token(t, "demo")), 2, "one of curl, one of the client")
	require.Greater(t, len(items(t, s.url+"/products/", s.token(t, "demo"))), 20, "and those of the invented history")
}

// testFirstEvent types the page's commands into two terminals. Only the port differs, and where git finds the repository.
func testFirstEvent(t *testing.T, g *guide) {
	t.Helper()
	for _, program := range []string{"git", "make"} {
		needs(t, program)
	}
	terminals := g.take(t, "sh")
	require.Len(t, terminals, 2)
	commands := regexp.MustCompile(`(?m)^[a-z]`).FindAllString(join(terminals), -1)
	require.LessOrEqual(t, len(commands), 5)
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(here, ".git")); err != nil && os.Getenv("CI") == "" {
		t.Skip("SKIPPED: this is no clone of the repository, which could be cloned again")
	}
	s := newClone(t,
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=url."+here+".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/versioner-io/versioner.git",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
	)
	s.said = start(t, s.env, s.dir, "bash", "-euo", "pipefail", "-c", s.here(terminals[0].text))
	awaitReady(t, s.url, s.said)
	said := s.shell(t, terminals[1].text)
	_, list, _ := strings.Cut(said, "\n")
	requireShown(t, g.take(t, "json")[0].text, list)
}

func testKeys(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	old := s.firstKey(t)
	said := s.shell(t, g.script(t))
	require.Contains(t, said, "\n422\n"[1:], "the server takes the new key")
	states := make(map[string]any)
	for _, key := range items(t, s.url+"/api-keys/", s.token(t, "demo")) {
		states[key["key_id"].(string)] = key["state"]
	}
	require.Equal(t, map[string]any{"k1": "revoked", "k2": "revoked", "k3": "active"}, states)
	s.awaitRefusal(t, old)
	status, _ := send(t, http.MethodPost, s.url+deploy, keyPattern.FindString(said), someEvent)
	require.Equal(t, http.StatusOK, status, "the key that create has printed")
}

// hook hears messages.
type hook struct {
	mu       sync.Mutex
	messages []http.Header
	bodies   []string
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages, h.bodies = append(h.messages, r.Header), append(h.bodies, string(body))
}

// untilTold is what happens between the page's lines: a deployment fails, and the message arrives.
const untilTold = `
KEY=$(bin/versionerd keys create --account demo --name ci)
curl -sS --fail-with-body "$URL/deployment-events/" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
  -d '{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"failed"}'
until api "$URL/notification-history/?limit=1" | grep '"event_type":"deployment.failed"' | grep '"status":"delivered"'; do sleep 0.1; done
`

func testNotifications(t *testing.T, g *guide) {
	t.Helper()
	heard := &hook{}
	receiver := serve(t, heard.ServeHTTP)
	s := develop(t, "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8")
	blocks := g.take(t, "sh")
	s.shell(t, strings.ReplaceAll(blocks[0].text+untilTold+join(blocks[1:]), "https://hooks.example.com", receiver))
	require.Eventually(t, func() bool {
		heard.mu.Lock()
		defer heard.mu.Unlock()
		return len(heard.messages) == 3
	}, startPatience, poll, "the trial, the failure, and the failure again: %v", heard)
	for i, event := range []string{"", "deployment.failed", "deployment.failed"} {
		require.Contains(t, heard.messages[i].Get("X-Versioner-Event"), event)
	}
	signature := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(heard.bodies[2]))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	secrets := regexp.MustCompile(`whsec_[^"]+`).FindAllString(join(blocks), -1)
	require.Equal(t, signature(secrets[1]), heard.messages[2].Get("X-Versioner-Signature"))
	require.Equal(t, signature(secrets[0]), heard.messages[2].Get("X-Versioner-Signature-Previous"))
}

// testOperations gives the roles to a PostgreSQL that has none.
func testOperations(t *testing.T, g *guide) {
	t.Helper()
	dsn := newPostgres(t)
	execute(t, dsn, join(g.take(t, "sql")))

	var member bool
	query(t, dsn, "SELECT pg_has_role('versioner', 'versioner_app', 'MEMBER')", &member)
	require.True(t, member)
}

// newPostgres is a PostgreSQL of the test's own, with a superuser versioner and a database of that name.
func newPostgres(t *testing.T) string {
	t.Helper()
	embedded, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: filepath.Join(newDir(t), "data"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = embedded.Stop(t.Context()) })
	return embedded.DSN()
}

// execute runs statements one by one, as psql does.
func execute(t *testing.T, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	for line := range strings.SplitSeq(regexp.MustCompile(`--.*`).ReplaceAllString(statements, ""), ";") {
		_, err := conn.Exec(t.Context(), line)
		require.NoError(t, err, line)
	}
}

func query(t *testing.T, dsn, sql string, into any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(into))
}
