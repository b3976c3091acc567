package doctest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// awaitRevocation waits until the server rejects a key.
func (s *server) awaitRevocation(t *testing.T, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := send(t, http.MethodPost, s.url+deploy, key, "{}") // an invalid event
		return status == http.StatusUnauthorized
	}, startTimeout, poll, "the key is revoked")
}

// firstKey returns the key that `versionerd dev` prints.
func (s *server) firstKey(t *testing.T) string {
	t.Helper()
	require.Eventually(t, func() bool { return keyPattern.MatchString(s.output.String()) }, startTimeout, poll)
	return keyPattern.FindString(s.output.String())
}

var keyPattern = regexp.MustCompile(`sk_demo_k[0-9]+_[0-9A-Za-z]+`)

// requireSubset compares a shortened example of a page with a response.
func requireSubset(t *testing.T, shown, answered any) {
	t.Helper()
	switch shown := shown.(type) {
	case map[string]any:
		object, ok := answered.(map[string]any)
		require.True(t, ok, "%v is not an object", answered)
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

// testReadme replaces the placeholder of the page by the printed key.
func testReadme(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	key := s.firstKey(t)
	client := installClient(t)
	for i, entry := range s.env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			s.env[i] = "PATH=" + client + ":" + path
		}
	}
	shown := g.take(t, "json")[0].text
	for i, b := range g.take(t, "sh") {
		output := s.shell(t, strings.ReplaceAll(b.text, "sk_demo_k1_…", key))
		if i == 0 {
			requireShown(t, shown, output)
		}
	}
	s.awaitRevocation(t, key)
	require.Len(t, items(t, s.url+"/deployments/?product=checkout", s.token(t, "demo")), 2, "one of curl and one of the client")
	require.Greater(t, len(items(t, s.url+"/products/", s.token(t, "sample"))), 19, "products of the sample data")
}

// testFirstEvent runs the commands of the page in two terminals, with another port and a local clone.
func testFirstEvent(t *testing.T, g *guide) {
	t.Helper()
	for _, program := range []string{"git", "make"} {
		needs(t, program)
	}
	terminals := g.take(t, "sh")
	require.Len(t, terminals, 2)
	commands := regexp.MustCompile(`(?m)^[a-z]`).FindAllString(join(terminals), -1)
	require.LessOrEqual(t, len(commands), 5)
	repository, err := filepath.Abs(root)
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(repository, ".git")); err != nil && os.Getenv("CI") == "" {
		t.Skip("SKIPPED: not a clone of the repository")
	}
	s := newClone(t,
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=url."+repository+".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/versioner-io/versioner.git",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
	)
	s.output = start(t, s.env, s.dir, "bash", "-euo", "pipefail", "-c", s.withURL(terminals[0].text))
	awaitReady(t, s.url, s.output)
	output := s.shell(t, terminals[1].text)
	_, list, _ := strings.Cut(output, "\n")
	requireShown(t, g.take(t, "json")[0].text, list)
}

func testKeys(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	old := s.firstKey(t)
	output := s.shell(t, g.script(t))
	require.Contains(t, output, "\n422\n"[1:], "the server accepts the new key")
	states := make(map[string]any)
	for _, key := range items(t, s.url+"/api-keys/", s.token(t, "demo")) {
		states[key["key_id"].(string)] = key["state"]
		if key["name"] != "preflight" && key["name"] != "emergency" {
			require.Equal(t, []any{"events"}, key["scopes"])
		}
	}
	require.Equal(t, map[string]any{"k1": "revoked", "k2": "active", "k3": "active", "k4": "revoked", "k5": "active"}, states)
	s.awaitRevocation(t, old)
	printed := keyPattern.FindAllString(output, -1)
	status, _ := send(t, http.MethodPost, s.url+deploy, printed[len(printed)-1], someEvent)
	require.Equal(t, http.StatusOK, status, "the key that create printed")
	const question = `{"product_name":"checkout","version":"1.4.2","environment_name":"production"}`
	for i, want := range []int{http.StatusOK, http.StatusForbidden} {
		status, body := send(t, http.MethodPost, s.url+"/preflight/", printed[i], question)
		require.Equal(t, want, status, "%s", body)
	}
}

func testRules(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	status, _ := send(t, http.MethodPost, s.url+deploy, s.firstKey(t), someEvent)
	require.Equal(t, http.StatusOK, status)
	output := s.shell(t, g.script(t))
	require.Contains(t, output, `"would_allow":false`, "version 1.4.3 needs an approval")
	require.Contains(t, output, "BEGIN:VCALENDAR\r\n")
	require.Empty(t, items(t, s.url+"/calendar-feeds/", s.token(t, "demo")))
	modes := make(map[string]any)
	for _, rule := range items(t, s.url+"/deployment-rules/", s.token(t, "demo")) {
		modes[rule["name"].(string)] = rule["mode"]
		if rule["name"] == "Holiday freeze" {
			windows := rule["schedule"].(map[string]any)["windows"].([]any)
			require.Len(t, windows, 1)
			require.Equal(t, "Thanksgiving", windows[0].(map[string]any)["name"])
		}
	}
	require.Equal(t, map[string]any{"Holiday freeze": "enabled", "A day in staging": "report_only", "One at a time": "enabled", "QA": "enabled"}, modes)
	grants := items(t, s.url+"/break-glass-grants/", s.token(t, "demo"))
	require.Len(t, grants, 1)
	require.Equal(t, "active", grants[0]["status"])
	require.Equal(t, []any{"events", "skip_preflight"}, items(t, s.url+"/api-keys/", s.token(t, "demo"))[0]["scopes"])
}

func testApprovals(t *testing.T, g *guide) {
	t.Helper()
	received := &webhookReceiver{}
	s := develop(t, "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8")
	status, answer := send(t, http.MethodPost, s.url+"/notification-channels/", s.token(t, "demo"),
		fmt.Sprintf(`{"name":"c","channel_type":"webhook","config":{"url":%q}}`, serve(t, received.ServeHTTP)))
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	var channel struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(answer), &channel))
	status, answer = send(t, http.MethodPost, s.url+"/notification-preferences/", s.token(t, "demo"), fmt.Sprintf(`{"channel_id":%q,"event_type":"dr.approved"}`, channel.ID))
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	output := s.shell(t, "VERSIONER_API_KEY="+s.firstKey(t)+"\n"+g.script(t))
	rejected := regexp.MustCompile(`(?m)^(.*)\n428$`).FindAllStringSubmatch(output, -1)
	require.Len(t, rejected, 1, "the start before the approval alone is blocked: %s", output)
	_, shown, _ := strings.Cut(g.text, "HTTP/1.1 428 Precondition Required\n")
	shown, _, _ = strings.Cut(shown, fence)
	var documented, sent map[string]any
	require.NoError(t, json.Unmarshal([]byte(shown), &documented))
	require.NoError(t, json.Unmarshal([]byte(rejected[0][1]), &sent))
	require.Subset(t, sent["details"], documented["details"])
	delete(documented, "details")
	require.Subset(t, sent, documented)
	requests := items(t, s.url+"/deployment-requests/", s.token(t, "demo"))
	require.Len(t, requests, 1)
	require.Equal(t, "approved", requests[0]["status"])
	deployments := items(t, s.url+"/deployments/?environment=production&version=2.0.0", s.token(t, "demo"))
	require.Len(t, deployments, 1)
	require.Equal(t, "completed", deployments[0]["status"])
	require.Equal(t, requests[0]["id"], deployments[0]["deployment_request_id"])

	require.Eventually(t, func() bool {
		received.mu.Lock()
		defer received.mu.Unlock()
		return len(received.bodies) == 1
	}, startTimeout, poll, "the message about the approval")
	steady := func(body string) string { // what differs with each request
		return regexp.MustCompile(`"(occurred_at|dr_id|dr_url|actor)": ?"[^"]+"`).ReplaceAllString(body, `"$1":""`)
	}
	require.JSONEq(t, steady(g.take(t, "json")[0].text), steady(received.bodies[0]))
	document, err := openapi3.NewLoader().LoadFromFile(filepath.Join(root, "openapi.yaml"))
	require.NoError(t, err)
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(received.bodies[0]), &body))
	schema := document.Components.Schemas["DeploymentRequestMessage"].Value
	require.NoError(t, schema.VisitJSON(body))
	require.ElementsMatch(t, slices.Collect(maps.Keys(schema.Example.(map[string]any))), slices.Collect(maps.Keys(body)))
	require.Error(t, document.Components.Schemas["WebhookMessage"].Value.VisitJSON(body), "it is of one schema only")
}

func testButtons(t *testing.T, g *guide) {
	t.Helper()
	s := develop(t)
	status, _ := send(t, http.MethodPost, s.url+deploy, s.firstKey(t), someEvent)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, s.shell(t, g.script(t)), `{"url":"https://github.com/example/checkout/actions/workflows/deploy.yml"}`)
}

// webhookReceiver records messages.
type webhookReceiver struct {
	mu       sync.Mutex
	messages []http.Header
	bodies   []string
}

func (h *webhookReceiver) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages, h.bodies = append(h.messages, r.Header), append(h.bodies, string(body))
}

// failedDeployment runs between the blocks of the page: a deployment fails and its message is delivered.
const failedDeployment = `
KEY=$(bin/versionerd keys create --account demo --name ci)
curl -sS --fail-with-body "$URL/deployment-events/" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
  -d '{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"failed"}'
until api "$URL/notification-history/?limit=1" | grep '"event_type":"deployment.failed"' | grep '"status":"delivered"'; do sleep 0.1; done
`

func testNotifications(t *testing.T, g *guide) {
	t.Helper()
	received := &webhookReceiver{}
	receiver := serve(t, received.ServeHTTP)
	s := develop(t, "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8")
	blocks := g.take(t, "sh")
	s.shell(t, strings.ReplaceAll(blocks[0].text+failedDeployment+join(blocks[1:]), "https://hooks.example.com", receiver))
	require.Eventually(t, func() bool {
		received.mu.Lock()
		defer received.mu.Unlock()
		return len(received.messages) == 3
	}, startTimeout, poll, "the test message, the failure and its redelivery: %v", received)
	for i, event := range []string{"", "deployment.failed", "deployment.failed"} {
		require.Contains(t, received.messages[i].Get("X-Versioner-Event"), event)
	}
	signature := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(received.bodies[2]))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	secrets := regexp.MustCompile(`whsec_[^"]+`).FindAllString(join(blocks), -1)
	require.Equal(t, signature(secrets[1]), received.messages[2].Get("X-Versioner-Signature"))
	require.Equal(t, signature(secrets[0]), received.messages[2].Get("X-Versioner-Signature-Previous"))
}

// testOperations gives the roles to a PostgreSQL that has none.
func testOperations(t *testing.T, g *guide) {
	t.Helper()
	dsn := newPostgres(t)
	execute(t, dsn, join(g.take(t, "sql")))

	var member bool
	query(t, dsn, "SELECT pg_has_role('versioner', 'versioner_app', 'MEMBER')", &member)
	require.True(t, member)

	config := filepath.Join(newDir(t), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte(join(g.take(t, "yaml"))), 0o644))
	output, err := exec.Command(needs(t, "promtool"), "check", "config", config).CombinedOutput()
	require.NoError(t, err, "%s", output)
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
