package examples_test

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

// deliveryTimeout bounds the wait for a delivery. The queue needs seconds, more on a machine that runs other tests.
const deliveryTimeout = 45 * time.Second

// exampleWebhookURL is the receiver of the webhooks in the examples. The scenario replaces it by its own receiver.
const exampleWebhookURL = "https://hooks.example.com"

// step is an operation of the scenario and the name of an example.
type step struct{ operation, example string }

// steps is the scenario of the examples. Each step depends on the steps before it. At its start version 1.4.2 of checkout has run
// in staging for a day, and 1.4.1 in production.
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
		{operation: "getDeploymentNeighbours"},
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
		{operation: "getCurrentUser"},
		{operation: "listSignInProviders"},
		{operation: "startSignIn"},
		{operation: "completeSignIn"},
		{operation: "getSession"},
		{operation: "listSessions"},
		{operation: "endSession"},
		{operation: "endSessions"},
		{operation: "signOut"},
		{operation: "resendRecipientConfirmations"},
		{operation: "listUsers"},
		{operation: "getUser"},
		{operation: "updateUser"},
		{operation: "createDeploymentRule", example: "freeze"},
		{operation: "listDeploymentRules"},
		{operation: "getDeploymentRule"},
		{operation: "listDeploymentCalendar"},
		{operation: "createCalendarFeed"},
		{operation: "listCalendarFeeds"},
		{operation: "subscribeDeploymentCalendar"},
		{operation: "revokeCalendarFeed"},
		{operation: "preflight"},
		{operation: "listRuleViolations"},
		{operation: "updateDeploymentRule"},
		{operation: "importDeploymentRuleCalendar"},
		{operation: "createDeploymentRule", example: "soak"},
		{operation: "backtestDeploymentRule"},
		{operation: "getGovernanceSettings"},
		{operation: "updateGovernanceSettings"},
		{operation: "createVersionApproval"},
		{operation: "listVersionApprovals"},
		{operation: "createDeploymentRequestTemplate"},
		{operation: "listDeploymentRequestTemplates"},
		{operation: "getDeploymentRequestTemplate"},
		{operation: "createDeploymentRequest"},
		{operation: "listDeploymentRequests"},
		{operation: "getDeploymentRequest"},
		{operation: "updateDeploymentRequest"},
		{operation: "addDeploymentRequestVersion"},
		{operation: "listDeploymentRequestVersions"},
		{operation: "addDeploymentRequestApproval"},
		{operation: "listDeploymentRequestApprovals"},
		{operation: "addDeploymentRequestStep"},
		{operation: "listDeploymentRequestSteps"},
		{operation: "completeDeploymentRequestStep"},
		{operation: "reopenDeploymentRequestStep"},
		{operation: "createDeploymentRequestComment"},
		{operation: "listDeploymentRequestComments"},
		{operation: "activateDeploymentRequest"},
		{operation: "listDeploymentRequestActivity"},
		{operation: "rejectDeploymentRequest"},
		{operation: "resetDeploymentRequestApproval"},
		{operation: "approveDeploymentRequest"},
		{operation: "completeDeploymentRequest"},
		{operation: "deactivateDeploymentRequest"},
		{operation: "cancelDeploymentRequest"},
		{operation: "updateDeploymentRequestTemplate"},
		{operation: "createBreakGlassGrant"},
		{operation: "listBreakGlassGrants"},
		{operation: "getBreakGlassGrant"},
		{operation: "confirmBreakGlassGrant"},
		{operation: "revokeBreakGlassGrant"},
		{operation: "reviewBreakGlassGrant"},
		{operation: "createVariable"},
		{operation: "listVariables"},
		{operation: "getVariable"},
		{operation: "updateVariable"},
		{operation: "createDeploymentTemplate"},
		{operation: "listDeploymentTemplates"},
		{operation: "getDeploymentTemplate"},
		{operation: "renderDeploymentTemplate"},
		{operation: "updateDeploymentTemplate"},
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
		{operation: "removeDeploymentRequestVersion"},
		{operation: "removeDeploymentRequestApproval"},
		{operation: "removeDeploymentRequestStep"},
		{operation: "deleteDeploymentRequest"},
		{operation: "deleteDeploymentRequestTemplate"},
		{operation: "deleteDeploymentRule"},
		{operation: "deleteDeploymentTemplate"},
		{operation: "deleteVariable"},
		{operation: "revokeVersionApproval"},
		{operation: "deleteEnvironment"},
		{operation: "deleteProduct"},
	}
}

// scenario is a proxy in front of a server. Clients use the identifiers of the examples: the proxy replaces them in each request by
// the identifiers on the server, compares request and response with the example of the step, and replaces them back in the response.
type scenario struct {
	URL     string
	Key     string // an API key
	Token   string // of the admin Ada Lovelace
	Feed    string // the token of the calendar feed, once it is created
	api     *testapi.API
	spec    *openapi3.T
	webhook *webhookReceiver

	mu           sync.Mutex
	serverIDs    map[string]string // by the identifier in the examples
	current      step
	requestCount int
	err          error
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:1?tls=none", "versioner@example.com")
	require.NoError(t, err)
	api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mailer))
	s := &scenario{
		api: api, spec: specification(t, api), webhook: newWebhookReceiver(t), serverIDs: make(map[string]string),
		Key: api.Key, Token: api.TokenOf(t, testapi.Account, "admin", "Ada Lovelace"),
	}
	s.serverIDs[exampleWebhookURL] = s.webhook.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(t, w, r) }))
	t.Cleanup(server.Close)
	s.URL = server.URL

	s.getAs(t, s.Token, "/users/")
	s.getAs(t, api.TokenOf(t, testapi.Account, "developer", "Grace Hopper"), "/users/")
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

// specification returns the document that the server serves.
func specification(t *testing.T, api *testapi.API) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Get(t, "/openapi.json").Body)
	require.NoError(t, err)
	return document
}

// getAs requests a path with a session token.
func (s *scenario) getAs(t *testing.T, token, path string) testapi.Answer {
	t.Helper()
	request := s.api.Request(t, http.MethodGet, path, nil)
	request.Header.Set("Authorization", "Bearer "+token)
	return s.api.Do(t, request)
}

// runStep runs a client and requires it to send exactly the request of the step, and the response to match the example.
func (s *scenario) runStep(t *testing.T, current step, client func()) {
	t.Helper()
	s.prepare(t, current)
	s.mu.Lock()
	s.current, s.requestCount, s.err = current, 0, nil
	s.mu.Unlock()
	client()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(t, s.err, "%s %s", current.operation, current.example)
	require.Equal(t, 1, s.requestCount, "%s %s: one request", current.operation, current.example)
}

// prepare creates the conditions of a step that no earlier step creates.
func (s *scenario) prepare(t *testing.T, current step) {
	t.Helper()
	switch current.operation {
	case "listNotificationHistory":
		require.Eventually(t, func() bool {
			return strings.Contains(string(s.getAs(t, s.Token, "/notification-history/?event_type=deployment.failed").Body), `"delivered"`)
		}, deliveryTimeout, 50*time.Millisecond, "the message is delivered")
	case "listRuleViolations":
		s.api.Exec(t, `INSERT INTO rule_violations (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, clears_at, certain, details,
				deployment_id, product_id, environment_id, version_id)
			SELECT d.account_id, gen_random_uuid(), now(), r.id, r.name, r.rule_type, 'blocked', 'NO_DEPLOY_WINDOW',
				'Holiday freeze: no deployments in the window Christmas (Peak season).', now(), true, '{}', d.id, d.product_id, d.environment_id, d.version_id
			FROM deployments AS d JOIN deployment_rules AS r ON r.account_id = d.account_id
			WHERE d.id = '`+s.toServerIDs("01a208e6-c459-73f8-bdf5-c5aae566f28d")+`'`)
	case "confirmBreakGlassGrant":
		s.api.Exec(t, `INSERT INTO break_glass_grants (account_id, id, product_id, environment_id, version, reason, minutes, rule_types, status, created_by, created_by_name, created_at,
				confirm_until, updated_at)
			SELECT g.account_id, '01a2093f-2d07-7b96-8e51-c40a7d6f93b2', g.product_id, g.environment_id, g.version, 'The certificate expires tonight.', 30, g.rule_types, 'awaiting_second', u.id,
				u.name, now(), now() + interval '15 min', now()
			FROM break_glass_grants AS g JOIN users AS u ON u.account_id = g.account_id AND u.name = 'Grace Hopper'`)
	case "rejectDeploymentRequest": // by the user who has created the request
		s.api.Exec(t, "UPDATE governance_state SET requester_may_approve = true")
	case "deactivateDeploymentRequest", "removeDeploymentRequestVersion":
		status := map[string]string{"deactivateDeploymentRequest": "in_progress", "removeDeploymentRequestVersion": "draft"}[current.operation]
		s.api.Exec(t, "UPDATE deployment_requests SET completed_at = NULL, cancelled_at = NULL, status = '"+status+"'")
	case "listSessions":
		s.api.SignInAs(t, testapi.Account, "admin", "Ada Lovelace")
	case "listAPIKeys":
		s.api.Exec(t, "UPDATE api_keys SET last_used_at = now() WHERE key_id = 'k1'") // the server writes it every ten seconds
	}
}

// request sends the example of the step.
func (s *scenario) request(t *testing.T, current step) {
	t.Helper()
	found := find(s.spec, current.operation)
	body := ""
	if value := found.requestExample(current.example); value != nil {
		var isText bool
		if body, isText = value.(string); !isText {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			body = string(text)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), found.method, s.URL+found.target(), strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		request.Header.Set("Content-Type", found.mediaType())
	}
	switch found.scheme() {
	case "ApiKeyAuth":
		request.Header.Set("Authorization", "Bearer "+s.Key)
	case "JWTAuth":
		request.Header.Set("Authorization", "Bearer "+s.Token)
	case feedScheme:
		request.URL.RawQuery = "token=" + s.Feed
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

func (s *scenario) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requestCount++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.err = err
		return
	}
	found := find(s.spec, s.current.operation)
	if s.err = found.checkRequest(r, body, s.current.example); s.err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	request := s.api.Request(t, r.Method, s.toServerIDs(r.URL.RequestURI()), []byte(s.toServerIDs(string(body))))
	for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "Accept"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	answer := s.api.Do(t, request)
	if s.current.operation == "createCalendarFeed" {
		s.Feed, _ = answer.Field(t, "token").(string)
	}
	s.err = s.checkAnswer(found, answer)
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, s.toExampleIDs(string(answer.Body)))
}

// toServerIDs replaces the identifiers of the examples by those on the server.
func (s *scenario) toServerIDs(text string) string {
	for _, example := range slices.Sorted(maps.Keys(s.serverIDs)) {
		text = strings.ReplaceAll(text, example, s.serverIDs[example])
	}
	return text
}

// toExampleIDs replaces the identifiers on the server by those of the examples.
func (s *scenario) toExampleIDs(text string) string {
	for _, example := range slices.Sorted(maps.Keys(s.serverIDs)) {
		text = strings.ReplaceAll(text, s.serverIDs[example], example)
	}
	return text
}

func (s *scenario) checkAnswer(found operation, answer testapi.Answer) error {
	status, response := found.success()
	if answer.Status != status {
		return fmt.Errorf("the answer is %d, not %d: %s", answer.Status, status, answer.Body)
	}
	if len(response.Content) == 0 {
		return nil
	}
	example := exampleOf(response.Content, s.current.example)
	if text, ok := example.(string); ok {
		if !strings.HasPrefix(string(answer.Body), text) {
			return fmt.Errorf("the page does not begin with %s", text)
		}
		return nil
	}
	var got any
	if err := json.Unmarshal(bytes.ReplaceAll(answer.Body, []byte(s.webhook.URL), []byte(exampleWebhookURL)), &got); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if found.OperationID == "getSpecification" {
		return s.compare("", example, project(example, got))
	}
	return s.compare("", example, got)
}

// project reduces a response to the members that the example has.
func project(example, got any) any {
	want, ok := example.(map[string]any)
	have, same := got.(map[string]any)
	if !ok || !same {
		return got
	}
	kept := make(map[string]any)
	for name, value := range want {
		if there, ok := have[name]; ok {
			kept[name] = project(value, there)
		}
	}
	return kept
}

// volatileFields are members whose values differ from run to run.
func volatileFields() []string {
	return []string{"latency_ms", "soak_time_hours", "key", "token", "url", "email", "credential", "remote_ip", "request_id"}
}

// compare requires the members and values of the example. Identifiers differ, but each identifier of the examples stands for one
// identifier on the server; times only have to be times.
func (s *scenario) compare(at string, example, got any) error {
	if fmt.Sprintf("%T", example) != fmt.Sprintf("%T", got) {
		return fmt.Errorf("%s: %v differs in type from the example: %v", at, got, example)
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
		if want != got && !slices.Contains(volatileFields(), at[strings.LastIndex(at, "/")+1:]) {
			return fmt.Errorf("%s: %v, the example has %v", at, got, want)
		}
	}
	return nil
}

func (s *scenario) compareText(at, want, have string) error {
	switch {
	case isUUID(want) && isUUID(have):
		if s.serverIDs[want] == "" && s.toExampleIDs(have) == have {
			s.serverIDs[want] = have
		}
		if s.serverIDs[want] != have {
			return fmt.Errorf("%s: %s is %s in the examples, and not %s", at, have, s.toExampleIDs(have), want)
		}
	case isTime(want) && isTime(have):
	case want != have && !slices.Contains(volatileFields(), at[strings.LastIndex(at, "/")+1:]):
		return fmt.Errorf("%s: %q, the example has %q", at, have, want)
	}
	return nil
}

// webhookReceiver records the webhook messages of the scenario.
type webhookReceiver struct {
	*httptest.Server

	mu  sync.Mutex
	got []message
}

type message struct {
	header http.Header
	body   []byte
}

func newWebhookReceiver(t *testing.T) *webhookReceiver {
	t.Helper()
	h := &webhookReceiver{}
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

// messages returns the messages of an event type.
func (h *webhookReceiver) messages(event string) []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.got), func(m message) bool { return m.header.Get("X-Versioner-Event") != event })
}
