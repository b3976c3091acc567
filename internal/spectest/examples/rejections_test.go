package examples_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestRejectionExamples creates rules that block a start, and compares the answers with the examples of the document, but for times and for
// the details that these leave out.
func TestRejectionExamples(t *testing.T) {
	t.Parallel()
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format("2006-01-02") }
	for name, test := range map[string]struct {
		status int
		rule   string
		before []map[string]any // events that are recorded
	}{
		"DeploymentBlocked": {
			status: http.StatusConflict,
			rule:   `{"name":"One at a time","rule_type":"concurrency","mode":"enabled","concurrency":{"max_in_progress":1,"per":"product_environment"}}`,
			before: []map[string]any{{"version": "1.4.1", "status": "started", "invoke_id": "1", "deployed_by_name": "Ada Lovelace"}},
		},
		"DeploymentFrozen": {
			status: http.StatusLocked,
			rule: fmt.Sprintf(`{"name":"Holiday freeze","rule_type":"schedule","mode":"enabled","schedule":{"timezone":"UTC","windows":[
				{"name":"xmas","effect":"deny","start":"%sT00:00","end":"%sT00:00"}]}}`, day(-1), day(2)),
		},
		"DeploymentPrecondition": {
			status: http.StatusPreconditionRequired,
			rule:   `{"name":"Staging first","rule_type":"flow","mode":"enabled","scope":{"environments":["production"]},"flow":{"prerequisites":["staging"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			rule := api.As(t, "admin", http.MethodPost, "/deployment-rules/", test.rule)
			require.Equal(t, http.StatusCreated, rule.Status, "%s", rule.Body)
			start := func(event map[string]any) testapi.Answer {
				event["product_name"], event["environment_name"] = "checkout", "production"
				body, err := json.Marshal(event)
				require.NoError(t, err)
				return api.Post(t, "/deployment-events/", string(body))
			}
			for _, event := range test.before {
				require.Equal(t, http.StatusOK, start(event).Status)
			}
			answer := start(map[string]any{"version": "1.4.2", "status": "started", "invoke_id": "2"})
			require.Equal(t, test.status, answer.Status, "%s", answer.Body)

			want, isObject := exampleOf(specification(t, api).Components.Responses[name].Value.Content, "").(map[string]any)
			require.True(t, isObject)
			var found map[string]any
			require.NoError(t, json.Unmarshal(answer.Body, &found))
			requireRejection(t, want, found)
			requireRejection(t, want["detail"].(map[string]any), found["detail"].(map[string]any))
		})
	}
}

var until = regexp.MustCompile(` until \d{4}-\d\d-\d\d \d\d:\d\d [A-Z]+`)

func requireRejection(t *testing.T, want, found map[string]any) {
	t.Helper()
	for _, name := range []string{"error", "message", "code"} {
		require.Equal(t, until.ReplaceAllString(want[name].(string), ""), until.ReplaceAllString(found[name].(string), ""), name)
	}
	require.Equal(t, want["retry_after"] != nil, found["retry_after"] != nil)
	require.Equal(t, want["details"].(map[string]any)["rule_name"], found["details"].(map[string]any)["rule_name"])
}
