package versioner_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	versioner "github.com/versioner-io/versioner/clients/go"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// reply is one answer of the server; status 0 closes the connection instead.
type reply struct {
	status int
	body   string
	header map[string]string
}

// script is a server with scripted answers; it repeats the last one.
type script struct {
	*httptest.Server

	mu      sync.Mutex
	replies []reply
	got     []received
}

// received is a request that the server received.
type received struct {
	header http.Header
	body   string
}

func newScript(t *testing.T, replies ...reply) *script {
	t.Helper()
	s := &script{replies: replies}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		s.got = append(s.got, received{header: r.Header, body: string(body)})
		now := s.replies[0]
		if len(s.replies) > 1 {
			s.replies = s.replies[1:]
		}
		if now.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		for name, value := range now.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(now.status)
		_, _ = io.WriteString(w, now.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *script) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *script) client(t *testing.T, options ...versioner.ClientOption) *versioner.ClientWithResponses {
	t.Helper()
	retries := versioner.WithRetries(versioner.Retries{FirstWait: time.Millisecond})
	client, err := versioner.NewClientWithResponses(s.URL, append([]versioner.ClientOption{retries}, options...)...)
	require.NoError(t, err)
	return client
}

const product = `{"id":"01a208e8-3984-70ee-9241-9fbc66602e9b","name":"checkout","description":"","extra_metadata":{},` +
	`"created_at":"2026-11-23T14:56:06.535496Z","updated_at":"2026-11-23T14:56:06.535496Z"}`

type operation func(*versioner.ClientWithResponses) (status int, err error)

func operations() map[string]operation {
	id := uuid.New()
	change := versioner.ProductPatch{Name: new("checkout")}
	return map[string]operation{
		"read": func(c *versioner.ClientWithResponses) (int, error) {
			return status(c.GetProductWithResponse(context.Background(), id))
		},
		"create": func(c *versioner.ClientWithResponses) (int, error) {
			return status(c.CreateProductWithResponse(context.Background(), nil, versioner.ProductCreate{Name: "checkout"}))
		},
		"change": func(c *versioner.ClientWithResponses) (int, error) {
			return status(c.UpdateProductWithResponse(context.Background(), id, nil, change))
		},
		"change a revision": func(c *versioner.ClientWithResponses) (int, error) {
			return status(c.UpdateProductWithResponse(context.Background(), id, &versioner.UpdateProductParams{IfMatch: new(`"1"`)}, change))
		},
		"replace a revision": func(c *versioner.ClientWithResponses) (int, error) {
			params := &versioner.ImportDeploymentRuleCalendarParams{IfMatch: new(`"1"`)}
			return status(c.ImportDeploymentRuleCalendarWithBodyWithResponse(context.Background(), id, params, "text/calendar", strings.NewReader("BEGIN:VCALENDAR")))
		},
		"delete": func(c *versioner.ClientWithResponses) (int, error) {
			return status(c.DeleteProductWithResponse(context.Background(), id, nil))
		},
	}
}

func status[T interface{ StatusCode() int }](answer T, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return answer.StatusCode(), nil
}

func TestRetries(t *testing.T) {
	t.Parallel()
	notServed := []reply{{status: 429}, {status: 503}}
	failed := []reply{{status: 500}, {status: 502, header: map[string]string{"Content-Type": "text/html"}, body: "<html>"}, {status: 504}, {}}
	ok := reply{status: 200, body: product}
	for name, do := range operations() {
		requestsAfter := func(failure reply) []received {
			server := newScript(t, failure, failure, ok)
			_, _ = do(server.client(t))
			return server.requests()
		}
		for _, failure := range notServed {
			failure.body = "{}"
			all := requestsAfter(failure)
			require.Len(t, all, 3, "%s after %d", name, failure.status)
			require.Equal(t, all[0].body, all[2].body, name)
		}
		for _, failure := range failed {
			if failure.body == "" {
				failure.body = "{}"
			}
			all := requestsAfter(failure)
			require.Len(t, all, map[bool]int{true: 1, false: 3}[strings.HasSuffix(name, " a revision")], "%s after %d", name, failure.status)
			require.Equal(t, all[0].body, all[len(all)-1].body, name)
		}
		for _, no := range []int{400, 401, 403, 404, 409, 412, 422, 501} {
			require.Len(t, requestsAfter(reply{status: no, body: `{"detail":[]}`}), 1, "%s after %d", name, no)
		}
	}
}

func TestRetriesMakeOneKeyForEachCall(t *testing.T) {
	t.Parallel()
	server := newScript(t, reply{status: 503, body: "{}"}, reply{status: 201, body: product})
	client, create := server.client(t), operations()["create"]
	for range 2 {
		_, err := create(client)
		require.NoError(t, err)
	}
	key := func(i int) string { return server.requests()[i].header.Get("Idempotency-Key") }
	require.NotEmpty(t, key(0))
	require.Equal(t, key(0), key(1))
	require.NotEqual(t, key(1), key(2))

	_, err := client.CreateProductWithResponse(t.Context(), &versioner.CreateProductParams{IdempotencyKey: new("run-7")}, versioner.ProductCreate{})
	require.NoError(t, err)
	require.Equal(t, "run-7", key(3))
}

func TestRetriesHonorRetryAfter(t *testing.T) {
	t.Parallel()
	read := operations()["read"]
	due := time.Now().Add(2 * time.Second).Truncate(time.Second)
	after := func(value string) reply {
		return reply{status: 503, body: "{}", header: map[string]string{"Retry-After": value}}
	}
	_, err := read(newScript(t, after(due.UTC().Format(http.TimeFormat)), after("1"), reply{status: 200, body: product}).client(t))
	require.NoError(t, err)
	require.False(t, time.Now().Before(due.Add(time.Second)))

	server := newScript(t, after("3600"))
	code, err := read(server.client(t))
	require.NoError(t, err)
	require.Equal(t, 503, code)
	require.Len(t, server.requests(), 1, "a Retry-After beyond LongestWait is not retried")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = newScript(t, after("30")).client(t).GetHealthWithResponse(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	server := newScript(t, reply{status: 503, body: "{}"})
	none := versioner.WithRetries(versioner.Retries{Limit: -1})
	client, err := versioner.NewClientWithResponses(server.URL, none)
	require.NoError(t, err)
	_, err = operations()["read"](client)
	require.NoError(t, err)
	require.Len(t, server.requests(), 1)
	_, err = operations()["read"](server.client(t))
	require.NoError(t, err)
	require.Len(t, server.requests(), 5)

	server.Close()
	for _, name := range []string{"read", "change a revision"} {
		_, err = operations()[name](server.client(t))
		require.ErrorContains(t, err, "refused")
	}
}

func TestDeletions(t *testing.T) {
	t.Parallel()
	remove := operations()["delete"]
	gone := reply{status: 404, body: `{"detail":"Not found"}`}
	for _, failure := range []reply{{}, {status: 502, body: "{}"}} {
		code, err := remove(newScript(t, failure, reply{status: 503, body: "{}"}, gone).client(t))
		require.NoError(t, err)
		require.Equal(t, 204, code, "an earlier attempt has deleted it")
	}
	code, err := remove(newScript(t, reply{status: 503, body: "{}"}, gone).client(t))
	require.NoError(t, err)
	require.Equal(t, 404, code)
}

func TestFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	server := newScript(t, reply{status: 302, header: map[string]string{"Location": "/elsewhere"}})
	code, err := operations()["create"](server.client(t))
	require.NoError(t, err)
	require.Equal(t, 302, code)
	require.Len(t, server.requests(), 1)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	server := newScript(t, reply{status: 200, body: product})
	read := operations()["read"]
	signedOut := errors.New("signed out")
	tokens := []string{"one", "two\n", ""}
	client := server.client(t, versioner.WithCredentialFunc(func(context.Context) (string, error) {
		if len(tokens) == 0 {
			return "", signedOut
		}
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	}))
	for range 3 {
		_, err := read(client)
		require.NoError(t, err)
	}
	_, err := read(client)
	require.ErrorIs(t, err, signedOut)
	for i, want := range []string{"Bearer one", "Bearer two", ""} {
		require.Equal(t, want, server.requests()[i].header.Get("Authorization"))
	}
	for _, wrong := range []string{"sk_secret\nkey", "sk_secret key", "sk_secret_ü", "sk_secret\x00"} {
		_, err := read(server.client(t, versioner.WithCredential(wrong)))
		require.ErrorContains(t, err, "invalid characters")
		require.NotContains(t, err.Error(), "secret")
	}
	require.Len(t, server.requests(), 3)
}

func TestCredentialFuncIsCalledBeforeEveryAttempt(t *testing.T) {
	t.Parallel()
	create := func(replies []reply, tokens ...string) (sent []string, left int, code int, err error) {
		server := newScript(t, replies...)
		client := server.client(t, versioner.WithCredentialFunc(func(context.Context) (string, error) {
			if len(tokens) == 0 {
				return "", errors.New("signed out")
			}
			token := tokens[0]
			tokens = tokens[1:]
			return token, nil
		}))
		code, err = operations()["create"](client)
		keys := make(map[string]bool)
		for _, request := range server.requests() {
			sent = append(sent, strings.TrimPrefix(request.header.Get("Authorization"), "Bearer "))
			keys[request.header.Get("Idempotency-Key")] = true
			require.JSONEq(t, `{"name":"checkout"}`, request.body)
		}
		require.Len(t, keys, 1)
		return sent, len(tokens), code, err
	}
	refused, away, made := reply{status: 401, body: "{}"}, reply{status: 503, body: "{}"}, reply{status: 201, body: product}

	sent, _, code, err := create([]reply{away, refused, made}, "one", "two", "three")
	require.NoError(t, err)
	require.Equal(t, 201, code)
	require.Equal(t, []string{"one", "two", "three"}, sent)

	sent, left, code, err := create([]reply{refused}, "expired", "revoked", "unused")
	require.NoError(t, err)
	require.Equal(t, 401, code)
	require.Equal(t, []string{"expired", "revoked"}, sent)
	require.Equal(t, 1, left)

	for _, tokens := range [][]string{{"same", "same"}, {"last", ""}} {
		sent, _, code, err = create([]reply{refused}, tokens...)
		require.NoError(t, err)
		require.Equal(t, 401, code)
		require.Equal(t, tokens[:1], sent, "a refused credential is not sent again")
	}
	for _, failure := range []reply{refused, away} {
		_, _, _, err = create([]reply{failure}, "token")
		require.ErrorContains(t, err, "signed out")
	}
}

func TestErrorOf(t *testing.T) {
	t.Parallel()
	errorOf := func(status int, contentType, body string) *versioner.APIError {
		header := http.Header{"Content-Type": {contentType}, "X-Request-Id": {"r1"}, "Retry-After": {"7"}}
		err := versioner.ErrorOf(&http.Response{StatusCode: status, Header: header}, []byte(body))
		found, _ := errors.AsType[*versioner.APIError](err)
		return found
	}
	require.Nil(t, errorOf(200, "application/json", "{}"))
	require.Nil(t, errorOf(204, "", ""))

	found := errorOf(404, "application/json", `{"detail":"Not found"}`)
	require.EqualError(t, found, "404: Not found (request r1)")
	require.Equal(t, 7*time.Second, found.RetryAfter)
	require.EqualError(t, errorOf(502, "text/html", "<html>"), "502: Bad Gateway (request r1)")
	require.EqualError(t, errorOf(200, "text/html", "<html>"), "200: the answer is not JSON (request r1)")
	require.EqualError(t, errorOf(599, "application/json", `[1]`), "599: the server gave no reason (request r1)")
	require.EqualError(t, errorOf(422, "application/json", `{"detail":3}`), "422: Unprocessable Entity (request r1)")

	invalid := errorOf(422, "application/json", `{"detail":[{"loc":["body","list",3],"msg":"too much","type":"value_error"},{"loc":["query"],"msg":"no","type":"x"}]}`)
	require.Equal(t, "body.list.3: too much; query: no", invalid.Detail)
	require.Equal(t, "value_error", invalid.Problems[0].Type)

	conflict := errorOf(409, "application/json", `{"detail":"exists","message":"…","error":"version_conflict"}`)
	require.Equal(t, []string{"exists", "version_conflict"}, []string{conflict.Detail, conflict.Reason})
	blocked := errorOf(423, "application/json", `{"detail":{"error":"deployment_blocked","message":"Not on Fridays.","code":"NO_DEPLOY_WINDOW"},"error":"deployment_blocked","code":"NO_DEPLOY_WINDOW"}`)
	require.Equal(t, []string{"Not on Fridays.", "deployment_blocked", "NO_DEPLOY_WINDOW"}, []string{blocked.Detail, blocked.Reason, blocked.Code})
}

func TestNew(t *testing.T) {
	t.Parallel()
	replies := []reply{
		{status: 503, body: `{"detail":"Service temporarily unavailable"}`},
		{status: 200, body: `{"items":[],"next_cursor":null}`},
		{status: 403, body: `{"detail":"You do not have permission to perform this action"}`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		next := replies[0]
		replies = replies[1:]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(next.status)
		_, _ = w.Write([]byte(next.body))
	}))
	defer server.Close()
	client, err := versioner.New(server.URL, versioner.WithRetries(versioner.Retries{FirstWait: time.Nanosecond}))
	require.NoError(t, err)

	answer, err := client.ListProductsWithResponse(t.Context(), nil)
	require.NoError(t, err, "retries get the answers before they become errors")
	require.Empty(t, answer.JSON200.Items)

	answer, err = client.ListProductsWithResponse(t.Context(), nil)
	refused, ok := errors.AsType[*versioner.APIError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 403, refused.Status)
	require.Equal(t, "You do not have permission to perform this action", refused.Detail)
	require.Nil(t, answer)
}

func TestAll(t *testing.T) {
	t.Parallel()
	pages := map[string][]string{"": {"a", "b"}, "c1": {}, "c2": {"c"}}
	next := map[string]string{"": "c1", "c1": "c2"}
	fetched := 0
	names := versioner.All(func(cursor *string) ([]string, nullable.Nullable[string], error) {
		fetched++
		at := ""
		if cursor != nil {
			at = *cursor
		}
		if next[at] == "" {
			return pages[at], nullable.NewNullNullable[string](), nil
		}
		return pages[at], nullable.NewNullableWithValue(next[at]), nil
	})
	read := func() (all []string, failure error) {
		for name, err := range names {
			if err != nil {
				return all, err
			}
			all = append(all, name)
		}
		return all, nil
	}
	for range 2 {
		all, err := read()
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c"}, all)
	}
	require.Equal(t, 6, fetched)
	for range names {
		break
	}
	require.Equal(t, 7, fetched, "no page is fetched before it is needed")

	next["c2"] = "c1"
	all, err := read()
	require.ErrorContains(t, err, "was used before")
	require.Equal(t, []string{"a", "b", "c"}, all)
	require.Equal(t, 10, fetched)
}

// TestREADME runs the README's programs against a server.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	programs := regexp.MustCompile("(?ms)^```go\n(package main.*?)^```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, programs, 2)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	api := testapi.New(t)
	run := func(source string) string {
		require.Contains(t, source, "https://versioner.example.com")
		dir := t.TempDir()
		file := filepath.Join(dir, "main.go")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(source, "https://versioner.example.com", api.URL)), 0o600))
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "clients/go/readme/main.go"): file}})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
		program := filepath.Join(dir, "program")
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./clients/go/readme")
		build.Dir = root
		output, err := build.CombinedOutput()
		require.NoError(t, err, "%s", output)
		start := exec.CommandContext(t.Context(), program)
		start.Env = append(os.Environ(), "VERSION=9.9.9", "VERSIONER_API_KEY="+api.Key, "VERSIONER_TOKEN="+api.Token(t, testapi.Account, "viewer"))
		output, err = start.CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	require.Regexp(t, `^\S{36} completed\n$`, run(programs[0][1]))
	require.Contains(t, run(programs[1][1]), "checkout 9.9.9 ")
}
