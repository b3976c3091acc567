package authn_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/testdb"
)

// withPeppers returns a new server, whose caches are empty.
func withPeppers(pool *postgres.Pool, names ...string) keyServer {
	var peppers apikeys.Peppers
	for _, name := range names {
		peppers = append(peppers, []byte(strings.Repeat(name, 32)))
	}
	keys := apikeys.New(pool, peppers, quiet)
	return keyServer{Keys: keys, APIKeys: authn.NewAPIKeys(pool, keys, 0, quiet, nil)}
}

// openDatabase returns a pool of a new database, and a function that executes SQL there.
func openDatabase(t *testing.T) (pool *postgres.Pool, exec func(sql string, arguments ...any)) {
	t.Helper()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return pool, func(sql string, arguments ...any) {
		_, err := conn.Exec(t.Context(), sql, arguments...)
		require.NoError(t, err)
	}
}

// TestPepperRotation replaces the pepper while API keys stay valid.
func TestPepperRotation(t *testing.T) {
	t.Parallel()
	pool, exec := openDatabase(t)
	requireValid := func(server keyServer, token string) {
		t.Helper()
		_, err := check(t.Context(), server, token)
		require.NoError(t, err)
	}
	old := withPeppers(pool, "o")
	require.NoError(t, old.VerifyPepper(t.Context()))
	used, unused := create(t, old, "acme", apikeys.NewKey{Name: "used"}), create(t, old, "acme", apikeys.NewKey{Name: "unused"})
	exec("UPDATE api_keys SET pepper_id = NULL") // as an older program has created them

	added := withPeppers(pool, "o", "n")
	require.NoError(t, added.VerifyPepper(t.Context()))
	remaining, err := added.KeysOfOtherPeppers(t.Context())
	require.NoError(t, err)
	require.Empty(t, remaining)
	requireValid(added, used)
	requireValid(old, used)

	both := withPeppers(pool, "n", "o")
	require.NoError(t, both.VerifyPepper(t.Context()))
	created := create(t, both, "acme", apikeys.NewKey{Name: "created"})
	requireValid(added, created)
	requireValid(both, created)
	requireValid(both, used)
	requireValid(added, used)
	requireValid(both, used)
	remaining, err = both.RotatePepper(t.Context())
	require.NoError(t, err)
	require.Equal(t, []dbgen.ListAPIKeysOfOtherPeppersRow{{AccountSlug: "acme", KeyID: "k2", Name: "unused"}}, remaining, "an unused key has the old hash")
	require.ErrorIs(t, withPeppers(pool, "n").VerifyPepper(t.Context()), apikeys.ErrPepperMismatch, "the old pepper is still needed")

	requireValid(withPeppers(pool, "n", "o"), unused)
	requireValid(withPeppers(pool, "n", "o"), used)
	requireValid(withPeppers(pool, "n", "o"), created)
	remaining, err = both.RotatePepper(t.Context())
	require.NoError(t, err)
	require.Empty(t, remaining)
	removed := withPeppers(pool, "n")
	require.NoError(t, removed.VerifyPepper(t.Context()))
	for _, token := range []string{used, unused, created} {
		requireValid(removed, token)
		_, err := check(t.Context(), withPeppers(pool, "o"), token)
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err))
	}
	require.ErrorIs(t, withPeppers(pool, "o").VerifyPepper(t.Context()), apikeys.ErrPepperMismatch)
}

// TestRevokedKeysNeedNoPepper keeps no former pepper for keys that are not valid.
func TestRevokedKeysNeedNoPepper(t *testing.T) {
	t.Parallel()
	pool, exec := openDatabase(t)
	old := withPeppers(pool, "o")
	require.NoError(t, old.VerifyPepper(t.Context()))
	create(t, old, "acme", apikeys.NewKey{Name: "revoked"})
	soon := time.Now().Add(time.Hour)
	create(t, old, "acme", apikeys.NewKey{Name: "expired", ExpiresAt: &soon})
	require.NoError(t, old.RevokeByKeyID(t.Context(), "acme", "k1"))
	exec("UPDATE api_keys SET expires_at = created_at WHERE name = 'expired'")
	remaining, err := withPeppers(pool, "n", "o").RotatePepper(t.Context())
	require.NoError(t, err)
	require.Empty(t, remaining)
	require.NoError(t, withPeppers(pool, "n").VerifyPepper(t.Context()))
}

// TestCalendarFeedsSurviveRotation keeps the former pepper as long as a feed is hashed with it.
func TestCalendarFeedsSurviveRotation(t *testing.T) {
	t.Parallel()
	pool, exec := openDatabase(t)
	old := withPeppers(pool, "o")
	require.NoError(t, old.VerifyPepper(t.Context()))
	create(t, old, "acme", apikeys.NewKey{Name: "revoked"})
	require.NoError(t, old.RevokeByKeyID(t.Context(), "acme", "k1"))
	account, err := old.AccountID(t.Context(), "acme")
	require.NoError(t, err)
	feeds := func(server keyServer) *calendarfeeds.Feeds { return calendarfeeds.New(pool, server.Keys, "", quiet) }
	created, err := feeds(old).Create(t.Context(), pool.DB, calendarfeeds.NewFeed{AccountID: account, UserID: uuid.New(), Name: "feed"})
	require.NoError(t, err)

	both := withPeppers(pool, "n", "o")
	_, err = both.RotatePepper(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, withPeppers(pool, "n").VerifyPepper(t.Context()), apikeys.ErrPepperMismatch, "the old pepper is still needed")
	_, err = feeds(both).Find(t.Context(), created.Token)
	require.NoError(t, err)
	count, err := both.CalendarFeedsOfOtherPeppers(t.Context())
	require.NoError(t, err)
	require.Zero(t, count, "its use has replaced the hash")
	_, err = both.RotatePepper(t.Context())
	require.NoError(t, err)
	removed := withPeppers(pool, "n")
	require.NoError(t, removed.VerifyPepper(t.Context()))
	_, err = feeds(removed).Find(t.Context(), created.Token)
	require.NoError(t, err)
	_, err = feeds(old).Find(t.Context(), created.Token)
	require.True(t, apperr.Is(err, apperr.NotFound))
	exec("UPDATE calendar_feeds SET pepper_id = substring(token_hmac FROM 1 FOR 8), revoked_at = now()")
	count, err = both.CalendarFeedsOfOtherPeppers(t.Context())
	require.NoError(t, err)
	require.Zero(t, count, "a revoked feed needs no pepper")
}

// TestSessionsSurviveRotation replaces the pepper and the encryption key while a session stays valid.
func TestSessionsSurviveRotation(t *testing.T) {
	t.Parallel()
	pool, exec := openDatabase(t)
	account, user := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	exec("INSERT INTO accounts (id, slug, created_at) VALUES ($1, 'acme', now())", account)
	exec("INSERT INTO users (account_id, id, subject, name, email, claimed_role, created_at, last_seen_at) VALUES ($1, $2, 's', 'Ada', '', 'admin', now(), now())", account, user)
	server := func(names ...string) (*sessions.Sessions, *authn.Sessions) {
		var secrets [][]byte
		for _, name := range names {
			secrets = append(secrets, bytes.Repeat([]byte(name), keyring.KeySize))
		}
		ring, err := keyring.New(secrets...)
		require.NoError(t, err)
		keys := withPeppers(pool, names...)
		stored := sessions.New(pool, keys.Keys, ring, time.Now, quiet)
		return stored, authn.NewSessions(keys.APIKeys, stored, sessions.Cookies{}, nil, 0)
	}
	verify := func(authenticator *authn.Sessions, token string) error {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.AddCookie(&http.Cookie{Name: "versioner_session", Value: token})
		_, err := authenticator.SessionCookie(t.Context(), request)
		return err
	}
	row := func() dbgen.UserSession {
		rows, err := pool.ListSessions(t.Context(), dbgen.ListSessionsParams{AccountID: account, UserID: user, Now: time.Now(), RowLimit: 2})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		return rows[0]
	}
	old, _ := server("o")
	token, err := old.Create(t.Context(), sessions.NewSession{AccountID: account, UserID: user, Issuer: "https://a.example.com", RefreshToken: "refresh", IDToken: "identity"})
	require.NoError(t, err)

	stored, authenticator := server("n")
	undecryptable, err := stored.ReencryptAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, undecryptable)
	require.Error(t, verify(authenticator, token))

	stored, authenticator = server("n", "o")
	require.NoError(t, verify(authenticator, token))
	for range 2 {
		undecryptable, err = stored.ReencryptAll(t.Context())
		require.NoError(t, err)
		require.Zero(t, undecryptable)
	}
	stored, authenticator = server("n")
	require.NoError(t, verify(authenticator, token))
	require.Equal(t, "identity", stored.IDToken(row()))
	exec("UPDATE user_sessions SET refresh_at = now()")
	_, err = old.ClaimRefresh(t.Context(), row())
	require.ErrorIs(t, err, keyring.ErrUnknownKeyID)
	require.Empty(t, old.IDToken(row()))
	exec("UPDATE user_sessions SET refresh_at = now()")
	refreshToken, err := stored.ClaimRefresh(t.Context(), row())
	require.NoError(t, err)
	require.Equal(t, "refresh", refreshToken)
}
