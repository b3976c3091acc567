package authn

import (
	"context"
	"crypto/rand"
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

// DevIssuer is the issuer of the tokens that `versionerd token` prints. Its organisations are accounts, by their slugs.
const DevIssuer = "urn:versioner:dev"

// Viewer is the role of a user without a known role.
const Viewer = "viewer"

// lastSeenWriteInterval bounds how often last_seen_at of a user is written.
const lastSeenWriteInterval = time.Minute

// Accounts finds the accounts and users of valid tokens, and creates them if so configured.
type Accounts struct {
	DB *postgres.DB
	// Create makes the first token of an unknown organisation create its account.
	Create bool
	// Roles are the known roles, the one with the most rights first; any other is Viewer.
	Roles []string
}

// Resolve returns the principal of an identity. The tenant is the organisation of the issuer, never its slug. It waits for
// a database that restarts. The error is Forbidden for an unknown organisation whose account may not be created.
func (a Accounts) Resolve(ctx context.Context, identity Identity) (principal Principal, err error) {
	role := a.highestRole(identity.Roles)
	err = postgres.Retry(ctx, postgres.Patience, func(ctx context.Context) error {
		principal, err = a.resolve(ctx, identity, role)
		return err
	})
	return principal, postgres.Classify(err)
}

// resolve is idempotent: a retry finds what the first run wrote.
func (a Accounts) resolve(ctx context.Context, identity Identity, role string) (Principal, error) {
	known, err := a.DB.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	switch err = postgres.Classify(err); {
	case err != nil && apperr.CodeOf(err) == apperr.NotFound:
		return a.provision(ctx, identity, role)
	case err != nil:
		return Principal{}, err
	}
	var principal Principal
	if isUpToDate(known, identity, role) {
		principal = principalOf(known.AccountID, known.Slug, *known.UserID, identity, role, known.AssignedRole)
		principal.RequestsPerHour = known.RequestsPerHour
		if time.Since(*known.LastSeenAt) < lastSeenWriteInterval {
			return principal, nil
		}
	}
	put, err := a.upsertUser(ctx, a.DB, known.AccountID, known.Slug, identity, role)
	if principal.IsPerson() && postgres.IsTransient(err) {
		return principal, nil // a read-only database serves reads; last_seen_at waits
	}
	put.RequestsPerHour = known.RequestsPerHour
	return put, err
}

// isUpToDate reports whether the user is stored as the token describes them.
func isUpToDate(known dbgen.GetTenantRow, identity Identity, role string) bool {
	return known.UserID != nil && *known.Name == identity.Name && *known.Email == identity.Email && *known.ClaimedRole == role
}

// provision creates the account of an organisation on its first token, with the user.
func (a Accounts) provision(ctx context.Context, identity Identity, role string) (principal Principal, err error) {
	if !a.Create {
		return principal, apperr.New(apperr.Forbidden, "You do not have permission to perform this action")
	}
	err = a.DB.WithTx(ctx, func(db *postgres.DB) error {
		account, err := a.createAccount(ctx, db, identity)
		if err != nil {
			return err
		}
		principal, err = a.upsertUser(ctx, db, account.ID, account.Slug, identity, role)
		return err
	})
	return principal, err
}

// slugAttempts bounds the look-ups of the first token of an organisation: the slug of its token, then two with a random suffix
// of 40 bits. Which slugs exist must not make it more expensive.
const slugAttempts = 3

// createAccount creates the account with the slug of the token, or with a random suffix where that slug is taken. A concurrent request
// may have created the account.
func (a Accounts) createAccount(ctx context.Context, db *postgres.DB, identity Identity) (dbgen.Account, error) {
	if identity.Issuer == DevIssuer {
		adopted, err := db.LinkAccountToOrganization(ctx, dbgen.LinkAccountToOrganizationParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: identity.OrganizationID, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return adopted, err
		}
		return getExistingAccount(ctx, db, identity)
	}
	base := slugFrom(identity.OrganizationSlug)
	slug := base
	for range slugAttempts {
		created, err := db.CreateTenant(ctx, dbgen.CreateTenantParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: slug, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return created, err
		}
		existing, err := getExistingAccount(ctx, db, identity)
		if err == nil || apperr.CodeOf(err) != apperr.NotFound {
			return existing, err
		}
		slug = base + "-" + strings.ToLower(rand.Text()[:8])
	}
	return dbgen.Account{}, apperr.New(apperr.Unavailable, "no free account name was found")
}

// getExistingAccount returns the account that a concurrent request has created.
func getExistingAccount(ctx context.Context, db *postgres.DB, identity Identity) (dbgen.Account, error) {
	known, err := db.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	return dbgen.Account{ID: known.AccountID, Slug: known.Slug}, postgres.Classify(err)
}

func (a Accounts) upsertUser(ctx context.Context, db *postgres.DB, accountID uuid.UUID, slug string, identity Identity, role string) (Principal, error) {
	user, err := db.UpsertUser(ctx, dbgen.UpsertUserParams{
		AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Subject: identity.Subject, Name: identity.Name, Email: identity.Email, ClaimedRole: role,
		Now: time.Now(),
	})
	if err != nil {
		return Principal{}, postgres.Classify(err)
	}
	return principalOf(accountID, slug, user.ID, identity, role, user.AssignedRole), nil
}

// highestRole returns the first of the known roles, which are in the order of their rights, among the claimed ones.
func (a Accounts) highestRole(claimed []string) string {
	for _, role := range a.Roles {
		if slices.Contains(claimed, role) {
			return role
		}
	}
	return Viewer
}

func principalOf(accountID uuid.UUID, slug string, userID uuid.UUID, identity Identity, role string, assigned *string) Principal {
	principal := Principal{AccountID: accountID, AccountSlug: slug, UserID: userID, UserName: identity.Subject, Role: role, SessionID: identity.SessionID}
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

// slugFrom returns a valid account slug for an organisation's slug, with room for a suffix.
func slugFrom(text string) string {
	slug := strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(text), "-"), "-_")
	slug = slug[:min(len(slug), 50)]
	if CheckAccountSlug(slug) != nil {
		return "account"
	}
	return slug
}

// Role returns the role of a user: the assigned one, or that of their last token.
func Role(user dbgen.User) string {
	if user.AssignedRole != nil {
		return *user.AssignedRole
	}
	return user.ClaimedRole
}

// AssignRole sets a role that overrides the token's; nil removes it. The error is Conflict when users change their own role, or
// when the account would have no admin.
func (a Accounts) AssignRole(ctx context.Context, target etag.Ref, role *string) (user dbgen.User, err error) {
	if PrincipalFrom(ctx).UserID == target.ID {
		return user, apperr.New(apperr.Conflict, "You cannot change your own role")
	}
	err = a.DB.WithTx(ctx, func(db *postgres.DB) error {
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
			return apperr.New(apperr.Conflict, "An account must keep at least one admin")
		}
		if user, err = db.AssignRole(ctx, dbgen.AssignRoleParams{AccountID: target.AccountID, ID: target.ID, AssignedRole: role}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, audit.Change{
			AccountID: target.AccountID, Action: "user.assign_role", ObjectType: "user", ObjectID: target.ID, Fields: []string{"role"},
		})
	})
	return user, err
}
