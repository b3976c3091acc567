package examples_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestExamples sends the request of each example and compares each response with its example.
func TestExamples(t *testing.T) {
	t.Parallel()
	scenario := newScenario(t)
	for _, current := range steps() {
		scenario.runStep(t, current, func() { scenario.request(t, current) })
	}

	callback := find(scenario.spec, "createNotificationChannel").Callbacks["message"].Value.Value("{$request.body#/config/url}").Post
	message := scenario.spec.Components.Schemas["WebhookMessage"].Value.Example
	delivered := scenario.webhook.messages("deployment.failed")
	require.NotEmpty(t, delivered)
	for _, got := range delivered {
		var body any
		require.NoError(t, json.Unmarshal(got.body, &body))
		require.NoError(t, scenario.compare("webhook", message, body))
		for _, header := range callback.Parameters {
			require.True(t, !header.Value.Required || got.header.Get(header.Value.Name) != "", header.Value.Name)
		}
	}
}

// TestExamplesAreComplete requires an example for each request, response and parameter, and a step for each example.
func TestExamplesAreComplete(t *testing.T) {
	t.Parallel()
	document := specification(t, testapi.New(t))
	require.NoError(t, document.Validate(t.Context()), "examples are as their schemas say")
	var found []step
	for _, op := range operations(document) {
		for _, name := range op.examples() {
			found = append(found, step{operation: op.OperationID, example: name})
			_, response := op.success()
			if len(response.Content) > 0 {
				require.NotNil(t, exampleOf(response.Content, name), "%s %s", op.OperationID, name)
			}
			if op.RequestBody != nil {
				require.NotNil(t, op.requestExample(name), "%s %s", op.OperationID, name)
			}
		}
		for _, param := range op.params {
			require.NotNil(t, param.Value.Example, "%s %s", op.OperationID, param.Value.Name)
		}
	}
	require.ElementsMatch(t, found, steps())
	for name, response := range document.Components.Responses {
		if len(response.Value.Content) == 0 {
			continue // NotModified
		}
		require.NotNil(t, exampleOf(response.Value.Content, ""), name)
	}
}

// TestParameterExamples sends the example of each parameter to each list that has it. All are accepted, and each finds at least
// one object in at least one list.
func TestParameterExamples(t *testing.T) {
	t.Parallel()
	scenario := newScenario(t)
	for _, current := range steps() {
		if current.operation == "deleteNotificationPreference" {
			break // the steps that follow delete objects
		}
		scenario.runStep(t, current, func() { scenario.request(t, current) })
	}
	release := scenario.toServerIDs(find(scenario.spec, "createRelease").example(t, "id"))
	scenario.api.Exec(t, "UPDATE releases SET status = 'draft' WHERE id = '"+release+"'")

	scenario.api.Exec(t, "UPDATE deployment_rules SET mode = 'enabled'")

	found := make(map[string]bool)
	for _, op := range sampled(scenario.spec) {
		if op.scheme() == feedScheme {
			continue // its parameters are those of listDeploymentCalendar
		}
		for _, reference := range op.params {
			param := reference.Value
			if param.In != openapi3.ParameterInQuery || param.Name == "cursor" { // a cursor is valid for one list of one server
				continue
			}
			path, _, _ := strings.Cut(op.target(), "?")
			answer := scenario.getAs(t, scenario.Token, scenario.toServerIDs(path+"?"+param.Name+"="+url.QueryEscape(text(param.Example))))
			require.Equal(t, http.StatusOK, answer.Status, "%s %s: %s", op.OperationID, param.Name, answer.Body)
			items, _ := answer.Field(t, "items").([]any)
			found[param.Name] = found[param.Name] || len(items) > 0
		}
	}
	require.NotEmpty(t, found)
	for name, finds := range found {
		require.True(t, finds, "%s finds nothing", name)
	}
}

// TestHeaderExamples sends the examples of the headers Idempotency-Key and If-Match.
func TestHeaderExamples(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	document := specification(t, api)
	send := func(method, path, body, header string) testapi.Answer {
		request := api.Request(t, method, path, []byte(body))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		request.Header.Set(document.Components.Parameters[header].Value.Name, text(document.Components.Parameters[header].Value.Example))
		return api.Do(t, request)
	}
	made := send(http.MethodPost, "/products/", `{"name":"payments"}`, "IdempotencyKey")
	require.Equal(t, http.StatusCreated, made.Status)
	require.Equal(t, string(made.Body), string(send(http.MethodPost, "/products/", `{"name":"payments"}`, "IdempotencyKey").Body))
	changed := send(http.MethodPatch, "/products/"+made.Field(t, "id").(string), `{"description":"x"}`, "IfMatch")
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
}

// TestErrorExamples provokes each error response of the document and compares it with its example.
func TestErrorExamples(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	document := specification(t, api)
	build := find(document, "createBuildEvent").requestExample("").(map[string]any)
	api.PostEvent(t, "/build-events/", build)
	other := maps.Clone(build)
	other["scm_sha"] = "c3a1f6e0b7d24985ac61e7f3d0982b5e4f7a6c18"
	conflicting, err := json.Marshal(other)
	require.NoError(t, err)
	admin := func(method, path, body string, header ...string) testapi.Answer {
		request := api.Request(t, method, path, []byte(body))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		return api.Do(t, request)
	}
	product := "/products/" + items(t, admin(http.MethodGet, "/products/", ""))[0]["id"].(string)

	answers := map[string]testapi.Answer{
		"BadRequest":           api.Post(t, "/deployment-events/", `{"product_name"`),
		"Unauthorized":         api.Get(t, "/products/"),
		"Forbidden":            api.As(t, "viewer", http.MethodPost, "/products/", `{"name":"x"}`),
		"NotFound":             admin(http.MethodGet, "/products/01a1f44d-55e8-7b5b-b04b-7095f117bbe8", ""),
		"Conflict":             admin(http.MethodPost, "/products/", `{"name":"checkout"}`),
		"VersionConflict":      api.Post(t, "/build-events/", string(conflicting)),
		"PreconditionFailed":   admin(http.MethodPatch, product, `{"description":"x"}`, "If-Match", `"77"`),
		"UnsupportedMediaType": admin(http.MethodPost, "/products/", "name=x", "Content-Type", "application/x-www-form-urlencoded"),
		"UnprocessableEntity":  api.Post(t, "/deployment-events/", `{"version":"1.4.2","status":"completed"}`),
		"TooManyRequests":      exceedRateLimit(t),
	}
	api.Exec(t, "DELETE FROM goose_db_version WHERE version_id > 0")
	answers["ServiceUnavailable"] = api.Get(t, "/health/ready")
	for name, response := range document.Components.Responses {
		switch name {
		case "BuildRecorded": // no error; a step of the scenario
		case "NotModified": // no error, and without a body
		case "DeploymentBlocked", "DeploymentFrozen", "DeploymentPrecondition": // TestRejectionExamples
		case "InternalServerError": // no request provokes it; the tests of httpapi do
		default:
			require.NotZero(t, answers[name].Status, "nothing provokes %s", name)
			want, err := json.Marshal(exampleOf(response.Value.Content, ""))
			require.NoError(t, err)
			require.JSONEq(t, string(want), seconds.ReplaceAllString(string(answers[name].Body), "in 60 seconds"), name)
		}
	}
}

var seconds = regexp.MustCompile(`in \d+ seconds`)

// exceedRateLimit returns the response to a request above the rate limit of a key.
func exceedRateLimit(t *testing.T) testapi.Answer {
	t.Helper()
	api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 1}))
	const event = `{"product_name":"a","version":"1","environment_name":"b","status":"started"}`
	require.Equal(t, http.StatusOK, api.Post(t, "/deployment-events/", event).Status)
	return api.Post(t, "/deployment-events/", event)
}

func items(t *testing.T, answer testapi.Answer) []map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	require.NoError(t, json.Unmarshal(answer.Body, &page))
	return page.Items
}
