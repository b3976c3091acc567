package accounts

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Role returns the role of a user: the assigned one, or that of their last token.
func Role(user dbgen.User) string {
	if user.AssignedRole != nil {
		return *user.AssignedRole
	}
	return user.ClaimedRole
}

// Announcer makes every server drop what it has cached of users, once the transaction is committed.
type Announcer interface {
	Announce(ctx context.Context, db *postgres.DB, ids ...uuid.UUID)
}

// AssignRole sets a role that overrides the token's; nil removes it. The error is Conflict when users change their own role, or
// when the account would have no admin.
func AssignRole(ctx context.Context, db *postgres.DB, changes Announcer, target etag.Ref, role *string) (user dbgen.User, err error) {
	if authn.PrincipalFrom(ctx).UserID == target.ID {
		return user, apperr.New(apperr.Conflict, "You cannot change your own role")
	}
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		locked, err := db.LockAdmins(ctx, dbgen.LockAdminsParams{AccountID: target.AccountID, ID: target.ID})
		if err != nil {
			return postgres.Classify(err)
		}
		otherAdmins, found := 0, false
		for _, row := range locked {
			if row.ID == target.ID {
				user, found = row, true
			} else {
				otherAdmins++
			}
		}
		if !found {
			return apperr.New(apperr.NotFound, "Not found")
		}
		if err := target.Verify(user.Revision); err != nil {
			return err
		}
		before, members := Role(user), roleMembers(user)
		user.AssignedRole = role
		if before == authz.Admin && Role(user) != authz.Admin && otherAdmins == 0 {
			return apperr.New(apperr.Conflict, "An account must keep at least one admin")
		}
		if user, err = db.AssignRole(ctx, dbgen.AssignRoleParams{AccountID: target.AccountID, ID: target.ID, AssignedRole: role}); err != nil {
			return postgres.Classify(err)
		}
		changes.Announce(ctx, db, target.ID)
		return audit.Record(ctx, db, audit.Change{
			AccountID: target.AccountID, Action: "user.assign_role", ObjectType: "user", ObjectID: target.ID, ObjectName: cmp.Or(user.Name, user.Email),
			Values: audit.Compare(members, roleMembers(user)),
		})
	})
	return user, err
}

// roleMembers returns the members that the audit log has the values of.
func roleMembers(user dbgen.User) []audit.Member {
	return []audit.Member{{Name: "role", Value: Role(user)}, {Name: "assigned", Value: user.AssignedRole != nil}}
}
