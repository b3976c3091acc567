package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
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
	require.Zero(t, api.Count(t, "deployment_request_versions WHERE is_open"))
	api.Exec(t, `WITH r AS (
			INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
			SELECT v.account_id, gen_random_uuid(), 'r', '', CASE WHEN n <= 499 THEN 'approved' WHEN n <= 700 THEN 'completed' ELSE 'cancelled' END, true, gen_random_uuid(), 'Ada', now(), now()
			FROM versions AS v, generate_series(1, 900) AS n RETURNING account_id, id)
		INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
		SELECT r.account_id, r.id, v.product_id, v.id FROM r, versions AS v`) // as servers of the former version leave them: all of them are open

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

// TestStartsReadOpenRequests starts a deployment of a version that thousands of requests have named, which are completed or cancelled.
func TestStartsReadOpenRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	closed := make([]string, 2)
	for i, action := range []string{"complete", "cancel"} {
		path := created(t, api, "/deployment-requests/", fmt.Sprintf(`{"name":"r","environment_ids":[%q]}`, event.Field(t, "environment_id")))
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id"))).Status)
		require.Equal(t, "approved", api.As(t, "admin", http.MethodPost, path+"/activate", "").Field(t, "status"))
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, path+"/"+action, "").Status)
		closed[i] = strings.TrimPrefix(path, "/deployment-requests/")
	}
	require.Zero(t, api.Count(t, "deployment_request_versions WHERE is_open"))
	api.Exec(t, fmt.Sprintf(`CREATE TEMPORARY TABLE copies AS SELECT r.*, gen_random_uuid() AS copy FROM deployment_requests AS r, generate_series(1, 5000) AS n WHERE r.id = '%s';
		INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
		SELECT account_id, copy, name, '', status, gate, created_by, created_by_name, created_at, updated_at FROM copies;
		INSERT INTO deployment_request_versions SELECT v.account_id, c.copy, v.product_id, v.version_id, v.is_open FROM copies AS c, deployment_request_versions AS v WHERE v.request_id = c.id;
		INSERT INTO deployment_request_environments SELECT e.account_id, c.copy, e.environment_id, e.requested_at FROM copies AS c, deployment_request_environments AS e WHERE e.request_id = c.id;
		ANALYZE`, closed[0]))
	open := created(t, api, "/deployment-requests/", fmt.Sprintf(`{"name":"open","environment_ids":[%q]}`, event.Field(t, "environment_id")))
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, open+"/versions", fmt.Sprintf(`{"version_id":%q}`, event.Field(t, "version_id"))).Status)

	config, err := pgx.ParseConfig(api.DSN)
	require.NoError(t, err)
	config.RuntimeParams["join_collapse_limit"], config.RuntimeParams["from_collapse_limit"] = "1", "1" // as in the connections of events
	config.RuntimeParams["enable_hashjoin"], config.RuntimeParams["enable_mergejoin"], config.RuntimeParams["enable_seqscan"] = "off", "off", "off"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	plans := &planner{Conn: conn, t: t}
	var account uuid.UUID
	api.Scan(t, "SELECT account_id FROM deployments", &account)
	rows, err := dbgen.New(plans).ListFactRequests(t.Context(), dbgen.ListFactRequestsParams{
		AccountIDs: []uuid.UUID{account}, ProductNames: []string{"checkout"}, EnvironmentNames: []string{"production"}, Versions: []string{"1.4.2"},
	})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, "open", rows[0].Name)
	for _, table := range []string{"deployment_request_versions", "deployment_request_environments", "deployment_requests"} {
		require.LessOrEqual(t, plans.plan.read(table), 1.0, "%s: %+v", table, plans.plan)
	}
}

// TestRequestsOfAnEnvironment pages through the requests of an environment. Some were inserted by servers of the former version, some are deleted, and
// several were created at one time.
func TestRequestsOfAnEnvironment(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	environment, other := newEnvironment(t, api), strings.TrimPrefix(created(t, api, "/environments/", `{"name":"third"}`), "/environments/")
	for range 2 {
		created(t, api, "/deployment-requests/", `{"name":"of none"}`)
	}
	api.Exec(t, fmt.Sprintf(`WITH r AS (
			INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at, deleted_at)
			SELECT a.id, gen_random_uuid(), 'request ' || n, '', CASE WHEN n %% 5 = 0 THEN 'approved' ELSE 'completed' END, false, gen_random_uuid(), 'Ada',
				now() - make_interval(mins => n / 3), now(), CASE WHEN n %% 7 = 0 THEN now() END
			FROM accounts AS a, generate_series(1, 120) AS n WHERE a.id = (SELECT account_id FROM environments WHERE id = '%[1]s') RETURNING account_id, id, created_at)
		INSERT INTO deployment_request_environments (account_id, request_id, environment_id, requested_at)
		SELECT account_id, id, e, CASE WHEN (row_number() OVER ()) %% 4 > 0 THEN created_at END FROM r, unnest('{%[1]s, %[2]s}'::uuid[]) AS e WHERE e = '%[1]s' OR right(r.id::text, 1) < '4'`,
		environment, other))
	for filter, where := range map[string]string{"": "", "&status=approved": "AND r.status = 'approved'", "&q=request%201": "AND r.name LIKE 'request 1%'"} {
		for _, id := range []string{environment, other} {
			var want, got []string
			api.Scan(t, fmt.Sprintf(`SELECT coalesce(array_agg(r.id::text ORDER BY r.created_at DESC, r.id DESC), '{}') FROM deployment_requests AS r
				WHERE r.deleted_at IS NULL %s AND r.id IN (SELECT request_id FROM deployment_request_environments WHERE environment_id = '%s')`, where, id), &want)
			require.NotEmpty(t, want)
			for path := "/deployment-requests/?limit=7&environment_id=" + id + filter; path != ""; {
				page := api.As(t, "viewer", http.MethodGet, path, "")
				for _, item := range items(t, page) {
					got = append(got, item["id"].(string))
				}
				cursor, _ := page.Field(t, "next_cursor").(string)
				path = ""
				if cursor != "" {
					path = "/deployment-requests/?limit=7&environment_id=" + id + filter + "&cursor=" + cursor
				}
			}
			require.Equal(t, want, got, "%s", filter)
		}
	}
}
