package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// canaries are secrets, by description, that must not leak.
type canaries struct {
	mu      sync.Mutex
	secrets map[string]string
}

// add returns the secret.
func (c *canaries) add(what, secret string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[what] = secret
	return secret
}

// addCredential adds the part of an API key or a token that makes it valid; the rest may be shown.
func (c *canaries) addCredential(what, credential string) string {
	end := strings.LastIndex(credential, ".") // a token's signature follows, in which there may be a "_"
	if end < 0 {
		end = strings.LastIndex(credential, "_")
	}
	c.add(what, credential[end+1:])
	return credential
}

// requireNone searches for the secrets and their usual encodings.
func (c *canaries) requireNone(t *testing.T, where string, text []byte) {
	t.Helper()
	require.NotEmpty(t, text, where)
	for what, secret := range c.secrets {
		require.Greater(t, len(secret), 10, "%s: too short for a search", what)
		for _, spelling := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
			base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if at := bytes.Index(text, []byte(spelling)); at >= 0 {
				require.Fail(t, "a secret leaks", "%s, in %s: …%s…", what, where, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}

// TestSecretsStaySecret uses every kind of secret, validly and invalidly, during faults, and then searches for them in everything
// that the server wrote: logs of the most verbose level, every table, PostgreSQL's log, and what users may read.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	secrets := &canaries{secrets: make(map[string]string)}
	dir := newDataDir(t)
	config := embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	database, err := embeddedpg.Start(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // echoes the request
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, "%s %s %v", r.Method, r.URL, r.Header)
	}))
	t.Cleanup(receiver.Close)
	closed := freeAddr(t)
	_, smtpPort, err := net.SplitHostPort(closed)
	require.NoError(t, err)
	separator := "?"
	if strings.Contains(database.DSN(), "?") {
		separator = "&"
	}
	env := environment(newDataDir(t), "VERSIONER_LOG_LEVEL=debug", "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8", "VERSIONER_MAIL_FROM=versioner@example.com", "VERSIONER_PUBLIC_URL=https://versioner.example.com",
		"DATABASE_URL="+database.DSN()+separator+"password="+secrets.add("password of the database", "canary-of-the-database"),
		"VERSIONER_KEY_PEPPER="+secrets.add("pepper", "canary-pepper-0123456789-0123456789"),
		"VERSIONER_ENCRYPTION_KEYS="+base64.StdEncoding.EncodeToString([]byte(secrets.add("key of the channels", "canary-of-thirty-two-bytes-length"[:32]))),
		"VERSIONER_SMTP_URL=smtp://user:"+secrets.add("password for mail", "canary-of-the-mail")+"@127.0.0.1:"+smtpPort+"?tls=none",
		"REDIS_URL=redis://user:"+secrets.add("password of Redis", "canary-of-redis")+"@"+closed+"/0")
	server := launch(t, env, "dev")
	var commandOutput bytes.Buffer // what commands print except the requested secrets

	// keys and tokens, good and bad
	keyText, stderr, err := call(t, env, "keys", "create", "--account", demoAccount, "--name", "by command")
	require.NoError(t, err, stderr)
	commandOutput.WriteString(stderr)
	key := secrets.addCredential("key created by command", strings.TrimSpace(keyText))
	secrets.addCredential("first key", keyPattern.FindString(server.stdout.String()))
	tokenText, stderr, err := call(t, env, "token", "--account", demoAccount, "--role", "admin")
	require.NoError(t, err, stderr)
	commandOutput.WriteString(stderr)
	token := secrets.addCredential("token", strings.TrimSpace(tokenText))
	asAdmin := func(method, path string, object any) map[string]any {
		status, answer := send(t, method, server.url+path, token, object)
		require.Less(t, status, 300, "%s %s: %s", method, path, answer)
		var created map[string]any
		if len(answer) > 0 {
			require.NoError(t, json.Unmarshal(answer, &created))
		}
		return created
	}
	created := asAdmin(http.MethodPost, "/api-keys/", map[string]any{"name": "by request"})
	secrets.addCredential("key created by request", created["key"].(string))
	rotated := asAdmin(http.MethodPost, "/api-keys/"+created["id"].(string)+"/rotate", map[string]any{})
	secrets.addCredential("rotated key", rotated["key"].(string))
	for i, wrong := range []string{
		"sk_demo_k1_canary1canary1canary1canary1", "sk_live_canary2canary2canary2canary2", "canary3-canary3-canary3",
		token[:strings.LastIndex(token, ".")+1] + "canary4canary4canary4canary4", strings.Repeat("canary5", 700),
	} {
		secrets.addCredential(fmt.Sprintf("refused credential %d", i), wrong)
		status, _ := post(server.url, wrong, someEvent())
		require.Equal(t, http.StatusUnauthorized, status)
	}
	status, _ := send(t, http.MethodGet, server.url+"/products/?api_key="+secrets.add("key in the address", "canary6-canary6"), key, nil)
	require.GreaterOrEqual(t, status, 400)

	// a session, used and ended, and a sign-in that is not completed
	link := signInLink(t, server)
	secrets.add("link of the development sign-in", link[strings.Index(link, "=")+1:])
	session := followed(t, link)
	require.NotNil(t, session)
	secrets.add("session cookie", session.Value)
	for _, path := range []string{"/auth/session", "/auth/callback?code=" + secrets.add("code", "canary-of-the-code") + "&state=" + secrets.add("state", "canary-of-the-state")} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+path, nil)
		require.NoError(t, err)
		request.AddCookie(session)
		response, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Less(t, response.StatusCode, http.StatusBadRequest)
	}

	// channels that fail
	channel := asAdmin(http.MethodPost, "/notification-channels/", map[string]any{"name": "w", "channel_type": "webhook", "config": map[string]any{
		"url": receiver.URL + "/" + secrets.add("address of a webhook", "canary-of-the-webhook"), "secret": secrets.add("secret of a webhook", "whsec_Y2FuYXJ5LW9mLXRoZS1zaWduYXR1cmUtb2YtbWVzc2FnZXM="),
	}})["id"].(string)
	asAdmin(http.MethodPatch, "/notification-channels/"+channel, map[string]any{"config": map[string]any{"secret": secrets.add("new secret of a webhook", "canary-of-the-new-secret")}})
	slack := asAdmin(http.MethodPost, "/notification-channels/", map[string]any{"name": "s", "channel_type": "slack_webhook", "config": map[string]any{
		"webhook_url": "https://hooks.slack.com/services/T00000000/B00000000/" + secrets.add("address at Slack", "canaryOfSlackCanaryOfSlac"),
	}})["id"].(string)
	mail := asAdmin(http.MethodPost, "/notification-channels/", map[string]any{"name": "m", "channel_type": "email", "config": map[string]any{"to": "a@example.com"}})["id"].(string)
	for _, id := range []string{channel, slack, mail} {
		asAdmin(http.MethodPost, "/notification-preferences/", map[string]any{"channel_id": id, "event_type": "deployment.completed"})
		asAdmin(http.MethodPost, "/notification-channels/"+id+"/test", map[string]any{})
	}
	status, _ = send(t, http.MethodPost, server.url+"/notification-channels/", token, map[string]any{"name": "x", "channel_type": "webhook", "config": map[string]any{
		"url": "http://10.0.0.1/" + secrets.add("address that is refused", "canary-of-the-private"), "secret": secrets.add("secret of nothing", "canary-of-the-nothing"), "sercet": secrets.add("misspelt", "canary-misspelt"),
	}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	for range 3 {
		status, answer := post(server.url, key, someEvent())
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	status, _ = send(t, http.MethodPost, server.url+"/deployment-events/", key, json.RawMessage(`{"product_name":`))
	require.Equal(t, http.StatusBadRequest, status)

	// a database outage during requests
	load := newWriters(server.url, key, 2)
	require.NoError(t, database.Stop(t.Context()))
	time.Sleep(time.Second)
	database, err = embeddedpg.Start(t.Context(), config)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, _ := send(t, http.MethodGet, server.url+"/health/ready", "", nil)
		return status == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
	load.stop()
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.Eventually(t, func() bool {
		var tried int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(DISTINCT channel_id) FROM notification_deliveries WHERE error_class IS NOT NULL").Scan(&tried))
		return tried == 3
	}, time.Minute, 50*time.Millisecond, "all channels have failed to deliver")
	asAdmin(http.MethodDelete, "/api-keys/"+rotated["id"].(string), nil)

	for _, path := range []string{"/audit-log/", "/notification-history/", "/notification-channels/", "/api-keys/", "/auth/sessions/", "/health", "/health/ready", "/openapi.json"} {
		status, answer := send(t, http.MethodGet, server.url+path, token, nil)
		require.Equal(t, http.StatusOK, status, path)
		secrets.requireNone(t, path, answer)
	}
	server.stop(t)
	output := strings.NewReplacer(keyPattern.FindString(server.stdout.String()), "", link, "").Replace(server.stdout.String()) // shown once, on purpose
	secrets.requireNone(t, "the server's output", []byte(output))
	secrets.requireNone(t, "the server's log", []byte(server.stderr.String()))
	require.Contains(t, server.stderr.String(), `"status":401`)
	secrets.requireNone(t, "the output of commands", commandOutput.Bytes())
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	require.NoError(t, err)
	secrets.requireNone(t, "PostgreSQL's log", log)
	secrets.requireNone(t, "the database", dump(t, conn))
}

// dump returns every row of every table as text.
func dump(t *testing.T, conn *pgx.Conn) []byte {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 20)
	var all bytes.Buffer
	filled := 0
	for _, table := range tables {
		before := all.Len()
		_, err := conn.PgConn().CopyTo(t.Context(), &all, "COPY (SELECT * FROM "+table+") TO STDOUT")
		require.NoError(t, err)
		if all.Len() > before {
			filled++
		}
	}
	require.Greater(t, filled, 15, "most tables contain rows")
	return all.Bytes()
}

// send sends an object and returns the answer.
func send(t *testing.T, method, address, credential string, object any) (int, []byte) {
	t.Helper()
	var body io.Reader
	if object != nil {
		text, ok := object.(json.RawMessage)
		if !ok {
			var err error
			text, err = json.Marshal(object)
			require.NoError(t, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	require.NoError(t, err)
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, answer
}
