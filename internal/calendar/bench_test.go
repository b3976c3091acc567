package calendar_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

// largestRule returns a rule at the limits: 500 windows, of which 50 recur daily.
func largestRule(id int) policy.Rule {
	rule := policy.Rule{ID: uuid.UUID{byte(id)}, Name: "r", Type: policy.ScheduleRule, Mode: policy.Enabled, Schedule: &policy.Schedule{Timezone: "America/New_York"}}
	for i := range 500 {
		window := policy.Window{Name: "w", Effect: policy.Deny, Start: fmt.Sprintf("2026-%02d-%02dT10:%02d", i%12+1, i%28+1, i%60), End: fmt.Sprintf("2026-%02d-%02dT11:%02d", i%12+1, i%28+1, i%60)}
		if i < 50 {
			window.RRule = new("FREQ=DAILY")
		}
		rule.Schedule.Windows = append(rule.Schedule.Windows, window)
	}
	return rule
}

func BenchmarkCompile(b *testing.B) {
	for _, count := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("rules=%d", count), func(b *testing.B) {
			var rules []policy.Rule
			for i := range count {
				rules = append(rules, largestRule(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := calendar.Compile(rules, at("2026-06-01T00:00"))
				require.NoError(b, err)
			}
		})
	}
}
