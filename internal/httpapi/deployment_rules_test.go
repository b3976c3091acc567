package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const rulesPath = "/deployment-rules/"

// scheduleRule returns the body of a rule that denies deployments of a product for a week of 2026.
func scheduleRule(name, product string) string {
	return fmt.Sprintf(`{"name":%q,"rule_type":"schedule","scope":{"products":[%q]},"schedule":{"timezone":"UTC","windows":[{"name":"w","effect":"deny","start":"2026-12-18T18:00","end":"2026-12-25T18:00"}]}}`, name, product)
}

// violate records a violation of a rule by a deployment.
func violate(t *testing.T, api *testapi.API, rule, deployment string) {
	t.Helper()
	api.Exec(t, fmt.Sprintf(`INSERT INTO rule_violations (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, clears_at, certain, details,
			deployment_id, product_id, environment_id, version_id)
		SELECT d.account_id, gen_random_uuid(), now(), r.id, r.name, r.rule_type, 'blocked', 'NO_DEPLOY_WINDOW', 'No deployments.', now(), true, '{}', d.id, d.product_id, d.environment_id, d.version_id
		FROM deployments AS d JOIN deployment_rules AS r ON r.account_id = d.account_id WHERE r.id = '%s' AND d.id = '%s'`, rule, deployment))
}

func TestDeploymentRules(t *testing.T) {
	t.Parallel()

	t.Run("AreStoredNormalized", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for body, want := range map[string]string{
			`{"name":" Flow ","rule_type":"flow","flow":{"prerequisites":[" staging "]}}`: `{"name":"Flow","rule_type":"flow","mode":"enabled","priority":100,"rollback":"allow",
				"scope":{"products":[],"environments":[],"environment_types":[]},"flow":{"prerequisites":["staging"],"strict_order":false,"min_soak_minutes":0}}`,
			`{"name":"One","rule_type":"concurrency","mode":"report_only","priority":0,"concurrency":{"max_in_progress":1}}`: `{"name":"One","rule_type":"concurrency","mode":"report_only","priority":0,
				"scope":{"products":[],"environments":[],"environment_types":[]},"concurrency":{"max_in_progress":1,"per":"product_environment","stale_after_minutes":60}}`,
			`{"name":"QA","rule_type":"version_approval_required","rollback":"enforce","version_approval_required":{"required_approvals":["product","qa_engineer"],"approval_timeout_hours":1e1}}`: `{"name":"QA",
				"rule_type":"version_approval_required","mode":"enabled","priority":100,"rollback":"enforce","scope":{"products":[],"environments":[],"environment_types":[]},
				"version_approval_required":{"required_approvals":["uat","qa"],"environment":null,"approval_timeout_hours":10}}`,
			`{"name":"Zone","rule_type":"schedule","schedule":{"timezone":"Europe/Berlin","windows":[{"name":"n","effect":"allow","start":"2026-11-02T09:00","end":"2026-11-02T17:00","rrule":"rrule:freq=weekly;byday=mo"}]}}`: `{"name":"Zone",
				"rule_type":"schedule","mode":"enabled","priority":100,"rollback":"allow","scope":{"products":[],"environments":[],"environment_types":[]},
				"schedule":{"timezone":"Europe/Berlin","windows":[{"name":"n","effect":"allow","start":"2026-11-02T09:00","end":"2026-11-02T17:00","rrule":"FREQ=WEEKLY;BYDAY=MO","exdates":[],"reason":null}]}}`,
		} {
			answer := api.As(t, "sre", http.MethodPost, rulesPath, body)
			require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
			var got, expected map[string]any
			require.NoError(t, json.Unmarshal(answer.Body, &got))
			require.NoError(t, json.Unmarshal([]byte(want), &expected))
			for _, own := range []string{"id", "created_at", "updated_at"} {
				require.NotEmpty(t, got[own])
				delete(got, own)
			}
			require.Equal(t, expected, got)
		}
		require.Equal(t, 4, api.Count(t, "audit_log WHERE action = 'deployment_rule.create'"))
		require.Equal(t, 1, api.Count(t, "governance_state WHERE revision = 5"))
	})

	t.Run("ArePatchedMemberByMember", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		path := created(t, api, rulesPath, scheduleRule("Freeze", "payments"))
		patch := func(body string) testapi.Answer {
			answer := api.As(t, "release_manager", http.MethodPatch, path, body)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			return answer
		}
		require.Equal(t, "disabled", patch(`{"enabled":false}`).Field(t, "mode"))
		require.Equal(t, "report_only", patch(`{"mode":"report_only"}`).Field(t, "mode"))
		require.Equal(t, "enabled", patch(`{"enabled":true}`).Field(t, "mode"))
		changed := patch(`{"scope":{"products":[],"environment_types":["production"]},"schedule":{"timezone":"Europe/Berlin"}}`)
		require.Equal(t, map[string]any{"products": []any{}, "environments": []any{}, "environment_types": []any{"production"}}, changed.Field(t, "scope"))
		schedule := changed.Field(t, "schedule").(map[string]any)
		require.Equal(t, "Europe/Berlin", schedule["timezone"])
		require.Len(t, schedule["windows"], 1, "an absent member stays")
		require.Equal(t, changed.Header.Get("ETag"), patch(`{"priority":100}`).Header.Get("ETag"), "a patch that changes nothing changes nothing")
		require.Equal(t, 1, api.Count(t, "governance_state WHERE revision = 6"))
	})

	t.Run("HaveUniqueNamesIgnoringCase", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		first := created(t, api, rulesPath, scheduleRule("Größe", "payments"))
		second := created(t, api, rulesPath, scheduleRule("other", "payments"))
		require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPatch, second, `{"name":" größe "}`).Status)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, first, `{"name":"größe"}`).Status, "its own name in another case")
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, first, "").Status)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, second, `{"name":"Größe"}`).Status, "the name of a deleted rule is free")
	})

	t.Run("AreAtMost100", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		last := ""
		for i := range 100 {
			last = created(t, api, rulesPath, scheduleRule(fmt.Sprint("r", i), "payments"))
		}
		answer := api.As(t, "admin", http.MethodPost, rulesPath, scheduleRule("more", "payments"))
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
		require.Contains(t, string(answer.Body), "value_error.quota")
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, last, "").Status)
		created(t, api, rulesPath, scheduleRule("more", "payments"))
	})
}

// TestInvalidDeploymentRules sends what no rule may be: every problem is listed, those of the schema and those beyond it.
func TestInvalidDeploymentRules(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	window := func(members string) string {
		return `{"name":"w","effect":"deny","start":"2026-12-18T18:00","end":"2026-12-20T06:00"` + members + `}`
	}
	rule := func(windows ...string) string {
		return `{"name":"r","rule_type":"schedule","schedule":{"timezone":"UTC","windows":[` + strings.Join(windows, ",") + `]}}`
	}
	in := func(members ...any) string {
		text, err := json.Marshal(append([]any{"body"}, members...))
		require.NoError(t, err)
		return string(text)
	}
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"everything at once": {
			`{"name":"  ","rule_type":"schedule","priority":-1,"mode":"on","scope":{"environment_types":["prod"]},"flow":{"prerequisites":[]},
				"schedule":{"timezone":"EST5","windows":[{"name":"w","effect":"deny","start":"2026-12-18T18:00","end":"2026-12-18T18:00","rrule":"FREQ=HOURLY"}]}}`,
			[]string{in("name"), in("priority"), in("mode"), in("scope", "environment_types", 0), in("flow"), in("schedule", "timezone"), in("schedule", "windows", 0, "end"), in("schedule", "windows", 0, "rrule")},
		},
		"the zone Local":             {`{"name":"r","rule_type":"schedule","schedule":{"timezone":"Local","windows":[` + window("") + `]}}`, []string{in("schedule", "timezone")}},
		"an end before the start":    {rule(`{"name":"w","effect":"deny","start":"2026-12-18T18:00","end":"2026-12-18T17:59"}`), []string{in("schedule", "windows", 0, "end")}},
		"a start off its recurrence": {rule(window(`,"rrule":"FREQ=WEEKLY;BYDAY=MO"`)), []string{in("schedule", "windows", 0, "start")}},
		"INTERVAL=0":                 {rule(window(`,"rrule":"FREQ=DAILY;INTERVAL=0"`)), []string{in("schedule", "windows", 0, "rrule")}},
		"COUNT":                      {rule(window(`,"rrule":"FREQ=DAILY;COUNT=3"`)), []string{in("schedule", "windows", 0, "rrule")}},
		"501 windows":                {rule(strings.TrimSuffix(strings.Repeat(window("")+",", 501), ",")), []string{in("schedule", "windows")}},
		"51 recurring windows":       {rule(strings.TrimSuffix(strings.Repeat(window(`,"rrule":"FREQ=WEEKLY"`)+",", 51), ",")), []string{in("schedule", "windows")}},
		"another type's details":     {`{"name":"r","rule_type":"concurrency","concurrency":{"max_in_progress":1},"flow":{"prerequisites":["a"]}}`, []string{in("flow")}},
		"no details":                 {`{"name":"r","rule_type":"concurrency"}`, []string{in("concurrency")}},
		"empty details":              {`{"name":"r","rule_type":"schedule","schedule":{}}`, []string{in("schedule", "timezone"), in("schedule", "timezone"), in("schedule", "windows")}},
		"a rollback of concurrency":  {`{"name":"r","rule_type":"concurrency","rollback":"allow","concurrency":{"max_in_progress":1}}`, []string{in("rollback")}},
		"a negative soak time":       {`{"name":"r","rule_type":"flow","flow":{"prerequisites":["a"],"min_soak_minutes":-1}}`, []string{in("flow", "min_soak_minutes")}},
		"a prerequisite twice":       {`{"name":"r","rule_type":"flow","flow":{"prerequisites":["a","A"]}}`, []string{in("flow", "prerequisites", 1)}},
		"an approval twice":          {`{"name":"r","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa","qa_engineer"]}}`, []string{in("version_approval_required", "required_approvals", 1)}},
		"an unknown member":          {`{"name":"r","rule_type":"flow","flow":{"prerequisites":["a"],"soak":1}}`, []string{in("flow", "soak")}},
		"201 entries": {`{"name":"r","rule_type":"flow","flow":{"prerequisites":["a"]},"scope":{"products":[` + strings.TrimSuffix(strings.Repeat(`"p",`, 101), ",") + `],"environments":[` +
			strings.TrimSuffix(strings.Repeat(`"e",`, 100), ",") + `]}}`, []string{in("scope")}},
		"a timeout of a request": {`{"name":"r","rule_type":"deployment_request_required","deployment_request_required":{"required_approvals":[],"approval_timeout_hours":0}}`, []string{in("deployment_request_required", "approval_timeout_hours")}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := api.As(t, "admin", http.MethodPost, rulesPath, c.body)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s", answer.Body)
			require.ElementsMatch(t, c.want, locs(t, answer), "%s", answer.Body)
		})
	}
	require.Equal(t, http.StatusBadRequest, api.As(t, "admin", http.MethodPost, rulesPath, `{"name":"a\u0000","rule_type":"flow"`).Status)
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPost, rulesPath, rule(window(`,"reason":"a\u0000"`))).Status)
	require.Zero(t, api.Count(t, "deployment_rules"))

	path := created(t, api, rulesPath, scheduleRule("Freeze", "payments"))
	for body, want := range map[string]string{
		`{"enabled":true,"mode":"disabled"}`:          in("enabled"),
		`{"rule_type":"flow"}`:                        in("rule_type"),
		`{"flow":{"prerequisites":["a"]}}`:            in("flow"),
		`{"schedule":{"timezone":"EST5"}}`:            in("schedule", "timezone"),
		`{"schedule":{"windows":[]}}`:                 in("schedule", "windows"),
		`{"schedule":null}`:                           in("schedule"),
		`{"name":"` + strings.Repeat("x", 101) + `"}`: in("name"),
	} {
		answer := api.As(t, "admin", http.MethodPatch, path, body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.Equal(t, []string{want}, locs(t, answer), body)
	}
	require.Equal(t, 1, api.Count(t, "deployment_rules WHERE revision = 1"))
}

// TestLargestDeploymentRule creates a rule that has as many windows, recurrences and exceptions as a rule may have.
func TestLargestDeploymentRule(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	exdates := make([]string, 0, 100)
	for day := range 100 {
		exdates = append(exdates, time.Date(2026, 12, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	windows := make([]map[string]any, 0, 500)
	for i := range 500 {
		window := map[string]any{"name": strings.Repeat("n", 100), "effect": "deny", "start": "2026-11-30T00:00", "end": "2026-12-31T00:00", "reason": strings.Repeat("r", 500)}
		if i < 50 {
			window["rrule"], window["exdates"] = "FREQ=DAILY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU", exdates
		}
		windows = append(windows, window)
	}
	create := func(name, mode string) testapi.Answer {
		body, err := json.Marshal(map[string]any{"name": name, "rule_type": "schedule", "mode": mode, "schedule": map[string]any{"timezone": "America/New_York", "windows": windows}})
		require.NoError(t, err)
		return api.As(t, "admin", http.MethodPost, rulesPath, string(body))
	}
	for _, name := range []string{"one", "two", "three"} {
		answer := create(name, "enabled")
		require.Equal(t, http.StatusCreated, answer.Status, "%.300s", answer.Body)
	}
	require.Equal(t, http.StatusOK, api.As(t, "viewer", http.MethodGet, rulesPath, "").Status)

	tooMany := create("four", "report_only")
	require.Equal(t, http.StatusUnprocessableEntity, tooMany.Status, "%.300s", tooMany.Body)
	require.Contains(t, string(tooMany.Body), "at most 50000 windows in 400 days")
	disabled := create("four", "disabled")
	require.Equal(t, http.StatusCreated, disabled.Status, "%.300s", disabled.Body)
	path := rulesPath + disabled.Field(t, "id").(string)
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPatch, path, `{"enabled":true}`).Status)
	require.Equal(t, "disabled", api.As(t, "viewer", http.MethodGet, path, "").Field(t, "mode"))
}

func TestRuleViolations(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	other := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "other", "environment_name": "elsewhere"}))
	freeze, second := created(t, api, rulesPath, scheduleRule("Freeze", "x")), created(t, api, rulesPath, scheduleRule("Second", "x"))
	id := func(path string) string { return path[strings.LastIndex(path, "/")+1:] }
	violate(t, api, id(freeze), event.Field(t, "deployment_id").(string))
	violate(t, api, id(second), other.Field(t, "deployment_id").(string))
	count := func(query string) int {
		answer := api.As(t, "viewer", http.MethodGet, "/deployment-rules/violations?"+query, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		return len(items(t, answer))
	}
	for query, want := range map[string]int{
		"": 2, "rule=FREEZE": 1, "rule=" + id(second): 1, "rule=unknown": 0, "product=other": 1, "environment=elsewhere": 1, "environment=unknown": 0,
		"action=blocked": 2, "action=skipped": 0, "code=NO_DEPLOY_WINDOW": 2, "code=FLOW_VIOLATION": 0, "since=2999-01-01T00:00:00Z": 0, "until=2999-01-01T00:00:00Z&product=other": 1,
	} {
		require.Equal(t, want, count(query), query)
	}
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, freeze, "").Status)
	require.Equal(t, 2, count(""), "violations stay")
	require.Equal(t, 0, count("rule=Freeze"))
	require.Equal(t, 1, count("rule="+id(freeze)), "a deleted rule is found by its identifier")
	require.Equal(t, http.StatusMethodNotAllowed, api.As(t, "admin", http.MethodPatch, "/deployment-rules/violations", `{}`).Status)
}

func TestGovernanceSettings(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	get := func() testapi.Answer { return api.As(t, "viewer", http.MethodGet, "/governance-settings", "") }
	require.JSONEq(t, `{"requester_may_approve":false,"break_glass_second_person":false,"break_glass_max_minutes":60,"approval_mails":true,"updated_at":null}`, string(get().Body))
	tag := get().Header.Get("ETag")
	created(t, api, rulesPath, scheduleRule("Freeze", "payments"))
	require.Equal(t, tag, get().Header.Get("ETag"), "a rule is no setting")
	changed := api.As(t, "admin", http.MethodPatch, "/governance-settings", `{"requester_may_approve":true,"break_glass_max_minutes":240}`)
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
	require.Equal(t, string(changed.Body), string(get().Body))
	require.Equal(t, true, get().Field(t, "approval_mails"), "an absent member stays")
	require.Equal(t, http.StatusForbidden, api.As(t, "release_manager", http.MethodPatch, "/governance-settings", `{}`).Status)
	for _, minutes := range []string{"0", "241", "-1", "1.5", `"60"`, "null"} {
		answer := api.As(t, "admin", http.MethodPatch, "/governance-settings", `{"break_glass_max_minutes":`+minutes+`}`)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, minutes)
	}
	require.Equal(t, 1, api.Count(t, "audit_log WHERE action = 'governance_settings.update'"))
}

// TestSlotsAreFilledAgain creates an account's first rule that counts deployments. A deployment that a server has started without knowing
// the rule counts after a few seconds.
func TestSlotsAreFilledAgain(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	started := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "started"}))
	rule := `{"name":"One","rule_type":"concurrency","concurrency":{"max_in_progress":1}}`
	require.Equal(t, http.StatusCreated, api.As(t, "sre", http.MethodPost, rulesPath, rule).Status)
	require.Equal(t, 1, api.Count(t, "deployment_slots"))
	api.Exec(t, "DELETE FROM deployment_slots") // as another server leaves it
	require.Eventually(t, func() bool { return api.Count(t, "deployment_slots") == 1 }, 30*time.Second, 50*time.Millisecond)
	answer := api.Post(t, deploymentEvents, `{"product_name":"checkout","version":"9","environment_name":"production","status":"started"}`)
	require.Equal(t, http.StatusConflict, answer.Status, "%s", answer.Body)
	require.Contains(t, string(answer.Body), started.Field(t, "id").(string))
}
