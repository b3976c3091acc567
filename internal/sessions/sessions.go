// Package sessions manages the sessions of users' browsers: their life cycle, storage and cookies. It verifies no request; package authn
// does.
package sessions

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	// Lifetime is how long a session lasts at most.
	Lifetime = 7 * 24 * time.Hour
	// IdleTimeout is how long a session lasts after its last use.
	IdleTimeout = 12 * time.Hour

	tokenSize      = 32 // random bytes
	touchInterval  = time.Minute
	maxPerUser     = 100
	maxUserAgent   = 512  // bytes
	maxIDToken     = 4096 // bytes: a larger one does not fit into a URL that every provider accepts
	refreshAfter   = 10 * time.Minute
	refreshRetried = time.Minute // after the provider could not be reached
)

// Sessions manages the sessions of a database. They are stored by the HMAC-SHA256 of their token: 256 random bits need no slow hash.
type Sessions struct {
	pool    *postgres.Pool
	keys    *apikeys.Keys
	secrets apikeys.Peppers
	ring    *keyring.Keyring
	now     func() time.Time
	logger  *slog.Logger
}

// New returns the sessions of a database, whose secrets derive from keys. ring encrypts refresh tokens.
func New(pool *postgres.Pool, keys *apikeys.Keys, ring *keyring.Keyring, now func() time.Time, logger *slog.Logger) *Sessions {
	return &Sessions{pool: pool, keys: keys, secrets: keys.Derive("sessions"), ring: ring, now: now, logger: logger}
}

// NewSession describes a session to create.
type NewSession struct {
	AccountID, UserID uuid.UUID
	UserName          string // for the audit log
	Issuer            string
	ProviderSID       string // the session at the identity provider; empty: unknown
	RefreshToken      string // empty: the session is never refreshed
	IDToken           string // empty: the identity provider issues none
	UserAgent         string
	RemoteIP          string
	RequestID         string
}

// Create stores a session and returns its token, which is not stored. The oldest sessions of a user with too many of them end.
func (s *Sessions) Create(ctx context.Context, session NewSession) (token string, err error) {
	token = newToken()
	digest, now := s.HMAC(token), s.now()
	id := uuid.Must(uuid.NewV7())
	ctx = audit.WithActor(ctx, audit.Actor{
		Type: "user", ID: &session.UserID, Name: session.UserName, Credential: "session " + id.String(), RemoteIP: session.RemoteIP, RequestID: session.RequestID,
	})
	var encrypted []byte
	if session.RefreshToken != "" {
		encrypted = s.ring.Encrypt([]byte(session.RefreshToken), id[:])
	}
	err = s.pool.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := db.CreateSession(ctx, dbgen.CreateSessionParams{
			AccountID: session.AccountID, ID: id, UserID: session.UserID, TokenHMAC: digest[:], Issuer: session.Issuer, ProviderSID: session.ProviderSID,
			EncryptedRefreshToken: encrypted, EncryptedIDToken: s.encryptIDToken(id, session.IDToken), UserAgent: printable(session.UserAgent), RemoteIP: session.RemoteIP,
			Now: now, RefreshAt: now.Add(refreshAfter), IdleExpiresAt: now.Add(IdleTimeout), ExpiresAt: now.Add(Lifetime),
		}); err != nil {
			return postgres.Classify(err)
		}
		ended, err := db.DeleteOldestSessions(ctx, dbgen.DeleteOldestSessionsParams{AccountID: session.AccountID, UserID: session.UserID, Kept: maxPerUser})
		if err != nil {
			return postgres.Classify(err)
		}
		s.keys.Announce(ctx, db, ended...)
		return audit.Record(ctx, db, change(session.AccountID, "session.create", id))
	})
	return token, err
}

// End ends a session of a user on every server within a second, and returns it. The error is NotFound when the user has no such session.
func (s *Sessions) End(ctx context.Context, db *postgres.DB, accountID, userID, id uuid.UUID) (ended dbgen.UserSession, err error) {
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		if ended, err = db.DeleteSession(ctx, dbgen.DeleteSessionParams{AccountID: accountID, UserID: userID, ID: id}); err != nil {
			return postgres.Classify(err)
		}
		s.keys.Announce(ctx, db, id)
		return audit.Record(ctx, db, change(accountID, "session.end", id))
	})
	return ended, err
}

// EndAll ends all sessions of a user on every server within a second.
func (s *Sessions) EndAll(ctx context.Context, db *postgres.DB, accountID, userID uuid.UUID) error {
	return db.WithTx(ctx, func(db *postgres.DB) error {
		ended, err := db.DeleteSessions(ctx, dbgen.DeleteSessionsParams{AccountID: accountID, UserID: userID})
		if err != nil {
			return postgres.Classify(err)
		}
		s.keys.Announce(ctx, db, ended...)
		for _, id := range ended {
			if err := audit.Record(ctx, db, change(accountID, "session.end", id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Touch postpones the end of a session that is in use, at most once a minute. A failure is logged only: it must not fail a request
// that reads.
func (s *Sessions) Touch(ctx context.Context, session dbgen.UserSession) {
	now := s.now()
	if now.Sub(session.LastUsedAt) < touchInterval {
		return
	}
	idle := now.Add(IdleTimeout)
	if idle.After(session.ExpiresAt) {
		idle = session.ExpiresAt
	}
	err := s.pool.TouchSession(ctx, dbgen.TouchSessionParams{AccountID: session.AccountID, ID: session.ID, Now: now, IdleExpiresAt: idle})
	if err != nil {
		s.logger.WarnContext(ctx, "failed to record the use of a session", "error", err)
	}
}

// IsRefreshDue reports whether a session is to be refreshed with the identity provider.
func (s *Sessions) IsRefreshDue(session dbgen.UserSession) bool {
	return session.EncryptedRefreshToken != nil && !s.now().Before(session.RefreshAt)
}

// ClaimRefresh returns the refresh token of a session whose refresh is due, and postpones the next attempt. The error is NotFound when
// another server refreshes it.
func (s *Sessions) ClaimRefresh(ctx context.Context, session dbgen.UserSession) (refreshToken string, err error) {
	now := s.now()
	row, err := s.pool.ClaimSessionRefresh(ctx, dbgen.ClaimSessionRefreshParams{
		AccountID: session.AccountID, ID: session.ID, Now: now, NextAt: now.Add(refreshRetried),
	})
	if err != nil {
		return "", postgres.Classify(err)
	}
	plain, err := s.ring.Decrypt(row.EncryptedRefreshToken, row.ID[:])
	return string(plain), err
}

// StoreRefresh stores the refresh token that the identity provider has issued instead of the former one.
func (s *Sessions) StoreRefresh(ctx context.Context, session dbgen.UserSession, refreshToken string) error {
	return postgres.Classify(s.pool.StoreSessionRefresh(ctx, dbgen.StoreSessionRefreshParams{
		AccountID: session.AccountID, ID: session.ID, EncryptedRefreshToken: s.ring.Encrypt([]byte(refreshToken), session.ID[:]),
		RefreshAt: s.now().Add(refreshAfter),
	}))
}

// StoreIDToken stores the verified ID token of a refresh instead of the former one.
func (s *Sessions) StoreIDToken(ctx context.Context, session dbgen.UserSession, idToken string) error {
	return postgres.Classify(s.pool.StoreSessionIDToken(ctx, dbgen.StoreSessionIDTokenParams{
		AccountID: session.AccountID, ID: session.ID, EncryptedIDToken: s.encryptIDToken(session.ID, idToken),
	}))
}

// IDToken returns the last ID token of a session; empty when it is unknown.
func (s *Sessions) IDToken(session dbgen.UserSession) string {
	if session.EncryptedIDToken == nil {
		return ""
	}
	plain, err := s.ring.Decrypt(session.EncryptedIDToken, idTokenData(session.ID))
	if err != nil { // its key is not in the keyring any more
		return ""
	}
	return string(plain)
}

func (s *Sessions) encryptIDToken(id uuid.UUID, idToken string) []byte {
	if idToken == "" || len(idToken) > maxIDToken {
		return nil
	}
	return s.ring.Encrypt([]byte(idToken), idTokenData(id))
}

// idTokenData binds a ciphertext to its row and column.
func idTokenData(id uuid.UUID) []byte { return append(id[:], "id_token"...) }

// ReencryptAll encrypts with the newest key what another one has encrypted, so that an old key can be removed. It returns how many
// sessions it could not decrypt: they end when they are refreshed.
func (s *Sessions) ReencryptAll(ctx context.Context) (undecryptable int, err error) {
	var after uuid.UUID
	for {
		rows, err := s.pool.ListSessionsEncryptedWithOtherKey(ctx, dbgen.ListSessionsEncryptedWithOtherKeyParams{KeyID: s.ring.KeyID(), AfterID: after})
		if err != nil || len(rows) == 0 {
			return undecryptable, postgres.Classify(err)
		}
		for _, row := range rows {
			after = row.ID
			refreshToken, err := s.reencrypt(row.EncryptedRefreshToken, row.ID[:])
			idToken, idTokenErr := s.reencrypt(row.EncryptedIDToken, idTokenData(row.ID))
			if errors.Join(err, idTokenErr) != nil {
				undecryptable++
				continue
			}
			err = s.pool.ReplaceSessionSecrets(ctx, dbgen.ReplaceSessionSecretsParams{
				AccountID: row.AccountID, ID: row.ID, EncryptedRefreshToken: refreshToken, EncryptedIDToken: idToken,
				FormerRefreshToken: row.EncryptedRefreshToken, FormerIDToken: row.EncryptedIDToken,
			})
			if err != nil {
				return undecryptable, postgres.Classify(err)
			}
		}
	}
}

func (s *Sessions) reencrypt(ciphertext, additionalData []byte) ([]byte, error) {
	if ciphertext == nil {
		return nil, nil
	}
	return s.ring.Reencrypt(ciphertext, additionalData)
}

// EndRefused ends a session that the identity provider does not renew.
func (s *Sessions) EndRefused(ctx context.Context, session dbgen.UserSession) error {
	ctx = audit.WithActor(ctx, audit.Actor{Type: "command", Name: "identity provider", Credential: "refresh of the session"})
	_, err := s.End(ctx, s.pool.DB, session.AccountID, session.UserID, session.ID)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	return err
}

// AnnounceUser makes every server drop what it has cached of a user whose role may have changed.
func (s *Sessions) AnnounceUser(ctx context.Context, userID uuid.UUID) {
	s.keys.Announce(ctx, s.pool.DB, userID)
}

// Tasks delete expired sessions.
func Tasks(pool *postgres.Pool, clock func() time.Time) []jobs.Task {
	return []jobs.Task{{Name: "delete_expired_sessions", Run: func(ctx context.Context) error {
		before := clock()
		return jobs.DeleteInBatches(ctx, func(ctx context.Context) (int64, error) { return pool.DeleteExpiredSessions(ctx, before) })
	}}}
}

// HMAC returns the digest by which the token of a session is stored.
func (s *Sessions) HMAC(token string) [sha256.Size]byte { return s.secrets.HMAC(token) }

// HMACs returns the digests by which the token of a session may be stored.
func (s *Sessions) HMACs(token string) [][]byte { return s.secrets.HMACs(token) }

// Rehash stores the digest of a valid token under the first pepper. A failure is logged only, as for apikeys.Keys.Rehash.
func (s *Sessions) Rehash(ctx context.Context, session dbgen.UserSession, token string) {
	digest := s.HMAC(token)
	if hmac.Equal(digest[:], session.TokenHMAC) {
		return
	}
	err := s.pool.RehashSession(ctx, dbgen.RehashSessionParams{AccountID: session.AccountID, ID: session.ID, TokenHMAC: digest[:], Former: session.TokenHMAC})
	if err != nil {
		s.logger.WarnContext(ctx, "failed to hash a session with the first pepper", "session", session.ID, "error", err)
	}
}

func newToken() string {
	var random [tokenSize]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// IsToken reports whether text has the form of a session's token.
func IsToken(text string) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(tokenSize) || strings.ContainsAny(text, "\r\n") {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil
}

// printable returns what a browser calls itself, without control characters and shortened.
func printable(userAgent string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, userAgent)
	if len(clean) > maxUserAgent {
		clean = strings.ToValidUTF8(clean[:maxUserAgent], "")
	}
	return clean
}

func change(accountID uuid.UUID, action string, id uuid.UUID) audit.Change {
	return audit.Change{AccountID: accountID, Action: action, ObjectType: "session", ObjectID: id}
}
