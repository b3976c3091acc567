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

// Calendar returns the first occurrences, up to calendar.MaxEvents and one, of the schedule rules that apply to a product and environment; nil: any.
func Calendar(ctx context.Context, db *postgres.DB, accountID uuid.UUID, product, environment *policy.Ref, from, until time.Time) ([]calendar.Item, error) {
	rows, err := db.ListDeploymentRules(ctx, dbgen.ListDeploymentRulesParams{AccountID: accountID, RowLimit: maxRules})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	var rules []policy.Rule
	for _, row := range rows {
		rule, err := RuleOf(row)
		if err != nil {
			return nil, err
		}
		if rule.Mode != policy.Disabled && rule.Scope.Matches(product, environment) {
			rules = append(rules, rule.Rule)
		}
	}
	items, err := calendar.Items(rules, from, until)
	return items[:min(len(items), calendar.MaxEvents+1)], err
}
