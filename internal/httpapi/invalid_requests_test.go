package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// sent returns a deployment event as JSON in which the text of one member is replaced.
func sent(member, value string) string {
	members := map[string]string{"product_name": `"p"`, "version": `"1"`, "environment_name": `"e"`, "status": `"completed"`}
	members[member] = value
	parts := make([]string, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, fmt.Sprintf("%q:%s", name, members[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// requireNothingStored also makes sure that nothing had to be refused by the database itself.
func requireNothingStored(t *testing.T, api *testapi.API) {
	t.Helper()
	for _, table := range []string{"events", "deployments", "builds", "products", "environments", "versions", "event_fingerprints"} {
		require.Zero(t, api.Count(t, table), table)
	}
	require.NotContains(t, api.Logs.String(), "cannot store")
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	quoted := func(text string) string { return `"` + text + `"` }
	cases := map[string]struct {
		body   string
		status int
		want   string // a part of the answer
	}{
		"Empty":                 {"", 400, `{"detail":"Invalid JSON in request body"}`},
		"NotJSON":               {"status=completed", 400, `{"detail":"Invalid JSON in request body"}`},
		"CutOff":                {`{"product_name":"p"`, 400, `{"detail":"Invalid JSON in request body"}`},
		"TrailingGarbage":       {sent("", "1") + " x", 400, `{"detail":"Invalid JSON in request body"}`},
		"TwoValues":             {sent("", "1") + sent("", "1"), 400, `{"detail":"Invalid JSON in request body"}`},
		"LiteralLineBreak":      {sent("product_name", quoted("a\nb")), 400, `{"detail":"Invalid JSON in request body"}`},
		"NaN":                   {sent("scm_sha", "NaN"), 400, `{"detail":"Invalid JSON in request body"}`},
		"Null":                  {"null", 422, `"loc":["body"]`},
		"List":                  {"[]", 422, `"loc":["body"]`},
		"Text":                  {`"x"`, 422, `"loc":["body"]`},
		"EmptyObject":           {"{}", 422, `"loc":["body","environment_name"],"msg":"field required","type":"value_error.missing"},{"loc":["body","product_name"],"msg":"field required","type":"value_error.missing"}`},
		"DuplicateName":         {`{"status":"started",` + sent("", "1")[1:], 422, `"loc":["body","status"],"msg":"duplicate key`},
		"DuplicateDeepName":     {sent("extra_metadata", `{"a":{"b":1,"b":2}}`), 422, `"loc":["body","extra_metadata","a","b"]`},
		"WrongCaseName":         {`{"product_name":"p","version":"1","environment_name":"e","STATUS":"completed"}`, 422, `"loc":["body","status"],"msg":"field required"`},
		"UnknownStatus":         {sent("status", `"done"`), 422, `succeeded`},
		"StatusOfWrongType":     {sent("status", `7`), 422, `"loc":["body","status"],"msg":"value is not a valid string","type":"type_error.string"`},
		"NameOfWrongType":       {sent("version", `1.4`), 422, `"loc":["body","version"],"msg":"value is not a valid string"`},
		"NameNull":              {sent("product_name", `null`), 422, `"loc":["body","product_name"],"msg":"null is not an allowed value"`},
		"NameEmpty":             {sent("product_name", `""`), 422, `at least 1 characters","type":"value_error.any_str.min_length"`},
		"NameBlank":             {sent("product_name", `" \t "`), 422, `"loc":["body","product_name"]`},
		"NameOfOtherSpaces":     {sent("product_name", quoted("\u00a0\u2003")), 422, `"loc":["body","product_name"]`},
		"NameOf256":             {sent("product_name", quoted(strings.Repeat("é", 256))), 422, `at most 255 characters","type":"value_error.any_str.max_length"`},
		"NameOf3000":            {sent("product_name", quoted(strings.Repeat("x", 3000))), 422, `at most 255 characters`},
		"EnvironmentOf256":      {sent("environment_name", quoted(strings.Repeat("x", 256))), 422, `"environment_name"`},
		"VersionOf256":          {sent("version", quoted(strings.Repeat("x", 256))), 422, `"version"`},
		"InvokeIDOf256":         {sent("invoke_id", quoted(strings.Repeat("x", 256))), 422, `"invoke_id"`},
		"URLOf5000":             {sent("deploy_url", quoted(strings.Repeat("x", 5000))), 422, `"deploy_url"`},
		"HugeNumber":            {sent("extra_metadata", `{"n":1e400}`), 422, `"loc":["body","extra_metadata","n"],"msg":"the number is out of range"`},
		"TinyNumber":            {sent("extra_metadata", `{"preflight_status":1e-9999999999999999999999,"x":"`+strings.Repeat("y", 800_000)+`"}`), 422, `out of range`},
		"NoEnvironment":         {sent("environment_name", `null`), 422, `"loc":["body","environment_name"],"msg":"field required"`},
		"HugeUnknownNumber":     {sent("whatever", `-1e400`), 422, `out of range`},
		"TimeWithoutZone":       {sent("completed_at", `"2026-11-21T18:00:00"`), 422, `"type":"value_error.datetime"`},
		"TimeInYear300000":      {sent("completed_at", `"300000-01-01T00:00:00Z"`), 422, `"type":"value_error.datetime"`},
		"TimeBeforeYear1":       {sent("completed_at", `"0000-06-01T00:00:00Z"`), 422, `"type":"value_error.datetime"`},
		"TimeBeyondYear9999":    {sent("completed_at", `"9999-12-31T23:59:59-01:00"`), 422, `"type":"value_error.datetime"`},
		"TimeAsNumber":          {sent("completed_at", `1700000000`), 422, `"type":"type_error.string"`},
		"TimeNotOfCalendar":     {sent("completed_at", `"2026-02-30T00:00:00Z"`), 422, `"type":"value_error.datetime"`},
		"MetadataAsList":        {sent("extra_metadata", `[]`), 422, `"type":"type_error.object"`},
		"MetadataTooLarge":      {sent("extra_metadata", `{"a":`+quoted(strings.Repeat("x", 256<<10))+`}`), 422, `262144`},
		"MetadataOfLongNumbers": {sent("extra_metadata", `{"a":[`+strings.Repeat("1e300,", 1000)+`1]}`), 422, `262144`},
		"MetadataNestedDeep":    {sent("extra_metadata", strings.Repeat(`{"a":`, 200)+"1"+strings.Repeat("}", 200)), 422, `deeper than 128`},
		"Nested100000Deep":      {strings.Repeat("[", 100_000), 422, `deeper than 128`},
		"NestedInUnknown":       {sent("whatever", strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)), 422, `deeper than 128`},
		"TooLarge":              {sent("whatever", quoted(strings.Repeat("x", 1<<20))), 422, `larger than 1048576 bytes`},
		"EverythingAtOnce":      {`{"product_name":7,"version":"","status":"x","completed_at":"x"}`, 422, `completed_at`},
	}
	api := testapi.New(t)
	t.Cleanup(func() { requireNothingStored(t, api) })
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			answer := api.Post(t, deploymentEvents, test.body)
			require.Equal(t, test.status, answer.Status, "%s", answer.Body)
			require.Contains(t, string(answer.Body), test.want)
		})
	}

	t.Run("AllProblemsAreListed", func(t *testing.T) {
		var answer struct {
			Detail []struct {
				Loc []any `json:"loc"`
			} `json:"detail"`
		}
		require.NoError(t, json.Unmarshal(api.Post(t, deploymentEvents, cases["EverythingAtOnce"].body).Body, &answer))
		var places []string
		for _, item := range answer.Detail {
			places = append(places, fmt.Sprintf("%v", item.Loc))
		}
		require.Equal(t, []string{"[body completed_at]", "[body environment_name]", "[body product_name]", "[body status]", "[body version]"}, places)
	})

	t.Run("NoSecretIsRepeated", func(t *testing.T) {
		answer := api.Post(t, deploymentEvents, sent("status", `"hunter2"`))
		require.NotContains(t, string(answer.Body), "hunter2")
		require.NotContains(t, api.Logs.String(), "hunter2")
	})
}

func TestLargestBodiesAreAccepted(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	metadata := `{"a":"` + strings.Repeat("x", 256<<10-len(`{"a":"",`)) + `"}`
	answer := api.Post(t, deploymentEvents, strings.TrimSuffix(sent("extra_metadata", metadata), "}")+strings.Repeat(" ", 1000)+"}")
	require.Equal(t, http.StatusOK, answer.Status, "%.200s", answer.Body)
	answer = api.Post(t, deploymentEvents, sent("product_name", `"`+strings.Repeat("é", 255)+`"`))
	require.Equal(t, http.StatusOK, answer.Status, "%.200s", answer.Body)
	answer = api.Post(t, deploymentEvents, sent("completed_at", `"0001-01-01T00:00:00Z"`))
	require.Equal(t, http.StatusOK, answer.Status, "%.200s", answer.Body)
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for contentType, status := range map[string]int{
		"application/json":                  http.StatusOK,
		"application/json; charset=UTF-8":   http.StatusOK,
		"Application/JSON":                  http.StatusOK,
		"":                                  http.StatusUnsupportedMediaType,
		"text/plain":                        http.StatusUnsupportedMediaType,
		"application/x-www-form-urlencoded": http.StatusUnsupportedMediaType,
		"application/json; charset=latin1":  http.StatusUnsupportedMediaType,
		"application/json; charset=":        http.StatusUnsupportedMediaType,
		"application/jsonp":                 http.StatusUnsupportedMediaType,
		"application/json, text/plain":      http.StatusUnsupportedMediaType,
	} {
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte(sent("", "1")))
		request.Header["Content-Type"] = []string{contentType}
		request.Header.Set("Authorization", "Bearer "+api.Key)
		answer := api.Do(t, request)
		require.Equal(t, status, answer.Status, "%q: %s", contentType, answer.Body)
		if status != http.StatusOK {
			require.JSONEq(t, `{"detail":"Unsupported media type"}`, string(answer.Body))
		}
	}
	request := api.Request(t, http.MethodPost, deploymentEvents, []byte(sent("", "1")))
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("Authorization", "Bearer "+api.Key)
	require.Equal(t, http.StatusUnsupportedMediaType, api.Do(t, request).Status)
}

// endless is a body of 1 GiB that counts how much of it was read.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	const gibibyte = 1 << 30
	if e.read.Load() >= gibibyte {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestBodyOfAGibibyteIsNotRead(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for name, length := range map[string]int64{"Declared": 1 << 30, "Chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(api.URL, "http://"))
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			body := &endless{}
			request := api.Request(t, http.MethodPost, deploymentEvents, nil)
			request.Body, request.ContentLength = io.NopCloser(body), length
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+api.Key)
			go func() { _ = request.Write(conn) }()
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			response, err := http.ReadResponse(bufio.NewReader(conn), request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			require.Equal(t, http.StatusUnprocessableEntity, response.StatusCode)
			require.Less(t, body.read.Load(), int64(16<<20), "what the kernel's buffers hold comes on top of the limit")
		})
	}
}
