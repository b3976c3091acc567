package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

// Version 1.4.3 of checkout is to be deployed to production.
//
//nolint:gochecknoglobals // constants
var (
	checkout   = policy.Ref{ID: uuid.UUID{1}, Names: []string{"checkout", "Cart"}}
	search     = policy.Ref{ID: uuid.UUID{2}, Names: []string{"search"}}
	quality    = policy.Ref{ID: uuid.UUID{10}, Names: []string{"test"}, Type: "test"}
	staging    = policy.Ref{ID: uuid.UUID{11}, Names: []string{"staging", "Stage"}, Type: "staging"}
	production = policy.Ref{ID: uuid.UUID{12}, Names: []string{"production", "live"}, Type: "production"}
	version    = policy.Version{ID: uuid.UUID{20}, Name: "1.4.3"}
	former     = uuid.UUID{21}
	monday     = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

func facts() policy.Facts {
	return policy.Facts{
		Product: checkout, Environment: production, Version: version, Current: &former,
		Environments: policy.NewEnvironments([]policy.Ref{quality, staging, production}),
	}
}

func compile(t require.TestingT, rules ...policy.Rule) *policy.Set {
	for i := range rules {
		rules[i].Normalize()
		require.Empty(t, rules[i].Validate())
	}
	set, err := calendar.Compile(rules, monday.Add(-time.Hour))
	require.NoError(t, err)
	return set
}

// ruleOf returns a rule that is parsed from JSON without the members that all have.
func ruleOf(t *testing.T, id byte, members string) policy.Rule {
	t.Helper()
	rule := parse(t, `{"name":"Rule `+string('A'+id-1)+`",`+strings.TrimPrefix(members, "{"))
	rule.ID = uuid.UUID{id}
	return rule
}

const (
	deny         = `{"rule_type":"schedule","schedule":{"timezone":"Europe/Berlin","windows":[{"name":"freeze","effect":"deny","start":"2026-03-02T08:00","end":"2026-03-03T08:00","reason":"Audit"}]}}`
	officeHours  = `{"rule_type":"schedule","schedule":{"timezone":"Europe/Berlin","windows":[{"name":"day","effect":"allow","start":"2026-02-02T09:00","end":"2026-02-02T11:00","rrule":"FREQ=WEEKLY;BYDAY=MO,TU"}]}}`
	stagingFirst = `{"rule_type":"flow","flow":{"prerequisites":["test","stage"],"strict_order":true,"min_soak_minutes":60}}`
	oneAtATime   = `{"rule_type":"concurrency","concurrency":{"max_in_progress":1}}`
	approvedByQA = `{"rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa","security"],"approval_timeout_hours":24}}`
	needsRequest = `{"rule_type":"deployment_request_required","deployment_request_required":{"required_approvals":["qa"],"approval_timeout_hours":24}}`
)

func TestWithoutRulesEverythingPasses(t *testing.T) {
	t.Parallel()
	set := compile(t)
	verdict := set.Evaluate(monday, policy.Attempt{}, facts())
	require.Equal(t, policy.Verdict{Status: policy.StatusPassed}, verdict)
	require.True(t, verdict.Allowed())
	require.Equal(t, policy.Next{AllowedAt: &monday, Certain: true, EarliestAfterApprovals: &monday}, set.NextAllowed(monday, policy.Attempt{}, facts()))
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	set := compile(t, ruleOf(t, 1, deny))
	verdict := set.Evaluate(monday, policy.Attempt{}, facts())
	end := time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC)
	require.False(t, verdict.Allowed())
	violation := verdict.First()
	require.Equal(t, map[string]any{
		"window_name": "freeze", "window_start": time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC), "window_end": end, "timezone": "Europe/Berlin", "reason": "Audit",
	}, violation.Details.Members())
	violation.Details = nil
	require.Equal(t, policy.Violation{
		RuleID: uuid.UUID{1}, RuleName: "Rule A", RuleType: policy.ScheduleRule, Priority: 100, Action: policy.ActionBlocked, Code: policy.NoDeployWindow,
		Message:  `Rule A: deployments of checkout to production are blocked by the window "freeze" (Audit) until 2026-03-03 08:00 Europe/Berlin.`,
		ClearsAt: &end, Certain: true,
	}, violation)
	require.Equal(t, policy.Next{AllowedAt: &end, Certain: true, Binding: &policy.Binding{ID: uuid.UUID{1}, Name: "Rule A", Type: policy.ScheduleRule}, EarliestAfterApprovals: &end},
		set.NextAllowed(monday, policy.Attempt{}, facts()))
	require.True(t, set.Evaluate(end, policy.Attempt{}, facts()).Allowed(), "the end is not a part of the window")
	require.False(t, set.Evaluate(end.Add(-time.Nanosecond), policy.Attempt{}, facts()).Allowed())
	require.True(t, set.Evaluate(end.Add(-24*time.Hour-time.Nanosecond), policy.Attempt{}, facts()).Allowed())
	require.False(t, set.Evaluate(end.Add(-24*time.Hour), policy.Attempt{}, facts()).Allowed(), "the start is a part of it")

	// Allow windows and a deny window: until Tuesday 08:00, then 09:00 to 11:00 of Berlin.
	set = compile(t, ruleOf(t, 1, deny), ruleOf(t, 2, officeHours))
	next := set.NextAllowed(monday, policy.Attempt{}, facts())
	require.Equal(t, time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC), *next.AllowedAt)
	require.Equal(t, time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC), *next.BlockAt)
	require.Equal(t, "Rule B", next.Binding.Name)
	verdict = set.Evaluate(monday, policy.Attempt{}, facts())
	require.Len(t, verdict.Violations, 2)
	require.Equal(t, "Rule B", verdict.First().RuleName, "the latest end is first")
	require.Equal(t, `Rule B: deployments of checkout to production are possible only in the windows of the rule; the next one is "day" from 2026-03-03 09:00 Europe/Berlin. `+
		`Rule A: deployments of checkout to production are blocked by the window "freeze" (Audit) until 2026-03-03 08:00 Europe/Berlin.`, verdict.Message())
}

func TestSchedulesBlockWhereTheyAreNotKnown(t *testing.T) {
	t.Parallel()
	set := compile(t, ruleOf(t, 1, deny))
	last := monday.Add(-time.Hour).Add(policy.Horizon)
	require.True(t, set.Evaluate(last.Add(-time.Second), policy.Attempt{}, facts()).Allowed())
	require.True(t, set.Covers(last.Add(-time.Second)))
	require.False(t, set.Covers(last))
	verdict := set.Evaluate(last, policy.Attempt{}, facts())
	require.False(t, verdict.Allowed())
	require.Nil(t, verdict.First().ClearsAt)
	require.Nil(t, set.NextAllowed(last, policy.Attempt{}, facts()).AllowedAt)

	never := ruleOf(t, 1, strings.Replace(officeHours, `"rrule":"FREQ=WEEKLY;BYDAY=MO,TU"`, `"rrule":null`, 1))
	next := compile(t, never).NextAllowed(monday, policy.Attempt{}, facts())
	require.Nil(t, next.AllowedAt)
	require.Equal(t, "Rule A", next.Binding.Name)

	_, err := policy.Compile([]policy.Rule{never}, monday)
	require.ErrorContains(t, err, "no expansion")
	never.Mode = policy.Disabled
	disabled, err := policy.Compile([]policy.Rule{never}, monday)
	require.NoError(t, err)
	require.Zero(t, disabled.Len())
	for _, broken := range []policy.Rule{{Mode: "on", Type: policy.FlowRule, Flow: &policy.Flow{}}, {Mode: policy.Enabled, Type: policy.FlowRule}, {Mode: policy.Enabled, Type: "cel"}} {
		_, err = policy.Compile([]policy.Rule{broken}, monday)
		require.Error(t, err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for scope, matches := range map[string]bool{
		`{}`: true, `{"products":["CHECKOUT"]}`: true, `{"products":["cart"]}`: true, `{"products":["search"]}`: false,
		`{"products":["search","checkout"]}`:                                      true,
		`{"products":["` + checkout.ID.String() + `"]}`:                           true,
		`{"products":["` + search.ID.String() + `"]}`:                             false,
		`{"environments":["Live"]}`:                                               true,
		`{"environments":["staging"]}`:                                            false,
		`{"environment_types":["production"]}`:                                    true,
		`{"environment_types":["staging","test"]}`:                                false,
		`{"products":["checkout"],"environments":["staging"]}`:                    false,
		`{"environments":["production"],"environment_types":["staging"]}`:         false,
		`{"products":["` + strings.ToUpper(checkout.ID.String()) + `","search"]}`: true,
	} {
		verdict := compile(t, ruleOf(t, 1, `{"scope":`+scope+`,`+deny[1:])).Evaluate(monday, policy.Attempt{}, facts())
		require.Equal(t, !matches, verdict.Allowed(), scope)
		require.Equal(t, matches, len(verdict.Evaluations) == 1, scope)
	}
	unknown := policy.Facts{Product: policy.Ref{Names: []string{"new"}}, Environment: policy.Ref{Names: []string{"production"}, Type: "production"}, Version: policy.Version{Name: "1"}}
	require.True(t, compile(t, ruleOf(t, 1, `{"scope":{"products":["`+uuid.Nil.String()+`"]},`+deny[1:])).Evaluate(monday, policy.Attempt{}, unknown).Allowed())
	require.False(t, compile(t, ruleOf(t, 1, `{"scope":{"products":["new"]},`+deny[1:])).Evaluate(monday, policy.Attempt{}, unknown).Allowed())
}

func TestModes(t *testing.T) {
	t.Parallel()
	verdict := compile(t, ruleOf(t, 1, `{"mode":"report_only",`+deny[1:]), ruleOf(t, 2, stagingFirst), ruleOf(t, 3, oneAtATime)).Evaluate(monday, policy.Attempt{}, facts())
	require.Len(t, verdict.Reports, 1)
	require.Equal(t, policy.ActionReported, verdict.Reports[0].Action)
	require.Len(t, verdict.Violations, 1)
	require.Equal(t, []policy.Evaluation{
		{RuleID: uuid.UUID{1}, RuleName: "Rule A", Mode: policy.ReportOnly, Result: policy.ResultFailed, Message: verdict.Reports[0].Message},
		{RuleID: uuid.UUID{2}, RuleName: "Rule B", Mode: policy.Enabled, Result: policy.ResultFailed, Message: verdict.Violations[0].Message},
		{RuleID: uuid.UUID{3}, RuleName: "Rule C", Mode: policy.Enabled, Result: policy.ResultPassed},
	}, verdict.Evaluations)
	require.Equal(t, monday, *compile(t, ruleOf(t, 1, `{"mode":"report_only",`+deny[1:])).NextAllowed(monday, policy.Attempt{}, facts()).AllowedAt)
}

func TestFlow(t *testing.T) {
	t.Parallel()
	set := compile(t, ruleOf(t, 1, stagingFirst))
	minutes := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Minute) }
	completed := func(test, stage []time.Time) policy.Facts {
		f := facts()
		f.Completed = map[uuid.UUID][]time.Time{quality.ID: test, staging.ID: stage}
		return f
	}
	for name, c := range map[string]struct {
		facts   policy.Facts
		missing []string
	}{
		"Nothing":      {completed(nil, nil), []string{"test", "stage"}},
		"Test":         {completed([]time.Time{minutes(-9)}, nil), []string{"stage"}},
		"WrongOrder":   {completed([]time.Time{minutes(-5)}, []time.Time{minutes(-9)}), []string{"stage"}},
		"StagingAlone": {completed(nil, []time.Time{minutes(-9)}), []string{"test"}},
	} {
		verdict := set.Evaluate(monday, policy.Attempt{}, c.facts)
		require.Equal(t, policy.FlowViolation, verdict.First().Code, name)
		require.Equal(t, map[string]any{"required_environments": []string{"test", "stage"}, "missing_environments": c.missing}, verdict.First().Details.Members(), name)
		require.Equal(t, "Rule A: version 1.4.3 must first complete in "+strings.Join(c.missing, ", ")+", in the order test, stage.", verdict.First().Message)
		require.Nil(t, verdict.First().ClearsAt)
		next := set.NextAllowed(monday, policy.Attempt{}, c.facts)
		require.Nil(t, next.AllowedAt)
		require.Nil(t, next.EarliestAfterApprovals)
	}

	soaking := func(runs ...policy.Span) policy.Facts {
		f := completed([]time.Time{minutes(-900)}, []time.Time{minutes(-1000), minutes(-800)})
		f.Runs = map[uuid.UUID][]policy.Span{staging.ID: runs}
		return f
	}
	for name, c := range map[string]struct {
		facts   policy.Facts
		soaked  int // -1: long enough
		allowed time.Time
	}{
		"Ended":                 {soaking(policy.Span{From: minutes(-200), Until: minutes(-141)}), 59, time.Time{}},
		"EndedLongEnough":       {soaking(policy.Span{From: minutes(-200), Until: minutes(-140)}), -1, monday},
		"Running":               {soaking(policy.Span{From: minutes(-40)}), 40, minutes(20)},
		"RunningLongEnough":     {soaking(policy.Span{From: minutes(-60)}), -1, monday},
		"TwoSpansDoNotAddUp":    {soaking(policy.Span{From: minutes(-300), Until: minutes(-250)}, policy.Span{From: minutes(-40)}), 50, minutes(20)},
		"DeployedAgain":         {soaking(policy.Span{From: minutes(-40)}, policy.Span{From: minutes(-70), Until: minutes(-40)}), -1, monday},
		"DeployedAgainOverlaps": {soaking(policy.Span{From: minutes(-10)}, policy.Span{From: minutes(-45)}), 45, minutes(15)},
		"LaterThanNow":          {soaking(policy.Span{From: minutes(2)}), 0, minutes(62)},
		"Unknown":               {soaking(), 0, time.Time{}},
	} {
		verdict := set.Evaluate(monday, policy.Attempt{}, c.facts)
		next := set.NextAllowed(monday, policy.Attempt{}, c.facts)
		if c.allowed.IsZero() {
			require.Nil(t, next.AllowedAt, name)
		} else {
			require.Equal(t, c.allowed, *next.AllowedAt, name)
		}
		require.Equal(t, c.soaked < 0, verdict.Allowed(), name)
		if c.soaked < 0 {
			continue
		}
		require.Equal(t, policy.InsufficientSoakTime, verdict.First().Code, name)
		require.Equal(t, map[string]any{"environment": "stage", "required_minutes": 60, "soaked_minutes": c.soaked}, verdict.First().Details.Members(), name)
		require.Equal(t, !c.allowed.IsZero(), verdict.First().Certain, name)
	}

	anyOrder := compile(t, ruleOf(t, 1, `{"rule_type":"flow","flow":{"prerequisites":["test","stage"]}}`))
	require.True(t, anyOrder.Evaluate(monday, policy.Attempt{}, completed([]time.Time{minutes(-5)}, []time.Time{minutes(-9)})).Allowed())
	f := completed(nil, nil)
	f.Environment = quality
	require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed(), "nothing comes before the first environment")
	f.Environment = staging
	require.Equal(t, []string{"test"}, set.Evaluate(monday, policy.Attempt{}, f).First().Details.Members()["missing_environments"])
	f.Environment, f.Environments = policy.Ref{Names: []string{"Test"}}, policy.NewEnvironments(nil)
	require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed(), "nor before one that does not exist yet")
}

func TestRollbacks(t *testing.T) {
	t.Parallel()
	allowed, enforced := compile(t, ruleOf(t, 1, deny)), compile(t, ruleOf(t, 1, `{"rollback":"enforce",`+deny[1:]))
	span := func(from, until int) policy.Span {
		return policy.Span{From: monday.Add(time.Duration(from) * time.Minute), Until: monday.Add(time.Duration(until) * time.Minute)}
	}
	for name, c := range map[string]struct {
		runs       []policy.Span
		current    *uuid.UUID
		isRollback bool
	}{
		"Long":         {[]policy.Span{span(-60, -45)}, &former, true},
		"NothingThere": {[]policy.Span{span(-60, -45)}, nil, true},
		"Short":        {[]policy.Span{span(-60, -46)}, &former, false},
		"Interrupted":  {[]policy.Span{span(-90, -80), span(-60, -50)}, &former, false},
		"Again":        {[]policy.Span{span(-60, -50), span(-50, -40)}, &former, true},
		"Current":      {[]policy.Span{span(-60, -40)}, &version.ID, false},
		"New":          {nil, &former, false},
	} {
		f := facts()
		f.Runs, f.Current = map[uuid.UUID][]policy.Span{production.ID: c.runs}, c.current
		verdict := allowed.Evaluate(monday, policy.Attempt{}, f)
		require.Equal(t, c.isRollback, verdict.Allowed(), name)
		require.Equal(t, c.isRollback, verdict.Evaluations[0].Result == policy.ResultRolledBack, name)
		require.Equal(t, c.isRollback, allowed.NextAllowed(monday, policy.Attempt{}, f).AllowedAt.Equal(monday), name)
		require.False(t, enforced.Evaluate(monday, policy.Attempt{}, f).Allowed(), name)
		require.Equal(t, policy.ResultPassed, allowed.Evaluate(monday.AddDate(0, 0, 3), policy.Attempt{}, f).Evaluations[0].Result)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	slot := func(id byte, product, environment policy.Ref, change func(*policy.Slot)) policy.Slot {
		s := policy.Slot{
			DeploymentID: uuid.UUID{100, id}, Product: product, Environment: environment, VersionID: former, InvokeID: "7",
			Holder: "ann", StartedAt: monday.Add(-30 * time.Minute), LastEventAt: monday.Add(-10 * time.Minute),
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	own := func(s *policy.Slot) { s.InvokeID, s.VersionID = "9", version.ID }
	attempt := policy.Attempt{DeploymentID: uuid.UUID{100, 1}, InvokeID: "9", Attempt: 2}
	for name, c := range map[string]struct {
		per     string
		slot    policy.Slot
		attempt policy.Attempt
		blocks  bool
	}{
		"SamePair":               {"product_environment", slot(2, checkout, production, nil), attempt, true},
		"OtherProduct":           {"product_environment", slot(2, search, production, nil), attempt, false},
		"OtherEnvironment":       {"product_environment", slot(2, checkout, staging, nil), attempt, false},
		"PerProduct":             {"product", slot(2, checkout, staging, nil), attempt, true},
		"PerProductOther":        {"product", slot(2, search, production, nil), attempt, false},
		"PerEnvironment":         {"environment", slot(2, search, production, nil), attempt, true},
		"PerEnvironmentOther":    {"environment", slot(2, checkout, staging, nil), attempt, false},
		"PerScope":               {"scope", slot(2, search, staging, nil), attempt, true},
		"OutOfScope":             {"scope", slot(2, search, quality, nil), attempt, false},
		"PerProductOutOfScope":   {"product", slot(2, checkout, quality, nil), attempt, false},
		"Stale":                  {"scope", slot(2, search, staging, func(s *policy.Slot) { s.LastEventAt = monday.Add(-time.Hour) }), attempt, false},
		"AlmostStale":            {"scope", slot(2, search, staging, func(s *policy.Slot) { s.LastEventAt = monday.Add(time.Second - time.Hour) }), attempt, true},
		"OwnRecord":              {"scope", slot(1, checkout, production, nil), attempt, false},
		"EarlierAttempt":         {"scope", slot(2, search, staging, func(s *policy.Slot) { own(s); s.Attempt = 1 }), attempt, false},
		"LaterAttempt":           {"scope", slot(2, checkout, production, func(s *policy.Slot) { own(s); s.Attempt = 3 }), attempt, true},
		"SameAttemptSameVersion": {"scope", slot(2, checkout, production, func(s *policy.Slot) { own(s); s.Attempt = 2 }), attempt, false},
		"SameAttemptElsewhere":   {"scope", slot(2, search, production, func(s *policy.Slot) { own(s); s.Attempt = 2 }), attempt, true},
		"SameRunUnknownAttempt":  {"scope", slot(2, checkout, production, own), policy.Attempt{InvokeID: "9"}, false},
		"SameRunOtherVersion":    {"scope", slot(2, checkout, production, func(s *policy.Slot) { s.InvokeID = "9" }), policy.Attempt{InvokeID: "9"}, true},
		"NoRuns":                 {"scope", slot(2, checkout, production, func(s *policy.Slot) { own(s); s.InvokeID = "" }), policy.Attempt{}, true},
	} {
		set := compile(t, ruleOf(t, 1, `{"scope":{"environment_types":["production","staging"]},`+strings.Replace(oneAtATime, `:1`, `:1,"per":"`+c.per+`"`, 1)[1:]))
		f := facts()
		f.Slots = []policy.Slot{c.slot}
		require.Equal(t, !c.blocks, set.Evaluate(monday, c.attempt, f).Allowed(), name)
	}

	set := compile(t, ruleOf(t, 1, strings.Replace(oneAtATime, ":1", ":2", 1)))
	f := facts()
	f.Slots = []policy.Slot{
		slot(2, checkout, production, func(s *policy.Slot) { s.LastEventAt = monday.Add(-5 * time.Minute) }),
		slot(3, checkout, production, nil),
		slot(4, checkout, production, func(s *policy.Slot) { s.LastEventAt = monday.Add(-20 * time.Minute) }),
	}
	violation := set.Evaluate(monday, policy.Attempt{}, f).First()
	clears := monday.Add(50 * time.Minute)
	require.Equal(t, map[string]any{
		"conflicting_deployment_id": uuid.UUID{100, 3}, "conflicting_deployment_status": "started", "conflicting_deployment_started": monday.Add(-30 * time.Minute),
		"holder": "ann", "expires_at": clears, "legacy_code": "CONCURRENT_DEPLOYMENT",
	}, violation.Details.Members())
	violation.Details = nil
	require.Equal(t, policy.Violation{
		RuleID: uuid.UUID{1}, RuleName: "Rule A", RuleType: policy.ConcurrencyRule, Priority: 100, Action: policy.ActionBlocked, Code: policy.DeploymentInProgress,
		Message: "Rule A: 3 of at most 2 deployments are in progress (ann).", ClearsAt: &clears,
	}, violation)
	next := set.NextAllowed(monday, policy.Attempt{}, f)
	require.Equal(t, clears, *next.AllowedAt)
	require.False(t, next.Certain)
	f.Slots = f.Slots[:1]
	require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed())
}

func TestVersionApprovals(t *testing.T) {
	t.Parallel()
	given := func(kind policy.ApprovalType, hours int, change ...func(*policy.Approval)) policy.Approval {
		a := policy.Approval{Type: kind, Decision: policy.Approved, GivenAt: monday.Add(time.Duration(hours) * time.Hour)}
		for _, one := range change {
			one(&a)
		}
		return a
	}
	rejected := func(a *policy.Approval) { a.Decision = policy.Rejected }
	revoked := func(a *policy.Approval) { a.Revoked = true }
	forEnvironment := func(ref policy.Ref) func(*policy.Approval) {
		return func(a *policy.Approval) { a.EnvironmentID = &ref.ID }
	}
	for name, c := range map[string]struct {
		approvals []policy.Approval
		reason    string
		missing   []policy.ApprovalType
	}{
		"None":                    {nil, "approvals_missing", []policy.ApprovalType{policy.QA, policy.Security}},
		"One":                     {[]policy.Approval{given(policy.QA, -1)}, "approvals_missing", []policy.ApprovalType{policy.Security}},
		"Both":                    {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -23)}, "", nil},
		"Expired":                 {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -24)}, "approvals_expired", []policy.ApprovalType{policy.Security}},
		"Rejected":                {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -1, rejected)}, "rejected", []policy.ApprovalType{policy.Security}},
		"RejectedThenApproved":    {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -1), given(policy.Security, -2, rejected)}, "", nil},
		"ApprovedThenRejected":    {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -1, rejected), given(policy.Security, -2)}, "rejected", []policy.ApprovalType{policy.Security}},
		"RejectionRevoked":        {[]policy.Approval{given(policy.QA, -1), given(policy.Security, -1, rejected, revoked), given(policy.Security, -2)}, "", nil},
		"Revoked":                 {[]policy.Approval{given(policy.QA, -1, revoked), given(policy.Security, -2)}, "approvals_missing", []policy.ApprovalType{policy.QA}},
		"ForProduction":           {[]policy.Approval{given(policy.QA, -1, forEnvironment(production)), given(policy.Security, -2)}, "", nil},
		"ForStaging":              {[]policy.Approval{given(policy.QA, -1, forEnvironment(staging)), given(policy.Security, -2)}, "approvals_missing", []policy.ApprovalType{policy.QA}},
		"RejectedInProduction":    {[]policy.Approval{given(policy.QA, -1), given(policy.QA, -2, forEnvironment(production), rejected), given(policy.Security, -2)}, "rejected", []policy.ApprovalType{policy.QA}},
		"RejectedInStaging":       {[]policy.Approval{given(policy.QA, -2), given(policy.QA, -1, forEnvironment(staging), rejected), given(policy.Security, -2)}, "", nil},
		"ExpiredButForProduction": {[]policy.Approval{given(policy.QA, -30), given(policy.QA, -1, forEnvironment(production)), given(policy.Security, -2)}, "", nil},
	} {
		f := facts()
		f.Approvals = c.approvals
		set := compile(t, ruleOf(t, 1, approvedByQA))
		verdict := set.Evaluate(monday, policy.Attempt{}, f)
		require.Equal(t, c.reason == "", verdict.Allowed(), name)
		if c.reason == "" {
			require.NotNil(t, set.NextAllowed(monday, policy.Attempt{}, f).BlockAt, "%s: approvals expire", name)
			continue
		}
		first := verdict.First()
		require.Equal(t, policy.QualityApprovalRequired, first.Code)
		require.Equal(t, c.reason, first.Details.Members()["reason"], name)
		require.Equal(t, c.missing, first.Details.Members()["missing_approvals"], name)
		require.Equal(t, c.missing, first.Missing, name)
		next := set.NextAllowed(monday, policy.Attempt{}, f)
		require.Nil(t, next.AllowedAt)
		require.Equal(t, monday, *next.EarliestAfterApprovals)
	}

	verdict := compile(t, ruleOf(t, 1, approvedByQA)).Evaluate(monday, policy.Attempt{}, facts())
	require.Equal(t, map[string]any{
		"required_approvals": []policy.ApprovalType{policy.QA, policy.Security}, "current_approvals": []policy.ApprovalType{}, "missing_approvals": []policy.ApprovalType{policy.QA, policy.Security},
		"approver_roles": []string{"admin", "release_manager", "qa", "security"}, "reason": "approvals_missing", "deployment_request_id": nil,
	}, verdict.First().Details.Members())
	require.Equal(t, "Rule A: version 1.4.3 needs approvals: QA, security.", verdict.Message())

	forStaging := compile(t, ruleOf(t, 1, `{"rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"],"environment":"STAGE"}}`))
	for _, c := range []struct {
		approval policy.Approval
		allowed  bool
	}{{given(policy.QA, -9000, forEnvironment(staging)), true}, {given(policy.QA, -1, forEnvironment(production)), false}, {given(policy.QA, -1), false}} {
		f := facts()
		f.Approvals = []policy.Approval{c.approval}
		require.Equal(t, c.allowed, forStaging.Evaluate(monday, policy.Attempt{}, f).Allowed())
	}
}

func TestApproverRoles(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"admin", "release_manager", "product", "qa", "sre", "security", "developer", "compliance"}, policy.ApproverRoles(policy.DeploymentRequestRule, policy.ApprovalTypes()))
	require.Equal(t, []string{"admin", "release_manager", "product", "qa", "sre", "security", "compliance"}, policy.ApproverRoles(policy.VersionApprovalRule, policy.ApprovalTypes()))
	require.Equal(t, []string{"admin", "release_manager"}, policy.ApproverRoles(policy.VersionApprovalRule, []policy.ApprovalType{policy.CodeReview, policy.ReleaseManager}))
}

func TestDeploymentRequests(t *testing.T) {
	t.Parallel()
	request := func(change func(*policy.Request)) policy.Request {
		r := policy.Request{
			ID: uuid.UUID{50}, Name: "R1", Status: policy.RequestApproved, VersionIDs: []uuid.UUID{former, version.ID}, EnvironmentIDs: []uuid.UUID{production.ID},
			Approvals: []policy.RequestApproval{
				{Type: policy.QA, Decision: policy.Approved, DecidedAt: monday.Add(-time.Hour)},
				{Type: policy.Security, Required: true, Decision: policy.Approved, DecidedAt: monday.Add(-2 * time.Hour)},
			},
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	set := compile(t, ruleOf(t, 1, needsRequest))
	for name, c := range map[string]struct {
		request policy.Request
		reason  string
	}{
		"Approved":              {request(nil), ""},
		"InProgress":            {request(func(r *policy.Request) { r.Status = policy.RequestInProgress }), ""},
		"OtherVersion":          {request(func(r *policy.Request) { r.VersionIDs = r.VersionIDs[:1] }), "no_request"},
		"OtherEnvironment":      {request(func(r *policy.Request) { r.EnvironmentIDs[0] = staging.ID }), "no_request"},
		"Draft":                 {request(func(r *policy.Request) { r.Status = policy.RequestDraft }), "not_active"},
		"Completed":             {request(func(r *policy.Request) { r.Status = policy.RequestCompleted }), "not_active"},
		"Cancelled":             {request(func(r *policy.Request) { r.Status = policy.RequestCancelled }), "not_active"},
		"Rejected":              {request(func(r *policy.Request) { r.Status = policy.RequestRejected }), "rejected"},
		"RequiredSlotOpen":      {request(func(r *policy.Request) { r.Approvals[1].Decision = "" }), "approvals_missing"},
		"SlotOfTheRuleOpen":     {request(func(r *policy.Request) { r.Approvals[0].Decision = "" }), "approvals_missing"},
		"SlotOfTheRuleRejected": {request(func(r *policy.Request) { r.Approvals[0].Decision = policy.Rejected }), "approvals_missing"},
		"NoSlotOfTheRule":       {request(func(r *policy.Request) { r.Approvals = r.Approvals[1:] }), "approvals_missing"},
		"Expired":               {request(func(r *policy.Request) { r.Approvals[1].DecidedAt = monday.Add(-24 * time.Hour) }), "approvals_expired"},
		"OpenSteps":             {request(func(r *policy.Request) { r.OpenPreSteps = 1 }), "pre_steps_open"},
	} {
		f := facts()
		f.Requests = []policy.Request{c.request}
		verdict := set.Evaluate(monday, policy.Attempt{}, f)
		require.Equal(t, c.reason == "", verdict.Allowed(), name)
		if c.reason == "" {
			require.Equal(t, c.request.ID, verdict.DeploymentRequestID)
			require.Equal(t, monday.Add(22*time.Hour), *set.NextAllowed(monday, policy.Attempt{}, f).BlockAt)
			continue
		}
		require.Equal(t, policy.ApprovalRequired, verdict.First().Code)
		require.Equal(t, c.reason, verdict.First().Details.Members()["reason"], name)
		if c.reason != "no_request" {
			require.Equal(t, c.request.ID, verdict.First().Details.Members()["deployment_request_id"], name)
		}
		require.Nil(t, set.NextAllowed(monday, policy.Attempt{}, f).AllowedAt, name)
		f.Requests = append(f.Requests, request(func(r *policy.Request) { r.ID = uuid.UUID{51} }))
		require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed(), "%s: one request suffices", name)
	}

	f := facts()
	f.Requests = []policy.Request{request(func(r *policy.Request) { r.Status = policy.RequestDraft }), request(func(r *policy.Request) { r.ID, r.OpenPreSteps = uuid.UUID{51}, 2 })}
	verdict := set.Evaluate(monday, policy.Attempt{}, f)
	require.Equal(t, "pre_steps_open", verdict.First().Details.Members()["reason"], "that of the request that is closest to pass")
	require.Equal(t, uuid.UUID{51}, verdict.First().DeploymentRequestID)
	f.Requests = []policy.Request{
		request(func(r *policy.Request) { r.Approvals = r.Approvals[1:] }),
		request(func(r *policy.Request) { r.ID, r.Status = uuid.UUID{51}, policy.RequestInProgress }),
		request(func(r *policy.Request) { r.ID = uuid.UUID{52} }),
	}
	require.Equal(t, uuid.UUID{52}, set.Evaluate(monday, policy.Attempt{}, f).DeploymentRequestID, "that by which the rule passes, rather an approved one")
	require.Equal(t, uuid.UUID{50}, compile(t).Evaluate(monday, policy.Attempt{}, f).DeploymentRequestID, "the first one without a rule")
	f.Requests = f.Requests[:2]
	require.Equal(t, uuid.UUID{51}, set.Evaluate(monday, policy.Attempt{}, f).DeploymentRequestID)
	f.Requests = []policy.Request{request(func(r *policy.Request) { r.Status = policy.RequestDraft }), request(func(r *policy.Request) { r.ID, r.OpenPreSteps = uuid.UUID{51}, 2 })}

	withoutSteps := compile(t, ruleOf(t, 1, strings.Replace(needsRequest, `:24`, `:24,"require_pre_steps":false`, 1)))
	require.True(t, withoutSteps.Evaluate(monday, policy.Attempt{}, f).Allowed())
}

func TestRequestsBlockByThemselves(t *testing.T) {
	t.Parallel()
	set := compile(t)
	for status, blocks := range map[policy.RequestStatus]bool{
		policy.RequestDraft: false, policy.RequestInProgress: true, policy.RequestApproved: false, policy.RequestRejected: true, policy.RequestCompleted: false, policy.RequestCancelled: false,
	} {
		f := facts()
		f.Requests = []policy.Request{{
			ID: uuid.UUID{50}, Name: "R1", Status: status, Gate: true, VersionIDs: []uuid.UUID{version.ID}, EnvironmentIDs: []uuid.UUID{production.ID},
			Approvals: []policy.RequestApproval{{Type: policy.QA, Required: true}},
		}}
		verdict := set.Evaluate(monday, policy.Attempt{}, f)
		require.Equal(t, !blocks, verdict.Allowed(), status)
		next := set.NextAllowed(monday, policy.Attempt{}, f)
		require.Equal(t, !blocks, next.AllowedAt != nil, status)
		if blocks {
			first := verdict.First()
			require.Equal(t, uuid.Nil, first.RuleID)
			require.Equal(t, `Deployment request "R1"`, first.RuleName)
			require.Equal(t, f.Requests[0].ID, first.DeploymentRequestID)
			require.Equal(t, policy.ApprovalRequired, first.Code)
			require.Equal(t, &policy.Binding{Name: `Deployment request "R1"`, Type: policy.DeploymentRequestRule}, next.Binding)
		}
		f.Requests[0].Gate = false
		require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed())
		f.Requests[0].Gate, f.Version = true, policy.Version{ID: former, Name: "1.4.2"}
		require.True(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed(), "other versions are not blocked")
	}
}

func TestTheFirstViolation(t *testing.T) {
	t.Parallel()
	f := facts()
	f.Slots = []policy.Slot{{DeploymentID: uuid.UUID{100}, Product: checkout, Environment: production, VersionID: former, LastEventAt: monday}}
	f.Completed = map[uuid.UUID][]time.Time{quality.ID: {monday.Add(-2 * time.Hour)}, staging.ID: {monday.Add(-time.Hour)}}
	f.Runs = map[uuid.UUID][]policy.Span{staging.ID: {{From: monday.Add(-time.Minute)}}}
	rules := map[string]policy.Rule{
		"approval": ruleOf(t, 5, approvedByQA), "request": ruleOf(t, 4, needsRequest), "schedule": ruleOf(t, 6, deny), "soak": ruleOf(t, 2, stagingFirst), "concurrency": ruleOf(t, 1, oneAtATime),
	}
	order := func(names ...string) (list []string) {
		var set []policy.Rule
		for _, name := range names {
			set = append(set, rules[name])
		}
		for _, one := range compile(t, set...).Evaluate(monday, policy.Attempt{}, f).Violations {
			list = append(list, one.RuleName)
		}
		return list
	}
	require.Equal(t, []string{"Rule D", "Rule E", "Rule F", "Rule B", "Rule A"}, order("concurrency", "soak", "schedule", "approval", "request"))
	soak, busy := rules["soak"], rules["concurrency"]
	soak.Priority, busy.Priority = 99, 0
	rules["soak"], rules["concurrency"] = soak, busy
	require.Equal(t, []string{"Rule B", "Rule D", "Rule E", "Rule F", "Rule A"}, order("concurrency", "soak", "schedule", "approval", "request"),
		"409 is the answer only if nothing else blocks")
	require.Equal(t, []string{"Rule A"}, order("concurrency"))
}

func TestAtMostThreeSentences(t *testing.T) {
	t.Parallel()
	var rules []policy.Rule
	for id := byte(1); id <= 5; id++ {
		rules = append(rules, ruleOf(t, id, stagingFirst))
	}
	verdict := compile(t, rules...).Evaluate(monday, policy.Attempt{SkipRequested: true}, facts())
	require.Len(t, verdict.Violations, 5)
	require.True(t, verdict.SkipIgnored)
	require.Equal(t, 3, strings.Count(verdict.Message(), "must first complete"))
	require.True(t, strings.HasSuffix(verdict.Message(), "skip_preflight_checks was ignored: the API key does not have the scope skip_preflight."))
}

func TestSkipping(t *testing.T) {
	t.Parallel()
	f := facts()
	skip := policy.Attempt{SkipRequested: true, SkipPermitted: true}
	set := compile(t, ruleOf(t, 1, deny), ruleOf(t, 2, stagingFirst), ruleOf(t, 3, oneAtATime))
	verdict := set.Evaluate(monday, skip, f)
	require.Equal(t, policy.StatusSkipped, verdict.Status)
	require.True(t, verdict.Allowed())
	for _, one := range verdict.Violations {
		require.Equal(t, policy.ActionSkipped, one.Action)
	}
	require.Equal(t, policy.StatusBlocked, set.Evaluate(monday, policy.Attempt{SkipPermitted: true}, f).Status)
	require.Equal(t, policy.StatusPassed, compile(t).Evaluate(monday, skip, f).Status)

	f.Slots = []policy.Slot{{DeploymentID: uuid.UUID{100}, Product: checkout, Environment: production, VersionID: former, LastEventAt: monday}}
	verdict = set.Evaluate(monday, skip, f)
	require.Equal(t, policy.StatusBlocked, verdict.Status)
	require.Equal(t, policy.DeploymentInProgress, verdict.First().Code, "concurrency is not skipped")
	require.Equal(t, verdict.First().Message, verdict.Message())
	require.Equal(t, []policy.Action{policy.ActionSkipped, policy.ActionSkipped, policy.ActionBlocked},
		[]policy.Action{verdict.Violations[0].Action, verdict.Violations[1].Action, verdict.Violations[2].Action})

	require.Nil(t, set.NextAllowed(monday, policy.Attempt{SkipRequested: true}, f).AllowedAt)
	next := set.NextAllowed(monday, skip, f)
	require.Equal(t, verdict.First().ClearsAt, next.AllowedAt, "of what blocks alone")
	require.Equal(t, verdict.First().RuleID, next.Binding.ID)
	f.Requests = []policy.Request{{ID: uuid.UUID{50}, Name: "R", Status: policy.RequestInProgress, Gate: true, VersionIDs: []uuid.UUID{version.ID}, EnvironmentIDs: []uuid.UUID{production.ID}}}
	require.Equal(t, next, set.NextAllowed(monday, skip, f), "requests are skipped, too")
}

func TestExceptionsThatMayMatter(t *testing.T) {
	t.Parallel()
	busy := facts()
	busy.Slots = []policy.Slot{{DeploymentID: uuid.UUID{100}, Product: checkout, Environment: production, VersionID: former, LastEventAt: monday}}
	skip := policy.Attempt{SkipRequested: true, SkipPermitted: true}
	enforced, allowed, busyRule := ruleOf(t, 1, `{"rollback":"enforce",`+deny[1:]), ruleOf(t, 2, deny), ruleOf(t, 3, oneAtATime)
	reported := enforced
	reported.Mode = policy.ReportOnly
	for name, c := range map[string]struct {
		rules   []policy.Rule
		attempt policy.Attempt
		facts   policy.Facts
		may     bool
	}{
		"Passed":                 {[]policy.Rule{busyRule}, policy.Attempt{}, facts(), false},
		"Blocked":                {[]policy.Rule{enforced}, policy.Attempt{}, facts(), true},
		"Reported":               {[]policy.Rule{reported}, policy.Attempt{}, facts(), false},
		"Skipped":                {[]policy.Rule{enforced}, skip, facts(), false},
		"Busy":                   {[]policy.Rule{busyRule}, policy.Attempt{}, busy, false},
		"BusyAndBlocked":         {[]policy.Rule{enforced, busyRule}, policy.Attempt{}, busy, false},
		"BusyAndRollbackAllowed": {[]policy.Rule{allowed, busyRule}, policy.Attempt{}, busy, true},
		"SkippedRollbackAllowed": {[]policy.Rule{allowed}, skip, facts(), true},
	} {
		require.Equal(t, c.may, compile(t, c.rules...).Evaluate(monday, c.attempt, c.facts).MayBeExcepted, name)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	grant := func(change func(*policy.Grant)) policy.Grant {
		g := policy.Grant{
			ID: uuid.UUID{70}, ProductID: checkout.ID, EnvironmentID: production.ID, Version: "1.4.3", ExpiresAt: monday.Add(time.Minute),
			RuleTypes: []policy.RuleType{policy.ScheduleRule, policy.FlowRule, policy.DeploymentRequestRule, policy.VersionApprovalRule},
		}
		if change != nil {
			change(&g)
		}
		return g
	}
	set := compile(t, ruleOf(t, 1, deny), ruleOf(t, 2, stagingFirst), ruleOf(t, 3, oneAtATime))
	for name, c := range map[string]struct {
		grant  policy.Grant
		passes bool
	}{
		"All":              {grant(nil), true},
		"OneTypeIsMissing": {grant(func(g *policy.Grant) { g.RuleTypes = g.RuleTypes[:1] }), false},
		"OtherProduct":     {grant(func(g *policy.Grant) { g.ProductID = search.ID }), false},
		"OtherEnvironment": {grant(func(g *policy.Grant) { g.EnvironmentID = staging.ID }), false},
		"OtherVersion":     {grant(func(g *policy.Grant) { g.Version = "1.4.2" }), false},
		"Expired":          {grant(func(g *policy.Grant) { g.ExpiresAt = monday }), false},
	} {
		f := facts()
		f.Grants = []policy.Grant{c.grant}
		verdict := set.Evaluate(monday, policy.Attempt{}, f)
		require.Equal(t, c.passes, verdict.Allowed(), name)
		for _, one := range verdict.Violations {
			require.Equal(t, c.passes, one.Action == policy.ActionOverridden, name)
		}
		if c.passes {
			require.Equal(t, policy.StatusOverridden, verdict.Status)
			require.Equal(t, c.grant.ID, verdict.GrantID)
		} else {
			require.Equal(t, uuid.Nil, verdict.GrantID)
		}
	}

	f := facts()
	f.Grants = []policy.Grant{grant(nil), grant(func(g *policy.Grant) { g.ID, g.ExpiresAt = uuid.UUID{71}, monday.Add(time.Second) })}
	require.Equal(t, uuid.UUID{71}, set.Evaluate(monday, policy.Attempt{}, f).GrantID, "the one that ends first is used")
	require.Equal(t, policy.StatusSkipped, set.Evaluate(monday, policy.Attempt{SkipRequested: true, SkipPermitted: true}, f).Status, "skipping uses no grant")
	require.Equal(t, uuid.UUID{70}, f.Grants[0].ID, "the facts are not changed")
	f.Slots = []policy.Slot{{DeploymentID: uuid.UUID{100}, Product: checkout, Environment: production, VersionID: former, LastEventAt: monday}}
	require.False(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed(), "no grant covers concurrency")
	f.Grants[0].RuleTypes = slices.Concat(f.Grants[0].RuleTypes, []policy.RuleType{policy.ConcurrencyRule})
	require.False(t, set.Evaluate(monday, policy.Attempt{}, f).Allowed())
	f.Slots = nil
	require.Equal(t, uuid.Nil, compile(t).Evaluate(monday, policy.Attempt{}, f).GrantID, "a start that nothing blocks uses no grant")
}
