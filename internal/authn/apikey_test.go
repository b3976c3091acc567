package authn_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var quiet = slog.New(slog.DiscardHandler) //nolint:gochecknoglobals // discards all

// keyServer is one server with its API keys.
type keyServer struct {
	*apikeys.Keys
	*authn.APIKeys
}

func newKeys(t *testing.T, pool *postgres.Pool) keyServer {
	t.Helper()
	return newKeysWithPepper(pool, strings.Repeat("pepper", 8))
}

func newKeysWithPepper(pool *postgres.Pool, pepper string) keyServer {
	keys := apikeys.New(pool, apikeys.Peppers{[]byte(pepper)}, quiet)
	return keyServer{Keys: keys, APIKeys: authn.NewAPIKeys(pool, keys, 0, quiet, nil)}
}

func run(t *testing.T, keys keyServer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { keys.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func create(t *testing.T, keys keyServer, account string, key apikeys.NewKey) string {
	t.Helper()
	created, err := keys.CreateInAccount(t.Context(), account, key)
	require.NoError(t, err)
	return created.Token
}

func check(ctx context.Context, keys keyServer, key string) (authn.Principal, error) {
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	request.Header.Set("Authorization", "Bearer "+key)
	ctx, err := keys.ApiKeyAuth(ctx, request)
	return authn.PrincipalFrom(ctx), err
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	pool, exec := openDatabase(t)
	keys := newKeys(t, pool)

	first := create(t, keys, "acme_inc", apikeys.NewKey{Name: "ci"})
	inAnHour := time.Now().Add(time.Hour)
	second := create(t, keys, "acme_inc", apikeys.NewKey{Name: "ci", ExpiresAt: &inAnHour})
	require.True(t, strings.HasPrefix(first, "sk_acme_inc_k1_"), first)
	require.True(t, strings.HasPrefix(second, "sk_acme_inc_k2_"), second)

	principal, err := check(t.Context(), keys, first)
	require.NoError(t, err)
	require.Equal(t, "acme_inc", principal.AccountSlug)

	t.Run("Expires", func(t *testing.T) {
		_, err := check(t.Context(), keys, second)
		require.NoError(t, err)
		exec("UPDATE api_keys SET expires_at = now() WHERE key_id = 'k2'")
		_, err = check(t.Context(), keys, second)
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "%v", err)
	})

	t.Run("Revoked", func(t *testing.T) {
		require.NoError(t, keys.RevokeByKeyID(t.Context(), "acme_inc", "k1"))
		require.NoError(t, keys.RevokeByKeyID(t.Context(), "acme_inc", "k1"), "again is no harm")
		_, err := check(t.Context(), keys, first)
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "%v", err)
		require.Equal(t, apperr.NotFound, apperr.CodeOf(keys.RevokeByKeyID(t.Context(), "acme_inc", "k9")))
		require.Equal(t, apperr.NotFound, apperr.CodeOf(keys.RevokeByKeyID(t.Context(), "unknown", "k1")))
	})

	t.Run("Listed", func(t *testing.T) {
		infos, err := keys.List(t.Context(), "acme_inc")
		require.NoError(t, err)
		require.Len(t, infos, 2)
		require.Equal(t, "revoked", infos[0].State(time.Now()))
		require.Equal(t, "expired", infos[1].State(time.Now()))
		require.Equal(t, "sk_acme_inc_k1_", infos[0].Prefix)
	})

	t.Run("NumbersAreNotUsedAgain", func(t *testing.T) {
		var group sync.WaitGroup
		created := make([]string, 8)
		for i := range created {
			group.Go(func() {
				key, err := keys.CreateInAccount(t.Context(), "acme_inc", apikeys.NewKey{Name: "ci"})
				if err == nil {
					created[i] = key.Token
				}
			})
		}
		group.Wait()
		infos, err := keys.List(t.Context(), "acme_inc")
		require.NoError(t, err)
		require.Len(t, infos, 10)
		require.NotContains(t, created, "")
	})
}

func TestKeysAreNotStored(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	key := create(t, newKeys(t, pool), "acme", apikeys.NewKey{Name: "ci"})
	infos, err := newKeys(t, pool).List(t.Context(), "acme")
	require.NoError(t, err)
	require.NotContains(t, string(infos[0].TokenHMAC), key)

	other := newKeysWithPepper(pool, strings.Repeat("salt", 8))
	_, err = check(t.Context(), other, key)
	require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "another pepper, another hash")
}

func TestPepperMismatch(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	require.NoError(t, newKeys(t, pool).VerifyPepper(t.Context()))
	require.NoError(t, newKeys(t, pool).VerifyPepper(t.Context()))
	other := newKeysWithPepper(pool, strings.Repeat("salt", 8))
	require.ErrorIs(t, other.VerifyPepper(t.Context()), apikeys.ErrPepperMismatch)
}

// TestRevocationReachesCachedKeys revokes keys while look-ups race to put them into the cache.
func TestRevocationReachesCachedKeys(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	administrator, server := newKeys(t, pool), newKeys(t, pool)
	run(t, server)
	count := 100
	if testing.Short() {
		count = 25
	}
	created := make([]string, count)
	for i := range created {
		created[i] = create(t, administrator, "acme", apikeys.NewKey{Name: "ci"})
	}
	done := make(chan struct{})
	var group sync.WaitGroup
	for _, key := range created {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond):
					_, _ = check(t.Context(), server, key)
				}
			}
		})
	}
	var last time.Time
	for i := range created {
		last = time.Now()
		require.NoError(t, administrator.RevokeByKeyID(t.Context(), "acme", "k"+strconv.Itoa(i+1)))
	}
	time.Sleep(time.Until(last.Add(time.Second)))
	for range 10 {
		for _, key := range created {
			_, err := check(t.Context(), server, key)
			require.Error(t, err)
			require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "%v", err)
		}
	}
	close(done)
	group.Wait()
}

// TestWrongKeysAskNoDatabase uses a pool that is closed: any look-up would be an error of another kind.
func TestInvalidTokensNeedNoLookup(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	keys := newKeys(t, pool)
	key := create(t, keys, "acme", apikeys.NewKey{Name: "ci"})
	pool.Close()

	for at := range key {
		replacement := "x"
		if key[at] == 'x' {
			replacement = "y"
		}
		_, err := check(t.Context(), keys, key[:at]+replacement+key[at+1:])
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "position %d", at)
	}
	_, err := check(t.Context(), keys, "sk_other_k1_"+strings.TrimPrefix(key, "sk_acme_k1_"))
	require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err))
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	keys := newKeys(t, pool)
	key := create(t, keys, "acme", apikeys.NewKey{Name: "ci"})
	pool.Close()
	_, err := check(t.Context(), keys, key)
	require.Equal(t, apperr.Unavailable, apperr.CodeOf(err), "%v", err)
}

func TestLastUseIsWrittenInBatches(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	keys := newKeys(t, pool)
	stop := run(t, keys)
	key := create(t, keys, "acme", apikeys.NewKey{Name: "ci"})
	for range 10 {
		_, err := check(t.Context(), keys, key)
		require.NoError(t, err)
	}
	lastUse := func() *time.Time {
		infos, err := keys.List(t.Context(), "acme")
		require.NoError(t, err)
		return infos[0].LastUsedAt
	}
	require.Nil(t, lastUse(), "not with the request")
	stop()
	require.NotNil(t, lastUse(), "at the latest when the server stops")
}
