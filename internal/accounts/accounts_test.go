package accounts_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func identityOf(organization, slug, subject, role string) authn.Identity {
	return authn.Identity{Issuer: "https://issuer.example.com", OrganizationID: organization, OrganizationSlug: slug, Subject: subject, Roles: []string{role}}
}

func newProvisioner(t *testing.T) (*accounts.Provisioner, *postgres.Pool) {
	t.Helper()
	pool := testdb.Open(t)
	return accounts.NewProvisioner(pool.DB, true), pool
}

func TestFirstTokenCreatesAccount(t *testing.T) {
	t.Parallel()
	provisioner, pool := newProvisioner(t)
	resolve := func(identity authn.Identity) authn.Principal {
		t.Helper()
		principal, err := provisioner.Resolve(t.Context(), identity)
		require.NoError(t, err)
		return principal
	}

	first := resolve(identityOf("org_1", "acme", "mona", "admin"))
	require.Equal(t, "acme", first.AccountSlug)
	require.True(t, first.IsUser())
	require.Equal(t, first, resolve(identityOf("org_1", "acme", "mona", "admin")), "once")
	require.Equal(t, first.AccountID, resolve(identityOf("org_1", "renamed", "lisa", "admin")).AccountID, "the tenant is the organisation, not its slug")

	second := resolve(identityOf("org_2", "acme", "mona", "admin"))
	require.Regexp(t, `^acme-[a-z2-7]{8}$`, second.AccountSlug, "a slug that is taken gets a random suffix")
	require.NotEqual(t, first.AccountID, second.AccountID)
	elsewhere := identityOf("org_1", "acme", "mona", "admin")
	elsewhere.Issuer = "https://other.example.com"
	require.Regexp(t, `^acme-[a-z2-7]{8}$`, resolve(elsewhere).AccountSlug, "another issuer's organisation is another tenant")

	for slug, want := range map[string]string{
		"": "^account(-.{8})?$", "live": "^account(-.{8})?$", "Ünï Cöde!": "^n-c-de$", "__": "^account(-.{8})?$", "UPPER_case-1": "^upper_case-1$",
	} {
		require.Regexp(t, want, resolve(identityOf("org "+slug, slug, "mona", "admin")).AccountSlug, slug)
	}

	require.Equal(t, authz.Viewer, resolve(identityOf("org_1", "acme", "unknown", "emperor")).Role, "an unknown role")
	require.Equal(t, "developer", resolve(identityOf("org_1", "acme", "mona", "developer")).Role, "the token's role may change")

	several := identityOf("org_1", "acme", "mona", "")
	several.Roles = []string{"emperor", "viewer", "admin", "developer"}
	require.Equal(t, "admin", resolve(several).Role, "the highest known role")

	provisioner = accounts.NewProvisioner(pool.DB, false)
	_, err := provisioner.Resolve(t.Context(), identityOf("org_9", "new", "mona", "admin"))
	require.Equal(t, apperr.Forbidden, apperr.CodeOf(err), "%v", err)
	require.Equal(t, first.AccountID, resolve(identityOf("org_1", "acme", "new", "viewer")).AccountID, "new users of existing accounts are still created")
}

func TestConcurrentFirstTokensCreateOneAccount(t *testing.T) {
	t.Parallel()
	provisioner, _ := newProvisioner(t)
	principals := make([]authn.Principal, 16)
	var group sync.WaitGroup
	for i := range principals {
		group.Go(func() {
			principal, err := provisioner.Resolve(t.Context(), identityOf("org_1", "acme", "mona", "admin"))
			if err == nil {
				principals[i] = principal
			}
		})
	}
	group.Wait()
	for _, principal := range principals {
		require.Equal(t, principals[0], principal)
		require.Equal(t, "acme", principal.AccountSlug)
	}
}

// TestReadOnlyDatabaseResolvesKnownUsers resolves users in a database that cannot store when they were last seen.
func TestReadOnlyDatabaseResolvesKnownUsers(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	provisioner := accounts.NewProvisioner(pool.DB, true)
	mona := identityOf("org_1", "acme", "mona", "admin")
	before, err := provisioner.Resolve(t.Context(), mona)
	require.NoError(t, err)

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	_, err = conn.Exec(t.Context(), "UPDATE users SET last_seen_at = last_seen_at - interval '1 hour'")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
	require.NoError(t, err)
	readOnly, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(readOnly.Close)
	provisioner = accounts.NewProvisioner(readOnly.DB, true)
	after, err := provisioner.Resolve(t.Context(), mona)
	require.NoError(t, err)
	require.Equal(t, before, after)

	lisa := identityOf("org_1", "acme", "lisa", "admin")
	_, err = provisioner.Resolve(t.Context(), lisa)
	require.Equal(t, apperr.Unavailable, apperr.CodeOf(err), "a new user must be stored: %v", err)
}

// TestResolveWaitsForTheDatabase makes the database refuse connections for a while.
func TestResolveWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	provisioner := accounts.NewProvisioner(pool.DB, true)
	before, err := provisioner.Resolve(t.Context(), identityOf("org_1", "acme", "mona", "admin"))
	require.NoError(t, err)

	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	name := config.Database
	config.Database = "postgres"
	admin, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close(context.WithoutCancel(t.Context())) })
	_, err = admin.Exec(t.Context(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)
	reopened := make(chan error, 1)
	time.AfterFunc(time.Second, func() {
		_, err := admin.Exec(context.WithoutCancel(t.Context()), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
		reopened <- err
	})
	after, err := provisioner.Resolve(t.Context(), identityOf("org_1", "acme", "mona", "admin"))
	require.NoError(t, <-reopened)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestLastAdminStays lets two admins remove each other's role concurrently: one of them remains.
func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	provisioner, pool := newProvisioner(t)
	for range 10 {
		mona, err := provisioner.Resolve(t.Context(), identityOf("org_1", "acme", "mona", "admin"))
		require.NoError(t, err)
		lisa, err := provisioner.Resolve(t.Context(), identityOf("org_1", "acme", "lisa", "admin"))
		require.NoError(t, err)
		assign := func(by, to authn.Principal, role *string) error {
			_, err := accounts.AssignRole(authn.WithPrincipal(t.Context(), by), pool.DB, announced{}, etag.Ref{AccountID: to.AccountID, ID: to.UserID}, role)
			return err
		}
		viewer := authz.Viewer
		failures := make([]error, 2)
		var group sync.WaitGroup
		group.Go(func() { failures[0] = assign(mona, lisa, &viewer) })
		group.Go(func() { failures[1] = assign(lisa, mona, &viewer) })
		group.Wait()
		require.NotEqual(t, failures[0] == nil, failures[1] == nil, "%v", failures)
		for _, failure := range failures {
			if failure != nil {
				require.Equal(t, apperr.Conflict, apperr.CodeOf(failure), "%v", failure)
			}
		}
		require.Equal(t, apperr.Conflict, apperr.CodeOf(assign(mona, mona, nil)), "users cannot change their own role")
		require.NoError(t, assign(authn.Principal{}, mona, nil))
		require.NoError(t, assign(authn.Principal{}, lisa, nil))
	}
}

// TestNewOrganisationsLeaveConnections blocks the creation of accounts: known users must still be resolved.
func TestNewOrganisationsLeaveConnections(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	provisioner := accounts.NewProvisioner(pool.DB, true)
	known := identityOf("org_1", "acme", "mona", "admin")
	before, err := provisioner.Resolve(t.Context(), known)
	require.NoError(t, err)

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	observer, err := pgx.Connect(t.Context(), dsn) // a transaction would see one snapshot of pg_stat_activity
	require.NoError(t, err)
	t.Cleanup(func() { _ = observer.Close(context.WithoutCancel(t.Context())) })
	blocker, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = blocker.Exec(t.Context(), "LOCK TABLE accounts IN SHARE MODE") // reads pass, inserts wait
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 2 * pool.MaxConns() {
		group.Go(func() {
			_, _ = provisioner.Resolve(t.Context(), identityOf(fmt.Sprintf("org_new_%d", i), "acme", "lisa", "admin"))
		})
	}
	t.Cleanup(group.Wait)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	require.Eventually(t, func() bool {
		var blocked int
		err := observer.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&blocked)
		return err == nil && blocked >= 2
	}, 30*time.Second, 10*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	after, err := provisioner.Resolve(ctx, known)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// announced is for servers that cache no users.
type announced struct{}

func (announced) Announce(context.Context, *postgres.DB, ...uuid.UUID) {}
