package samples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// patience is for what the queue does within seconds, on a machine that is busy with other tests.
const patience = 45 * time.Second

// hookInExamples is where the examples have their webhooks; here the story's own receiver stands for it.
const hookInExamples = "https://hooks.example.com"

// step is an operation of the story, and which of its examples is told.
type step struct{ operation, example string }

// steps is the story that the examples tell, in the order in which it happens: each step needs what those before it made.
// Yesterday 1.4.2 of checkout was deployed to staging; 1.4.1 runs in production.
func steps() []step {
	return []step{
		{operation: "getHealth"},
		{operation: "getReadiness"},
		{operation: "getSpecification"},
		{operation: "getSwaggerUI"},
		{operation: "getReDoc"},
		{operation: "createBuildEvent"},
		{operation: "createVersionEvent"},
		{operation: "listBuilds"},
		{operation: "getBuild"},
		{operation: "listBuildEvents"},
		{operation: "createDeploymentEvent", example: "started"},
		{operation: "listEnvironmentState"},
		{operation: "createDeploymentEvent", example: "completed"},
		{operation: "listProducts"},
		{operation: "getProduct"},
		{operation: "updateProduct"},
		{operation: "listAuditLog"},
		{operation: "createProduct"},
		{operation: "listEnvironments"},
		{operation: "getEnvironment"},
		{operation: "updateEnvironment"},
		{operation: "listVersions"},
		{operation: "getVersion"},
		{operation: "listDeployments"},
		{operation: "getDeployment"},
		{operation: "listDeploymentEvents"},
		{operation: "createRelease"},
		{operation: "listReleases"},
		{operation: "addReleaseVersion"},
		{operation: "getRelease"},
		{operation: "listReleaseVersions"},
		{operation: "getReleaseProgress"},
		{operation: "updateRelease"},
		{operation: "createNotificationChannel", example: "webhook"},
		{operation: "listNotificationChannels"},
		{operation: "getNotificationChannel"},
		{operation: "createNotificationPreference"},
		{operation: "listNotificationPreferences"},
		{operation: "getNotificationPreference"},
		{operation: "testNotificationChannel"},
		{operation: "createDeploymentEvent", example: "failed"},
		{operation: "listNotificationHistory"},
		{operation: "redeliverNotification"},
		{operation: "updateNotificationPreference"},
		{operation: "updateNotificationChannel"},
		{operation: "createNotificationChannel", example: "slack"},
		{operation: "createNotificationChannel", example: "email"},
		{operation: "listUsers"},
		{operation: "getUser"},
		{operation: "updateUser"},
		{operation: "createAPIKey"},
		{operation: "listAPIKeys"},
		{operation: "getAPIKey"},
		{operation: "updateAPIKey"},
		{operation: "rotateAPIKey"},
		{operation: "revokeAPIKey"},
		{operation: "createEnvironment"},
		{operation: "deleteNotificationPreference"},
		{operation: "deleteNotificationChannel"},
		{operation: "removeReleaseVersion"},
		{operation: "deleteRelease"},
		{operation: "deleteEnvironment"},
		{operation: "deleteProduct"},
	}
}

// story is a server on which the story of the examples happens. A client talks to it with the identifiers of the examples:
// it passes each request on with those that the objects have here, compares the request and its answer with the example of
// the step, and returns the answer with the identifiers of the examples.
type story struct {
	URL   string
	Key   string // of a CI system
	Token string // of Ada Lovelace, an admin
	api   *testapi.API
	spec  *openapi3.T
	hook  *hook

	mu      sync.Mutex
	real    map[string]string // what the examples name, and what it is here
	now     step
	told    int
	trouble error
}

func newStory(t *testing.T) *story {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:1?tls=none", "versioner@example.com")
	require.NoError(t, err)
	api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mailer))
	s := &story{
		api: api, spec: specification(t, api), hook: newHook(t), real: make(map[string]string),
		Key: api.Key, Token: api.TokenOf(t, testapi.Account, "admin", "Ada Lovelace"),
	}
	s.real[hookInExamples] = s.hook.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(t, w, r) }))
	t.Cleanup(server.Close)
	s.URL = server.URL

	s.as(t, s.Token, "/users/")
	s.as(t, api.TokenOf(t, testapi.Account, "developer", "Grace Hopper"), "/users/")
	hours := func(ago float64) string {
		return time.Now().Add(-time.Duration(ago * float64(time.Hour))).UTC().Format(time.RFC3339)
	}
	earlier := func(version, environment, at string) {
		api.PostEvent(t, "/deployment-events/", map[string]any{
			"product_name": "checkout", "version": version, "environment_name": environment, "status": "completed", "completed_at": at,
			"source_system": "github", "deployed_by": "ada", "deployed_by_name": "Ada Lovelace",
		})
	}
	earlier("1.4.1", "production", hours(96))
	earlier("1.4.2", "staging", hours(26.5))
	return s
}

// specification is the document as it is served.
func specification(t *testing.T, api *testapi.API) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Get(t, "/openapi.json").Body)
	require.NoError(t, err)
	return document
}

// as reads a list as a person.
func (s *story) as(t *testing.T, token, path string) testapi.Answer {
	t.Helper()
	request := s.api.Request(t, http.MethodGet, path, nil)
	request.Header.Set("Authorization", "Bearer "+token)
	return s.api.Do(t, request)
}

// tell has a client do a step, and requires that it does just that, with the outcome that the example shows.
func (s *story) tell(t *testing.T, now step, client func()) {
	t.Helper()
	s.prepare(t, now)
	s.mu.Lock()
	s.now, s.told, s.trouble = now, 0, nil
	s.mu.Unlock()
	client()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(t, s.trouble, "%s %s", now.operation, now.example)
	require.Equal(t, 1, s.told, "%s %s: one request", now.operation, now.example)
}

// prepare does what is not told.
func (s *story) prepare(t *testing.T, now step) {
	t.Helper()
	switch now.operation {
	case "listNotificationHistory":
		require.Eventually(t, func() bool {
			return strings.Contains(string(s.as(t, s.Token, "/notification-history/?event_type=deployment.failed").Body), `"delivered"`)
		}, patience, 50*time.Millisecond, "the message is delivered")
	case "listAPIKeys":
		s.api.Exec(t, "UPDATE api_keys SET last_used_at = now() WHERE key_id = 'k1'") // which is noted every ten seconds
	}
}

// request is the example of the step, for whoever has no sample.
func (s *story) request(t *testing.T, now step) {
	t.Helper()
	found := find(s.spec, now.operation)
	body := ""
	if value := found.requestExample(now.example); value != nil {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		body = string(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), found.method, s.URL+found.target(), strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	switch found.scheme() {
	case "ApiKeyAuth":
		request.Header.Set("Authorization", "Bearer "+s.Key)
	case "JWTAuth":
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

func (s *story) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.trouble = err
		return
	}
	found := find(s.spec, s.now.operation)
	if s.trouble = found.checkRequest(r, body, s.now.example); s.trouble != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	request := s.api.Request(t, r.Method, s.here(r.URL.RequestURI()), []byte(s.here(string(body))))
	for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "Accept"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	answer := s.api.Do(t, request)
	s.trouble = s.checkAnswer(found, answer)
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, s.there(string(answer.Body)))
}

// here says what the examples name with the words of this server, there the other way round.
func (s *story) here(text string) string {
	for _, example := range slices.Sorted(maps.Keys(s.real)) {
		text = strings.ReplaceAll(text, example, s.real[example])
	}
	return text
}

func (s *story) there(text string) string {
	for _, example := range slices.Sorted(maps.Keys(s.real)) {
		text = strings.ReplaceAll(text, s.real[example], example)
	}
	return text
}

func (s *story) checkAnswer(found operation, answer testapi.Answer) error {
	status, response := found.success()
	if answer.Status != status {
		return fmt.Errorf("the answer is %d, not %d: %s", answer.Status, status, answer.Body)
	}
	if len(response.Content) == 0 {
		return nil
	}
	example := exampleOf(response.Content, s.now.example)
	if text, ok := example.(string); ok {
		if !strings.HasPrefix(string(answer.Body), text) {
			return fmt.Errorf("the page does not begin with %s", text)
		}
		return nil
	}
	var got any
	if err := json.Unmarshal(bytes.ReplaceAll(answer.Body, []byte(s.hook.URL), []byte(hookInExamples)), &got); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if found.OperationID == "getSpecification" {
		return s.compare("", example, excerpt(example, got))
	}
	return s.compare("", example, got)
}

// excerpt is of what was got only what the example has.
func excerpt(example, got any) any {
	want, ok := example.(map[string]any)
	have, same := got.(map[string]any)
	if !ok || !same {
		return got
	}
	kept := make(map[string]any)
	for name, value := range want {
		if there, ok := have[name]; ok {
			kept[name] = excerpt(value, there)
		}
	}
	return kept
}

// measured are members whose values no example can foretell.
func measured() []string {
	return []string{"latency_ms", "soak_time_hours", "key", "email", "credential", "remote_ip", "request_id"}
}

// compare requires the same members and the same values of them; identifiers are another object's here, but the same one
// each time, and times are other times.
func (s *story) compare(at string, example, got any) error {
	if fmt.Sprintf("%T", example) != fmt.Sprintf("%T", got) {
		return fmt.Errorf("%s: %v is not what the example has: %v", at, got, example)
	}
	switch want := example.(type) {
	case map[string]any:
		have := got.(map[string]any)
		if names, others := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have)); !slices.Equal(names, others) {
			return fmt.Errorf("%s: there are the members %v, the example has %v", at, others, names)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if err := s.compare(at+"/"+name, want[name], have[name]); err != nil {
				return err
			}
		}
	case []any:
		have := got.([]any)
		if len(want) != len(have) {
			return fmt.Errorf("%s: there are %d, the example has %d: %v", at, len(have), len(want), have)
		}
		for i := range want {
			if err := s.compare(fmt.Sprintf("%s/%d", at, i), want[i], have[i]); err != nil {
				return err
			}
		}
	case string:
		return s.compareText(at, want, got.(string))
	default:
		if want != got && !slices.Contains(measured(), at[strings.LastIndex(at, "/")+1:]) {
			return fmt.Errorf("%s: %v, the example has %v", at, got, want)
		}
	}
	return nil
}

func (s *story) compareText(at, want, have string) error {
	switch {
	case isUUID(want) && isUUID(have):
		if s.real[want] == "" && s.there(have) == have {
			s.real[want] = have
		}
		if s.real[want] != have {
			return fmt.Errorf("%s: %s is %s in the examples, and not %s", at, have, s.there(have), want)
		}
	case isTime(want) && isTime(have):
	case want != have && !slices.Contains(measured(), at[strings.LastIndex(at, "/")+1:]):
		return fmt.Errorf("%s: %q, the example has %q", at, have, want)
	}
	return nil
}

// hook is the receiver of the story's webhooks.
type hook struct {
	*httptest.Server

	mu  sync.Mutex
	got []message
}

type message struct {
	header http.Header
	body   []byte
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.got = append(h.got, message{header: r.Header.Clone(), body: body})
		h.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(h.Close)
	return h
}

// messages are those of a type of event.
func (h *hook) messages(event string) []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.got), func(m message) bool { return m.header.Get("X-Versioner-Event") != event })
}
