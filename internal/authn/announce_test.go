package authn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// soon is well below the age at which cached keys expire anyway.
const soon = 5 * time.Second

// servers returns two servers on one database: one that changes keys and one that caches them.
func servers(t *testing.T) (pool *postgres.Pool, api *postgres.TenantPool, administrator, server keyServer) {
	t.Helper()
	pool, api = testdb.OpenBoth(t)
	administrator, server = newKeys(t, pool), newKeys(t, pool)
	run(t, server)
	require.Eventually(t, server.IsCaching, soon, time.Millisecond)
	return pool, api, administrator, server
}

// keepChecking uses the key until the test ends, so that it is cached again as soon as it can be.
func keepChecking(t *testing.T, server keyServer, key string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = check(ctx, server, key)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func isRefused(t *testing.T, server keyServer, key string) bool {
	t.Helper()
	_, err := check(t.Context(), server, key)
	if err == nil {
		return false
	}
	require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "%v", err)
	return true
}

func TestChangesAreAnnouncedAfterTheCommit(t *testing.T) {
	t.Parallel()
	pool, api, administrator, server := servers(t)
	errUndone := errors.New("rolled back")
	revoke := func(ctx context.Context, db *postgres.DB, created apikeys.CreatedKey) error {
		return administrator.Revoke(ctx, db, etag.Ref{AccountID: created.AccountID, ID: created.ID})
	}
	newKey := func(t *testing.T) apikeys.CreatedKey {
		t.Helper()
		created, err := administrator.CreateInAccount(t.Context(), "acme", apikeys.NewKey{Name: "ci"})
		require.NoError(t, err)
		require.False(t, isRefused(t, server, created.Token))
		keepChecking(t, server, created.Token)
		return created
	}

	t.Run("OfARequest", func(t *testing.T) {
		t.Parallel()
		created := newKey(t)
		require.NoError(t, revoke(t.Context(), api.Tenant(created.AccountID), created))
		require.Eventually(t, func() bool { return isRefused(t, server, created.Token) }, soon, 10*time.Millisecond)
	})
	t.Run("OfATransaction", func(t *testing.T) {
		t.Parallel()
		created := newKey(t)
		require.NoError(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, revoke(t.Context(), db, created))
			time.Sleep(300 * time.Millisecond) // an early announcement would make servers cache the old row again
			require.False(t, isRefused(t, server, created.Token), "not committed yet")
			return nil
		}))
		require.Eventually(t, func() bool { return isRefused(t, server, created.Token) }, soon, 10*time.Millisecond)
	})
	t.Run("NotAfterARollback", func(t *testing.T) {
		t.Parallel()
		created := newKey(t)
		require.ErrorIs(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, revoke(t.Context(), db, created))
			return errUndone
		}), errUndone)
		require.Never(t, func() bool { return isRefused(t, server, created.Token) }, 500*time.Millisecond, 10*time.Millisecond)
	})
	t.Run("OfARotation", func(t *testing.T) {
		t.Parallel()
		created := newKey(t)
		next, err := administrator.Rotate(t.Context(), pool.DB, created.AccountID, created.ID, 0, nil)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return isRefused(t, server, created.Token) }, soon, 10*time.Millisecond)
		require.False(t, isRefused(t, server, next.Token))
	})
	t.Run("OnTheOwnServerAtOnce", func(t *testing.T) {
		t.Parallel()
		created := newKey(t)
		require.NoError(t, server.Revoke(t.Context(), pool.DB, etag.Ref{AccountID: created.AccountID, ID: created.ID}))
		require.True(t, isRefused(t, server, created.Token))
	})
}

func TestLimitsReachOtherServers(t *testing.T) {
	t.Parallel()
	_, _, administrator, server := servers(t)
	keys := []string{create(t, administrator, "acme", apikeys.NewKey{Name: "ci"}), create(t, administrator, "acme", apikeys.NewKey{Name: "ci"})}
	other := create(t, administrator, "other", apikeys.NewKey{Name: "ci"})
	for _, key := range append(keys, other) {
		keepChecking(t, server, key)
	}
	limits := func(key string) (perMinute, perHour int32) {
		principal, err := check(t.Context(), server, key)
		require.NoError(t, err)
		perMinute, perHour = -1, -1
		if principal.RequestsPerMinute != nil {
			perMinute = *principal.RequestsPerMinute
		}
		if principal.RequestsPerHour != nil {
			perHour = *principal.RequestsPerHour
		}
		return perMinute, perHour
	}
	requireSoon := func(key string, perMinute, perHour int32) {
		t.Helper()
		require.Eventually(t, func() bool {
			minute, hour := limits(key)
			return minute == perMinute && hour == perHour
		}, soon, 10*time.Millisecond)
	}
	requireSoon(keys[0], -1, -1)
	limit, none := int32(7), int32(0)
	require.NoError(t, administrator.SetKeyLimit(t.Context(), "acme", "k1", &limit))
	requireSoon(keys[0], 7, -1)
	requireSoon(keys[1], -1, -1)
	require.NoError(t, administrator.SetAccountLimit(t.Context(), "acme", &none))
	requireSoon(keys[0], 7, 0)
	requireSoon(keys[1], -1, 0)
	requireSoon(other, -1, -1)
	require.NoError(t, administrator.SetKeyLimit(t.Context(), "acme", "k1", nil))
	require.NoError(t, administrator.SetAccountLimit(t.Context(), "acme", nil))
	requireSoon(keys[0], -1, -1)
	requireSoon(keys[1], -1, -1)
}
