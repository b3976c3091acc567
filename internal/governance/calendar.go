package governance

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	defaultCalendar = 90 * 24 * time.Hour
	maxCalendar     = policy.Horizon
)

// CalendarRange returns the time that a calendar covers: by default 90 days from now on, or until a time that is past; at most 400 days.
func CalendarRange(from, until *time.Time, now time.Time) (start, end time.Time, err error) {
	start = now
	switch {
	case from != nil:
		start = *from
	case until != nil && !until.After(now):
		start = until.Add(-defaultCalendar)
	}
	end = start.Add(defaultCalendar)
	if until != nil {
		end = *until
	}
	problem := ""
	switch {
	case !end.After(start):
		problem = "must be after from"
	case end.Sub(start) > maxCalendar:
		problem = "must be at most 400 days after from"
	}
	if problem != "" {
		err = apperr.NewInvalid(apperr.Field{Loc: []any{"query", "until"}, Msg: problem, Type: "value_error.range"})
	}
	return start, end, err
}

// CalendarFilter selects rules of a calendar. Without a product or environment, rules of any one are selected; with a rule, it alone, and
// even if it is disabled.
type CalendarFilter struct {
	Product, Environment *policy.Ref
	Rule                 *uuid.UUID
}

func (f CalendarFilter) selects(rule policy.Rule) bool {
	if f.Rule == nil && rule.Mode == policy.Disabled || f.Rule != nil && *f.Rule != rule.ID {
		return false
	}
	return rule.Scope.Matches(f.Product, f.Environment)
}

// Calendar returns the first occurrences, up to calendar.MaxEvents and one, of the schedule rules that the filter selects. changedAt is
// when one of these rules was last changed.
func Calendar(ctx context.Context, db *postgres.DB, accountID uuid.UUID, filter CalendarFilter, from, until time.Time) (items []calendar.Item, changedAt time.Time, err error) {
	rows, err := db.ListDeploymentRules(ctx, dbgen.ListDeploymentRulesParams{AccountID: accountID, RowLimit: maxRules})
	if err != nil {
		return nil, changedAt, postgres.Classify(err)
	}
	var rules []policy.Rule
	for _, row := range rows {
		rule, err := RuleOf(row)
		if err != nil {
			return nil, changedAt, err
		}
		if filter.selects(rule.Rule) {
			rules = append(rules, rule.Rule)
			if rule.Schedule != nil && rule.UpdatedAt.After(changedAt) {
				changedAt = rule.UpdatedAt
			}
		}
	}
	items, err = calendar.Items(rules, from, until)
	return items, changedAt, err
}
