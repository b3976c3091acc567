package doctest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	someEvent = `{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"completed"}`
	deploy    = "/deployment-events/"
)

var statusCode = regexp.MustCompile(`\b[45][0-9]{2}\b`)

// testErrors provokes every response of the page.
func testErrors(t *testing.T, g *guide) {
	t.Helper()
	provoked := provocations(t)
	for _, b := range g.take(t, "json") {
		codes := statusCode.FindAllString(b.heading, -1)
		require.NotEmpty(t, codes, "line %d: the heading has no status", b.line)
		status := codes[0]
		if len(codes) > 1 { // the response of a rule
			requireBothLevels(t, b.text)
			requireShown(t, instant.ReplaceAllString(b.text, "…"), instant.ReplaceAllString(string(rejectStart(t).Body), "…"))
			continue
		}
		answers := provoked[status]
		require.NotEmpty(t, answers, "line %d: no request provokes %q", b.line, b.heading)
		answer := answers[0]()
		provoked[status] = answers[1:]
		require.Equal(t, status, strconv.Itoa(answer.Status), "%s", answer.Body)
		require.JSONEq(t, b.text, string(answer.Body), "line %d", b.line)
		require.NotEmpty(t, answer.Header.Get("X-Request-Id"))
		switch answer.Status {
		case http.StatusUnauthorized:
			require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"))
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			require.Regexp(t, `^[1-9][0-9]*$`, answer.Header.Get("Retry-After"))
		}
	}
	for status, left := range provoked {
		require.Empty(t, left, "the page lacks a response with %s", status)
	}
	requireKnownTypes(t, g)
	specification, err := os.ReadFile(filepath.Join(root, "openapi.yaml"))
	require.NoError(t, err)
	statuses := regexp.MustCompile(`(?m)^ {8}"([45][0-9]{2})":`).FindAllStringSubmatch(string(specification), -1)
	require.NotEmpty(t, statuses)
	for _, status := range statuses {
		require.Regexp(t, `(?m)^##+ .*\b`+status[1]+`\b`, g.text, "a declared status is missing")
	}
}

// provocations returns requests for the responses of each status, in the order of the page.
func provocations(t *testing.T) map[string][]func() testapi.Answer {
	t.Helper()
	api := testapi.New(t)
	require.Equal(t, http.StatusCreated, api.As(t, "admin", http.MethodPost, "/products/", `{"name":"checkout"}`).Status)
	build := func(sha string) testapi.Answer {
		return api.Post(t, "/build-events/", `{"product_name":"checkout","version":"1.4.2","scm_sha":"`+sha+`"}`)
	}
	require.Equal(t, http.StatusOK, build("9fceb02d0ae598e95dc970b74767f19372d61af8").Status)
	product := items(t, api.URL+"/products/", api.Token(t, testapi.Account, "admin"))[0]["id"].(string)
	one := func(provoke func() testapi.Answer) []func() testapi.Answer { return []func() testapi.Answer{provoke} }
	return map[string][]func() testapi.Answer{
		"400": one(func() testapi.Answer { return api.Post(t, deploy, `{"product_name":"it's "quoted""}`) }),
		"401": one(func() testapi.Answer { return api.Get(t, "/products/") }),
		"403": one(func() testapi.Answer { return api.As(t, "viewer", http.MethodPost, "/products/", `{"name":"x"}`) }),
		"404": one(func() testapi.Answer {
			return api.As(t, "viewer", http.MethodGet, "/products/01a20928-22b9-7c0b-a697-6b83b5c70849", "")
		}),
		"405": one(func() testapi.Answer { return api.Get(t, deploy) }),
		"415": one(func() testapi.Answer { return postForm(t, api) }),
		"409": {
			func() testapi.Answer { return build("0123456789abcdef0123456789abcdef01234567") },
			func() testapi.Answer { return api.As(t, "admin", http.MethodPost, "/products/", `{"name":"checkout"}`) },
		},
		"412": one(func() testapi.Answer {
			request := api.Request(t, http.MethodPatch, "/products/"+product, []byte(`{"description":"x"}`))
			request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
			request.Header.Set("If-Match", `"0"`)
			return api.Do(t, request)
		}),
		"422": {
			func() testapi.Answer {
				return api.Post(t, deploy, `{"product_name":"checkout","version":"1.4.2","status":"shipped"}`)
			},
			func() testapi.Answer { return api.As(t, "viewer", http.MethodGet, "/products/?limit=201", "") },
		},
		"429": one(func() testapi.Answer { return exceedRateLimit(t) }),
		"500": one(func() testapi.Answer { return internalError(t) }),
		"503": one(func() testapi.Answer { return withoutDatabase(t) }),
	}
}

func postForm(t *testing.T, api *testapi.API) testapi.Answer {
	t.Helper()
	request := api.Request(t, http.MethodPost, deploy, []byte(someEvent))
	request.Header.Set("Authorization", "Bearer "+api.Key)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return api.Do(t, request)
}

// exceedRateLimit exceeds the rate limit of a key. Retry-After depends on the speed of the test.
func exceedRateLimit(t *testing.T) testapi.Answer {
	t.Helper()
	api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 1, AccountPerHour: 100}))
	api.Post(t, deploy, someEvent)
	answer := api.Post(t, deploy, someEvent)
	require.NotEmpty(t, answer.Header.Get("X-RateLimit-Limit"))
	require.Equal(t, "0", answer.Header.Get("X-RateLimit-Remaining"))
	require.NotEmpty(t, answer.Header.Get("X-RateLimit-Reset"))
	seconds := answer.Header.Get("Retry-After")
	require.Contains(t, string(answer.Body), "in "+seconds+" seconds")
	answer.Body = []byte(strings.Replace(string(answer.Body), "in "+seconds+" seconds", "in 60 seconds", 1))
	return answer
}

// internalError requests a list whose table is missing.
func internalError(t *testing.T) testapi.Answer {
	t.Helper()
	api := testapi.New(t)
	api.As(t, "viewer", http.MethodGet, "/products/", "")
	api.Exec(t, "ALTER TABLE environments RENAME TO elsewhere")
	return api.As(t, "viewer", http.MethodGet, "/environments/", "")
}

func withoutDatabase(t *testing.T) testapi.Answer {
	t.Helper()
	api := testapi.New(t)
	api.Pool.Close()
	return api.Get(t, "/health/ready")
}

// rejectStart starts a deployment in a freeze.
func rejectStart(t *testing.T) testapi.Answer {
	t.Helper()
	api := testapi.New(t)
	rule(t, api, "Friday freeze", "schedule", strings.Replace(freeze("No one is on call"), `"Christmas"`, `"Friday afternoon"`, 1))
	answer := api.Post(t, deploy, strings.Replace(someEvent, "completed", "started", 1))
	require.Equal(t, http.StatusLocked, answer.Status, "%s", answer.Body)
	requireBothLevels(t, string(answer.Body))
	return answer
}

// requireBothLevels requires the response of a rule to repeat its members below detail: some clients read these.
func requireBothLevels(t *testing.T, text string) {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	inner := body["detail"]
	delete(body, "detail")
	require.Equal(t, body, inner)
	require.IsType(t, "", body["retry_after"])
	_, err := time.Parse(time.RFC3339, body["retry_after"].(string))
	require.NoError(t, err)
}

// requireKnownTypes provokes validation errors and requires the table of the page to have their types.
func requireKnownTypes(t *testing.T, g *guide) {
	t.Helper()
	api := testapi.New(t)
	requireListed := func(answer testapi.Answer) {
		var body struct {
			Detail []struct{ Type string }
		}
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s", answer.Body)
		require.NoError(t, json.Unmarshal(answer.Body, &body))
		for _, problem := range body.Detail {
			name := problem.Type
			if short, ok := strings.CutPrefix(name, "type_error."); ok && !strings.Contains(g.text, "`"+name+"`") {
				name = "." + short
			}
			require.Contains(t, g.text, "`"+name+"`", "errors.md lacks a type")
		}
	}
	for _, event := range []string{
		`{}`, `{"product_name":1,"version":null,"environment_name":"","status":"x","completed_at":"today"}`,
		`{"product_name":" ","version":"` + strings.Repeat("v", 256) + `","environment_name":["a"],"status":"failed","extra_metadata":[]}`,
		`{"product_name":"a\u0000b","version":"a\tb","environment_name":"e","status":"failed","skip_preflight_checks":"no"}`,
		`{"product_name":"a","product_name":"b"}`, `{"product_name":"a","extra_metadata":{"a":1e400}}`,
		`{"product_name":"a","version":"1","environment_name":"e","status":"failed","extra_metadata":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`,
		`{"product_name":"` + strings.Repeat("x", 1<<20) + `"}`, strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
	} {
		requireListed(api.Post(t, deploy, event))
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=1&limit=2", "cursor=x", "since=today", "status=x", "x=1", "a;b"} {
		requireListed(api.As(t, "viewer", http.MethodGet, "/deployments/?"+query, ""))
	}
	requireListed(api.As(t, "viewer", http.MethodGet, "/products/x", ""))
	requireListed(api.As(t, "admin", http.MethodPost, "/products/", `{"name":"x","description":"a\u0000b"}`))
	requireListed(api.As(t, "admin", http.MethodPost, "/products/", `{"name":"a","colour":"b","description":7}`))
	for i, name := range []string{"a", "b"} {
		request := api.Request(t, http.MethodPost, "/products/", []byte(`{"name":"`+name+`"}`))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		request.Header.Set("Idempotency-Key", "one")
		if answer := api.Do(t, request); i == 1 {
			requireListed(answer)
		}
	}
}
