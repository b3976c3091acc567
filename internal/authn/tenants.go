package authn

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
)

// DevIssuer is the issuer of the tokens that `versionerd token` prints. Its organisations are accounts, by their names.
const DevIssuer = "urn:versioner:dev"

// Viewer is what a person is whose role nobody knows.
const Viewer = "viewer"

// seenInterval is how often it is noted that a person is there.
const seenInterval = time.Minute

// Accounts finds, and where that is wanted makes, the accounts and people that valid tokens speak of.
type Accounts struct {
	DB *postgres.DB
	// Create lets the first token of an unknown organisation make its account.
	Create bool
	// Roles are the roles there are; any other is Viewer.
	Roles []string
}

// Resolve returns the principal of an identity. The tenant is the organisation of the issuer, never its slug. It waits for
// a database that restarts. The error is Forbidden for an organisation that is unknown and may not be made.
func (a Accounts) Resolve(ctx context.Context, identity Identity) (principal Principal, err error) {
	identity.Role = a.knownRole(identity.Role)
	err = postgres.Retry(ctx, postgres.Patience, func(ctx context.Context) error {
		principal, err = a.resolve(ctx, identity)
		return err
	})
	return principal, postgres.Classify(err)
}

// resolve may be done again: what it has written then is found.
func (a Accounts) resolve(ctx context.Context, identity Identity) (Principal, error) {
	known, err := a.DB.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	switch err = postgres.Classify(err); {
	case err != nil && apperr.CodeOf(err) == apperr.NotFound:
		return a.welcome(ctx, identity)
	case err != nil:
		return Principal{}, err
	}
	var principal Principal
	if isKnown(known, identity) {
		principal = principalOf(known.AccountID, known.Slug, *known.UserID, identity, known.AssignedRole)
		principal.RequestsPerHour = known.RequestsPerHour
		if time.Since(*known.LastSeenAt) < seenInterval {
			return principal, nil
		}
	}
	put, err := a.putUser(ctx, a.DB, known.AccountID, known.Slug, identity)
	if principal.IsPerson() && postgres.IsTransient(err) {
		return principal, nil // that they are here need not be noted: a database that is read-only can be read
	}
	put.RequestsPerHour = known.RequestsPerHour
	return put, err
}

// isKnown tells whether there is nothing to note of a person but that they are here.
func isKnown(known dbgen.GetTenantRow, identity Identity) bool {
	return known.UserID != nil && *known.Name == identity.Name && *known.Email == identity.Email && *known.ClaimedRole == identity.Role
}

// welcome makes the account of an organisation that was never here.
func (a Accounts) welcome(ctx context.Context, identity Identity) (principal Principal, err error) {
	if !a.Create {
		return principal, apperr.New(apperr.Forbidden, "You do not have permission to perform this action")
	}
	return principal, a.DB.WithTx(ctx, func(db *postgres.DB) error {
		account, err := a.makeAccount(ctx, db, identity)
		if err != nil {
			return err
		}
		principal, err = a.putUser(ctx, db, account.ID, account.Slug, identity)
		return err
	})
}

// makeAccount takes the slug of the token, with a number behind it where that is taken. A concurrent request may have made
// the account meanwhile.
func (a Accounts) makeAccount(ctx context.Context, db *postgres.DB, identity Identity) (dbgen.Account, error) {
	if identity.Issuer == DevIssuer {
		adopted, err := db.LinkAccountToOrganization(ctx, dbgen.LinkAccountToOrganizationParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: identity.OrganizationID, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return adopted, err
		}
		return knownAccount(ctx, db, identity)
	}
	base := slugFrom(identity.OrganizationSlug)
	for number := 1; ; number++ {
		slug := base
		if number > 1 {
			slug = fmt.Sprintf("%s-%d", base, number)
		}
		made, err := db.CreateTenant(ctx, dbgen.CreateTenantParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: slug, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return made, err
		}
		known, err := knownAccount(ctx, db, identity)
		if err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return known, err
		}
	}
}

// knownAccount is the one that a concurrent request has made.
func knownAccount(ctx context.Context, db *postgres.DB, identity Identity) (dbgen.Account, error) {
	known, err := db.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	return dbgen.Account{ID: known.AccountID, Slug: known.Slug}, postgres.Classify(err)
}

func (a Accounts) putUser(ctx context.Context, db *postgres.DB, accountID uuid.UUID, slug string, identity Identity) (Principal, error) {
	user, err := db.UpsertUser(ctx, dbgen.UpsertUserParams{
		AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Subject: identity.Subject, Name: identity.Name, Email: identity.Email, ClaimedRole: identity.Role,
		Now: time.Now(),
	})
	if err != nil {
		return Principal{}, postgres.Classify(err)
	}
	return principalOf(accountID, slug, user.ID, identity, user.AssignedRole), nil
}

func (a Accounts) knownRole(role string) string {
	if slices.Contains(a.Roles, role) {
		return role
	}
	return Viewer
}

func principalOf(accountID uuid.UUID, slug string, userID uuid.UUID, identity Identity, assigned *string) Principal {
	principal := Principal{AccountID: accountID, AccountSlug: slug, UserID: userID, UserName: identity.Subject, Role: identity.Role, SessionID: identity.SessionID}
	for _, name := range []string{identity.Email, identity.Name} {
		if name != "" {
			principal.UserName = name
		}
	}
	if assigned != nil {
		principal.Role = *assigned
	}
	return principal
}

var notInSlug = regexp.MustCompile(`[^a-z0-9_-]+`)

// slugFrom makes of an organisation's slug one that an account may have, with room for a number.
func slugFrom(text string) string {
	slug := strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(text), "-"), "-_")
	slug = slug[:min(len(slug), 50)]
	if CheckAccountSlug(slug) != nil {
		return "account"
	}
	return slug
}

// Role is what a person may do: assigned here, or told by their token.
func Role(user dbgen.User) string {
	if user.AssignedRole != nil {
		return *user.AssignedRole
	}
	return user.ClaimedRole
}

// AssignRole sets the role that wins over the token's; nil gives it back to the token. The error is Conflict when somebody
// would change their own role, or the last admin would cease to be one.
func (a Accounts) AssignRole(ctx context.Context, target etag.Ref, role *string) (user dbgen.User, err error) {
	if PrincipalFrom(ctx).UserID == target.ID {
		return user, apperr.New(apperr.Conflict, "Nobody changes their own role")
	}
	return user, a.DB.WithTx(ctx, func(db *postgres.DB) error {
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
		before := Role(user)
		user.AssignedRole = role
		if before == "admin" && Role(user) != "admin" && otherAdmins == 0 {
			return apperr.New(apperr.Conflict, "The last admin stays one")
		}
		if user, err = db.AssignRole(ctx, dbgen.AssignRoleParams{AccountID: target.AccountID, ID: target.ID, AssignedRole: role}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, audit.Change{
			AccountID: target.AccountID, Action: "user.assign_role", ObjectType: "user", ObjectID: target.ID, Fields: []string{"role"},
		})
	})
}
