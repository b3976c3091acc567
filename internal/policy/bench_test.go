package policy_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

// BenchmarkEvaluate has 20 rules that apply: all pass, one blocks, or all of them block.
func BenchmarkEvaluate(b *testing.B) {
	passing := facts()
	passing.Completed = map[uuid.UUID][]time.Time{quality.ID: {monday.Add(-20 * time.Hour)}, staging.ID: {monday.Add(-10 * time.Hour)}}
	passing.Runs = map[uuid.UUID][]policy.Span{staging.ID: {{From: monday.Add(-10 * time.Hour)}}}
	passing.Approvals = []policy.Approval{{Type: policy.QA, Decision: policy.Approved, GivenAt: monday}, {Type: policy.Security, Decision: policy.Approved, GivenAt: monday}}
	passing.Requests = []policy.Request{{
		ID: uuid.UUID{50}, Status: policy.RequestApproved, VersionIDs: []uuid.UUID{version.ID}, EnvironmentIDs: []uuid.UUID{production.ID},
		Approvals: []policy.RequestApproval{{Type: policy.QA, Required: true, Decision: policy.Approved, DecidedAt: monday}},
	}}
	blocked := facts()
	for i := range 20 {
		slot := policy.Slot{DeploymentID: uuid.UUID{100, byte(i)}, Product: search, Environment: production, StartedAt: monday, LastEventAt: monday}
		passing.Slots = append(passing.Slots, slot)
		slot.Product = checkout
		blocked.Slots = append(blocked.Slots, slot)
	}
	var rules []policy.Rule
	for i, text := range []string{officeHours, stagingFirst, oneAtATime, approvedByQA, needsRequest} {
		for j := range 4 {
			var rule policy.Rule
			require.NoError(b, json.Unmarshal([]byte(fmt.Sprintf(`{"name":"Rule %d.%d",`, i, j)+text[1:]), &rule))
			rule.ID = uuid.UUID{byte(i), byte(j)}
			rules = append(rules, rule)
		}
	}
	open := time.Date(2026, 3, 3, 8, 30, 0, 0, time.UTC)
	freeze := rules[0]
	freeze.ID, freeze.Schedule = uuid.UUID{99}, &policy.Schedule{Timezone: "UTC", Windows: []policy.Window{{Name: "w", Effect: policy.Deny, Start: "2026-03-01T00:00", End: "2026-03-09T00:00"}}}
	for _, c := range []struct {
		name    string
		rules   []policy.Rule
		facts   policy.Facts
		at      time.Time
		blocked int
	}{{"passes", rules, passing, open, 0}, {"one=blocks", append(rules[1:20:20], freeze), passing, open, 1}, {"all=block", rules, blocked, monday, 20}} {
		b.Run(c.name, func(b *testing.B) {
			set := compile(b, c.rules...)
			require.Len(b, set.Evaluate(c.at, policy.Attempt{}, c.facts).Violations, c.blocked)
			require.Equal(b, 20, set.Len())
			b.ReportAllocs()
			for b.Loop() {
				set.Evaluate(c.at, policy.Attempt{}, c.facts)
			}
		})
	}
}

func FuzzRule(f *testing.F) {
	for _, text := range []string{deny, officeHours, stagingFirst, oneAtATime, approvedByQA, needsRequest} {
		f.Add([]byte(`{"name":"x",` + text[1:]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var rule policy.Rule
		if json.Unmarshal(data, &rule) != nil {
			return
		}
		rule.Normalize()
		problems := rule.Validate()
		for _, problem := range problems {
			require.NotEmpty(t, problem.Path)
			require.NotEmpty(t, problem.Message)
		}
		if len(problems) > 0 {
			return
		}
		config, err := rule.Config()
		require.NoError(t, err)
		stored := rule
		require.NoError(t, stored.SetConfig(config))
		stored.Normalize()
		require.Equal(t, rule, stored)
		set, err := calendar.Compile([]policy.Rule{rule}, monday)
		require.NoError(t, err)
		verdict, next := set.Evaluate(monday, policy.Attempt{}, facts()), set.NextAllowed(monday, policy.Attempt{}, facts())
		require.Equal(t, verdict.Allowed(), next.AllowedAt != nil && next.AllowedAt.Equal(monday))
	})
}
