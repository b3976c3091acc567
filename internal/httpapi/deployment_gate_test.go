package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const requestsPath = "/deployment-requests/"

// gatedVersion makes a version of the product shop and the environment production, and returns their identifiers.
func gatedVersion(t *testing.T, api *testapi.API, version string) (versionID, environmentID string) {
	t.Helper()
	answer := start(t, api, version, map[string]any{"environment_name": "staging"})
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	other := api.Post(t, "/deployment-events/", `{"product_name":"other","version":"1","environment_name":"production","status":"completed"}`)
	return answer.Field(t, "version_id").(string), other.Field(t, "environment_id").(string)
}

// requestOf makes a request of a developer that names a version and an environment, with more members.
func requestOf(t *testing.T, api *testapi.API, name, versionID, environmentID, more string) string {
	t.Helper()
	answer := api.As(t, "developer", http.MethodPost, requestsPath, fmt.Sprintf(`{"name":%q,"environment_ids":[%q]%s}`, name, environmentID, more))
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	path := requestsPath + answer.Field(t, "id").(string)
	added := api.As(t, "developer", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, versionID))
	require.Less(t, added.Status, 300, "%s", added.Body)
	return path
}

// act does something to a request, which must be possible.
func act(t *testing.T, api *testapi.API, role, path, body string) testapi.Answer {
	t.Helper()
	answer := api.As(t, role, http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
	return answer
}

// slotsOf returns the paths of the slots of a request by their types.
func slotsOf(t *testing.T, api *testapi.API, path string) map[string]string {
	t.Helper()
	slots := make(map[string]string)
	for _, item := range api.As(t, "viewer", http.MethodGet, path+"/approvals", "").Field(t, "items").([]any) {
		slot := item.(map[string]any)
		slots[slot["approval_type"].(string)] = path + "/approvals/" + slot["id"].(string)
	}
	return slots
}

// rejectedBy requires that a start is blocked for want of an approval, and returns the details.
func rejectedBy(t *testing.T, answer testapi.Answer, reason string) map[string]any {
	t.Helper()
	require.Equal(t, http.StatusPreconditionRequired, answer.Status, "%s", answer.Body)
	require.Equal(t, "APPROVAL_REQUIRED", answer.Field(t, "code"))
	details := answer.Field(t, "details").(map[string]any)
	require.Equal(t, reason, details["reason"], "%s", answer.Body)
	return details
}

// TestGateOfARequest blocks the versions of an active request without any rule, and no others.
func TestGateOfARequest(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	versionID, production := gatedVersion(t, api, "1.0")
	path := requestOf(t, api, "Release 1.0", versionID, production, `,"approvals":[{"approval_type":"qa"}]`)
	admitted := start(t, api, "1.0", map[string]any{"invoke_id": "draft"})
	require.Equal(t, http.StatusOK, admitted.Status, "a draft blocks nothing: %s", admitted.Body)
	act(t, api, "developer", path+"/activate", "")
	require.Eventually(t, func() bool {
		return start(t, api, "1.0", map[string]any{"invoke_id": time.Now().String()}).Status != http.StatusOK
	}, time.Second, 10*time.Millisecond, "the first gate of an account applies within a second")

	details := rejectedBy(t, start(t, api, "1.0", nil), "approvals_missing")
	require.Nil(t, details["rule_id"])
	require.Equal(t, `Deployment request "Release 1.0"`, details["rule_name"])
	require.Equal(t, path, requestsPath+details["deployment_request_id"].(string))
	require.Equal(t, []any{"qa"}, details["missing_approvals"])
	asked := api.As(t, "viewer", http.MethodPost, "/preflight/", `{"product_name":"shop","version":"1.0","environment_name":"production"}`)
	require.Equal(t, false, asked.Field(t, "would_allow"), "%s", asked.Body)
	missing := asked.Field(t, "missing_approvals").([]any)[0].(map[string]any)
	require.Equal(t, details["deployment_request_id"], missing["deployment_request_id"])
	require.Nil(t, asked.Field(t, "next_allowed_at"))
	for _, other := range []testapi.Answer{
		start(t, api, "1.0", map[string]any{"environment_name": "staging", "invoke_id": "another environment"}),
		start(t, api, "2.0", map[string]any{"invoke_id": "another version"}),
		api.Post(t, "/deployment-events/", `{"product_name":"other","version":"1.0","environment_name":"production","status":"started"}`),
	} {
		require.Equal(t, http.StatusOK, other.Status, "%s", other.Body)
	}
	end := start(t, api, "1.0", map[string]any{"invoke_id": "draft", "status": "completed"})
	require.Equal(t, http.StatusOK, end.Status, "a deployment that was admitted ends: %s", end.Body)

	qa := slotsOf(t, api, path)["qa"]
	act(t, api, "qa", qa+"/reject", `{"activation":1,"comments":"It crashes."}`)
	rejectedBy(t, start(t, api, "1.0", nil), "rejected")
	act(t, api, "qa", qa+"/reset", `{"activation":1}`)
	rejectedBy(t, start(t, api, "1.0", nil), "approvals_missing")
	act(t, api, "qa", qa+"/approve", `{"activation":1}`)
	passed := start(t, api, "1.0", nil)
	require.Equal(t, http.StatusOK, passed.Status, "%s", passed.Body)
	one := api.As(t, "viewer", http.MethodGet, "/deployments/"+passed.Field(t, "id").(string), "")
	require.Equal(t, path, requestsPath+one.Field(t, "deployment_request_id").(string), "%s", one.Body)
	require.NotNil(t, one.Field(t, "previous_attempt_id"))

	act(t, api, "developer", path+"/deactivate", "")
	act(t, api, "developer", path+"/activate", "")
	rejectedBy(t, start(t, api, "1.0", map[string]any{"invoke_id": "decisions are void"}), "approvals_missing")
	act(t, api, "developer", path+"/cancel", "")
	require.Equal(t, http.StatusOK, start(t, api, "1.0", map[string]any{"invoke_id": "cancelled"}).Status)
	require.Zero(t, api.Count(t, "deployment_rules"))
}

// TestRequiredRequests: a rule passes if one active request names the version and environment, and has its approvals and steps.
func TestRequiredRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	versionID, production := gatedVersion(t, api, "1.0")
	rule := created(t, api, rulesPath, `{"name":"Requests","rule_type":"deployment_request_required","scope":{"environments":["production"]},
		"deployment_request_required":{"required_approvals":["qa"],"approval_timeout_hours":1}}`)
	awaitGovernance(t, api)
	details := rejectedBy(t, start(t, api, "1.0", nil), "no_request")
	require.Nil(t, details["deployment_request_id"])
	require.Equal(t, rule, rulesPath+details["rule_id"].(string))

	// Its gate is off, so that nothing but the rule blocks. It has no slot for qa, so that it does not suffice when it is approved.
	poor := requestOf(t, api, "Without QA", versionID, production, `,"gate":false`)
	rejectedBy(t, start(t, api, "1.0", nil), "not_active")
	require.Equal(t, "approved", act(t, api, "developer", poor+"/activate", "").Field(t, "status"))
	rejectedBy(t, start(t, api, "1.0", nil), "approvals_missing")

	path := requestOf(t, api, "With QA", versionID, production, `,"gate":false,"approvals":[{"approval_type":"qa"},{"approval_type":"uat","required":false}],
		"steps":[{"phase":"pre","title":"Back up"},{"phase":"post","title":"Announce"}]`)
	act(t, api, "developer", path+"/activate", "")
	act(t, api, "qa", slotsOf(t, api, path)["qa"]+"/approve", `{"activation":1}`)
	details = rejectedBy(t, start(t, api, "1.0", nil), "pre_steps_open")
	require.Equal(t, path, requestsPath+details["deployment_request_id"].(string))
	for _, item := range api.As(t, "viewer", http.MethodGet, path+"/steps", "").Field(t, "items").([]any) {
		if step := item.(map[string]any); step["phase"] == "pre" {
			act(t, api, "sre", path+"/steps/"+step["id"].(string)+"/complete", "")
		}
	}
	passed := start(t, api, "1.0", nil)
	require.Equal(t, http.StatusOK, passed.Status, "%s", passed.Body)

	api.Exec(t, "UPDATE deployment_request_approvals SET decided_at = decided_at - interval '61 minutes' WHERE decided_at IS NOT NULL")
	rejectedBy(t, start(t, api, "1.0", map[string]any{"invoke_id": "an hour later"}), "approvals_expired")
	tested := api.As(t, "admin", http.MethodPost, rule+"/backtest", `{"days":1}`)
	require.Equal(t, http.StatusOK, tested.Status, "%s", tested.Body)
	require.NotZero(t, tested.Field(t, "unknown"), "starts before the first request: %s", tested.Body)
	require.NotZero(t, tested.Field(t, "would_block"), "%s", tested.Body)
}
