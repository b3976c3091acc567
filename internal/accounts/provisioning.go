// Package accounts provisions accounts and users on their first session token, and assigns roles.
package accounts

import (
	"context"
	"crypto/rand"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/postgres"
)

// lastSeenWriteInterval bounds how often last_seen_at of a user is written.
const lastSeenWriteInterval = time.Minute

// maxProvisioning bounds the accounts that are created concurrently, so that many new organisations leave connections to
// the others.
const maxProvisioning = 2

// Provisioner finds the accounts and users of valid tokens, and creates them if so configured.
type Provisioner struct {
	db           *postgres.DB
	create       bool
	provisioning *semaphore.Weighted
	creations    singleflight.Group // by issuer and organisation
}

// NewProvisioner returns a provisioner. With create, the first token of an unknown organisation creates its account.
func NewProvisioner(db *postgres.DB, create bool) *Provisioner {
	return &Provisioner{db: db, create: create, provisioning: semaphore.NewWeighted(maxProvisioning)}
}

// Resolve returns the principal of an identity. The tenant is the organisation of the issuer, never its slug. It waits for
// a database that restarts. The error is Forbidden for an unknown organisation whose account may not be created.
func (p *Provisioner) Resolve(ctx context.Context, identity authn.Identity) (principal authn.Principal, err error) {
	role := authz.Highest(identity.Roles)
	err = postgres.Retry(ctx, func(ctx context.Context) error {
		principal, err = p.resolve(ctx, identity, role)
		return err
	})
	return principal, postgres.Classify(err)
}

// resolve is idempotent: a retry finds what the first run wrote.
func (p *Provisioner) resolve(ctx context.Context, identity authn.Identity, role string) (authn.Principal, error) {
	known, err := p.db.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	switch err = postgres.Classify(err); {
	case apperr.Is(err, apperr.NotFound):
		return p.provision(ctx, identity, role)
	case err != nil:
		return authn.Principal{}, err
	case known.MovingSince != nil:
		return authn.Principal{}, authn.ErrMoving
	}
	var principal authn.Principal
	if isUpToDate(known, identity, role) {
		principal = principalOf(known.AccountID, known.Slug, *known.UserID, identity, role, known.AssignedRole)
		principal.RequestsPerHour = known.RequestsPerHour
		if time.Since(*known.LastSeenAt) < lastSeenWriteInterval {
			return principal, nil
		}
	}
	put, err := p.upsertUser(ctx, p.db, known.AccountID, known.Slug, identity, role)
	if principal.IsUser() && postgres.IsTransient(err) {
		return principal, nil // a read-only database serves reads; last_seen_at waits
	}
	put.RequestsPerHour = known.RequestsPerHour
	return put, err
}

// isUpToDate reports whether the user is stored as the token describes them.
func isUpToDate(known dbgen.GetTenantRow, identity authn.Identity, role string) bool {
	return known.UserID != nil && *known.Name == identity.Name && *known.Email == identity.Email && *known.ClaimedRole == role
}

// provision creates the account of an organisation on its first token, then the user. Concurrent first tokens of one organisation
// share one creation, so that they do not occupy the slots of other organisations.
func (p *Provisioner) provision(ctx context.Context, identity authn.Identity, role string) (authn.Principal, error) {
	if !p.create {
		return authn.Principal{}, apperr.New(apperr.Forbidden, "You do not have permission to perform this action")
	}
	creation := p.creations.DoChan(identity.Issuer+"\x00"+identity.OrganizationID, func() (any, error) {
		return p.createInTurn(context.WithoutCancel(ctx), identity)
	})
	select {
	case result := <-creation:
		account, _ := result.Val.(dbgen.Account)
		if result.Err != nil {
			return authn.Principal{}, result.Err
		}
		return p.upsertUser(ctx, p.db, account.ID, account.Slug, identity, role)
	case <-ctx.Done():
		return authn.Principal{}, apperr.Wrap(apperr.Unavailable, "The account is not created yet", context.Cause(ctx))
	}
}

// creationTimeout bounds the creation of an account, which outlives the request that caused it.
const creationTimeout = 10 * time.Second

// createInTurn creates an account when fewer than maxProvisioning are being created.
func (p *Provisioner) createInTurn(ctx context.Context, identity authn.Identity) (dbgen.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, creationTimeout)
	defer cancel()
	if err := p.provisioning.Acquire(ctx, 1); err != nil {
		return dbgen.Account{}, apperr.Wrap(apperr.Unavailable, "too many new organisations", err)
	}
	defer p.provisioning.Release(1)
	return p.createAccount(ctx, p.db, identity)
}

// slugAttempts bounds the look-ups of the first token of an organisation: the slug of its token, then two with a random suffix
// of 40 bits. Which slugs exist must not make it more expensive.
const slugAttempts = 3

// createAccount creates the account with the slug of the token, or with a random suffix where that slug is taken. A concurrent request
// may have created the account.
func (p *Provisioner) createAccount(ctx context.Context, db *postgres.DB, identity authn.Identity) (dbgen.Account, error) {
	if identity.Issuer == authn.DevIssuer {
		adopted, err := db.LinkAccountToOrganization(ctx, dbgen.LinkAccountToOrganizationParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: identity.OrganizationID, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); !apperr.Is(err, apperr.NotFound) {
			return adopted, err
		}
		return getExistingAccount(ctx, db, identity)
	}
	base := slugFrom(identity.OrganizationSlug)
	slug := base
	for range slugAttempts {
		created, err := db.CreateTenant(ctx, dbgen.CreateTenantParams{ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Slug: slug, Issuer: identity.Issuer, OrganizationID: identity.OrganizationID})
		if err = postgres.Classify(err); !apperr.Is(err, apperr.NotFound) {
			return created, err
		}
		existing, err := getExistingAccount(ctx, db, identity)
		if !apperr.Is(err, apperr.NotFound) {
			return existing, err
		}
		slug = base + "-" + strings.ToLower(rand.Text()[:8])
	}
	return dbgen.Account{}, apperr.New(apperr.Unavailable, "no free account name was found")
}

// getExistingAccount returns the account that a concurrent request has created.
func getExistingAccount(ctx context.Context, db *postgres.DB, identity authn.Identity) (dbgen.Account, error) {
	known, err := db.GetTenant(ctx, dbgen.GetTenantParams{Issuer: identity.Issuer, OrganizationID: identity.OrganizationID, Subject: identity.Subject})
	return dbgen.Account{ID: known.AccountID, Slug: known.Slug}, postgres.Classify(err)
}

func (p *Provisioner) upsertUser(ctx context.Context, db *postgres.DB, accountID uuid.UUID, slug string, identity authn.Identity, role string) (authn.Principal, error) {
	user, err := db.UpsertUser(ctx, dbgen.UpsertUserParams{
		AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Subject: identity.Subject, Name: identity.Name, Email: identity.Email, ClaimedRole: role,
		Now: time.Now(),
	})
	if err != nil {
		return authn.Principal{}, postgres.Classify(err)
	}
	return principalOf(accountID, slug, user.ID, identity, role, user.AssignedRole), nil
}

func principalOf(accountID uuid.UUID, slug string, userID uuid.UUID, identity authn.Identity, role string, assigned *string) authn.Principal {
	principal := authn.Principal{AccountID: accountID, AccountSlug: slug, UserID: userID, UserName: identity.Subject, Role: role, SessionID: identity.SessionID}
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
	if apikeys.ValidateAccountSlug(slug) != nil {
		return "account"
	}
	return slug
}
