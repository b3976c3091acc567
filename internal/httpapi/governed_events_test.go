package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// awaitGovernance waits until starts are evaluated, with starts of a product of its own, which it ends.
func awaitGovernance(t *testing.T, api *testapi.API) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		probe := map[string]any{"product_name": "probe", "version": strconv.FormatInt(time.Now().UnixNano(), 10), "environment_name": "sandbox", "status": "started"}
		answer := api.PostEvent(t, deploymentEvents, probe)
		probe["status"] = "failed"
		api.PostEvent(t, deploymentEvents, probe)
		if metadata, _ := answer.Field(t, "extra_metadata").(map[string]any); metadata["preflight_status"] != nil {
			return
		}
		require.Less(t, time.Since(begun), 5*time.Second, "no rule is evaluated")
	}
}

func concurrencyRule(per string) string {
	return `{"name":"One at a time","rule_type":"concurrency","concurrency":{"max_in_progress":1,"per":"` + per + `","stale_after_minutes":60}}`
}

// TestSecondAttemptOfARun starts a run again while its first attempt hangs: it is not blocked by itself, as another run is.
func TestSecondAttemptOfARun(t *testing.T) {
	t.Parallel()
	for _, per := range []string{"product_environment", "product", "environment", "scope"} {
		t.Run(per, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			created(t, api, rulesPath, concurrencyRule(per))
			awaitGovernance(t, api)
			attempt := func(number int) map[string]any {
				return map[string]any{"invoke_id": "run", "extra_metadata": map[string]any{"vi_gh_run_attempt": number}}
			}
			first := start(t, api, "1", attempt(1))
			require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
			second := start(t, api, "1", attempt(2))
			require.Equal(t, http.StatusOK, second.Status, "%s", second.Body)
			require.NotEqual(t, first.Field(t, "id"), second.Field(t, "id"))

			other := start(t, api, "2", map[string]any{"invoke_id": "another run"})
			require.Equal(t, http.StatusConflict, other.Status, "%s", other.Body)
			require.Equal(t, "DEPLOYMENT_IN_PROGRESS", other.Field(t, "code"))
			retry, err := time.Parse(time.RFC3339, other.Field(t, "retry_after").(string))
			require.NoError(t, err)
			require.Greater(t, retry, time.Now(), "once the deployment in progress is stale")
			end := attempt(2)
			end["status"] = "completed"
			require.Equal(t, http.StatusOK, start(t, api, "1", end).Status)
			stale := attempt(1)
			stale["status"] = "aborted"
			require.Equal(t, http.StatusOK, start(t, api, "1", stale).Status)
			require.Equal(t, http.StatusOK, start(t, api, "2", map[string]any{"invoke_id": "another run"}).Status, "nothing is in progress")
		})
	}
}

// TestChangedNamesAndTypes starts deployments that no rule applies to, until the environment or product gets another name or type: from then on,
// rules apply, with all that they depend on.
func TestChangedNamesAndTypes(t *testing.T) {
	t.Parallel()
	all := []string{
		concurrencyRule("product_environment"),
		`{"name":"QA","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"]}}`,
		`{"name":"Staging first","rule_type":"flow","flow":{"prerequisites":["staging"]}}`,
	}
	for name, c := range map[string]struct {
		scope, object, patch string
		rules                []string
		status               int // of a version that no rule lets pass
	}{
		"TypeOfEnvironment": {`{"environment_types":["production"]}`, "environment_id", `{"type":"production"}`, all, http.StatusPreconditionRequired},
		"NameOfEnvironment": {`{"environments":["live"]}`, "environment_id", `{"name":"Live"}`, all, http.StatusPreconditionRequired},
		"NameOfProduct":     {`{"products":["store"]}`, "product_id", `{"name":"store"}`, all, http.StatusPreconditionRequired},
		"ConcurrencyAlone":  {`{"environments":["live"]}`, "environment_id", `{"name":"Live"}`, all[:1], http.StatusConflict},
		"OfManyProducts":    {`{"environments":["live"]}`, "environment_id", `{"name":"Live"}`, []string{concurrencyRule("environment")}, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			inScope := `{"scope":` + c.scope + `,`
			for _, rule := range c.rules {
				created(t, api, rulesPath, inScope+rule[1:])
			}
			awaitGovernance(t, api)
			begin := func(version, environment string) testapi.Answer {
				return start(t, api, version, map[string]any{"environment_name": environment, "invoke_id": version})
			}
			end := func(version, environment string) {
				answer := start(t, api, version, map[string]any{"environment_name": environment, "invoke_id": version, "status": "completed"})
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			}
			for _, version := range []string{"1", "2", "3"} {
				end(version, "staging")
				answer := begin(version, "playground")
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
				approve(t, api, "qa", answer.Field(t, "version_id").(string), `{"approval_type":"qa","decision":"approved"}`)
			}
			end("2", "playground")
			last := begin("4", "playground")
			require.Equal(t, http.StatusOK, last.Status, "%s", last.Body)
			object := "/" + strings.TrimSuffix(c.object, "_id") + "s/" + last.Field(t, c.object).(string)
			changed := api.As(t, "admin", http.MethodPatch, object, c.patch)
			require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)

			answer := begin("2 again", "playground")
			require.Equal(t, c.status, answer.Status, "%s", answer.Body)
			require.InDelta(t, len(c.rules), answer.Field(t, "details").(map[string]any)["violations_total"], 0, "%s", answer.Body)
			for _, version := range []string{"1", "3", "4"} {
				answer := start(t, api, "2", map[string]any{"environment_name": "playground", "invoke_id": "again"})
				require.Equal(t, http.StatusConflict, answer.Status, "it completed in staging and is approved: %s", answer.Body)
				end(version, "playground")
			}
			answer = start(t, api, "2", map[string]any{"environment_name": "playground", "invoke_id": "again"})
			require.Equal(t, http.StatusOK, answer.Status, "nothing is in progress: %s", answer.Body)
		})
	}
}

// TestRenamesAndStartsDoNotDeadlock renames a product while a start under rules creates a product of that name.
func TestRenamesAndStartsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	const rounds = 40
	api := testapi.New(t)
	created(t, api, rulesPath, concurrencyRule("scope"))
	awaitGovernance(t, api)
	product := created(t, api, "/products/", `{"name":"shop"}`)
	for round := range rounds {
		name := fmt.Sprintf("shop %d", round)
		var group sync.WaitGroup
		group.Go(func() {
			answer := start(t, api, "1", map[string]any{"product_name": name, "invoke_id": name})
			assert.Contains(t, []int{http.StatusOK, http.StatusConflict}, answer.Status, "%s", answer.Body)
		})
		group.Go(func() {
			answer := api.As(t, "admin", http.MethodPatch, product, `{"name":"`+name+`"}`)
			assert.Contains(t, []int{http.StatusOK, http.StatusConflict}, answer.Status, "%s", answer.Body)
		})
		group.Wait()
	}
	const statistics = "pg_stat_database WHERE datname = current_database() AND "
	require.Eventually(t, func() bool { return api.Count(t, statistics+"xact_commit > "+strconv.Itoa(rounds)) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, api.Count(t, statistics+"deadlocks > 0"))
}

// TestDeletedObjectsOccupyNothing deletes a product, or an environment, with a deployment in progress, which then does not count any more.
func TestDeletedObjectsOccupyNothing(t *testing.T) {
	t.Parallel()
	for per, object := range map[string]string{"environment": "product_id", "product": "environment_id"} {
		t.Run(per, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			created(t, api, rulesPath, concurrencyRule(per))
			awaitGovernance(t, api)
			first := start(t, api, "1", map[string]any{"product_name": "former", "environment_name": "former"})
			require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
			next := map[string]any{"product_name": "former", "environment_name": "former", "invoke_id": "next"}
			next[strings.TrimSuffix(object, "_id")+"_name"] = "other"
			require.Equal(t, http.StatusConflict, start(t, api, "1", next).Status)
			deleted := api.As(t, "admin", http.MethodDelete, "/"+strings.TrimSuffix(object, "_id")+"s/"+first.Field(t, object).(string), "")
			require.Equal(t, http.StatusNoContent, deleted.Status, "%s", deleted.Body)
			answer := start(t, api, "1", next)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		})
	}
}

// TestEndsAreRecordedWhateverRulesSay reports each final status, and a plan, in a freeze: without a start, after one that was rejected, and of
// one that was admitted before the freeze began.
func TestEndsAreRecordedWhateverRulesSay(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	admitted := make(map[string]string)
	finals := []string{"completed", "failed", "aborted"}
	for _, status := range finals {
		answer := start(t, api, "admitted "+status, nil)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		admitted[status] = answer.Field(t, "id").(string)
	}
	govern(t, api, freezeNow())
	for _, status := range finals {
		end := map[string]any{"status": status}
		alone := start(t, api, "alone "+status, end)
		require.Equal(t, http.StatusOK, alone.Status, "%s", alone.Body)

		rejected := start(t, api, "rejected "+status, nil)
		require.Equal(t, http.StatusLocked, rejected.Status, "%s", rejected.Body)
		attempt := rejected.Field(t, "details").(map[string]any)["attempt_id"]
		ended := start(t, api, "rejected "+status, end)
		require.Equal(t, http.StatusOK, ended.Status, "%s", ended.Body)
		require.NotEqual(t, attempt, ended.Field(t, "id"))
		require.Equal(t, true, ended.Field(t, "extra_metadata").(map[string]any)["preflight_status"].(map[string]any)["after_rejection"])
		one := api.As(t, "viewer", http.MethodGet, "/deployments/"+ended.Field(t, "id").(string), "")
		require.Equal(t, attempt, one.Field(t, "previous_attempt_id"))
		require.Equal(t, "preflight_failed", api.As(t, "viewer", http.MethodGet, "/deployments/"+attempt.(string), "").Field(t, "status"))

		finished := start(t, api, "admitted "+status, end)
		require.Equal(t, http.StatusOK, finished.Status, "%s", finished.Body)
		require.Equal(t, admitted[status], finished.Field(t, "id"), "a window that begins stops nothing that is in progress")
		require.Equal(t, status, finished.Field(t, "status"))
	}
	require.Equal(t, http.StatusOK, start(t, api, "planned", map[string]any{"status": "pending"}).Status)
}

// TestBacktestsFindWhatWasBlocked starts and ends deployments under rules of each type and mode. A backtest of each rule finds exactly the
// starts at which the rule was violated, whether it blocked them, reported them or was one of several.
func TestBacktestsFindWhatWasBlocked(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	now := time.Now().UTC()
	local := func(at time.Time) string { return at.Format("2006-01-02T15:04") }
	rules := map[string]string{
		"Freeze of payments": created(t, api, rulesPath, fmt.Sprintf(`{"name":"Freeze of payments","rule_type":"schedule","scope":{"products":["payments"]},
			"schedule":{"timezone":"UTC","windows":[{"name":"w","effect":"deny","start":%q,"end":%q}]}}`, local(now.Add(-time.Hour)), local(now.Add(time.Hour)))),
		"Staging first": created(t, api, rulesPath, `{"name":"Staging first","rule_type":"flow","scope":{"environments":["production"]},"flow":{"prerequisites":["staging"]}}`),
		"An hour in staging": created(t, api, rulesPath, `{"name":"An hour in staging","rule_type":"flow","mode":"report_only","scope":{"environments":["production"]},
			"flow":{"prerequisites":["staging"],"min_soak_minutes":60}}`),
		"One at a time": created(t, api, rulesPath, concurrencyRule("product_environment")),
		"Two in an environment": created(t, api, rulesPath, `{"name":"Two in an environment","rule_type":"concurrency","mode":"report_only","scope":{"environments":["qa"]},
			"concurrency":{"max_in_progress":2,"per":"environment"}}`),
		"QA": created(t, api, rulesPath, `{"name":"QA","rule_type":"version_approval_required","mode":"report_only","scope":{"environments":["production"],"products":["shop"]},
			"version_approval_required":{"required_approvals":["qa"]}}`),
	}
	awaitGovernance(t, api)
	build := api.PostEvent(t, builds, map[string]any{"product_name": "library", "version": "1"})
	approve(t, api, "qa", build.Field(t, "version_id").(string), `{"approval_type":"qa","decision":"approved"}`) // before the first one, approvals are unknown
	statuses := make(map[int]int)
	begin := func(product, version, environment, run string) (isAdmitted bool) {
		answer := start(t, api, version, map[string]any{"product_name": product, "environment_name": environment, "invoke_id": run})
		statuses[answer.Status]++
		return answer.Status == http.StatusOK
	}
	end := func(product, version, environment, run, status string) {
		answer := start(t, api, version, map[string]any{"product_name": product, "environment_name": environment, "invoke_id": run, "status": status})
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	}
	for _, product := range []string{"shop", "payments", "search"} {
		for i, version := range []string{"1", "2", "3", "4", "5"} {
			if i%2 == 0 && begin(product, version, "staging", "staging "+version) { // the others go to production at once
				end(product, version, "staging", "staging "+version, "completed")
			}
			if product == "shop" && version == "3" {
				answer := api.As(t, "viewer", http.MethodGet, "/versions/?product="+product+"&limit=1", "")
				approve(t, api, "qa", items(t, answer)[0]["id"].(string), `{"approval_type":"qa","decision":"approved"}`)
			}
			isAdmitted := begin(product, version, "production", version)
			begin(product, version, "production", "another run with "+version)
			if isAdmitted && version != "3" { // it hangs
				end(product, version, "production", version, "completed")
			}
		}
	}
	for _, one := range []struct {
		product string
		attempt int
	}{{"shop", 1}, {"search", 1}, {"library", 2}, {"shop", 2}, {"search", 1}, {"mail", 1}} { // attempts of one run, which hang
		answer := start(t, api, "1", map[string]any{
			"product_name": one.product, "environment_name": "qa", "invoke_id": "monorepo", "extra_metadata": map[string]any{"vi_gh_run_attempt": one.attempt},
		})
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	}
	for _, status := range []int{http.StatusOK, http.StatusLocked, http.StatusPreconditionRequired, http.StatusConflict} {
		require.NotZero(t, statuses[status], "the scenario has no answer with %d: %v", status, statuses)
	}

	for name, rule := range rules {
		violated := make(map[string]string) // the code, by deployment
		answer := api.As(t, "viewer", http.MethodGet, "/deployment-rules/violations?limit=200&rule="+rule[len(rulesPath):], "")
		for _, violation := range items(t, answer) {
			violated[violation["deployment_id"].(string)] = violation["code"].(string)
		}
		require.NotEmpty(t, violated, name)
		backtest := api.As(t, "sre", http.MethodPost, rule+"/backtest", `{"days":1}`)
		found := make(map[string]string)
		for _, item := range items(t, backtest) {
			found[item["deployment_id"].(string)] = item["code"].(string)
		}
		require.Equal(t, violated, found, "%s: %s", name, backtest.Body)
		require.EqualValues(t, len(found), backtest.Field(t, "would_block"))
	}
}

// TestOneBacktestAtATime runs backtests of an account at once, and holds the first one in the database.
func TestOneBacktestAtATime(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	api.PostEvent(t, deploymentEvents, deployment(nil))
	rule := created(t, api, rulesPath, `{"name":"Staging first","rule_type":"flow","flow":{"prerequisites":["staging"]}}`)
	other := created(t, api, rulesPath, concurrencyRule("product"))
	run := func(rule string) testapi.Answer {
		return api.As(t, "sre", http.MethodPost, rule+"/backtest", `{"days":1}`)
	}

	conn, err := pgx.Connect(t.Context(), api.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE version_approvals IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	answered := make(chan testapi.Answer, 1)
	go func() { answered <- run(rule) }()
	require.Eventually(t, func() bool {
		var waiting int
		api.Scan(t, "SELECT count(*) FROM pg_locks WHERE relation = 'version_approvals'::regclass AND NOT granted", &waiting)
		return waiting == 1
	}, 5*time.Second, 10*time.Millisecond, "the backtest does not run")

	second := run(other)
	require.Equal(t, http.StatusTooManyRequests, second.Status, "%s", second.Body)
	require.NotEmpty(t, second.Header.Get("Retry-After"))
	require.NoError(t, tx.Rollback(t.Context()))
	first := <-answered
	require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
	require.Equal(t, http.StatusOK, run(other).Status, "the first one has ended")
}
