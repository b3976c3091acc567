package governance

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// ImportCalendar replaces the windows of a schedule by the events of an iCalendar file, all of them or none. The error is Invalid with
// the UID of each event that has a problem.
func (r Rules) ImportCalendar(ctx context.Context, target etag.Ref, data []byte, now time.Time) (rule Rule, err error) {
	row, err := r.DB.GetDeploymentRule(ctx, dbgen.GetDeploymentRuleParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return rule, postgres.Classify(err)
	}
	read, err := RuleOf(row)
	if err != nil {
		return rule, err
	}
	// The file is read before the account's governance is locked, for the time zone that the rule had then.
	windows, err := importedWindows(read, data)
	if err != nil {
		return rule, err
	}
	err = r.change(ctx, target.AccountID, func(db *postgres.DB) (isChanged bool, err error) {
		former, err := getForChange(ctx, db, target)
		if err != nil {
			return false, err
		}
		if former.Schedule.Timezone != read.Schedule.Timezone { // the type of a rule does not change
			if windows, err = importedWindows(former, data); err != nil {
				return false, err
			}
		}
		rule = former
		rule.Schedule = &policy.Schedule{Timezone: former.Schedule.Timezone, Windows: windows}
		if err := prepare(&rule.Rule, now); err != nil {
			return false, err
		}
		rule, isChanged, err = replace(ctx, db, former, rule, "deployment_rule.import", now)
		return isChanged, err
	})
	return rule, err
}

// importedWindows returns the windows of a rule's schedule that a file describes.
func importedWindows(rule Rule, data []byte) ([]policy.Window, error) {
	if rule.Schedule == nil {
		return nil, apperr.NewInvalid(apperr.Field{
			Loc: []any{"path", "id"}, Msg: "the rule has the type " + string(rule.Type) + ": only a schedule has windows", Type: "value_error.rule_type",
		})
	}
	windows, problems := calendar.Read(data, rule.Schedule.Timezone)
	if len(problems) == 0 {
		return windows, nil
	}
	fields := make([]apperr.Field, len(problems))
	for i, problem := range problems {
		fields[i] = apperr.Field{Loc: []any{"body"}, Msg: problem.Message, Type: "value_error.calendar"}
		if problem.UID != "" {
			fields[i].Loc = append(fields[i].Loc, problem.UID)
		}
	}
	return nil, apperr.NewInvalid(fields...)
}
