package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestReplicaOfAnIdlePrimary requires that a primary without changes makes no lag, and that a list is read from the standby only while
// announcements arrive and no user has written.
func TestReplicaOfAnIdlePrimary(t *testing.T) {
	t.Parallel()
	standby := testdb.NewStandby(t)
	require.NoError(t, migrate.Up(t.Context(), standby.PrimaryDSN, slog.New(slog.DiscardHandler)))
	primary, err := postgres.Open(t.Context(), standby.PrimaryDSN, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(primary.Close)
	pool, err := postgres.OpenAPI(t.Context(), standby.PrimaryDSN, postgres.APILimits{}, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	replica, err := postgres.OpenReplica(t.Context(), standby.DSN, primary, postgres.APILimits{}, postgres.Observed{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(replica.Close)
	pool.ReadFrom(replica)
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() { defer close(running); replica.Run(ctx) }()
	t.Cleanup(func() { stop(); <-running })

	account, hears := uuid.New(), true
	isFromStandby := func() (isStandby bool) {
		if hears {
			replica.Received(time.Now())
		}
		require.NoError(t, pool.ReadPage(t.Context(), account, 1<<20, func(page *postgres.Page) error {
			return page.Conn().QueryRow(t.Context(), "SELECT pg_is_in_recovery()").Scan(&isStandby)
		}))
		return isStandby
	}
	require.Eventually(t, isFromStandby, time.Minute, 10*time.Millisecond)

	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		require.Eventually(t, isFromStandby, 500*time.Millisecond, 5*time.Millisecond)
	}
	pool.UserWrote(t.Context(), account)
	require.False(t, isFromStandby())
	account = uuid.New()
	require.Eventually(t, isFromStandby, 500*time.Millisecond, 5*time.Millisecond, "another account")
	hears = false
	time.Sleep(postgres.MaxStaleness)
	require.False(t, isFromStandby(), "announcements do not arrive")
}
