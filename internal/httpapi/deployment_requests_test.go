package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// requestUnderTest is a deployment request that a product owner has created for a deployed version.
type requestUnderTest struct {
	api  *testapi.API
	path string
}

// newRequest creates a draft with a version, an environment and the slots.
func newRequest(t *testing.T, api *testapi.API, slots ...string) requestUnderTest {
	t.Helper()
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	list := make([]string, len(slots))
	for i, slot := range slots {
		list[i] = fmt.Sprintf(`{"approval_type":%q}`, slot)
	}
	answer := api.As(t, "product", http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":"r","environment_ids":[%q],"approvals":[%s]}`,
		event.Field(t, "environment_id"), strings.Join(list, ",")))
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	r := requestUnderTest{api: api, path: "/deployment-requests/" + answer.Field(t, "id").(string)}
	r.require(t, http.StatusOK, "product", "/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id")))
	return r
}

func (r requestUnderTest) require(t *testing.T, status int, role, path, body string) testapi.Answer {
	t.Helper()
	answer := r.api.As(t, role, http.MethodPost, r.path+path, body)
	require.Equal(t, status, answer.Status, "%s as %s: %s", path, role, answer.Body)
	return answer
}

func (r requestUnderTest) get(t *testing.T) testapi.Answer {
	t.Helper()
	return r.api.As(t, "viewer", http.MethodGet, r.path, "")
}

// slot returns the path of the slot of a type.
func (r requestUnderTest) slot(t *testing.T, approvalType string) string {
	t.Helper()
	for _, slot := range items(t, r.api.As(t, "viewer", http.MethodGet, r.path+"/approvals", "")) {
		if slot["approval_type"] == approvalType {
			return "/approvals/" + slot["id"].(string)
		}
	}
	require.Fail(t, "no slot", approvalType)
	return ""
}

const (
	agreed   = `{"activation":1}`
	declined = `{"activation":1,"comments":"It is broken"}`
)

func TestDeploymentRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api, "qa_engineer", "security")
	qa, security := r.slot(t, "qa"), r.slot(t, "security")

	tag := r.get(t).Header.Get("ETag")
	r.require(t, http.StatusOK, "sre", "/comments", `{"text":"After the campaign"}`)
	require.NotEqual(t, tag, r.get(t).Header.Get("ETag"), "changes of parts change the tag")
	r.require(t, http.StatusConflict, "qa", qa+"/approve", agreed)
	require.Equal(t, "in_progress", r.require(t, http.StatusOK, "product", "/activate", "").Field(t, "status"))
	require.Equal(t, http.StatusConflict, api.As(t, "product", http.MethodDelete, r.path, "").Status, "in a draft only")
	r.require(t, http.StatusConflict, "product", "/steps", `{"phase":"pre","title":"Announce it"}`)
	r.require(t, http.StatusOK, "product", "/steps", `{"phase":"post","title":"Watch it"}`)
	r.require(t, http.StatusConflict, "product", "/approvals", `{"approval_type":"uat"}`)
	r.require(t, http.StatusOK, "product", "/approvals", `{"approval_type":"uat","required":false}`)
	r.require(t, http.StatusConflict, "product", "/approvals", `{"approval_type":"product","required":false}`)

	r.require(t, http.StatusOK, "qa", qa+"/approve", agreed)
	r.require(t, http.StatusUnprocessableEntity, "qa", qa+"/reject", agreed)
	r.require(t, http.StatusOK, "qa", qa+"/reject", declined)
	require.Equal(t, "rejected", r.get(t).Field(t, "status"))
	r.require(t, http.StatusConflict, "security", security+"/approve", agreed)
	r.require(t, http.StatusForbidden, "security", qa+"/reset", agreed)
	r.require(t, http.StatusOK, "qa", qa+"/reset", agreed)
	require.Equal(t, "in_progress", r.get(t).Field(t, "status"))
	r.require(t, http.StatusOK, "qa", qa+"/approve", agreed)
	r.require(t, http.StatusOK, "security", security+"/approve", agreed)
	answer := r.get(t)
	require.Equal(t, "approved", answer.Field(t, "status"))
	require.Empty(t, answer.Field(t, "open_approvals"))

	require.Equal(t, "draft", r.require(t, http.StatusOK, "product", "/deactivate", "").Field(t, "status"))
	r.require(t, http.StatusPreconditionFailed, "qa", qa+"/approve", agreed)
	r.require(t, http.StatusOK, "product", "/activate", "")
	require.ElementsMatch(t, []any{"qa", "security"}, r.get(t).Field(t, "open_approvals"), "decisions are void")
	r.require(t, http.StatusPreconditionFailed, "qa", qa+"/approve", agreed)
	r.require(t, http.StatusOK, "qa", qa+"/approve", `{"activation":2}`)
	r.require(t, http.StatusOK, "security", security+"/approve", `{"activation":2}`)
	require.Equal(t, "completed", r.require(t, http.StatusOK, "product", "/complete", "").Field(t, "status"))
	r.require(t, http.StatusConflict, "product", "/cancel", "")

	activity := items(t, api.As(t, "viewer", http.MethodGet, r.path+"/activity?limit=200", ""))
	require.Equal(t, "complete", activity[0]["action"])
	require.Equal(t, "create", activity[len(activity)-1]["action"])
	require.Len(t, activity, api.Count(t, "audit_log WHERE object_type = 'deployment_request'"), "each change is in both")
	require.Error(t, api.TryExec(t, "SET ROLE versioner_app; UPDATE deployment_request_activity SET action = ''"), "it is append-only")
}

// TestRejectionOfAnOptionalSlot is reset by those who may do that, and not by removing the slot.
func TestRejectionOfAnOptionalSlot(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api, "security")
	r.require(t, http.StatusOK, "product", "/approvals", `{"approval_type":"qa","required":false}`)
	r.require(t, http.StatusOK, "product", "/activate", "")
	qa, security := r.slot(t, "qa"), r.slot(t, "security")
	remove := func() testapi.Answer { return api.As(t, "product", http.MethodDelete, r.path+qa, "") }
	for _, status := range []string{"in_progress", "approved"} {
		r.require(t, http.StatusOK, "qa", qa+"/reject", declined)
		require.Equal(t, status, r.get(t).Field(t, "status"))
		answer := remove()
		require.Equal(t, http.StatusConflict, answer.Status, "%s", answer.Body)
		require.Contains(t, string(answer.Body), "reset it before")
		r.require(t, http.StatusForbidden, "security", qa+"/reset", agreed)
		require.Equal(t, "pending", r.require(t, http.StatusOK, "qa", qa+"/reset", agreed).Field(t, "status"))
		require.Equal(t, status, r.get(t).Field(t, "status"))
		r.require(t, http.StatusConflict, "admin", qa+"/reset", agreed)
		r.require(t, http.StatusOK, "security", security+"/approve", agreed)
	}
	require.Equal(t, http.StatusNoContent, remove().Status)
}

func TestDeploymentRequestIsActivatedWithVersionsAndEnvironments(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	path := created(t, api, "/deployment-requests/", `{"name":"r"}`)
	require.Contains(t, string(api.As(t, "admin", http.MethodPost, path+"/activate", "").Body), "has no versions")
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id"))).Status)
	require.Contains(t, string(api.As(t, "admin", http.MethodPost, path+"/activate", "").Body), "has no environments")
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPatch, path, `{"environment_ids":["`+uuid.NewString()+`"]}`).Status)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, path, fmt.Sprintf(`{"environment_ids":[%q]}`, event.Field(t, "environment_id"))).Status)
	revision := api.Count(t, "governance_state WHERE revision > 1")
	require.Equal(t, "approved", api.As(t, "admin", http.MethodPost, path+"/activate", "").Field(t, "status"), "without required slots")
	require.Zero(t, revision, "drafts do not matter to starts of deployments")
	require.Equal(t, 1, api.Count(t, "governance_state WHERE revision > 1"))
	require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPatch, path, fmt.Sprintf(`{"environment_ids":[%q]}`, newEnvironment(t, api))).Status)
	require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPatch, path, `{"gate":false}`).Status)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, path, `{"name":"another","gate":true}`).Status, "the gate is as it was")
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, path+"/deactivate", "").Status)
	require.Equal(t, false, api.As(t, "admin", http.MethodPatch, path, `{"gate":false}`).Field(t, "gate"))
}

// TestRejectedRequestStillBlocks lets a developer, whose request was rejected, try to start its deployment without the approval.
func TestRejectedRequestStillBlocks(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	created := api.As(t, "developer", http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":"r","environment_ids":[%q],
		"approvals":[{"approval_type":"qa"}]}`, event.Field(t, "environment_id")))
	path := "/deployment-requests/" + created.Field(t, "id").(string)
	require.Equal(t, http.StatusOK, api.As(t, "developer", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id"))).Status)
	require.Equal(t, http.StatusOK, api.As(t, "developer", http.MethodPost, path+"/activate", "").Status)
	slot := items(t, api.As(t, "qa", http.MethodGet, path+"/approvals", ""))[0]["id"].(string)
	require.Equal(t, http.StatusOK, api.As(t, "qa", http.MethodPost, path+"/approvals/"+slot+"/reject", `{"activation":1,"comments":"not tested"}`).Status)

	answer := api.As(t, "developer", http.MethodPatch, path, `{"gate":false}`)
	require.Equal(t, http.StatusConflict, answer.Status, "%s", answer.Body)
	require.Equal(t, http.StatusPreconditionRequired, start(t, api, "1.4.2", map[string]any{"product_name": "checkout"}).Status)
}

// TestRequestsOfOneVersion has as many open requests as may name a version. Those that are deleted, completed or cancelled do not count.
func TestRequestsOfOneVersion(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	add := func(path string) testapi.Answer {
		return api.As(t, "admin", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id")))
	}
	deleted := created(t, api, "/deployment-requests/", `{"name":"deleted"}`)
	require.Equal(t, http.StatusOK, add(deleted).Status)
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, deleted, "").Status)
	require.Zero(t, api.Count(t, "deployment_request_versions"))
	api.Exec(t, `WITH r AS (
			INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
			SELECT v.account_id, gen_random_uuid(), 'r', '', CASE WHEN n <= 499 THEN 'approved' WHEN n <= 700 THEN 'completed' ELSE 'cancelled' END, true, gen_random_uuid(), 'Ada', now(), now()
			FROM versions AS v, generate_series(1, 900) AS n RETURNING account_id, id)
		INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
		SELECT r.account_id, r.id, v.product_id, v.id FROM r, versions AS v`)

	last := created(t, api, "/deployment-requests/", `{"name":"last"}`)
	require.Equal(t, http.StatusOK, add(last).Status)
	require.Equal(t, http.StatusOK, add(last).Status, "it is in the request already")
	answer := add(created(t, api, "/deployment-requests/", `{"name":"too many"}`))
	require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
	require.Contains(t, string(answer.Body), "500 open deployment requests name the version")
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, last+"/cancel", "").Status)
	require.Equal(t, http.StatusOK, add(created(t, api, "/deployment-requests/", `{"name":"again"}`)).Status)
}

func newEnvironment(t *testing.T, api *testapi.API) string {
	t.Helper()
	return strings.TrimPrefix(created(t, api, "/environments/", `{"name":"other"}`), "/environments/")
}

// TestApproversOfRequests lets users of all roles decide about slots of all types.
func TestApproversOfRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	approvers := map[string]string{
		"uat": "product", "qa": "qa", "performance": "qa sre", "security": "security", "code_review": "developer", "compliance": "compliance", "release_manager": "",
	}
	types := make([]string, 0, len(approvers))
	for approvalType := range approvers {
		types = append(types, approvalType)
	}
	r := newRequest(t, api, types...)
	r.require(t, http.StatusOK, "admin", "/activate", "")
	api.Exec(t, "UPDATE deployment_requests SET created_by = gen_random_uuid(), activated_by = gen_random_uuid()")
	for approvalType, roles := range approvers {
		for _, role := range []string{"admin", "release_manager", "developer", "sre", "product", "qa", "security", "compliance", "viewer"} {
			want := http.StatusForbidden
			if strings.Contains(" admin release_manager "+roles+" ", " "+role+" ") {
				want = http.StatusOK
			}
			r.require(t, want, role, r.slot(t, approvalType)+"/approve", agreed)
		}
	}
	require.Equal(t, "approved", r.get(t).Field(t, "status"))
}

func TestRequestersMayNotApproveUnlessTheSettingsPermitIt(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api, "uat", "release_manager")
	r.require(t, http.StatusOK, "admin", "/activate", "")
	r.require(t, http.StatusForbidden, "product", r.slot(t, "uat")+"/approve", agreed)
	r.require(t, http.StatusForbidden, "product", r.slot(t, "uat")+"/reject", declined)
	r.require(t, http.StatusForbidden, "admin", r.slot(t, "release_manager")+"/approve", agreed)
	r.require(t, http.StatusOK, "release_manager", r.slot(t, "release_manager")+"/approve", agreed)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/governance-settings", `{"requester_may_approve":true}`).Status)
	r.require(t, http.StatusOK, "product", r.slot(t, "uat")+"/approve", agreed)
	require.Equal(t, "approved", r.get(t).Field(t, "status"))
	request := api.Request(t, http.MethodPost, r.path+r.slot(t, "uat")+"/approve", []byte(agreed))
	request.Header.Set("Authorization", "Bearer "+api.Key)
	require.Equal(t, http.StatusForbidden, api.Do(t, request).Status, "users only")
}

func TestConcurrentDecisionsLeaveOneInASlot(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for range 5 {
		r := newRequest(t, api, "qa")
		slot := r.slot(t, "qa")
		activations := make([]int, 4)
		var group sync.WaitGroup
		for i := range activations {
			group.Go(func() { activations[i] = api.As(t, "product", http.MethodPost, r.path+"/activate", "").Status })
		}
		group.Wait()
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict, http.StatusConflict, http.StatusConflict}, activations)

		group.Go(func() { api.As(t, "qa", http.MethodPost, r.path+slot+"/approve", agreed) })
		group.Go(func() { api.As(t, "admin", http.MethodPost, r.path+slot+"/reject", declined) })
		group.Wait()
		decided := items(t, api.As(t, "viewer", http.MethodGet, r.path+"/approvals", ""))[0]
		require.Equal(t, "rejected", decided["status"], "it is the last one, or an approval of a rejected request is refused")
		require.Equal(t, "rejected", r.get(t).Field(t, "status"))
	}
}

func TestLargeDeploymentRequest(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	api.Exec(t, `INSERT INTO products (account_id, id, name, created_at, updated_at) SELECT a.id, gen_random_uuid(), 'p' || n, now(), now() FROM accounts a, generate_series(1, 200) n;
		INSERT INTO versions (account_id, id, product_id, version, created_at) SELECT account_id, gen_random_uuid(), id, '1', now() FROM products WHERE name LIKE 'p%';
		INSERT INTO environments (account_id, id, name, type, created_at, updated_at) SELECT a.id, gen_random_uuid(), 'e' || n, 'other', now(), now() FROM accounts a, generate_series(1, 50) n`)
	var environments []string
	api.Scan(t, "SELECT array_agg(id::text) FROM environments WHERE name LIKE 'e%'", &environments)
	path := created(t, api, "/deployment-requests/", `{"name":"large","environment_ids":["`+strings.Join(environments, `","`)+`"]}`)
	api.Exec(t, `INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
		SELECT v.account_id, r.id, v.product_id, v.id FROM versions v JOIN products p ON p.id = v.product_id AND p.name LIKE 'p%' JOIN deployment_requests r ON r.account_id = v.account_id`)
	tooMany := api.As(t, "admin", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id")))
	require.Equal(t, http.StatusUnprocessableEntity, tooMany.Status, "%s", tooMany.Body)
	answer := api.As(t, "admin", http.MethodPost, path+"/activate", "")
	require.InDelta(t, 200, answer.Field(t, "version_count"), 0)
	require.Len(t, answer.Field(t, "environments"), 50)
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPost, "/deployment-requests/",
		`{"name":"r","environment_ids":["`+strings.Join(append(environments, uuid.NewString()), `","`)+`"]}`).Status)
}

func TestDeploymentRequestTemplates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	environment := newEnvironment(t, api)
	gone := strings.TrimPrefix(created(t, api, "/environments/", `{"name":"gone"}`), "/environments/")
	template := created(t, api, "/deployment-request-templates/", fmt.Sprintf(`{"name":"Production","description":"d","environment_ids":[%q,%q],
		"approvals":[{"approval_type":"product"},{"approval_type":"qa","required":false}],"steps":[{"phase":"post","title":" Watch it "}],"gate":false}`, environment, gone))
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/environments/"+gone, "").Status)
	id := strings.TrimPrefix(template, "/deployment-request-templates/")
	request := created(t, api, "/deployment-requests/", `{"name":"r","template_id":"`+id+`","gate":true}`)
	answer := api.As(t, "viewer", http.MethodGet, request, "")
	require.Equal(t, "d", answer.Field(t, "description"))
	require.Equal(t, true, answer.Field(t, "gate"), "the body's")
	require.Equal(t, []any{map[string]any{"id": environment, "name": "other"}}, answer.Field(t, "environments"), "without deleted ones")
	require.Equal(t, []any{"uat"}, answer.Field(t, "open_approvals"))
	require.Equal(t, "Watch it", items(t, api.As(t, "viewer", http.MethodGet, request+"/steps", ""))[0]["title"])
	twice := api.As(t, "admin", http.MethodPost, "/deployment-requests/", `{"name":"r","approvals":[{"approval_type":"qa"},{"approval_type":"qa_engineer"}]}`)
	require.Equal(t, http.StatusUnprocessableEntity, twice.Status)
	require.Contains(t, string(twice.Body), `["body","approvals",1,"approval_type"]`)
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, template, "").Status)
	require.Equal(t, http.StatusOK, api.As(t, "viewer", http.MethodGet, request, "").Status, "copies stay")
}
