package governance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// The statuses of a break-glass grant. One that has not been used or confirmed in time is expired, even before a job stores it.
const (
	grantAwaiting = "awaiting_second"
	grantActive   = "active"
	grantUsed     = "used"
	grantExpired  = "expired"
	grantRevoked  = "revoked"
)

const (
	confirmationTime    = 15 * time.Minute
	defaultGrantMinutes = 30
	minReason           = 20 // characters
)

// NewGrant is a break-glass grant to create.
type NewGrant struct {
	ProductID, EnvironmentID uuid.UUID
	Version                  string
	Reason                   string
	Minutes                  *int
	RuleTypes                []policy.RuleType // none: all but concurrency
}

// EmailAdmins sends an e-mail to all admins of an account, in the transaction.
type EmailAdmins func(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text, details string) error

// Grants changes break-glass grants.
type Grants struct {
	DB          *postgres.DB
	EmailAdmins EmailAdmins
}

// GrantStatus returns the status of a grant at a time.
func GrantStatus(grant dbgen.BreakGlassGrant, now time.Time) string {
	isOver := func(at *time.Time) bool { return at != nil && !now.Before(*at) }
	if grant.Status == grantAwaiting && isOver(grant.ConfirmUntil) || grant.Status == grantActive && isOver(grant.ExpiresAt) {
		return grantExpired
	}
	return grant.Status
}

// Create makes a grant, which is active unless the account's settings require another user to confirm it.
func (g Grants) Create(ctx context.Context, accountID uuid.UUID, grant NewGrant, actor Actor, now time.Time) (id uuid.UUID, err error) {
	err = g.DB.WithTx(ctx, func(db *postgres.DB) error {
		product, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: accountID, ID: grant.ProductID})
		if err != nil {
			return postgres.Classify(err)
		}
		environment, err := db.GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: accountID, ID: grant.EnvironmentID})
		if err != nil {
			return postgres.Classify(err)
		}
		settings, err := Settings(ctx, db, accountID)
		if err != nil {
			return err
		}
		if err := grant.prepare(int(settings.BreakGlassMaxMinutes)); err != nil {
			return err
		}
		row, err := db.CreateBreakGlassGrant(ctx, newGrantParams(accountID, grant, settings.BreakGlassSecondPerson, actor, now))
		if err != nil {
			return postgres.Classify(err)
		}
		id = row.ID
		text := fmt.Sprintf("Break-glass grant for %s %s in %s by %s", product.Name, row.Version, environment.Name, actor.Name)
		details := fmt.Sprintf("The version may be deployed once, within %d minutes, although deployment rules block it.\n\nReason: %s", row.Minutes, row.Reason)
		if err := g.EmailAdmins(ctx, db, accountID, text, details); err != nil {
			return err
		}
		created := dbgen.GetBreakGlassGrantRow{BreakGlassGrant: row, ProductName: product.Name, EnvironmentName: environment.Name}
		if err := notifyOfGrant(ctx, db, created, "created", &actor.Name, now); err != nil {
			return err
		}
		if err := expireLater(ctx, db, row); err != nil {
			return err
		}
		return audit.Record(ctx, db, grantChange(row, "break_glass_grant.create", audit.Compare(nil, grantMembers(row))))
	})
	return id, err
}

// prepare normalizes the grant and returns its problems.
func (n *NewGrant) prepare(maxMinutes int) error {
	n.Reason = strings.TrimSpace(n.Reason)
	if n.Minutes == nil {
		n.Minutes = new(min(defaultGrantMinutes, maxMinutes))
	}
	var fields []apperr.Field
	if utf8.RuneCountInString(n.Reason) < minReason {
		fields = append(fields, apperr.Field{Loc: []any{"body", "reason"}, Msg: fmt.Sprintf("must have at least %d characters", minReason), Type: "value_error.any_str.min_length"})
	}
	if *n.Minutes > maxMinutes {
		fields = append(fields, apperr.Field{Loc: []any{"body", "minutes"}, Msg: fmt.Sprintf("must be at most %d, as the settings require", maxMinutes), Type: "value_error.number.not_le"})
	}
	for i, ruleType := range n.RuleTypes {
		if slices.Contains(n.RuleTypes[:i], ruleType) {
			fields = append(fields, apperr.Field{Loc: []any{"body", "rule_types", i}, Msg: "must not be repeated", Type: "value_error.duplicate"})
		}
	}
	if len(fields) > 0 {
		return apperr.NewInvalid(fields...)
	}
	if len(n.RuleTypes) == 0 {
		n.RuleTypes = slices.DeleteFunc(policy.RuleTypes(), func(ruleType policy.RuleType) bool { return ruleType == policy.ConcurrencyRule })
	}
	return nil
}

func newGrantParams(accountID uuid.UUID, grant NewGrant, needsSecond bool, actor Actor, now time.Time) dbgen.CreateBreakGlassGrantParams {
	params := dbgen.CreateBreakGlassGrantParams{
		AccountID: accountID, ID: uuid.Must(uuid.NewV7()), ProductID: grant.ProductID, EnvironmentID: grant.EnvironmentID, Version: grant.Version,
		Reason: grant.Reason, Minutes: int32(*grant.Minutes), Status: grantActive, CreatedBy: actor.ID, CreatedByName: actor.Name, Now: now, //nolint:gosec // at most 240
	}
	for _, ruleType := range grant.RuleTypes {
		params.RuleTypes = append(params.RuleTypes, string(ruleType))
	}
	if needsSecond {
		params.Status, params.ConfirmUntil = grantAwaiting, new(now.Add(confirmationTime))
	} else {
		params.ActivatedAt, params.ExpiresAt = &now, new(now.Add(time.Duration(*grant.Minutes)*time.Minute))
	}
	return params
}

// Confirm activates a grant of another user.
func (g Grants) Confirm(ctx context.Context, accountID, id uuid.UUID, actor Actor, now time.Time) error {
	return g.change(ctx, accountID, id, "break_glass_grant.confirm", "confirmed", actor, func(grant *dbgen.BreakGlassGrant) error {
		switch status := GrantStatus(*grant, now); {
		case status != grantAwaiting:
			return apperr.New(apperr.Conflict, "The grant is "+status)
		case grant.CreatedBy != nil && *grant.CreatedBy == actor.ID:
			return apperr.New(apperr.Conflict, "Another user must confirm the grant")
		}
		grant.Status, grant.ConfirmedBy, grant.ConfirmedByName, grant.ConfirmedAt = grantActive, &actor.ID, &actor.Name, &now
		grant.ActivatedAt, grant.ExpiresAt = &now, new(now.Add(time.Duration(grant.Minutes)*time.Minute))
		return nil
	}, now)
}

// Revoke ends a grant that has not ended.
func (g Grants) Revoke(ctx context.Context, accountID, id uuid.UUID, actor Actor, now time.Time) error {
	return g.change(ctx, accountID, id, "break_glass_grant.revoke", "revoked", actor, func(grant *dbgen.BreakGlassGrant) error {
		if status := GrantStatus(*grant, now); status != grantAwaiting && status != grantActive {
			return apperr.New(apperr.Conflict, "The grant is "+status)
		}
		grant.Status, grant.RevokedBy, grant.RevokedByName, grant.RevokedAt = grantRevoked, &actor.ID, &actor.Name, &now
		return nil
	}, now)
}

// Review records that another user has reviewed a grant that has ended.
func (g Grants) Review(ctx context.Context, accountID, id uuid.UUID, comments string, actor Actor, now time.Time) error {
	return g.change(ctx, accountID, id, "break_glass_grant.review", "", actor, func(grant *dbgen.BreakGlassGrant) error {
		status := GrantStatus(*grant, now)
		switch {
		case status == grantAwaiting || status == grantActive:
			return apperr.New(apperr.Conflict, "The grant is "+status)
		case grant.ReviewedAt != nil:
			return apperr.New(apperr.Conflict, "The grant was reviewed before")
		case grant.CreatedBy != nil && *grant.CreatedBy == actor.ID:
			return apperr.New(apperr.Conflict, "Another user must review the grant")
		}
		grant.ReviewedBy, grant.ReviewedByName, grant.ReviewedAt = &actor.ID, &actor.Name, &now // a job stores that it has expired
		grant.ReviewComments = ptr.NonZero(strings.TrimSpace(comments))
		return nil
	}, now)
}

// change changes a grant and notifies of it: the verb is empty for what subscribers are not notified of.
func (g Grants) change(
	ctx context.Context, accountID, id uuid.UUID, action, verb string, actor Actor, fn func(*dbgen.BreakGlassGrant) error, now time.Time,
) error {
	return g.DB.WithTx(ctx, func(db *postgres.DB) error {
		row, err := db.GetBreakGlassGrant(ctx, dbgen.GetBreakGlassGrantParams{AccountID: accountID, ID: id})
		if err != nil {
			return postgres.Classify(err)
		}
		grant, err := db.GetBreakGlassGrantForUpdate(ctx, dbgen.GetBreakGlassGrantForUpdateParams{AccountID: accountID, ID: id})
		if err != nil {
			return postgres.Classify(err)
		}
		before := grantMembers(grant)
		if err := fn(&grant); err != nil {
			return err
		}
		err = db.UpdateBreakGlassGrant(ctx, dbgen.UpdateBreakGlassGrantParams{
			AccountID: accountID, ID: id, Status: grant.Status, ConfirmedBy: grant.ConfirmedBy, ConfirmedByName: grant.ConfirmedByName, ConfirmedAt: grant.ConfirmedAt,
			ActivatedAt: grant.ActivatedAt, ExpiresAt: grant.ExpiresAt, RevokedBy: grant.RevokedBy, RevokedByName: grant.RevokedByName, RevokedAt: grant.RevokedAt,
			ReviewedBy: grant.ReviewedBy, ReviewedByName: grant.ReviewedByName, ReviewedAt: grant.ReviewedAt, ReviewComments: grant.ReviewComments, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if verb != "" {
			row.BreakGlassGrant = grant
			if err := notifyOfGrant(ctx, db, row, verb, ptr.NonZero(actor.Name), now); err != nil {
				return err
			}
		}
		if grant.Status == grantActive {
			if err := expireLater(ctx, db, grant); err != nil {
				return err
			}
		}
		return audit.Record(ctx, db, grantChange(grant, action, audit.Compare(before, grantMembers(grant))))
	})
}

// grantMembers returns the members that the audit log has the values of.
func grantMembers(grant dbgen.BreakGlassGrant) []audit.Member {
	return []audit.Member{
		{Name: "product_id", Value: grant.ProductID},
		{Name: "environment_id", Value: grant.EnvironmentID},
		{Name: "version", Value: grant.Version},
		{Name: "reason", Value: grant.Reason},
		{Name: "minutes", Value: grant.Minutes},
		{Name: "rule_types", Value: grant.RuleTypes},
		{Name: "status", Value: grant.Status},
		{Name: "expires_at", Value: utc(grant.ExpiresAt)},
		{Name: "reviewed_at", Value: utc(grant.ReviewedAt)},
		{Name: "review_comments", Value: grant.ReviewComments},
	}
}

func grantChange(grant dbgen.BreakGlassGrant, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: grant.AccountID, Action: action, ObjectType: "break_glass_grant", ObjectID: grant.ID, ObjectName: grant.Version, Values: values}
}
