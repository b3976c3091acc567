package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestChangesOfRequestsByStatus changes parts of requests in each status.
func TestChangesOfRequestsByStatus(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	const ok, conflict = http.StatusOK, http.StatusConflict
	for status, want := range map[string]struct{ steps, name, gate int }{
		"draft":       {ok, ok, ok},
		"in_progress": {ok, ok, conflict},
		"approved":    {ok, ok, conflict},
		"rejected":    {ok, ok, conflict},
		"completed":   {conflict, conflict, conflict},
		"cancelled":   {conflict, conflict, conflict},
	} {
		r := newRequest(t, api, "qa")
		step := func(phase string) string {
			return "/steps/" + r.require(t, ok, "product", "/steps", fmt.Sprintf(`{"phase":%q,"title":"s"}`, phase)).Field(t, "id").(string)
		}
		open, done := []string{step("pre"), step("post")}, []string{step("pre"), step("post")}
		for _, path := range done {
			r.require(t, ok, "sre", path+"/complete", "")
		}
		moves := map[string][]string{
			"in_progress": {"/activate"}, "approved": {"/activate", "/approve"}, "rejected": {"/activate", "/reject"}, "completed": {"/activate", "/approve", "/complete"}, "cancelled": {"/cancel"},
		}
		for _, move := range moves[status] {
			if move == "/approve" || move == "/reject" {
				r.require(t, ok, "qa", r.slot(t, "qa")+move, declined)
				continue
			}
			r.require(t, ok, "product", move, "")
		}
		require.Equal(t, status, r.get(t).Field(t, "status"))
		for i := range open {
			r.require(t, want.steps, "qa", open[i]+"/complete", "")
			r.require(t, want.steps, "qa", done[i]+"/reopen", "")
		}
		for _, found := range items(t, api.As(t, "viewer", http.MethodGet, r.path+"/steps", "")) {
			isDone := slices.Contains(done, "/steps/"+found["id"].(string))
			require.Equal(t, isDone != (want.steps == ok), found["completed_at"] != nil, "%s: %v", status, found)
		}
		r.require(t, ok, "compliance", "/comments", `{"text":"still"}`)
		patch := func(body string) int { return api.As(t, "product", http.MethodPatch, r.path, body).Status }
		require.Equal(t, want.name, patch(`{"name":"renamed"}`), status)
		require.Equal(t, want.gate, patch(`{"gate":false}`), status)
		require.Equal(t, want.gate, patch(`{"name":"both","gate":false,"description":"d"}`), status)
		after := r.get(t)
		require.Equal(t, want.gate == conflict, after.Field(t, "gate"), status)
		name := map[bool]string{want.name == ok: "renamed", want.name != ok: "r", want.gate == ok: "both"}[true]
		require.Equal(t, name, after.Field(t, "name"), status)
	}
}

// TestGateAndCompletionOfALargeRequest blocks and passes a start of the largest request, and completes it when all is deployed.
func TestGateAndCompletionOfALargeRequest(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	api.PostEvent(t, deploymentEvents, deployment(nil))
	api.Exec(t, `INSERT INTO products (account_id, id, name, created_at, updated_at) SELECT a.id, gen_random_uuid(), 'p' || n, now(), now() FROM accounts a, generate_series(1, 200) n;
		INSERT INTO versions (account_id, id, product_id, version, created_at) SELECT account_id, gen_random_uuid(), id, '1', now() FROM products WHERE name LIKE 'p%';
		INSERT INTO environments (account_id, id, name, type, created_at, updated_at) SELECT a.id, gen_random_uuid(), 'e' || n, 'other', now(), now() FROM accounts a, generate_series(1, 50) n;
		INSERT INTO product_names (account_id, name, product_id) SELECT account_id, name, id FROM products WHERE name LIKE 'p%';
		INSERT INTO environment_names (account_id, name, environment_id) SELECT account_id, name, id FROM environments WHERE name LIKE 'e%'`)
	var environments []string
	api.Scan(t, "SELECT array_agg(id::text) FROM environments WHERE name LIKE 'e%'", &environments)
	path := created(t, api, "/deployment-requests/", `{"name":"large","environment_ids":["`+strings.Join(environments, `","`)+`"],"approvals":[{"approval_type":"qa"}]}`)
	api.Exec(t, `INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
		SELECT v.account_id, r.id, v.product_id, v.id FROM versions v JOIN products p ON p.id = v.product_id AND p.name LIKE 'p%' JOIN deployment_requests r ON r.account_id = v.account_id;
		ANALYZE`)
	r := requestUnderTest{api: api, path: path}
	r.require(t, http.StatusOK, "admin", "/activate", "")
	begin := func(product, environment, status, run string) testapi.Answer {
		return start(t, api, "1", map[string]any{"product_name": product, "environment_name": environment, "status": status, "invoke_id": run})
	}
	require.Eventually(t, func() bool { return begin("p1", "e1", "started", uuid.NewString()).Status != http.StatusOK }, 5*time.Second, 10*time.Millisecond)
	rejectedBy(t, begin("p200", "e50", "started", "last"), "approvals_missing")
	r.require(t, http.StatusOK, "qa", r.slot(t, "qa")+"/approve", agreed)
	passed := begin("p200", "e50", "started", "last")
	require.Equal(t, http.StatusOK, passed.Status, "%s", passed.Body)
	api.Exec(t, `INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, completed_at, last_event_at, superseded, overtaken,
			extra_metadata, created_at)
		SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{}', now(), now(), now(), false, false, '{}', now()
		FROM versions v JOIN products p ON p.id = v.product_id AND p.name LIKE 'p%' JOIN environments e ON e.account_id = v.account_id AND e.name LIKE 'e%'
		WHERE (p.name, e.name) <> ('p200', 'e50');
		ANALYZE`)
	complete := func() any {
		require.NoError(t, requests.Requests{DB: api.Pool.DB}.CompleteDeployed(t.Context(), time.Now()))
		return r.get(t).Field(t, "status")
	}
	require.Equal(t, "approved", complete(), "one of 10,000 is not deployed")
	require.Equal(t, http.StatusOK, begin("p200", "e50", "completed", "last").Status)
	require.Equal(t, "completed", complete())
}

// TestRequestsWithDeletedParts deletes environments and products of active requests: what is left of them decides.
func TestRequestsWithDeletedParts(t *testing.T) {
	t.Parallel()
	for _, deleted := range []string{"environment", "product"} {
		t.Run(deleted, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			deploy := func(product, environment, status string) testapi.Answer {
				return start(t, api, "1", map[string]any{"product_name": product, "environment_name": environment, "status": status, "invoke_id": uuid.NewString()})
			}
			// Of the one that is deleted and of the one that stays.
			gone, kept := deploy("shop", "production", "failed"), deploy("store", "staging", "failed")
			member := deleted + "_id"
			target := "/" + deleted + "s/" + gone.Field(t, member).(string)
			goneName, keptName := [2]string{"store", "production"}, [2]string{"store", "staging"}
			if deleted == "product" {
				goneName, keptName = [2]string{"shop", "staging"}, [2]string{"store", "staging"}
			}
			newOne := func(name string) requestUnderTest {
				environments, versions := []testapi.Answer{gone, kept}, []testapi.Answer{kept}
				if deleted == "product" {
					environments, versions = []testapi.Answer{kept}, []testapi.Answer{gone, kept}
				}
				var ids []string
				for _, one := range environments {
					ids = append(ids, one.Field(t, "environment_id").(string))
				}
				r := requestUnderTest{api: api, path: created(t, api, "/deployment-requests/", fmt.Sprintf(`{"name":%q,"environment_ids":["%s"],"approvals":[{"approval_type":"qa"}]}`, name, strings.Join(ids, `","`)))}
				for _, one := range versions {
					r.require(t, http.StatusOK, "admin", "/versions", fmt.Sprintf(`{"version_id":%q}`, one.Field(t, "version_id")))
				}
				return r
			}
			active := newOne("active")
			active.require(t, http.StatusOK, "admin", "/activate", "")
			require.Eventually(t, func() bool { return deploy(keptName[0], keptName[1], "started").Status != http.StatusOK }, 5*time.Second, 10*time.Millisecond)
			rejectedBy(t, deploy(goneName[0], goneName[1], "started"), "approvals_missing")
			draft, onlyGone := newOne("draft"), requestUnderTest{}
			if deleted == "environment" {
				onlyGone = requestUnderTest{api: api, path: created(t, api, "/deployment-requests/", fmt.Sprintf(`{"name":"o","environment_ids":[%q]}`, gone.Field(t, "environment_id")))}
				onlyGone.require(t, http.StatusOK, "admin", "/versions", fmt.Sprintf(`{"version_id":%q}`, kept.Field(t, "version_id")))
			} else {
				onlyGone = requestUnderTest{api: api, path: created(t, api, "/deployment-requests/", fmt.Sprintf(`{"name":"o","environment_ids":[%q]}`, kept.Field(t, "environment_id")))}
				onlyGone.require(t, http.StatusOK, "admin", "/versions", fmt.Sprintf(`{"version_id":%q}`, gone.Field(t, "version_id")))
			}
			require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, target, "").Status)

			again := deploy(goneName[0], goneName[1], "started")
			require.Equal(t, http.StatusOK, again.Status, "it is of another %s, which the request does not name: %s", deleted, again.Body)
			require.NotEqual(t, gone.Field(t, member), again.Field(t, member))
			rejectedBy(t, deploy(keptName[0], keptName[1], "started"), "approvals_missing")
			answer := onlyGone.require(t, http.StatusConflict, "admin", "/activate", "")
			require.Contains(t, string(answer.Body), map[string]string{"environment": "has no environments", "product": "has no versions"}[deleted])
			require.Equal(t, "in_progress", draft.require(t, http.StatusOK, "admin", "/activate", "").Field(t, "status"))
			draft.require(t, http.StatusOK, "admin", "/cancel", "")

			active.require(t, http.StatusOK, "qa", active.slot(t, "qa")+"/approve", agreed)
			require.Equal(t, http.StatusOK, deploy(keptName[0], keptName[1], "started").Status)
			complete := func() any {
				require.NoError(t, requests.Requests{DB: api.Pool.DB}.CompleteDeployed(t.Context(), time.Now()))
				return active.get(t).Field(t, "status")
			}
			require.Equal(t, "approved", complete())
			require.Equal(t, http.StatusOK, deploy(keptName[0], keptName[1], "completed").Status)
			require.Equal(t, "completed", complete())
		})
	}
}

// TestApproversWhoLoseTheirRole keep their decisions, and can neither decide nor reset any more.
func TestApproversWhoLoseTheirRole(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"viewer", "developer"} { // developers decide about other types
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			assign := func(role string) {
				for _, user := range items(t, api.As(t, "admin", http.MethodGet, "/users/", "")) {
					if user["name"] == "qa" {
						require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/users/"+user["id"].(string), fmt.Sprintf(`{"role":%q}`, role)).Status)
					}
				}
			}
			rejected, approved := newRequest(t, api, "qa"), newRequest(t, api, "qa")
			rejected.require(t, http.StatusOK, "product", "/activate", "")
			approved.require(t, http.StatusOK, "product", "/activate", "")
			rejected.require(t, http.StatusOK, "qa", rejected.slot(t, "qa")+"/reject", declined)
			approved.require(t, http.StatusOK, "qa", approved.slot(t, "qa")+"/approve", agreed)
			assign(role)
			rejected.require(t, http.StatusForbidden, "qa", rejected.slot(t, "qa")+"/reset", agreed)
			approved.require(t, http.StatusForbidden, "qa", approved.slot(t, "qa")+"/reject", declined)
			require.Equal(t, "rejected", rejected.get(t).Field(t, "status"))
			require.Equal(t, "approved", approved.get(t).Field(t, "status"), "the decision stays")
			slot := items(t, api.As(t, "viewer", http.MethodGet, approved.path+"/approvals", ""))[0]
			require.Equal(t, "qa", slot["approver_role"])
			assign("qa")
			rejected.require(t, http.StatusOK, "qa", rejected.slot(t, "qa")+"/reset", agreed)
		})
	}
}

// TestDecisionsNeverCountForAnotherActivation deactivates and activates requests again while users decide about them.
func TestDecisionsNeverCountForAnotherActivation(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for round := range 10 {
		r := newRequest(t, api, "qa", "security")
		r.require(t, http.StatusOK, "product", "/activate", "")
		qa, security := r.slot(t, "qa"), r.slot(t, "security")
		var group sync.WaitGroup
		group.Go(func() {
			for _, move := range []string{"/deactivate", "/activate"} {
				if answer := api.As(t, "product", http.MethodPost, r.path+move, ""); answer.Status != http.StatusOK {
					t.Errorf("%s: %s", move, answer.Body)
				}
			}
		})
		for path, body := range map[string]string{qa + "/approve": agreed, security + "/reject": declined} {
			group.Go(func() {
				role := "qa"
				if strings.HasSuffix(path, "reject") {
					role = "security"
				}
				for range 3 {
					answer := api.As(t, role, http.MethodPost, r.path+path, body)
					if answer.Status != http.StatusOK && answer.Status != http.StatusPreconditionFailed && answer.Status != http.StatusConflict {
						t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
					}
				}
			})
		}
		group.Wait()
		request := r.get(t)
		require.Equal(t, "in_progress", request.Field(t, "status"), "round %d", round)
		require.InDelta(t, 2, request.Field(t, "activation"), 0)
		for _, slot := range items(t, api.As(t, "viewer", http.MethodGet, r.path+"/approvals", "")) {
			require.Equal(t, "pending", slot["status"], "round %d", round)
		}
		r.require(t, http.StatusPreconditionFailed, "qa", qa+"/approve", agreed)
	}
}

// TestStartsWaitForDecisions starts deployments while a request is approved, and while its approval becomes a rejection: a start passes only if
// the approval is committed, and never after the rejection.
func TestStartsWaitForDecisions(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	versionID, production := gatedVersion(t, api, "1.0")
	path := requestOf(t, api, "Release 1.0", versionID, production, `,"approvals":[{"approval_type":"qa"}]`)
	act(t, api, "developer", path+"/activate", "")
	qa := slotsOf(t, api, path)["qa"]
	status := func() any {
		return api.As(t, "viewer", http.MethodGet, path+"/approvals", "").Field(t, "items").([]any)[0].(map[string]any)["status"]
	}
	require.Eventually(t, func() bool {
		return start(t, api, "1.0", map[string]any{"invoke_id": uuid.NewString()}).Status != http.StatusOK
	}, 5*time.Second, 10*time.Millisecond)
	for range 10 {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for {
					answer := start(t, api, "1.0", map[string]any{"invoke_id": uuid.NewString()})
					if answer.Status != http.StatusPreconditionRequired {
						if now := status(); answer.Status != http.StatusOK || now != "approved" {
							t.Errorf("a start got %d while the slot was %v: %s", answer.Status, now, answer.Body)
						}
						return
					}
				}
			})
		}
		act(t, api, "qa", qa+"/approve", `{"activation":1}`)
		if answer := start(t, api, "1.0", map[string]any{"invoke_id": uuid.NewString()}); answer.Status != http.StatusOK {
			t.Errorf("a start after the approval got %d: %s", answer.Status, answer.Body)
		}
		group.Wait()

		ended := make(chan struct{})
		for range 2 {
			group.Go(func() {
				for isBlocked := false; ; {
					answer := start(t, api, "1.0", map[string]any{"invoke_id": uuid.NewString()})
					if isBlocked && answer.Status == http.StatusOK {
						t.Errorf("a start passed after another one was blocked")
					}
					isBlocked = isBlocked || answer.Status != http.StatusOK
					select {
					case <-ended:
						return
					default:
					}
				}
			})
		}
		act(t, api, "qa", qa+"/reject", `{"activation":1,"comments":"It crashes."}`)
		rejectedBy(t, start(t, api, "1.0", map[string]any{"invoke_id": uuid.NewString()}), "rejected")
		close(ended)
		group.Wait()
		act(t, api, "qa", qa+"/reset", `{"activation":1}`)
	}
}
