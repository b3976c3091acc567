package authn

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/sessions"
)

// Refresher refreshes sessions with the identity provider.
type Refresher interface {
	// RefreshSession renews a session whose refresh is due, or ends it when the provider does not renew it. A provider that cannot be
	// reached changes nothing. An error means that the session must not be used now.
	RefreshSession(ctx context.Context, session dbgen.UserSession) error
}

// Sessions validates the scheme SessionCookie.
type Sessions struct {
	pool      *postgres.Pool
	sessions  *sessions.Sessions
	cookie    string // its name
	refresher Refresher
	cache     cache[fingerprint, cachedSession]
	lookUps   *keyLookUps[cachedSession]
}

// cachedSession is a valid session.
type cachedSession struct {
	principal Principal
	session   dbgen.UserSession
}

// NewSessions returns a validator whose cache keys.Run keeps up to date. It looks up at most unknownPerMinute unknown sessions of one
// network, 0 for any number.
func NewSessions(keys *APIKeys, stored *sessions.Sessions, cookies sessions.Cookies, refresher Refresher, unknownPerMinute int) *Sessions {
	s := &Sessions{
		pool: keys.pool, sessions: stored, cookie: cookies.SessionName(), refresher: refresher, lookUps: newKeyLookUps[cachedSession](unknownPerMinute),
	}
	s.cache.metrics = keys.metrics
	keys.caches = append(keys.caches, &s.cache)
	return s
}

// SessionCookie verifies the request's session cookie; its RemoteAddr is the client's address. A request with the header Authorization,
// even a bad one, is not authenticated by its cookie. The error is Unauthenticated for any session that is not valid, whatever the
// reason, RateLimited for a client that has sent too many of them, and Unavailable when the database cannot be reached.
func (s *Sessions) SessionCookie(ctx context.Context, r *http.Request) (context.Context, error) {
	if _, ok := r.Header["Authorization"]; ok {
		return ctx, unauthenticated(errors.New("the header Authorization takes precedence over cookies"))
	}
	token, err := onlyCookie(r.Header, s.cookie)
	if err != nil {
		return ctx, err
	}
	if !sessions.IsToken(token) {
		return ctx, unauthenticated(errors.New("the session cookie is malformed"))
	}
	principal, err := s.verify(ctx, r.RemoteAddr, token)
	if err != nil {
		return ctx, err
	}
	return WithPrincipal(ctx, principal), nil
}

func (s *Sessions) verify(ctx context.Context, clientAddress, token string) (Principal, error) {
	key := fingerprint(s.sessions.HMAC(token))
	found, ok, generation := s.cache.get(key, time.Now())
	if !ok {
		var err error
		if found, err = s.findUncached(ctx, clientAddress, key, token); err != nil {
			return Principal{}, err
		}
		s.cache.put(key, found, generation, time.Now(), found.session.ID, found.session.UserID, found.session.AccountID)
	}
	if isExpired(found.session, time.Now()) {
		return Principal{}, unauthenticated(errors.New("the session has expired"))
	}
	return found.principal, nil
}

// findUncached reads a session that is not cached. At least every maxAge a session in use passes here, where its use is recorded, and the
// session is refreshed when that is due.
func (s *Sessions) findUncached(ctx context.Context, clientAddress string, key fingerprint, token string) (cachedSession, error) {
	fetch := func(ctx context.Context) (cachedSession, error) { return s.fetch(ctx, token) }
	found, err := s.lookUps.do(ctx, clientAddress, key, fetch)
	if err != nil || isExpired(found.session, time.Now()) {
		return found, err
	}
	if s.sessions.IsRefreshDue(found.session) {
		if err := s.refresher.RefreshSession(ctx, found.session); err != nil {
			return found, err
		}
		if found, err = fetch(ctx); err != nil {
			return found, err
		}
	}
	s.sessions.Touch(ctx, found.session)
	s.sessions.Rehash(ctx, found.session, token)
	return found, nil
}

func (s *Sessions) fetch(ctx context.Context, token string) (cachedSession, error) {
	hashes := s.sessions.HMACs(token)
	var row dbgen.GetSessionByHMACRow
	err := postgres.Retry(ctx, func(ctx context.Context) (err error) {
		row, err = s.pool.GetSessionByHMAC(ctx, hashes)
		return err
	})
	switch err = postgres.Classify(err); {
	case apperr.Is(err, apperr.NotFound):
		return cachedSession{}, unauthenticated(errors.New("the session is unknown"))
	case err != nil:
		return cachedSession{}, err
	case row.MovingSince != nil:
		return cachedSession{}, ErrMoving
	}
	principal := Principal{
		AccountID: row.UserSession.AccountID, AccountSlug: row.AccountSlug, RequestsPerHour: row.RequestsPerHour, UserID: row.UserSession.UserID,
		UserName: row.Subject, Role: row.Role, SessionID: row.UserSession.ID.String(), UserSessionID: row.UserSession.ID, Issuer: row.UserSession.Issuer,
	}
	for _, name := range []string{row.Email, row.Name} {
		if name != "" {
			principal.UserName = name
		}
	}
	return cachedSession{principal: principal, session: row.UserSession}, nil
}

func isExpired(session dbgen.UserSession, now time.Time) bool {
	return !now.Before(session.IdleExpiresAt) || !now.Before(session.ExpiresAt)
}
