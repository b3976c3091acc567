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
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestFirstTokensOfOneOrganisationShareItsCreation blocks the creation of one account, for which many users wait: other organisations
// are still created.
func TestFirstTokensOfOneOrganisationShareItsCreation(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	provisioner := accounts.NewProvisioner(pool.DB, true)
	identity := func(organization, subject string) authn.Identity {
		return authn.Identity{Issuer: "https://issuer.example.com", OrganizationID: organization, OrganizationSlug: organization, Subject: subject, Roles: []string{"admin"}}
	}

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	blocker, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = blocker.Exec(t.Context(), "INSERT INTO accounts (id, slug, issuer, organization_id, created_at) VALUES ($1, 'busy', 'https://issuer.example.com', 'busy', now())", uuid.Must(uuid.NewV7()))
	require.NoError(t, err)
	observer, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = observer.Close(context.WithoutCancel(t.Context())) })
	principals := make([]authn.Principal, 16)
	var group sync.WaitGroup
	for i := range principals {
		group.Go(func() {
			principal, err := provisioner.Resolve(t.Context(), identity("busy", fmt.Sprintf("user_%d", i)))
			if err == nil {
				principals[i] = principal
			}
		})
	}
	t.Cleanup(group.Wait)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	require.Eventually(t, func() bool {
		var isBlocked bool
		// Not in the transaction: there, the view stays as it was first read.
		err := observer.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&isBlocked)
		return err == nil && isBlocked
	}, 30*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for i := range 20 {
		_, err := provisioner.Resolve(ctx, identity(fmt.Sprintf("other_%d", i), "mona"))
		require.NoError(t, err)
	}

	require.NoError(t, blocker.Rollback(t.Context()))
	group.Wait()
	users := map[uuid.UUID]bool{}
	for _, principal := range principals {
		require.Equal(t, principals[0].AccountID, principal.AccountID)
		require.Equal(t, "busy", principal.AccountSlug)
		users[principal.UserID] = true
	}
	require.Len(t, users, len(principals), "each user is stored")
}
