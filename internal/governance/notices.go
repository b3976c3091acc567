package governance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// grantBody is the body of the webhooks about a break-glass grant.
type grantBody struct {
	EventType        string    `json:"event_type"`
	OccurredAt       time.Time `json:"occurred_at"`
	GrantID          uuid.UUID `json:"grant_id"`
	Name             string    `json:"name"`
	Actor            *string   `json:"actor"`
	Reason           string    `json:"reason"`
	EnvironmentNames []string  `json:"environment_names"`
	ProductNames     []string  `json:"product_names"`
}

// notifyOfGrant notifies subscribers of what has happened to a grant. The actor is nil if it has expired.
func notifyOfGrant(ctx context.Context, db *postgres.DB, row dbgen.GetBreakGlassGrantRow, verb string, actor *string, now time.Time) error {
	grant, eventType := row.BreakGlassGrant, "breakglass."+verb
	body := grantBody{
		EventType: eventType, OccurredAt: now.UTC().Truncate(time.Microsecond), GrantID: grant.ID, Name: grant.Version, Actor: actor, Reason: grant.Reason,
		EnvironmentNames: []string{row.EnvironmentName}, ProductNames: []string{row.ProductName},
	}
	ruleTypes := make([]string, len(grant.RuleTypes))
	for i, ruleType := range grant.RuleTypes {
		ruleTypes[i] = policy.RuleType(ruleType).Words()
	}
	lines := []ingest.NoticeLine{
		{Name: "Product", Value: row.ProductName},
		{Name: "Version", Value: grant.Version},
		{Name: "Environment", Value: row.EnvironmentName},
		{Name: "Reason", Value: grant.Reason},
		{Name: "Rules", Value: strings.Join(ruleTypes, ", ")},
	}
	return EnqueueChange(ctx, db, ingest.FanOutEvent{
		AccountID: grant.AccountID, EventType: eventType, OccurredAt: now,
		ProductID: grant.ProductID, Product: row.ProductName, EnvironmentID: grant.EnvironmentID, Environment: row.EnvironmentName, Version: grant.Version,
	}, ingest.ChangeNotice{
		Summary: fmt.Sprintf("Break-glass grant for %s %s in %s was %s", row.ProductName, grant.Version, row.EnvironmentName, verb), Lines: lines,
		Products: []string{row.ProductName, grant.ProductID.String()}, Environments: []string{row.EnvironmentName, grant.EnvironmentID.String()},
	}, body, actor)
}

// approvalBody is the body of the webhooks about an approval of a version.
type approvalBody struct {
	EventType       string    `json:"event_type"`
	OccurredAt      time.Time `json:"occurred_at"`
	VersionID       uuid.UUID `json:"version_id"`
	ProductName     string    `json:"product_name"`
	Version         string    `json:"version"`
	ApprovalType    string    `json:"approval_type"`
	ApproverRole    string    `json:"approver_role"`
	EnvironmentName *string   `json:"environment_name"`
	Comments        *string   `json:"comments"`
	Actor           *string   `json:"actor"`
}

// notifyOfApproval notifies subscribers of a decision about a version, or of its revocation.
func notifyOfApproval(ctx context.Context, db *postgres.DB, version dbgen.VersionDetail, given GivenApproval, verb string, actor Actor, now time.Time) error {
	eventType, approval := "version."+verb, given.VersionApproval
	body := approvalBody{
		EventType: eventType, OccurredAt: now.UTC().Truncate(time.Microsecond), VersionID: version.ID, ProductName: version.ProductName, Version: version.Version,
		ApprovalType: approval.ApprovalType, ApproverRole: approval.ApproverRole, EnvironmentName: given.EnvironmentName, Comments: approval.Comments, Actor: &actor.Name,
	}
	words := policy.ApprovalType(approval.ApprovalType).Words()
	notice := ingest.ChangeNotice{
		Summary: fmt.Sprintf("%s %s: %s %s", version.ProductName, version.Version, words, strings.ReplaceAll(verb, "_", " ")),
		Lines: []ingest.NoticeLine{
			{Name: "Product", Value: version.ProductName}, {Name: "Version", Value: version.Version}, {Name: "Approval", Value: words},
		},
		Products: []string{version.ProductName, version.ProductID.String()},
	}
	event := ingest.FanOutEvent{
		AccountID: approval.AccountID, EventType: eventType, OccurredAt: now,
		ProductID: version.ProductID, Product: version.ProductName, Version: version.Version,
	}
	if given.EnvironmentName != nil {
		event.EnvironmentID, event.Environment = *approval.EnvironmentID, *given.EnvironmentName
		notice.Environments = []string{event.Environment, event.EnvironmentID.String()}
		notice.Lines = append(notice.Lines, ingest.NoticeLine{Name: "Environment", Value: event.Environment})
	}
	if approval.Comments != nil {
		notice.Lines = append(notice.Lines, ingest.NoticeLine{Name: "Comments", Value: *approval.Comments})
	}
	return EnqueueChange(ctx, db, event, notice, body, &actor.Name)
}

// ruleBody is the body of the webhooks about a change of a rule.
type ruleBody struct {
	EventType        string    `json:"event_type"`
	OccurredAt       time.Time `json:"occurred_at"`
	RuleID           uuid.UUID `json:"rule_id"`
	Name             string    `json:"name"`
	Actor            *string   `json:"actor"`
	Reason           *string   `json:"reason"` // not known yet
	EnvironmentNames []string  `json:"environment_names"`
	ProductNames     []string  `json:"product_names"`
	Weakened         bool      `json:"weakened"`
}

// notifyOfRule notifies subscribers of a change of a rule: before is nil for a new one, after for a deleted one.
func notifyOfRule(ctx context.Context, db *postgres.DB, before, after *Rule, actor string, now time.Time) error {
	rule, verb := after, "changed"
	switch {
	case before == nil:
		verb = "created"
	case after == nil:
		rule, verb = before, "deleted"
	}
	isWeakened := before != nil && isWeaker(before.Rule, ruleOrNil(after))
	products, environments, err := scopeNames(ctx, db, rule)
	if err != nil {
		return err
	}
	body := ruleBody{
		EventType: "rule.changed", OccurredAt: now.UTC().Truncate(time.Microsecond), RuleID: rule.ID, Name: rule.Name, Actor: &actor,
		EnvironmentNames: environments, ProductNames: products, Weakened: isWeakened,
	}
	summary := fmt.Sprintf("Deployment rule %q was %s", rule.Name, verb)
	if isWeakened {
		summary += " and blocks less"
	}
	return EnqueueChange(ctx, db, ingest.FanOutEvent{AccountID: rule.AccountID, EventType: "rule.changed", OccurredAt: now}, ingest.ChangeNotice{
		Summary: summary, Lines: []ingest.NoticeLine{{Name: "Rule", Value: rule.Name}, {Name: "Type", Value: rule.Type.Words()}, {Name: "Mode", Value: rule.Mode.Words()}},
		Products: slices.Concat(rule.Scope.Products, products), Environments: slices.Concat(rule.Scope.Environments, environments),
	}, body, &actor)
}

func ruleOrNil(rule *Rule) *policy.Rule {
	if rule == nil {
		return nil
	}
	return &rule.Rule
}

// scopeNames returns the names of the products and environments in a rule's scope: those of identifiers that exist, and the others as they are.
func scopeNames(ctx context.Context, db *postgres.DB, rule *Rule) (products, environments []string, err error) {
	ids := identifiers(rule.Scope.Products)
	named, err := db.ListNamedProducts(ctx, dbgen.ListNamedProductsParams{AccountID: rule.AccountID, IDs: ids})
	if err != nil {
		return nil, nil, postgres.Classify(err)
	}
	names := make(map[string]string)
	for _, row := range named {
		names[row.ID.String()] = row.Name
	}
	if len(identifiers(rule.Scope.Environments)) > 0 {
		rows, err := db.ListNamedEnvironments(ctx, rule.AccountID)
		if err != nil {
			return nil, nil, postgres.Classify(err)
		}
		for _, row := range rows {
			names[row.ID.String()] = row.Name
		}
	}
	replace := func(list []string) []string {
		replaced := make([]string, len(list))
		for i, text := range list {
			if replaced[i] = names[strings.ToLower(text)]; replaced[i] == "" {
				replaced[i] = text
			}
		}
		return replaced
	}
	return replace(rule.Scope.Products), replace(rule.Scope.Environments), nil
}

func identifiers(list []string) (ids []uuid.UUID) {
	for _, text := range list {
		if id, err := uuid.Parse(text); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// isWeaker reports whether a rule may block less after a change: it is not enabled any more, or deleted, applies to less, or requires less.
func isWeaker(before policy.Rule, after *policy.Rule) bool {
	if before.Mode != policy.Enabled {
		return false
	}
	if after == nil || after.Mode != policy.Enabled {
		return true
	}
	isRollbackAllowed := after.Rollback != nil && *after.Rollback == policy.AllowRollback && *before.Rollback != policy.AllowRollback
	return isRollbackAllowed || isNarrower(before.Scope.Products, after.Scope.Products) || isNarrower(before.Scope.Environments, after.Scope.Environments) ||
		isNarrower(before.Scope.EnvironmentTypes, after.Scope.EnvironmentTypes) || requiresLess(before, *after)
}

func requiresLess(before, after policy.Rule) bool {
	switch before.Type {
	case policy.ScheduleRule:
		return before.Schedule.Timezone != after.Schedule.Timezone || opensMore(before.Schedule.Windows, after.Schedule.Windows)
	case policy.FlowRule:
		isOrderChanged := !slices.Equal(before.Flow.Prerequisites, after.Flow.Prerequisites) && (before.Flow.StrictOrder || before.Flow.MinSoakMinutes > 0)
		return after.Flow.MinSoakMinutes < before.Flow.MinSoakMinutes || before.Flow.StrictOrder && !after.Flow.StrictOrder || isOrderChanged ||
			lacks(before.Flow.Prerequisites, after.Flow.Prerequisites)
	case policy.ConcurrencyRule:
		return after.Concurrency.MaxInProgress > before.Concurrency.MaxInProgress || after.Concurrency.StaleAfterMinutes < before.Concurrency.StaleAfterMinutes ||
			after.Concurrency.Per != before.Concurrency.Per
	case policy.VersionApprovalRule:
		was, is := before.VersionApproval, after.VersionApproval
		isElsewhere := was.Environment != nil && (is.Environment == nil || *is.Environment != *was.Environment)
		return isLonger(was.ApprovalTimeoutHours, is.ApprovalTimeoutHours) || isElsewhere || lacks(was.RequiredApprovals, is.RequiredApprovals)
	case policy.DeploymentRequestRule:
		was, is := before.DeploymentRequest, after.DeploymentRequest
		return isLonger(was.ApprovalTimeoutHours, is.ApprovalTimeoutHours) || was.RequirePreSteps && !is.RequirePreSteps ||
			lacks(was.RequiredApprovals, is.RequiredApprovals)
	}
	return false
}

// isLonger reports whether approvals expire later, or do not expire any more.
func isLonger(was, is *int) bool {
	return was != nil && (is == nil || *is > *was)
}

// opensMore reports whether windows of a schedule may allow a time that they did not: one that denies is gone or another one, or one allows
// beside those that did.
func opensMore(before, after []policy.Window) bool {
	of := func(windows []policy.Window, effect policy.Effect) []string {
		return encodeAll(slices.DeleteFunc(slices.Clone(windows), func(window policy.Window) bool { return window.Effect != effect }))
	}
	if lacks(of(before, policy.Deny), of(after, policy.Deny)) {
		return true
	}
	allowedBefore, allowedAfter := of(before, policy.Allow), of(after, policy.Allow)
	return len(allowedBefore) > 0 && (len(allowedAfter) == 0 || lacks(allowedAfter, allowedBefore))
}

// isNarrower reports whether a list of a scope, of which an empty one is everything, contains less.
func isNarrower[S ~[]E, E comparable](before, after S) bool {
	if len(before) == 0 {
		return len(after) > 0
	}
	return len(after) > 0 && lacks(before, after)
}

// lacks reports whether something in before is not in after.
func lacks[S ~[]E, E comparable](before, after S) bool {
	return slices.ContainsFunc(before, func(one E) bool { return !slices.Contains(after, one) })
}

// encodeAll returns comparable values.
func encodeAll[T any](list []T) []string {
	texts := make([]string, len(list))
	for i, one := range list {
		encoded, err := json.Marshal(one)
		if err != nil { // of windows and words
			panic(err)
		}
		texts[i] = string(encoded)
	}
	return texts
}

// EnqueueChange notifies the subscribers of a change in its transaction, if there are any. Each call is an event of its own. The actor is nil for
// the server.
func EnqueueChange(ctx context.Context, db *postgres.DB, event ingest.FanOutEvent, notice ingest.ChangeNotice, body any, actor *string) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the body of a webhook: %w", err)
	}
	notice.Body = encoded
	if actor != nil {
		notice.Lines = append(notice.Lines, ingest.NoticeLine{Name: "By", Value: *actor})
	}
	event.EventID, event.Change = uuid.Must(uuid.NewV7()), &notice
	event.SubjectID = event.EventID // a channel is notified once of a subject's event of a type
	return ingest.EnqueueChange(ctx, db, event)
}
