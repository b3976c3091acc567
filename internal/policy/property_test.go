package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

const (
	minute       = time.Minute
	observedTime = 4 * 24 * time.Hour
)

// change is when the offset of a zone changes.
type change struct{ zone, date string }

func changes() []change {
	return []change{
		{"America/New_York", "2026-03-08"},
		{"America/New_York", "2026-11-01"},
		{"Europe/Berlin", "2026-10-25"},
		{"Australia/Lord_Howe", "2026-04-05"},
		{"America/Santiago", "2026-09-06"},
		{"Africa/Cairo", "2026-10-29"},
	}
}

// draws draws rules and facts around the start of the observed time. All times are whole minutes.
type draws struct {
	*rapid.T
	zone string
	from time.Time
}

func newDraws(t *rapid.T) draws {
	one := rapid.SampledFrom(changes()).Draw(t, "change")
	date, err := time.Parse(time.DateOnly, one.date)
	require.NoError(t, err)
	return draws{T: t, zone: one.zone, from: date.AddDate(0, 0, -2).Add(time.Duration(rapid.IntRange(0, 1440).Draw(t, "from")) * minute)}
}

func (d draws) number(label string, lowest, highest int) int {
	return rapid.IntRange(lowest, highest).Draw(d.T, label)
}

func (d draws) bool(label string) bool { return rapid.Bool().Draw(d.T, label) }

// time draws a time that is at most as many minutes away.
func (d draws) time(label string, earliest, latest int) time.Time {
	return d.from.Add(time.Duration(d.number(label, earliest, latest)) * minute)
}

func draw[V any](d draws, label string, values ...V) V {
	return rapid.SampledFrom(values).Draw(d.T, label)
}

func (d draws) window() policy.Window {
	const format = "2006-01-02T15:04"
	start := d.time("start", -3*1440, 4*1440)
	length := draw(d, "length", 1, 30, 60, 90, d.number("minutes", 1, 2*1440))
	window := policy.Window{
		Name: "w", Effect: draw(d, "effect", policy.Deny, policy.Deny, policy.Allow),
		Start: start.Format(format), End: start.Add(time.Duration(length) * minute).Format(format),
	}
	if d.bool("recurs") {
		window.RRule = new(draw(d, "rrule", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"))
		if d.bool("hasExDate") {
			window.ExDates = []string{d.time("exdate", -1440, 3*1440).Format(time.DateOnly)}
		}
	}
	return window
}

func (d draws) hours(label string) *int {
	if d.bool(label) {
		return nil
	}
	return new(d.number(label, 1, 100))
}

func (d draws) rule(id int) policy.Rule {
	rule := policy.Rule{
		ID: uuid.UUID{byte(id + 1)}, Name: fmt.Sprintf("Rule %d", id), Mode: draw(d, "mode", policy.Enabled, policy.Enabled, policy.Enabled, policy.ReportOnly, policy.Disabled),
		Priority: d.number("priority", 99, 101), Type: draw(d, "type", append(policy.RuleTypes(), policy.ScheduleRule, policy.ScheduleRule)...),
	}
	if d.number("inScope", 0, 5) == 0 {
		rule.Scope.Environments = []string{draw(d, "scope", "staging", "LIVE")}
	}
	switch rule.Type {
	case policy.ScheduleRule:
		rule.Schedule = &policy.Schedule{Timezone: d.zone}
		for range d.number("windows", 1, 4) {
			rule.Schedule.Windows = append(rule.Schedule.Windows, d.window())
		}
	case policy.FlowRule:
		rule.Flow = &policy.Flow{Prerequisites: draw(d, "prerequisites", []string{"staging"}, []string{"test", "stage"}), StrictOrder: d.bool("strictOrder"), MinSoakMinutes: d.number("soak", 0, 3000)}
	case policy.ConcurrencyRule:
		rule.Concurrency = &policy.Concurrency{
			MaxInProgress: d.number("max", 1, 3), StaleAfterMinutes: d.number("stale", 5, 3000),
			Per: draw(d, "per", policy.PerProductEnvironment, policy.PerProduct, policy.PerEnvironment, policy.PerScope),
		}
	case policy.DeploymentRequestRule:
		rule.DeploymentRequest = &policy.DeploymentRequest{RequiredApprovals: draw(d, "required", []policy.ApprovalType{policy.QA}, nil), ApprovalTimeoutHours: d.hours("timeout"), RequirePreSteps: d.bool("requireSteps")}
	case policy.VersionApprovalRule:
		rule.VersionApproval = &policy.VersionApproval{RequiredApprovals: draw(d, "required", []policy.ApprovalType{policy.QA}, []policy.ApprovalType{policy.QA, policy.Security}), ApprovalTimeoutHours: d.hours("timeout")}
	}
	if rule.Type != policy.ConcurrencyRule {
		rule.Rollback = new(draw(d, "rollback", policy.AllowRollback, policy.EnforceRollback))
	}
	rule.Normalize()
	require.Empty(d.T, rule.Validate())
	return rule
}

func (d draws) rules(most int) []policy.Rule {
	var rules []policy.Rule
	for id := range d.number("rules", 1, most) {
		rules = append(rules, d.rule(id))
	}
	return rules
}

func (d draws) facts() policy.Facts {
	f := facts()
	approvalType := func() policy.ApprovalType { return draw(d, "approvalType", policy.QA, policy.QA, policy.Security) }
	decision := func() policy.Decision {
		return draw(d, "decision", policy.Approved, policy.Approved, policy.Approved, policy.Rejected)
	}
	f.Completed, f.Runs = map[uuid.UUID][]time.Time{}, map[uuid.UUID][]policy.Span{}
	for _, environment := range []policy.Ref{quality, staging, production} {
		for range d.number("completions", 0, 3) {
			completed := d.time("completed", -6000, 0)
			span := policy.Span{From: completed}
			if d.bool("hasEnded") {
				span.Until = completed.Add(time.Duration(d.number("ran", 0, 3000)) * minute)
			}
			f.Completed[environment.ID] = append(f.Completed[environment.ID], completed)
			f.Runs[environment.ID] = append(f.Runs[environment.ID], span)
		}
	}
	if d.bool("isCurrent") {
		f.Current = &version.ID
	}
	for i := range d.number("slots", 0, 4) {
		f.Slots = append(f.Slots, policy.Slot{
			DeploymentID: uuid.UUID{100, byte(i)}, Product: draw(d, "product", checkout, checkout, search), Environment: draw(d, "environment", production, production, staging),
			VersionID: former, LastEventAt: d.time("lastEvent", -3000, 0),
		})
	}
	for range d.number("approvals", 0, 4) {
		approval := policy.Approval{Type: approvalType(), Decision: decision(), GivenAt: d.time("given", -6000, 0), Revoked: d.number("revoked", 0, 4) == 0}
		if d.bool("forEnvironment") {
			approval.EnvironmentID = &draw(d, "approvalEnvironment", &production, &staging).ID
		}
		f.Approvals = append(f.Approvals, approval)
	}
	for i := range d.number("requests", 0, 2) {
		request := policy.Request{
			ID: uuid.UUID{50, byte(i)}, Name: "R", Status: draw(d, "status", policy.RequestApproved, policy.RequestApproved, policy.RequestInProgress, policy.RequestDraft),
			Gate: d.number("gate", 0, 4) == 0, VersionIDs: []uuid.UUID{version.ID}, EnvironmentIDs: []uuid.UUID{draw(d, "requested", production.ID, production.ID, staging.ID)},
			OpenPreSteps: draw(d, "openSteps", 0, 0, 1),
		}
		for _, approvalType := range []policy.ApprovalType{policy.QA, policy.Compliance}[:d.number("slotsOfRequest", 0, 2)] {
			request.Approvals = append(request.Approvals, policy.RequestApproval{Type: approvalType, Required: d.bool("required"), Decision: decision(), DecidedAt: d.time("decided", -6000, 0)})
		}
		f.Requests = append(f.Requests, request)
	}
	return f
}

func (d draws) compile(rules []policy.Rule) *policy.Set {
	set, err := calendar.Compile(rules, d.from)
	require.NoError(d.T, err)
	return set
}

// firstMinute returns the first minute from one on, within the observed time, in which the attempt is allowed, or blocked.
func firstMinute(set *policy.Set, from, until time.Time, attempt policy.Attempt, f policy.Facts, isAllowed bool) *time.Time {
	for at := from; at.Before(until); at = at.Add(minute) {
		if set.Evaluate(at, attempt, f).Allowed() == isAllowed {
			return &at
		}
	}
	return nil
}

func TestNextAllowedIsTheFirstAllowedMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		set, f, until := d.compile(d.rules(8)), d.facts(), d.from.Add(observedTime)
		attempt := policy.Attempt{SkipRequested: d.number("skips", 0, 3) == 0, SkipPermitted: true}
		next := set.NextAllowed(d.from, attempt, f)
		want := firstMinute(set, d.from, until, attempt, f, true)
		if want == nil {
			require.True(t, next.AllowedAt == nil || !next.AllowedAt.Before(until), "allowed at %v", next.AllowedAt)
			require.NotNil(t, next.Binding)
			return
		}
		require.Equal(t, want, next.AllowedAt)
		require.Equal(t, want.Equal(d.from), next.Binding == nil)
		if want.After(d.from) {
			verdict := set.Evaluate(want.Add(-1), attempt, f)
			require.False(t, verdict.Allowed())
			require.True(t, slices.ContainsFunc(verdict.Violations, func(v policy.Violation) bool { return v.RuleID == next.Binding.ID }), "the binding rule blocks until then")
		}
		blocked := firstMinute(set, *want, until, attempt, f, false)
		if blocked == nil {
			require.True(t, next.BlockAt == nil || !next.BlockAt.Before(until), "blocks at %v", next.BlockAt)
			return
		}
		require.Equal(t, blocked, next.BlockAt)
		require.True(t, set.Evaluate(blocked.Add(-1), attempt, f).Allowed())
	})
}

func TestEarliestAfterApprovalsIsThatOfTheOtherRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		rules, f := d.rules(8), d.facts()
		next := d.compile(rules).NextAllowed(d.from, policy.Attempt{}, f)
		others := slices.DeleteFunc(slices.Clone(rules), func(r policy.Rule) bool {
			return r.Type == policy.DeploymentRequestRule || r.Type == policy.VersionApprovalRule
		})
		withoutRequests := f
		withoutRequests.Requests = nil
		require.Equal(t, d.compile(others).NextAllowed(d.from, policy.Attempt{}, withoutRequests).AllowedAt, next.EarliestAfterApprovals)
		certain := slices.DeleteFunc(slices.Clone(rules), func(r policy.Rule) bool { return r.Type == policy.ConcurrencyRule })
		withoutPlaces := d.compile(certain).NextAllowed(d.from, policy.Attempt{}, f)
		if next.AllowedAt != nil {
			require.Equal(t, withoutPlaces.AllowedAt.Equal(*next.AllowedAt), next.Certain)
		}
	})
}

func TestViolationsClearWhenTheySay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		rule, f := d.rule(0), d.facts()
		rule.Mode, f.Requests = policy.Enabled, slices.DeleteFunc(f.Requests, func(r policy.Request) bool { return r.Gate })
		set := d.compile([]policy.Rule{rule})
		verdict := set.Evaluate(d.from, policy.Attempt{}, f)
		next := set.NextAllowed(d.from, policy.Attempt{}, f)
		require.Equal(t, verdict.Allowed(), next.AllowedAt != nil && next.AllowedAt.Equal(d.from))
		if !verdict.Allowed() {
			require.Equal(t, next.AllowedAt, verdict.First().ClearsAt)
			require.NotEmpty(t, verdict.First().Message)
			require.NotEmpty(t, verdict.First().Details.Members())
		}
	})
}

// TestNeeds evaluates with the facts that the rules need, and with all of them. Where an exception may apply, those of exceptions are added.
func TestNeeds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		set, all := d.compile(d.rules(8)), d.facts()
		needs, needed := set.Needs(all.Product, all.Environment), all
		if !needs.History {
			needed.Completed, needed.Runs = nil, nil
		}
		if !needs.Slots {
			needed.Slots = nil
		}
		if !needs.Approvals {
			needed.Approvals = nil
		}
		verdict := set.Evaluate(d.from, policy.Attempt{}, needed)
		if verdict.MayBeExcepted {
			needed.Runs = all.Runs
			verdict = set.Evaluate(d.from, policy.Attempt{}, needed)
		}
		require.Equal(t, set.Evaluate(d.from, policy.Attempt{}, all), verdict)
	})
}

func TestAnotherRuleNeverUnblocks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		rules, f := d.rules(6), d.facts()
		more := append(slices.Clone(rules), d.rule(6), d.rule(7))
		fewer, all := d.compile(rules), d.compile(more)
		for range 20 {
			at := d.time("at", 0, 4*1440)
			before, after := fewer.Evaluate(at, policy.Attempt{}, f), all.Evaluate(at, policy.Attempt{}, f)
			require.False(t, !before.Allowed() && after.Allowed())
			require.GreaterOrEqual(t, len(after.Violations), len(before.Violations))
			earlier, later := fewer.NextAllowed(at, policy.Attempt{}, f).AllowedAt, all.NextAllowed(at, policy.Attempt{}, f).AllowedAt
			require.True(t, later == nil || earlier != nil && !later.Before(*earlier))
		}
	})
}

func TestReportOnlyDisabledAndOrderNeverMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		rules, f := d.rules(8), d.facts()
		enabled := slices.DeleteFunc(slices.Clone(rules), func(r policy.Rule) bool { return r.Mode != policy.Enabled })
		without, inOrder, shuffled := d.compile(enabled), d.compile(rules), d.compile(rapid.Permutation(rules).Draw(t, "order"))
		for range 20 {
			at := d.time("at", 0, 4*1440)
			want, got := without.Evaluate(at, policy.Attempt{}, f), shuffled.Evaluate(at, policy.Attempt{}, f)
			require.Equal(t, want.Status, got.Status)
			require.Equal(t, want.Violations, got.Violations)
			require.Equal(t, inOrder.Evaluate(at, policy.Attempt{}, f), got)
			require.Equal(t, without.NextAllowed(at, policy.Attempt{}, f), shuffled.NextAllowed(at, policy.Attempt{}, f))
		}
	})
}
