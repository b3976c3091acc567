package requests_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// TestDeployedRequestsAreCompleted deploys the version of a request to its environments, one after another.
func TestDeployedRequestsAreCompleted(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	deploy := func(environment, status string) testapi.Answer {
		return api.PostEvent(t, "/deployment-events/", map[string]any{
			"product_name": "checkout", "version": "1.4.2", "environment_name": environment, "status": status, "invoke_id": uuid.NewString(),
		})
	}
	send := func(method, path, body string) testapi.Answer {
		answer := api.As(t, "admin", method, path, body)
		require.Less(t, answer.Status, 300, "%s %s: %s", method, path, answer.Body)
		return answer
	}
	staging, production := deploy("staging", "completed"), deploy("production", "started")
	path := "/deployment-requests/" + send(http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":"r","environment_ids":[%q,%q],"steps":[{"phase":"post","title":"Watch it"}]}`,
		staging.Field(t, "environment_id"), production.Field(t, "environment_id"))).Field(t, "id").(string)
	send(http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, staging.Field(t, "version_id")))
	send(http.MethodPost, path+"/activate", "")
	requireStatus := func(status, message string) {
		t.Helper()
		require.NoError(t, requests.Requests{DB: api.Pool.DB}.CompleteDeployed(t.Context(), time.Now()))
		require.Equal(t, status, send(http.MethodGet, path, "").Field(t, "status"), message)
	}

	deploy("production", "completed")
	requireStatus("approved", "the version was in staging before the activation, and a step is open")
	deploy("staging", "completed")
	requireStatus("approved", "a step is open")
	steps, ok := send(http.MethodGet, path+"/steps", "").Field(t, "items").([]any)
	require.True(t, ok)
	send(http.MethodPost, path+"/steps/"+steps[0].(map[string]any)["id"].(string)+"/complete", "")
	requireStatus("completed", "everywhere, with its steps")
	require.Equal(t, 1, api.Count(t, "deployment_request_activity WHERE action = 'complete' AND actor_id IS NULL AND actor_name IS NULL"))
	requireStatus("completed", "once")
	require.Equal(t, 1, api.Count(t, "audit_log WHERE action = 'deployment_request.complete'"))
}

// TestRequestsCountDeploymentsBeforeTheirActivation deploys the version of a request to its environments, to some of them before the request is
// activated.
func TestRequestsCountDeploymentsBeforeTheirActivation(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for name, c := range map[string]struct {
		before, since []string // the environments
		want          string
		isReplaced    bool // by another version in production, before the activation
	}{
		"ReplacedBefore":        {before: []string{"production"}, since: []string{"staging"}, want: "approved", isReplaced: true},
		"ReplacedAndAgain":      {before: []string{"production"}, since: []string{"staging", "production"}, want: "completed", isReplaced: true},
		"OneBefore":             {before: []string{"staging"}, since: []string{"production"}, want: "completed"},
		"OneBeforeAndAgain":     {before: []string{"staging"}, since: []string{"staging"}, want: "approved"},
		"NoneSince":             {before: []string{"staging", "production"}, since: nil, want: "approved"},
		"OneOfAllAgain":         {before: []string{"staging", "production"}, since: []string{"staging"}, want: "approved"},
		"AllAgain":              {before: []string{"staging", "production"}, since: []string{"staging", "production"}, want: "completed"},
		"AllSince":              {before: nil, since: []string{"production", "staging"}, want: "completed"},
		"OneBeforeAndAllSince":  {before: []string{"production"}, since: []string{"production", "staging"}, want: "completed"},
		"OneSinceAndNoneBefore": {before: nil, since: []string{"production"}, want: "approved"},
	} {
		send := func(method, path, body string) testapi.Answer {
			answer := api.As(t, "admin", method, path, body)
			require.Less(t, answer.Status, 300, "%s: %s %s: %s", name, method, path, answer.Body)
			return answer
		}
		deployVersion := func(version, environment, status string) testapi.Answer {
			return api.PostEvent(t, "/deployment-events/", map[string]any{
				"product_name": name, "version": version, "environment_name": environment, "status": status, "invoke_id": uuid.NewString(),
			})
		}
		deploy := func(environment, status string) testapi.Answer { return deployVersion("1", environment, status) }
		staging, production := deploy("staging", "failed"), deploy("production", "failed")
		path := "/deployment-requests/" + send(http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":%q,"environment_ids":[%q,%q]}`,
			name, staging.Field(t, "environment_id"), production.Field(t, "environment_id"))).Field(t, "id").(string)
		send(http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, staging.Field(t, "version_id")))
		for _, environment := range c.before {
			deploy(environment, "completed")
		}
		if c.isReplaced {
			deployVersion("0", "production", "completed")
		}
		send(http.MethodPost, path+"/activate", "")
		for _, environment := range c.since {
			deploy(environment, "completed")
		}
		require.NoError(t, requests.Requests{DB: api.Pool.DB}.CompleteDeployed(t.Context(), time.Now()))
		require.Equal(t, c.want, send(http.MethodGet, path, "").Field(t, "status"), name)
	}
}
