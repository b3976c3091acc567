// Package governance implements what decides whether deployments may start: deployment rules and their evaluation, settings, approvals
// and break-glass grants. internal/policy decides; this package stores and loads what it decides on.
package governance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// maxRules is how many rules an account may have, disabled ones included.
const maxRules = 100

// maxOccurrences is how many windows the schedules of an account's rules in force may have within the horizon: a server compiles them at once.
const maxOccurrences = 50_000

// Rules changes deployment rules. Changes of an account's rules wait for each other, and each increments the revision of its governance,
// which servers compare before they use rules.
type Rules struct {
	DB      *postgres.DB
	Changes Announcer
}

// Rule is a stored rule.
type Rule struct {
	policy.Rule

	AccountID            uuid.UUID
	Revision             int64
	CreatedAt, UpdatedAt time.Time
}

// RuleOf returns the rule of a row.
func RuleOf(row dbgen.DeploymentRule) (Rule, error) {
	rule := Rule{
		Rule:      policy.Rule{ID: row.ID, Name: row.Name, Type: policy.RuleType(row.RuleType), Mode: policy.Mode(row.Mode), Priority: int(row.Priority)},
		AccountID: row.AccountID, Revision: row.Revision, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	if row.Rollback != nil {
		rule.Rollback = new(policy.Rollback(*row.Rollback))
	}
	if err := json.Unmarshal(row.Scope, &rule.Scope); err != nil {
		return rule, fmt.Errorf("decode the scope of rule %s: %w", row.ID, err)
	}
	return rule, rule.SetConfig(row.Config)
}

// RuleProblems returns the problems of a body that describes a rule, as far as it can be decoded.
func RuleProblems(body any) []apperr.Field {
	if _, isObject := body.(map[string]any); !isObject {
		return nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	var rule policy.Rule
	if json.Unmarshal(encoded, &rule) != nil {
		return nil // the schema says why
	}
	rule.Normalize()
	return problemsOf(&rule)
}

// problemsOf returns every problem of a rule that is normalized.
func problemsOf(rule *policy.Rule) []apperr.Field {
	var fields []apperr.Field
	for _, problem := range rule.Validate() {
		fields = append(fields, apperr.Field{Loc: append([]any{"body"}, problem.Path...), Msg: problem.Message, Type: problem.Type})
	}
	return fields
}

// prepare normalizes and validates a rule. A rule that passes can be compiled, so that one rule cannot fail the evaluation of all others.
func prepare(rule *policy.Rule, now time.Time) error {
	rule.Normalize()
	if fields := problemsOf(rule); len(fields) > 0 {
		return apperr.NewInvalid(fields...)
	}
	compiled := *rule
	compiled.Mode = policy.Enabled
	if _, err := calendar.Compile([]policy.Rule{compiled}, now); err != nil {
		return apperr.NewInvalid(apperr.Field{Loc: []any{"body", string(rule.Type)}, Msg: "cannot be evaluated: " + err.Error(), Type: "value_error.rule"})
	}
	return nil
}

// Create makes a rule whose name is free.
func (r Rules) Create(ctx context.Context, accountID uuid.UUID, body json.RawMessage, now time.Time) (rule Rule, err error) {
	if err := json.Unmarshal(body, &rule.Rule); err != nil {
		return rule, fmt.Errorf("decode a validated rule: %w", err)
	}
	if err := prepare(&rule.Rule, now); err != nil {
		return rule, err
	}
	rule.ID = uuid.Must(uuid.NewV7())
	config, err := rule.Config()
	if err != nil {
		return rule, err
	}
	err = r.change(ctx, accountID, func(db *postgres.DB) (bool, error) {
		if err := checkName(ctx, db, accountID, rule.Rule); err != nil {
			return false, err
		}
		if err := checkCount(ctx, db, accountID); err != nil {
			return false, err
		}
		row, err := db.CreateDeploymentRule(ctx, dbgen.CreateDeploymentRuleParams{
			AccountID: accountID, ID: rule.ID, Name: rule.Name, RuleType: string(rule.Type), Mode: string(rule.Mode), Priority: int32(rule.Priority), //nolint:gosec // at most 1000
			Rollback: (*string)(rule.Rollback), Scope: scopeOf(rule.Rule), Config: config, Now: now,
		})
		if err != nil {
			return false, postgres.Classify(err)
		}
		if rule, err = RuleOf(row); err != nil {
			return false, err
		}
		if err := checkOccurrences(ctx, db, nil, rule, now); err != nil {
			return false, err
		}
		if err := fillSlotsFor(ctx, db, rule, now); err != nil {
			return false, err
		}
		if err := notifyOfRule(ctx, db, nil, &rule, audit.ActorName(ctx), now); err != nil {
			return false, err
		}
		return true, audit.Record(ctx, db, ruleChange(rule, "deployment_rule.create", audit.Compare(nil, ruleMembers(rule))))
	})
	return rule, err
}

// Update applies a JSON merge patch (RFC 7396), which may have "enabled" beside the members of a rule.
func (r Rules) Update(ctx context.Context, target etag.Ref, patch json.RawMessage, now time.Time) (rule Rule, err error) {
	if patch, err = withMode(patch); err != nil {
		return rule, err
	}
	err = r.change(ctx, target.AccountID, func(db *postgres.DB) (bool, error) {
		former, err := getForChange(ctx, db, target)
		if err != nil {
			return false, err
		}
		if rule, err = patched(former, patch); err != nil {
			return false, err
		}
		if err := prepare(&rule.Rule, now); err != nil {
			return false, err
		}
		isChanged := false
		rule, isChanged, err = replace(ctx, db, former, rule, "deployment_rule.update", now)
		return isChanged, err
	})
	return rule, err
}

// replace stores a valid rule instead of its former state, unless they are equal.
func replace(ctx context.Context, db *postgres.DB, former, rule Rule, action string, now time.Time) (Rule, bool, error) {
	changed := audit.Compare(ruleMembers(former), ruleMembers(rule))
	if len(changed) == 0 {
		return rule, false, nil
	}
	if err := checkName(ctx, db, rule.AccountID, rule.Rule); err != nil {
		return rule, false, err
	}
	rule, err := update(ctx, db, rule, now)
	if err != nil {
		return rule, false, err
	}
	if err := checkOccurrences(ctx, db, &former, rule, now); err != nil {
		return rule, false, err
	}
	if err := fillSlotsFor(ctx, db, rule, now); err != nil {
		return rule, false, err
	}
	if err := notifyOfRule(ctx, db, &former, &rule, audit.ActorName(ctx), now); err != nil {
		return rule, false, err
	}
	return rule, true, audit.Record(ctx, db, ruleChange(rule, action, changed))
}

// Delete hides a rule. Its name may be used again.
func (r Rules) Delete(ctx context.Context, target etag.Ref, now time.Time) error {
	return r.change(ctx, target.AccountID, func(db *postgres.DB) (bool, error) {
		rule, err := getForChange(ctx, db, target)
		if err != nil {
			return false, err
		}
		if err := db.DeleteDeploymentRule(ctx, dbgen.DeleteDeploymentRuleParams{AccountID: target.AccountID, ID: target.ID, Now: now}); err != nil {
			return false, postgres.Classify(err)
		}
		if err := notifyOfRule(ctx, db, &rule, nil, audit.ActorName(ctx), now); err != nil {
			return false, err
		}
		return true, audit.Record(ctx, db, ruleChange(rule, "deployment_rule.delete", audit.Compare(ruleMembers(rule), nil)))
	})
}

// change runs fn, which reports whether it changes anything, in a transaction that has locked the account's governance, and whose
// commit makes every server read the rules again.
func (r Rules) change(ctx context.Context, accountID uuid.UUID, fn func(*postgres.DB) (isChanged bool, err error)) error {
	return r.DB.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := lockState(ctx, db, accountID); err != nil {
			return err
		}
		if isChanged, err := fn(db); err != nil || !isChanged {
			return err
		}
		if err := db.IncrementGovernanceRevision(ctx, accountID); err != nil {
			return postgres.Classify(err)
		}
		r.Changes.changed(ctx, db, accountID)
		return nil
	})
}

// lockState locks the account's governance against other changes and starts of deployments under rules.
func lockState(ctx context.Context, db *postgres.DB, accountID uuid.UUID) (dbgen.GovernanceState, error) {
	if err := db.EnsureGovernanceState(ctx, accountID); err != nil {
		return dbgen.GovernanceState{}, postgres.Classify(err)
	}
	state, err := db.LockGovernanceState(ctx, accountID)
	return state, postgres.Classify(err)
}

func getForChange(ctx context.Context, db *postgres.DB, target etag.Ref) (Rule, error) {
	row, err := db.GetDeploymentRule(ctx, dbgen.GetDeploymentRuleParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return Rule{}, postgres.Classify(err)
	}
	if err := target.Verify(row.Revision); err != nil {
		return Rule{}, err
	}
	return RuleOf(row)
}

func update(ctx context.Context, db *postgres.DB, rule Rule, now time.Time) (Rule, error) {
	config, err := rule.Config()
	if err != nil {
		return rule, err
	}
	row, err := db.UpdateDeploymentRule(ctx, dbgen.UpdateDeploymentRuleParams{
		AccountID: rule.AccountID, ID: rule.ID, Name: rule.Name, Mode: string(rule.Mode), Priority: int32(rule.Priority), //nolint:gosec // at most 1000
		Rollback: (*string)(rule.Rollback), Scope: scopeOf(rule.Rule), Config: config, Now: now,
	})
	if err != nil {
		return rule, postgres.Classify(err)
	}
	return RuleOf(row)
}

// withMode replaces "enabled" by the mode that it stands for.
func withMode(patch json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(patch, &members); err != nil {
		return nil, fmt.Errorf("decode a validated patch: %w", err)
	}
	enabled, isGiven := members["enabled"]
	if !isGiven {
		return patch, nil
	}
	if _, isModeGiven := members["mode"]; isModeGiven {
		return nil, apperr.NewInvalid(apperr.Field{Loc: []any{"body", "enabled"}, Msg: "must not be given together with mode", Type: "value_error.extra"})
	}
	mode := policy.Disabled
	if string(enabled) == "true" {
		mode = policy.Enabled
	}
	delete(members, "enabled")
	members["mode"] = json.RawMessage(`"` + mode + `"`)
	encoded, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	return encoded, nil
}

// patched returns the rule with a merge patch applied.
func patched(rule Rule, patch json.RawMessage) (Rule, error) {
	encoded, err := json.Marshal(rule.Rule)
	if err != nil {
		return rule, fmt.Errorf("encode a rule: %w", err)
	}
	merged, err := jsonpatch.MergePatch(encoded, patch)
	if err != nil {
		return rule, fmt.Errorf("merge a validated patch: %w", err)
	}
	result := Rule{AccountID: rule.AccountID, Revision: rule.Revision, CreatedAt: rule.CreatedAt, UpdatedAt: rule.UpdatedAt}
	if err := json.Unmarshal(merged, &result.Rule); err != nil {
		return rule, fmt.Errorf("decode a patched rule: %w", err)
	}
	return result, nil
}

// checkName returns an error when another rule of the account has the name. The account's governance is locked.
func checkName(ctx context.Context, db *postgres.DB, accountID uuid.UUID, rule policy.Rule) error {
	holders, err := db.ListDeploymentRulesOfName(ctx, dbgen.ListDeploymentRulesOfNameParams{AccountID: accountID, Name: rule.Name})
	if err != nil {
		return postgres.Classify(err)
	}
	for _, holder := range holders {
		if holder != rule.ID {
			return apperr.New(apperr.Conflict, "Name already in use")
		}
	}
	return nil
}

// checkCount returns an error when the account may not have another rule.
func checkCount(ctx context.Context, db *postgres.DB, accountID uuid.UUID) error {
	count, err := db.CountDeploymentRules(ctx, accountID)
	if err != nil {
		return postgres.Classify(err)
	}
	if count >= maxRules {
		return apperr.NewInvalid(apperr.Field{
			Loc: []any{"body"}, Msg: fmt.Sprintf("the account has reached its maximum of %d deployment rules", maxRules), Type: "value_error.quota",
		})
	}
	return nil
}

// checkOccurrences checks that servers can compile the account's schedules, once a rule with a schedule is stored. A change that adds no
// windows is always possible.
func checkOccurrences(ctx context.Context, db *postgres.DB, former *Rule, rule Rule, now time.Time) error {
	count, err := countOccurrences(rule, now)
	if err != nil || count == 0 {
		return err
	}
	if former != nil {
		if before, err := countOccurrences(*former, now); err != nil || count <= before {
			return err
		}
	}
	rows, err := db.ListRulesInForce(ctx, []uuid.UUID{rule.AccountID})
	if err != nil {
		return postgres.Classify(err)
	}
	for _, row := range rows {
		if row.ID == rule.ID {
			continue
		}
		other, err := RuleOf(row)
		if err != nil {
			return err
		}
		more, err := countOccurrences(other, now)
		if err != nil {
			return err
		}
		count += more
	}
	if count > maxOccurrences {
		return apperr.NewInvalid(apperr.Field{
			Loc: []any{"body", "schedule"}, Msg: fmt.Sprintf("the schedules of the account's rules may have at most %d windows in 400 days", maxOccurrences), Type: "value_error.quota",
		})
	}
	return nil
}

// countOccurrences returns how many windows the schedule of a rule in force has until the horizon.
func countOccurrences(rule Rule, now time.Time) (int, error) {
	if rule.Schedule == nil || rule.Mode == policy.Disabled {
		return 0, nil
	}
	expansion, err := calendar.Expand(rule.Schedule, now, now.Add(policy.Horizon))
	if err != nil {
		return 0, fmt.Errorf("expand the schedule of rule %s: %w", rule.ID, err)
	}
	return len(expansion.Occurrences), nil
}

func scopeOf(rule policy.Rule) json.RawMessage {
	encoded, err := json.Marshal(rule.Scope)
	if err != nil { // of lists of strings
		panic(err)
	}
	return encoded
}

// ruleMembers returns the members that the audit log has the values of.
func ruleMembers(rule Rule) []audit.Member {
	config, err := rule.Config()
	if err != nil {
		config = nil
	}
	return []audit.Member{
		{Name: "name", Value: rule.Name},
		{Name: "rule_type", Value: rule.Type},
		{Name: "mode", Value: rule.Mode},
		{Name: "priority", Value: rule.Priority},
		{Name: "rollback", Value: rule.Rollback},
		{Name: "scope", Value: rule.Scope},
		{Name: string(rule.Type), Value: json.RawMessage(config)},
	}
}

func ruleChange(rule Rule, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: rule.AccountID, Action: action, ObjectType: "deployment_rule", ObjectID: rule.ID, ObjectName: rule.Name, Values: values}
}
