package policy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/policy"
)

const freeze = `{"name":"Holiday freeze","rule_type":"schedule","mode":"enabled","priority":100,"rollback":"allow",
 "scope":{"products":[],"environments":[],"environment_types":["production"]},
 "schedule":{"timezone":"America/New_York","windows":[{"name":"xmas","effect":"deny","start":"2026-12-18T18:00",
   "end":"2027-01-04T06:00","rrule":null,"exdates":[],"reason":"Peak season"}]}}`

func parse(t *testing.T, text string) policy.Rule {
	t.Helper()
	var rule policy.Rule
	require.NoError(t, json.Unmarshal([]byte(text), &rule))
	rule.Normalize()
	return rule
}

// found returns the problems as "path: message".
func found(rule policy.Rule) []string {
	list := []string{}
	for _, problem := range rule.Validate() {
		steps := make([]string, 0, len(problem.Path))
		for _, step := range problem.Path {
			steps = append(steps, fmt.Sprint(step))
		}
		list = append(list, strings.Join(steps, ".")+": "+problem.Message)
	}
	return list
}

func TestValidRulesHaveNoProblem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		freeze,
		`{"name":"Staging first","rule_type":"flow","flow":{"prerequisites":["test","staging"],"strict_order":true,"min_soak_minutes":1440}}`,
		`{"name":"One","rule_type":"concurrency","concurrency":{"max_in_progress":1}}`,
		`{"name":"Request","rule_type":"deployment_request_required","deployment_request_required":{"required_approvals":[]}}`,
		`{"name":"QA","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa_engineer","product"],"environment":"staging","approval_timeout_hours":24}}`,
	} {
		require.Empty(t, found(parse(t, text)), text)
	}
}

func TestAbsentMembersHaveDefaults(t *testing.T) {
	t.Parallel()
	rule := parse(t, `{"name":" Request ","rule_type":"deployment_request_required","deployment_request_required":{"required_approvals":["product","qa_engineer"]}}`)
	data, err := json.Marshal(rule)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"00000000-0000-0000-0000-000000000000","name":"Request","rule_type":"deployment_request_required","mode":"enabled","priority":100,"rollback":"allow",
		"scope":{"products":[],"environments":[],"environment_types":[]},
		"deployment_request_required":{"required_approvals":["uat","qa"],"approval_timeout_hours":null,"require_pre_steps":true}}`, string(data))

	rule = parse(t, `{"name":"One","rule_type":"concurrency","concurrency":{"max_in_progress":2}}`)
	require.Equal(t, policy.Concurrency{MaxInProgress: 2, Per: policy.PerProductEnvironment, StaleAfterMinutes: 60}, *rule.Concurrency)
	require.Nil(t, rule.Rollback)
}

func TestConfigsAreStoredByType(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Type: policy.FlowRule, Concurrency: &policy.Concurrency{}}
	require.NoError(t, rule.SetConfig([]byte(`{"prerequisites":["test"]}`)))
	require.Nil(t, rule.Concurrency)
	config, err := rule.Config()
	require.NoError(t, err)
	require.JSONEq(t, `{"prerequisites":["test"],"strict_order":false,"min_soak_minutes":0}`, string(config))
	require.ErrorContains(t, rule.SetConfig([]byte(`{"prerequisite":["test"]}`)), "unknown field")
	require.ErrorContains(t, rule.SetConfig([]byte(`{} {}`)), "text after")
	rule.Type = "cel"
	require.Error(t, rule.SetConfig([]byte(`{}`)))
}

// window returns a schedule rule with members of its only window replaced, or added.
func window(members string) string {
	var rule, changes map[string]any
	must(json.Unmarshal([]byte(freeze), &rule))
	must(json.Unmarshal([]byte(members), &changes))
	window := rule["schedule"].(map[string]any)["windows"].([]any)[0].(map[string]any)
	maps.Copy(window, changes)
	data, err := json.Marshal(rule)
	must(err)
	return string(data)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	t.Parallel()
	zone := func(name string) string { return strings.Replace(freeze, "America/New_York", name, 1) }
	windows := func(count int, rrule string) string {
		before, rest, _ := strings.Cut(freeze, `"windows":[`)
		one := strings.NewReplacer("2027-01-04", "2026-12-20", "null", rrule).Replace(strings.TrimSuffix(rest, "]}}"))
		return before + `"windows":[` + strings.TrimSuffix(strings.Repeat(one+",", count), ",") + "]}}"
	}
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{"name":" ","rule_type":"flow","mode":"on","priority":1001,"rollback":"maybe","scope":{"environment_types":["prod"]},"concurrency":{}}`, []string{
			"name: must not be blank", "mode: must be one of enabled, report_only, disabled", "priority: must be at most 1000",
			"rollback: must be one of allow, enforce", "scope.environment_types.0: must be one of dev, test, staging, production, other",
			"flow: field required", "concurrency: belongs to rules of the type concurrency",
		}},
		{`{"name":"x","rule_type":"cel"}`, []string{"rule_type: must be one of schedule, flow, concurrency, deployment_request_required, version_approval_required"}},
		{`{"name":"a\u0000b","rule_type":"concurrency","rollback":"allow","concurrency":{"max_in_progress":0,"per":"version","stale_after_minutes":4},"scope":{"products":["\u0000"]}}`, []string{
			"name: must not contain NUL", "rollback: a concurrency rule applies to rollbacks, too", "scope.products.0: must not contain NUL",
			"concurrency.max_in_progress: must be at least 1", "concurrency.per: must be one of product_environment, product, environment, scope",
			"concurrency.stale_after_minutes: must be at least 5",
		}},
		{`{"name":"x","rule_type":"flow","flow":{"prerequisites":["a","A"],"min_soak_minutes":-1}}`, []string{
			"flow.prerequisites.1: must not be repeated", "flow.min_soak_minutes: must be at least 0",
		}},
		{`{"name":"x","rule_type":"flow","flow":{"prerequisites":[],"min_soak_minutes":43201}}`, []string{
			"flow.prerequisites: must have 1 or more entries", "flow.min_soak_minutes: must be at most 43200",
		}},
		{`{"name":"x","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa","qa_engineer","boss"],"environment":"","approval_timeout_hours":0}}`, []string{
			"version_approval_required.required_approvals.1: must not be repeated",
			"version_approval_required.required_approvals.2: must be one of uat, qa, performance, security, code_review, compliance, release_manager",
			"version_approval_required.approval_timeout_hours: must be at least 1", "version_approval_required.environment: must not be blank",
		}},
		{`{"name":"x","rule_type":"flow","flow":{"prerequisites":["a"]},"scope":{"products":["` + strings.Repeat(`a","`, 200) + `a"]}}`, []string{"scope: a scope has at most 200 entries, not 201"}},
		{zone("EST5"), []string{"schedule.timezone: is not an IANA time zone such as Europe/Berlin or UTC"}},
		{zone("Local"), []string{"schedule.timezone: is not an IANA time zone such as Europe/Berlin or UTC"}},
		{zone("right/Europe/Berlin"), []string{"schedule.timezone: is not an IANA time zone such as Europe/Berlin or UTC"}},
		{zone("../etc/passwd"), []string{"schedule.timezone: is not an IANA time zone such as Europe/Berlin or UTC"}},
		{zone("W. Europe Standard Time"), []string{"schedule.timezone: is not an IANA time zone such as Europe/Berlin or UTC"}},
		{window(`{"end":"2026-12-18T18:00"}`), []string{"schedule.windows.0.end: must be after start"}},
		{window(`{"end":"2027-12-19T18:01"}`), []string{"schedule.windows.0.end: must be at most 366 days after start"}},
		{window(`{"end":"2027-01-18T18:01","rrule":"FREQ=YEARLY"}`), []string{"schedule.windows.0.end: must be at most 31 days after start, as the window recurs"}},
		{window(`{"start":"1999-12-31T00:00","end":"2100-01-01T00:00"}`), []string{"schedule.windows.0.start: must be from 2000 to 2099", "schedule.windows.0.end: must be from 2000 to 2099"}},
		{window(`{"start":"2026-02-30T00:00","end":"2026-12-18T18:00Z"}`), []string{
			"schedule.windows.0.start: must be a local time such as 2026-12-18T18:00", "schedule.windows.0.end: must be a local time such as 2026-12-18T18:00",
		}},
		{window(`{"rrule":"FREQ=WEEKLY;BYDAY=MO"}`), []string{"schedule.windows.0.start: is not an occurrence of rrule: begin with the first one"}},
		{window(`{"rrule":"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}`), []string{"schedule.windows.0.start: is not an occurrence of rrule: begin with the first one"}},
		{window(`{"rrule":"FREQ=HOURLY"}`), []string{"schedule.windows.0.rrule: FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY"}},
		{window(`{"rrule":"FREQ=DAILY;INTERVAL=0"}`), []string{`schedule.windows.0.rrule: INTERVAL: "0" is not a number from 1 to 99, without 0`}},
		{window(`{"rrule":"FREQ=DAILY;COUNT=3"}`), []string{"schedule.windows.0.rrule: COUNT is not supported: use FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, WKST and UNTIL"}},
		{window(`{"rrule":"FREQ=YEARLY;BYDAY=1FR"}`), []string{"schedule.windows.0.rrule: BYDAY may have numbers with FREQ=MONTHLY only"}},
		{window(`{"rrule":"FREQ=WEEKLY;BYMONTHDAY=18"}`), []string{"schedule.windows.0.rrule: BYMONTHDAY is not possible with FREQ=WEEKLY"}},
		{window(`{"rrule":"FREQ=WEEKLY;UNTIL=20261217"}`), []string{"schedule.windows.0.rrule: UNTIL is before start: the window never occurs"}},
		{window(`{"rrule":"FREQ=WEEKLY;UNTIL=20261218T225959Z"}`), []string{"schedule.windows.0.rrule: UNTIL is before start: the window never occurs"}},
		{window(`{"rrule":"FREQ=DAILY;FREQ=DAILY"}`), []string{"schedule.windows.0.rrule: FREQ must not be repeated"}},
		{window(`{"rrule":"DAILY"}`), []string{`schedule.windows.0.rrule: "DAILY" is not a part such as FREQ=WEEKLY`}},
		{window(`{"exdates":["2026-12-25"]}`), []string{"schedule.windows.0.exdates: belongs to windows with rrule"}},
		{window(`{"rrule":"FREQ=DAILY","exdates":["25.12.2026"],"reason":"\u0000","effect":"freeze","name":""}`), []string{
			"schedule.windows.0.name: must not be blank", "schedule.windows.0.effect: must be one of deny, allow", "schedule.windows.0.reason: must not contain NUL",
			"schedule.windows.0.exdates.0: is not a date such as 2026-12-25",
		}},
		{windows(501, "null"), []string{"schedule.windows: must have at most 500 entries, not 501"}},
		{windows(51, `"FREQ=DAILY"`), []string{"schedule.windows: at most 50 windows may recur, not 51"}},
	} {
		require.Equal(t, c.want, found(parse(t, c.text)), c.text)
	}
	require.Empty(t, found(parse(t, windows(500, "null"))))
	require.Empty(t, found(parse(t, windows(50, `"FREQ=DAILY"`))))
	require.Empty(t, found(parse(t, window(`{"rrule":"rrule:FREQ=WEEKLY;UNTIL=20261218T230000Z"}`))))
}

func TestProblemsHaveTypes(t *testing.T) {
	t.Parallel()
	rule := parse(t, `{"name":"x","rule_type":"flow","flow":{"prerequisites":["a"],"min_soak_minutes":-1}}`)
	require.Equal(t, []policy.Problem{{Path: []any{"flow", "min_soak_minutes"}, Message: "must be at least 0", Type: "value_error.number.not_ge"}}, rule.Validate())
}

func TestEnvironmentsAreFoundByIdentifierAndName(t *testing.T) {
	t.Parallel()
	low, high := uuid.UUID{1}, uuid.UUID{2}
	environments := policy.NewEnvironments([]policy.Ref{{ID: high, Names: []string{"Prod", "live"}}, {ID: low, Names: []string{"prod"}}})
	for text, want := range map[string]uuid.UUID{"Prod": high, "prod": low, "PROD": low, "LIVE": high, high.String(): high} {
		id, isKnown := environments.Find(text)
		require.True(t, isKnown, text)
		require.Equal(t, want, id, text)
	}
	for _, text := range []string{"production", uuid.Nil.String(), uuid.UUID{3}.String()} {
		_, isKnown := environments.Find(text)
		require.False(t, isKnown, text)
	}
}
