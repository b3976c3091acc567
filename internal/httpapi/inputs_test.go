package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// locs returns the places of an answer that lists problems, as JSON.
func locs(t *testing.T, answer testapi.Answer) []string {
	t.Helper()
	require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s", answer.Body)
	var refusal struct {
		Detail []struct {
			Loc json.RawMessage `json:"loc"`
		} `json:"detail"`
	}
	require.NoError(t, json.Unmarshal(answer.Body, &refusal))
	found := make([]string, 0, len(refusal.Detail))
	for _, item := range refusal.Detail {
		found = append(found, string(item.Loc))
	}
	return found
}

// storedBody returns the body that is kept of the last event.
func storedBody(t *testing.T, api *testapi.API) (body string) {
	t.Helper()
	api.Scan(t, "SELECT body::text FROM events ORDER BY received_at DESC, id DESC LIMIT 1", &body)
	return body
}

// TestFieldInputs sends unusual inputs that occur in the field, and similar ones that are rejected.
func TestFieldInputs(t *testing.T) {
	t.Parallel()
	t.Run("Queries", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		mine := newTenant(t, api, testapi.Account)
		events := api.Count(t, "events")
		var paths []string
		for _, op := range lists(t) {
			paths = append(paths, mine.path(t, op))
		}
		for query, want := range map[string][]string{
			"product=a;b":                      {`["query"]`},
			"product=x;environment=production": {`["query"]`},
			"version=50%":                      {`["query"]`},
			"since=2999-01-01T00:00:00%zz":     {`["query"]`},
			"limit=1&%":                        {`["query"]`},
			"enviroment=production":            {`["query","enviroment"]`}, //nolint:misspell // the misspelling is the test
			"product[]=x":                      {`["query","product[]"]`},
			"Product=x":                        {`["query","Product"]`},
			"=x":                               {`["query",""]`},
			"page=2&limit=0&offset=1":          {`["query","limit"]`, `["query","offset"]`, `["query","page"]`},
			strings.Repeat("x", 300) + "=1":    {`["query","` + strings.Repeat("x", 99) + `…"]`},
			"caf%E9=1":                         {`["query","caf` + "\uFFFD" + `"]`},
			strings.Repeat("&", 99) + "limit=1&&nothing=&": {`["query","nothing"]`},
		} {
			for _, list := range paths {
				require.ElementsMatch(t, want, locs(t, api.As(t, "admin", http.MethodGet, list+"?"+query, "")), "%s?%s", list, query)
			}
		}
		require.Equal(t, []string{`["query","x"]`}, locs(t, api.Post(t, deploymentEvents+"?x=1", sent("", "1"))))
		require.Equal(t, events, api.Count(t, "events"))
		for _, list := range paths {
			require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodGet, list+"?&limit=1&", "").Status, list)
		}
		for _, public := range []string{"/health", "/health/ready", "/openapi.json", "/docs"} {
			require.Equal(t, http.StatusOK, api.Get(t, public+"?a;b&_=50%").Status, public)
		}
	})

	t.Run("Texts", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for _, test := range []struct{ path, member, value, want string }{
			{deploymentEvents, "extra_metadata", `{"m":"ship it \ud83d"}`, `{"m":"ship it ` + "\uFFFD" + `"}`},
			{deploymentEvents, "extra_metadata", `{"m":"W\u0000in"}`, `{"m":"W` + "\uFFFD" + `in"}`},
			{deploymentEvents, "extra_metadata", "{\"m\":\"W\x00in\"}", `{"m":"W` + "\uFFFD" + `in"}`},
			{deploymentEvents, "extra_metadata", "{\"caf\xe9\":{\"\\u0000\":[\"\\ude00\"]}}", `{"caf` + "\uFFFD" + `":{"` + "\uFFFD" + `":["` + "\uFFFD" + `"]}}`},
			{deploymentEvents, "extra_metadata", "{\"\xe4\":1,\"\xf6\":2}", `{"` + "\uFFFD" + `":1,"` + "\uFFFD\uFFFD" + `":2}`},
			{deploymentEvents, "extra_metadata", `{"m":"\ud83d\ude00\t"}`, `{"m":"😀\t"}`},
			{deploymentEvents, "scm_branch", "\"caf\xe9\"", `"caf` + "\uFFFD" + `"`},
			{deploymentEvents, "deployed_by_name", `"A\u0000da\ud83d"`, `"A` + "\uFFFD" + `da` + "\uFFFD" + `"`},
			{builds, "error_message", "\"\xff\\u0000\"", `"` + "\uFFFD\uFFFD" + `"`},
			{"/version-events/", "error_code", `"\ud800"`, `"` + "\uFFFD" + `"`},
			{deploymentEvents, "whatever", "\"\xff\\u0000\"", `null`},
		} {
			answer := api.Post(t, test.path, sent(test.member, test.value))
			require.Equal(t, http.StatusOK, answer.Status, "%s: %s", test.value, answer.Body)
			got, err := json.Marshal(answer.Field(t, test.member))
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(got), test.value)
			require.NotContains(t, storedBody(t, api), `\u0000`)
		}
	})

	t.Run("Names", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for path, members := range map[string][]string{
			deploymentEvents: {"product_name", "version", "environment_name", "environment"}, builds: {"product_name", "version"}, "/version-events/": {"version"},
		} {
			for _, member := range members {
				names := []string{`"a\u0000b"`, "\"a\x00b\"", `"\u0000"`, `"a\ud83d"`, "\"caf\xe9\"", `"a\tb"`, `"a\u0007"`, `"a\u0085b"`}
				if member != "environment" { // the event has environment_name, too
					names = append(names, `""`, `"\u200b \ufeff"`)
				}
				for _, name := range names {
					require.Equal(t, []string{`["body","` + member + `"]`}, locs(t, api.Post(t, path, sent(member, name))), "%s: %s", member, name)
				}
			}
		}
		require.Equal(t, []string{`["body","product_name"]`, `["body","version"]`}, locs(t, api.Post(t, builds, `{"product_name":"a\u0000","version":"\ud800","scm_branch":"\u0000"}`)))
		requireNothingStored(t, api)
		for _, name := range []string{
			`"Café"`, `"Cafe\u0301"`, `"\ufeffCafé"`, `"Café\u200b"`, `" \u2060Cafe\u0301\u200d\u00a0"`, "\"\u200bCafe\u0301\\n\"",
		} {
			answer := api.Post(t, deploymentEvents, sent("product_name", name))
			require.Equal(t, http.StatusOK, answer.Status, "%s: %s", name, answer.Body)
			require.Equal(t, "Café", answer.Field(t, "product_name"), name)
		}
		answer := api.As(t, "admin", http.MethodPost, "/products/", `{"name":"Cafe\u0301"}`)
		require.Equal(t, http.StatusConflict, answer.Status, "%s", answer.Body)
		require.Equal(t, []string{`["body","name"]`}, locs(t, api.As(t, "admin", http.MethodPost, "/products/", `{"name":"a\tb"}`)))
		require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/products/", "")), 1)
		require.NotEmpty(t, items(t, api.As(t, "viewer", http.MethodGet, "/deployments/?product=Cafe%CC%81", "")))
	})

	t.Run("OtherTypes", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for _, path := range []string{deploymentEvents, builds, "/version-events/"} {
			answer := api.Post(t, path, `{"product_name":"p","version":"1","environment_name":"e","status":"completed","build_number":42,"invoke_id":7,"skip_preflight_checks":"false"}`)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			require.Equal(t, "42", answer.Field(t, "build_number"))
			require.Equal(t, "7", answer.Field(t, "invoke_id"))
			require.Contains(t, strings.ReplaceAll(storedBody(t, api), " ", ""), `"build_number":42`, "the body stays as it was received")
		}
		for member, values := range map[string]map[string]int{
			"build_number":          {`-3`: 200, `18446744073709551617`: 200, `4.5`: 422, `4.0`: 422, `1e3`: 422, `true`: 422, `[1]`: 422},
			"invoke_id":             {`0`: 200, `4.5`: 422, `{}`: 422, strings.Repeat("9", 300): 422},
			"skip_preflight_checks": {`"true"`: 200, `"FALSE"`: 200, `" True "`: 200, `""`: 200, `true`: 200, `"yes"`: 422, `1`: 422, `0`: 422},
			"version":               {`1`: 422, `1.4`: 422, `true`: 422},
			"product_name":          {`1`: 422},
			"scm_sha":               {`1234567`: 422},
			"status":                {`1`: 422, `true`: 422},
			"completed_at":          {`1763748000`: 422},
		} {
			for value, status := range values {
				answer := api.Post(t, deploymentEvents, sent(member, value))
				require.Equal(t, status, answer.Status, "%s: %s: %s", member, value, answer.Body)
			}
		}
		answer := api.As(t, "admin", http.MethodPost, "/products/", `{"name":7}`)
		require.Equal(t, []string{`["body","name"]`}, locs(t, answer), "other operations are strict")
	})

	t.Run("Framing", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		event := func(path, credential, body string, header ...string) testapi.Answer {
			request := api.Request(t, http.MethodPost, path, []byte(body))
			request.Header.Set("Authorization", "Bearer "+credential)
			for i := 0; i < len(header); i += 2 {
				request.Header.Set(header[i], header[i+1])
			}
			return api.Do(t, request)
		}
		const product = `{"name":"p"}`
		admin := api.Token(t, testapi.Account, "admin")
		for _, header := range [][]string{
			{"Content-Type", "application/json; charset=utf8"},
			{"Content-Type", `application/json;charset="UTF8"`},
			{"Content-Type", "application/json; charset=Utf-8"},
			{"Content-Encoding", "identity"},
			{"Content-Encoding", "Identity"},
		} {
			require.Equal(t, http.StatusOK, event(deploymentEvents, api.Key, sent("", "1"), header...).Status, header)
			require.Equal(t, http.StatusOK, event(builds, api.Key, sent("", "1"), header...).Status, header)
			if !strings.EqualFold(header[1], "application/json; charset=utf-8") {
				require.Equal(t, http.StatusUnsupportedMediaType, event("/products/", admin, product, header...).Status, header)
			}
		}
		for _, header := range [][]string{
			{"Content-Type", "application/json; charset=utf-16"}, {"Content-Type", "text/json"}, {"Content-Encoding", "gzip"}, {"Content-Encoding", "identity, gzip"},
		} {
			require.Equal(t, http.StatusUnsupportedMediaType, event(deploymentEvents, api.Key, sent("", "1"), header...).Status, header)
		}
		require.Equal(t, http.StatusOK, event(deploymentEvents, api.Key, "\uFEFF"+sent("invoke_id", `"bom"`)).Status)
		require.True(t, strings.HasPrefix(storedBody(t, api), "{"))
		require.Equal(t, http.StatusBadRequest, event(deploymentEvents, api.Key, "\uFEFF\uFEFF"+sent("", "1")).Status)
		require.Equal(t, http.StatusBadRequest, event(deploymentEvents, api.Key, "\uFEFF").Status)
		for _, body := range []string{"\uFEFF" + product, "{\"name\":\"caf\xe9\"}", `{"name":"\ud83d"}`} {
			require.Equal(t, http.StatusBadRequest, event("/products/", admin, body).Status, "other operations are strict")
		}
		require.Equal(t, []string{`["body","description"]`}, locs(t, event("/products/", admin, `{"name":"p","description":"\u0000"}`)))
	})

	t.Run("Times", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for _, path := range []string{deploymentEvents, builds} {
			for status, isTerminal := range map[string]bool{"queued": false, "Started": false, "success": true, "failed": true, "cancelled": true} {
				body := func(at string) string {
					return fmt.Sprintf(`{"product_name":"p","version":"1","environment_name":"e","status":" %s ","completed_at":%s}`, status, at)
				}
				for _, at := range []string{`"yesterday"`, `1763748000`, `"0000-00-00T00:00:00Z"`, `{}`} {
					answer := api.Post(t, path, body(at))
					if isTerminal {
						require.Equal(t, []string{`["body","completed_at"]`}, locs(t, answer), "%s %s", status, at)
						continue
					}
					require.Equal(t, http.StatusOK, answer.Status, "%s %s: %s", status, at, answer.Body)
					require.Nil(t, answer.Field(t, "completed_at"))
				}
			}
		}
		require.Equal(t, []string{`["body","completed_at"]`}, locs(t, api.Post(t, builds, `{"product_name":"p","version":"1","completed_at":"yesterday"}`)), "completed is the default")
		require.Equal(t, []string{`["body","started_at"]`}, locs(t, api.Post(t, builds, `{"product_name":"p","version":"1","started_at":"yesterday"}`)))
		require.Equal(t, []string{`["body","completed_at"]`, `["body","status"]`}, locs(t, api.Post(t, deploymentEvents, `{"product_name":"p","version":"1","environment_name":"e","status":"done","completed_at":"yesterday"}`)))
	})

	t.Run("FutureAndPastEnds", func(t *testing.T) {
		t.Parallel()
		clock := newTestClock()
		api := testapi.New(t, testapi.WithClock(clock.Now))
		event := func(run, status string, end time.Time) string {
			return fmt.Sprintf(`{"product_name":"p","version":"1","environment_name":"e","status":%q,"invoke_id":%q,"completed_at":%q}`, status, run, end.Format(time.RFC3339Nano))
		}
		for path, list := range map[string]string{deploymentEvents: "/deployments/", builds: "/builds/"} {
			receipt := clock.advance(time.Minute).Format(time.RFC3339Nano)
			answer := api.Post(t, path, event("future", "completed", time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)))
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			require.Equal(t, receipt, answer.Field(t, "completed_at"), "the receipt")
			require.Contains(t, storedBody(t, api), "2036-01-01T00:00:00Z", "the log has what was sent")

			start := clock.advance(time.Minute).Format(time.RFC3339Nano)
			require.Equal(t, http.StatusOK, api.Post(t, path, event("past", "started", clock.Now())).Status)
			end := clock.advance(time.Minute)
			answer = api.Post(t, path, event("past", "completed", end.Add(-3*time.Minute)))
			require.Equal(t, start, answer.Field(t, "started_at"))
			require.Equal(t, end.Format(time.RFC3339Nano), answer.Field(t, "completed_at"), "two minutes before the start: the receipt")
			stored := api.As(t, "viewer", http.MethodGet, list+answer.Field(t, "id").(string), "")
			require.Equal(t, start, stored.Field(t, "started_at"))
			require.Equal(t, end.Format(time.RFC3339Nano), stored.Field(t, "completed_at"))
			require.Equal(t, start, stored.Field(t, "occurred_at"))
		}
	})

	t.Run("EnvironmentTypes", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for name, want := range map[string]string{
			"review/fix-live-chat": "dev", "prd": "production", "prod1": "production", "stg": "staging", "qa3": "test",
			"production-us-east": "production", "non-prod": "other", "latest": "other",
		} {
			id := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": name})).Field(t, "environment_id").(string)
			require.Equal(t, want, api.As(t, "viewer", http.MethodGet, "/environments/"+id, "").Field(t, "type"), name)
		}
	})

	t.Run("Commits", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		build := func(status, run, sha string) testapi.Answer {
			return api.PostEvent(t, builds, map[string]any{"product_name": "p", "version": "1", "status": status, "invoke_id": run, "scm_sha": sha})
		}
		a, b, c := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
		version := build("failed", "1", a).Field(t, "version_id").(string)
		require.Equal(t, version, build("completed", "2", b).Field(t, "version_id"))
		require.Equal(t, b, api.As(t, "viewer", http.MethodGet, "/versions/"+version, "").Field(t, "scm_sha"))

		deployed := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"scm_sha": c})).Field(t, "version_id").(string)
		require.Nil(t, api.As(t, "viewer", http.MethodGet, "/versions/"+deployed, "").Field(t, "scm_sha"), "no build named it")
		for sha, want := range map[string]string{a: version, b: version, c: deployed, strings.ToUpper(c[:7]): deployed} {
			require.Equal(t, []string{want}, idsOf(t, api.As(t, "viewer", http.MethodGet, "/versions/?scm_sha="+sha, "")), sha)
		}
		require.Empty(t, idsOf(t, api.As(t, "viewer", http.MethodGet, "/versions/?scm_sha="+strings.Repeat("d", 40), "")))
		require.Empty(t, idsOf(t, api.As(t, "viewer", http.MethodGet, "/versions/?product=p&scm_sha="+c, "")))
	})

	t.Run("UserInfo", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		const body = `{"product_name":"shop","version":"1","environment_name":"e","status":"failed","scm_repository":"https://bot:s3cret@git.example.com/acme/shop.git",
			"deploy_url":"https:\/\/bot:s3cret@ci.example.com\/7","build_url":"https://bot\u003as3cret\u0040ci.example.com/7","error_message":"clone ssh://bot:s3cret@git: failed",
			"deployed_by_email":"ada@example.com","scm_branch":"git@github.com:acme/shop","extra_metadata":{"log":["at https://bot:p@s3cret@host and https://s3cret@host"],"https://bot:s3cret@host":1},
			"ours":{"url":"https://bot:s3cret@host?a@b"}}`
		answers := []testapi.Answer{api.Post(t, deploymentEvents, body), api.Post(t, builds, body)}
		require.Equal(t, "https://git.example.com/acme/shop.git", answers[0].Field(t, "scm_repository"))
		require.Equal(t, "https://ci.example.com/7", answers[0].Field(t, "deploy_url"))
		require.Equal(t, "ada@example.com", answers[0].Field(t, "deployed_by_email"))
		require.Equal(t, "git@github.com:acme/shop", answers[0].Field(t, "scm_branch"))
		require.Equal(t, map[string]any{"log": []any{"at https://host and https://host"}, "https://host": 1.0}, answers[0].Field(t, "extra_metadata"))
		require.Equal(t, "https://ci.example.com/7", answers[1].Field(t, "build_url"))
		require.Equal(t, "clone ssh://git: failed", answers[1].Field(t, "error_message"))
		for _, list := range []string{
			"/deployments/", "/builds/", "/products/", "/versions/", "/environments/", "/environment-state/", "/audit-log/",
			"/deployments/" + answers[0].Field(t, "id").(string) + "/events", "/builds/" + answers[1].Field(t, "id").(string) + "/events",
		} {
			answers = append(answers, api.As(t, "admin", http.MethodGet, list, ""))
		}
		for _, answer := range answers {
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			require.NotContains(t, string(answer.Body), "s3cret")
		}
		var bodies string
		api.Scan(t, "SELECT string_agg(body::text, '') FROM events", &bodies)
		require.NotContains(t, bodies, "s3cret")
		require.Contains(t, bodies, `"scm_branch":"git@github.com:acme/shop"`, "the rest is as it was received")
		require.NotContains(t, api.Logs.String(), "s3cret")
	})

	t.Run("Keys", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for _, header := range []string{"Bearer  %s", "Bearer %s \t", "Bearer\t%s", "Bearer %s\r\n ", "Bearer\r\n  %s\r\n\t", " bearer %s"} {
			require.Equal(t, http.StatusOK, postRaw(t, api, fmt.Sprintf(header, api.Key)), "%q", header)
		}
		require.Equal(t, http.StatusUnauthorized, postRaw(t, api, "Bearer "+api.Key[:20]+" "+api.Key[20:]))
	})
}

// postRaw sends an event with an Authorization header that no Go client would send, and returns the status.
func postRaw(t *testing.T, api *testapi.API, authorization string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(api.URL, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	body := sent("", "1")
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s",
		deploymentEvents, authorization, len(body), body)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// TestInvalidRequestsAreBounded sends bodies of 1 MB with up to 200,000 problems: the answer, each log line and the allocated
// memory are bounded.
//
//nolint:paralleltest // it measures what the whole process allocates
func TestInvalidRequestsAreBounded(t *testing.T) {
	api := testapi.New(t)
	channel := created(t, api, "/notification-channels/", `{"name":"c","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`)
	channel = channel[strings.LastIndex(channel, "/")+1:]
	preference := func(products string) string {
		return `{"channel_id":"` + channel + `","event_type":"deployment.completed","filters":{"products":` + products + `}}`
	}
	nested := strings.Repeat(`{"a":`, 120) + "[" + strings.Repeat("1e999,", 170_000) + "1]" + strings.Repeat("}", 120)
	long := strings.Repeat("<", 1000)
	for name, test := range map[string]struct{ path, body string }{
		"Numbers":        {deploymentEvents, sent("extra_metadata", nested)},
		"LongNames":      {deploymentEvents, sent("extra_metadata", strings.Repeat(`{"`+long+`":`, 100)+"["+strings.Repeat("1e999,", 100_000)+"1]"+strings.Repeat("}", 100))},
		"NULs":           {"/products/", `{"name":"p","extra_metadata":[` + strings.Repeat(`"\u0000",`, 110_000) + `1]}`},
		"Items":          {"/notification-preferences/", preference("[" + strings.Repeat("1,", 200_000) + "1]")},
		"Objects":        {"/notification-preferences/", preference("[" + strings.Repeat("{},", 200_000) + "1]")},
		"UnknownMembers": {"/products/", `{"name":"p"` + unknownMembers(60_000) + `}`},
		"Metadata":       {deploymentEvents, sent("extra_metadata", strings.ReplaceAll(nested, "1e999", "11111"))},
		"Replacements":   {deploymentEvents, sent("version", `"`+strings.Repeat("\xff", 1_000_000)+`"`)},
		"UserInfo":       {deploymentEvents, sent("version", `"`+strings.Repeat("x://a:b@", 100_000)+`"`)},
	} {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, len(test.body), 1<<20)
			admin := api.Token(t, testapi.Account, "admin")
			request := api.Request(t, http.MethodPost, test.path, []byte(test.body))
			request.Header.Set("Authorization", "Bearer "+admin)
			if strings.HasSuffix(test.path, "-events/") {
				request.Header.Set("Authorization", "Bearer "+api.Key)
			}
			logged := len(api.Logs.String())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			answer := api.Do(t, request)
			runtime.ReadMemStats(&after)

			problems := locs(t, answer)
			require.NotEmpty(t, problems)
			require.LessOrEqual(t, len(problems), 50)
			require.LessOrEqual(t, len(answer.Body), 64<<10)
			for line := range bytes.SplitSeq([]byte(api.Logs.String()[logged:]), []byte("\n")) {
				require.LessOrEqual(t, len(line), 64<<10)
			}
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
			t.Logf("%d problems, answer of %d bytes, %d KiB allocated", len(problems), len(answer.Body), (after.TotalAlloc-before.TotalAlloc)>>10)
		})
	}
	require.Zero(t, api.Count(t, "events"))

	t.Run("Path", func(t *testing.T) {
		logged := len(api.Logs.String())
		require.Equal(t, http.StatusNotFound, api.Get(t, "/"+strings.Repeat("%01", 20_000)).Status)
		for line := range strings.SplitSeq(api.Logs.String()[logged:], "\n") {
			require.LessOrEqual(t, len(line), 64<<10)
		}
	})
}

func unknownMembers(count int) string {
	var members strings.Builder
	for i := range count {
		fmt.Fprintf(&members, `,"m%d":%d`, i, i)
	}
	return members.String()
}
