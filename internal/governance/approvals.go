package governance

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// Actor is the user who decides, with the role and name of the time.
type Actor struct {
	ID   uuid.UUID
	Name string
	Role string
}

// NewApproval is a decision about a version.
type NewApproval struct {
	Type          policy.ApprovalType // an alias is replaced by its type
	Decision      policy.Decision
	EnvironmentID *uuid.UUID // nil: for all environments
	Comments      string
}

func errForbidden() error {
	return apperr.New(apperr.Forbidden, "You do not have permission to perform this action")
}

// GivenApproval is a decision with the name of its environment, nil for all environments.
type GivenApproval struct {
	dbgen.VersionApproval

	EnvironmentName *string
}

// ApproveVersion records a decision about a version. The error is Forbidden when the actor's role may not decide about the type.
func ApproveVersion(ctx context.Context, db *postgres.DB, accountID, versionID uuid.UUID, approval NewApproval, actor Actor, now time.Time) (given GivenApproval, err error) {
	approval.Type, approval.Comments = approval.Type.Normalize(), strings.TrimSpace(approval.Comments)
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		version, err := db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: accountID, ID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		if !mayApprove(actor.Role, approval.Type) {
			return errForbidden()
		}
		if approval.Decision == policy.Rejected && approval.Comments == "" {
			return apperr.NewInvalid(apperr.Field{Loc: []any{"body", "comments"}, Msg: "a rejection needs comments", Type: "value_error.missing"})
		}
		if approval.EnvironmentID != nil {
			environment, err := db.GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: accountID, ID: *approval.EnvironmentID})
			if err != nil {
				return postgres.Classify(err)
			}
			given.EnvironmentName = &environment.Name
		}
		given.VersionApproval, err = db.CreateVersionApproval(ctx, dbgen.CreateVersionApprovalParams{
			AccountID: accountID, ID: uuid.Must(uuid.NewV7()), VersionID: versionID, EnvironmentID: approval.EnvironmentID, ApprovalType: string(approval.Type),
			Decision: string(approval.Decision), Comments: ptr.NonZero(approval.Comments), ApproverRole: actor.Role, GivenBy: actor.ID, GivenByName: actor.Name, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		row := given.VersionApproval
		if err := notifyOfApproval(ctx, db, version, given, row.Decision, actor, now); err != nil {
			return err
		}
		return audit.Record(ctx, db, approvalChange(row, "version_approval.create", version, audit.Compare(nil, approvalMembers(row))))
	})
	return given, err
}

// RevokeApproval revokes a decision about a version, which its giver, admins and release managers may do. Revoking it again changes nothing.
func RevokeApproval(ctx context.Context, db *postgres.DB, accountID, versionID, id uuid.UUID, actor Actor, now time.Time) error {
	return db.WithTx(ctx, func(db *postgres.DB) error {
		version, err := db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: accountID, ID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		row, err := db.GetVersionApprovalForUpdate(ctx, dbgen.GetVersionApprovalForUpdateParams{AccountID: accountID, VersionID: versionID, ID: id})
		if err != nil {
			return postgres.Classify(err)
		}
		isGiver := row.GivenBy != nil && *row.GivenBy == actor.ID
		if !isGiver && !mayApprove(actor.Role, policy.ReleaseManager) {
			return errForbidden()
		}
		if row.RevokedAt != nil {
			return nil
		}
		revoked := GivenApproval{}
		if row.EnvironmentID != nil {
			names, err := db.ListNamedEnvironments(ctx, accountID) // a deleted one has no name
			if err != nil {
				return postgres.Classify(err)
			}
			for _, environment := range names {
				if environment.ID == *row.EnvironmentID {
					revoked.EnvironmentName = &environment.Name
				}
			}
		}
		before := approvalMembers(row)
		row.RevokedAt, row.RevokedBy, row.RevokedByName = &now, &actor.ID, &actor.Name
		if err := db.RevokeVersionApproval(ctx, dbgen.RevokeVersionApprovalParams{AccountID: accountID, ID: id, RevokedBy: actor.ID, RevokedByName: actor.Name, Now: now}); err != nil {
			return postgres.Classify(err)
		}
		revoked.VersionApproval = row
		if err := notifyOfApproval(ctx, db, version, revoked, "approval_revoked", actor, now); err != nil {
			return err
		}
		return audit.Record(ctx, db, approvalChange(row, "version_approval.revoke", version, audit.Compare(before, approvalMembers(row))))
	})
}

// mayApprove reports whether the role may decide about versions with regard to the type.
func mayApprove(role string, approvalType policy.ApprovalType) bool {
	return slices.Contains(policy.ApproverRoles(policy.VersionApprovalRule, []policy.ApprovalType{approvalType}), role)
}

// approvalMembers returns the members that the audit log has the values of.
func approvalMembers(row dbgen.VersionApproval) []audit.Member {
	return []audit.Member{
		{Name: "version_id", Value: row.VersionID},
		{Name: "approval_type", Value: row.ApprovalType},
		{Name: "decision", Value: row.Decision},
		{Name: "environment_id", Value: row.EnvironmentID},
		{Name: "comments", Value: row.Comments},
		{Name: "revoked_at", Value: utc(row.RevokedAt)},
	}
}

// utc returns a time as the API shows it.
func utc(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.UTC().Truncate(time.Microsecond))
}

func approvalChange(row dbgen.VersionApproval, action string, version dbgen.VersionDetail, values []audit.Value) audit.Change {
	return audit.Change{
		AccountID: row.AccountID, Action: action, ObjectType: "version_approval", ObjectID: row.ID,
		ObjectName: version.ProductName + " " + version.Version + ": " + row.ApprovalType, Values: values,
	}
}
