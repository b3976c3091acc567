package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func TestBacktestOfARule(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "staging", "version": "1", "status": "completed"}))
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "production", "version": "1", "status": "completed"}))
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "production", "version": "2", "status": "completed"}))
	rule := created(t, api, rulesPath, `{"name":"Staging first","rule_type":"flow","mode":"disabled","scope":{"environments":["PRODUCTION"]},"flow":{"prerequisites":["staging"]}}`)
	answer := api.As(t, "sre", http.MethodPost, rule+"/backtest", `{"days":1}`)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.InEpsilon(t, 2.0, answer.Field(t, "evaluated"), 0)
	require.InEpsilon(t, 1.0, answer.Field(t, "would_block"), 0)
	item := items(t, answer)[0]
	require.Equal(t, "2", item["version"])
	require.Equal(t, "FLOW_VIOLATION", item["code"])
	require.Equal(t, "production", item["environment"])
	require.Zero(t, api.Count(t, "rule_violations"), "nothing is changed")

	approval := created(t, api, rulesPath, `{"name":"QA","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"]},"mode":"report_only"}`)
	require.InEpsilon(t, 3.0, api.As(t, "sre", http.MethodPost, approval+"/backtest", `{}`).Field(t, "unknown"), 0, "before approvals were recorded")

	for _, days := range []string{"0", "181", "-1", "1.5", `"30"`, "null"} {
		require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPost, rule+"/backtest", `{"days":`+days+`}`).Status, days)
	}
	require.Equal(t, http.StatusForbidden, api.As(t, "developer", http.MethodPost, rule+"/backtest", `{}`).Status)
}

// TestBacktestReadsBoundedRequests has more requests than a backtest reads: the starts of the older version are unknown, those of the newer one are not.
func TestBacktestReadsBoundedRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	old := newRequest(t, api, "qa")
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "production", "version": "2.0.0", "status": "completed", "invoke_id": "new"}))
	rule := created(t, api, rulesPath, `{"name":"Requests","rule_type":"deployment_request_required","mode":"report_only","deployment_request_required":{}}`)
	api.Exec(t, "UPDATE deployment_requests SET created_at = created_at - interval '1 day'")
	run := func() (evaluated, unknown any) {
		answer := api.As(t, "sre", http.MethodPost, rule+"/backtest", `{}`)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		return answer.Field(t, "evaluated"), answer.Field(t, "unknown")
	}
	evaluated, unknown := run()
	require.Equal(t, []any{2.0, 0.0}, []any{evaluated, unknown})
	api.Exec(t, `WITH copies AS (
			INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
			SELECT account_id, gen_random_uuid(), name, '', 'draft', false, created_by, created_by_name, created_at, updated_at
			FROM deployment_requests, generate_series(1, 50000) WHERE id = '`+strings.TrimPrefix(old.path, "/deployment-requests/")+`' RETURNING account_id, id
		) INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
		SELECT c.account_id, c.id, v.product_id, v.version_id FROM copies AS c CROSS JOIN deployment_request_versions AS v`)
	evaluated, unknown = run()
	require.Equal(t, []any{1.0, 1.0}, []any{evaluated, unknown})
}

func TestDeploymentCalendar(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	created(t, api, rulesPath, scheduleRule("Freeze", "payments"))
	created(t, api, rulesPath, `{"name":"Fridays","rule_type":"schedule","mode":"report_only","scope":{"environment_types":["production"]},
		"schedule":{"timezone":"Europe/Berlin","windows":[{"name":"evening","effect":"deny","start":"2026-12-04T16:00","end":"2026-12-04T23:00","rrule":"FREQ=WEEKLY;BYDAY=FR","exdates":["2026-12-11"]}]}}`)
	disabled := created(t, api, rulesPath, strings.Replace(scheduleRule("Draft", "payments"), `"rule_type"`, `"mode":"disabled","rule_type"`, 1))
	draft := disabled[strings.LastIndex(disabled, "/")+1:]
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "live", "product_name": "payments"}))
	list := func(query string) (starts []string) {
		answer := api.As(t, "viewer", http.MethodGet, "/deployment-calendar/?from=2026-12-01T00:00:00Z&until=2026-12-26T00:00:00Z"+query, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		for _, item := range items(t, answer) {
			starts = append(starts, item["rule_name"].(string)+" "+item["starts_at"].(string))
		}
		return starts
	}
	freeze, fridays := "Freeze 2026-12-18T18:00:00Z", []string{"Fridays 2026-12-04T15:00:00Z", "Fridays 2026-12-18T15:00:00Z", "Fridays 2026-12-25T15:00:00Z"}
	require.Equal(t, []string{fridays[0], fridays[1], freeze, fridays[2]}, list(""))
	require.Equal(t, []string{fridays[0], fridays[1], freeze, fridays[2]}, list("&product=payments&environment=live"))
	require.Equal(t, fridays, list("&product=other"))
	require.Equal(t, []string{freeze}, list("&product=PAYMENTS&environment=unknown"))
	require.Equal(t, []string{"Draft 2026-12-18T18:00:00Z"}, list("&rule_id="+draft), "one rule is listed even if it is disabled")
	require.Empty(t, list("&product=other&rule_id="+draft), "filters are combined")
	require.Empty(t, list("&rule_id="+uuid.NewString()))
	for query, want := range map[string]int{
		"from=2026-12-01T00:00:00Z&until=2026-12-01T00:00:00Z": http.StatusUnprocessableEntity, "from=2026-12-02T00:00:00Z&until=2026-12-01T00:00:00Z": http.StatusUnprocessableEntity,
		"from=2026-01-01T00:00:00Z&until=2027-02-06T00:00:00Z": http.StatusUnprocessableEntity, "from=tomorrow": http.StatusUnprocessableEntity, "until=2001-01-01T00:00:00Z": http.StatusOK,
		"from=9999-12-01T00:00:00Z": http.StatusOK, "from=0001-01-01T00:00:00Z": http.StatusOK, "limit=1": http.StatusUnprocessableEntity, "rule_id=Draft": http.StatusUnprocessableEntity,
	} {
		answer := api.As(t, "viewer", http.MethodGet, "/deployment-calendar/?"+query, "")
		require.Equal(t, want, answer.Status, "%s: %s", query, answer.Body)
	}
}
