// Package authn verifies credentials: it has the only authenticator of each security scheme of openapi.yaml.
package authn

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// Principal is the verified author of a request: a CI system with an API key, a user with a session token or cookie, or
// a calendar program with the token of a calendar feed. It comes from the
// database, never from the claims of the credential.
type Principal struct {
	AccountID   uuid.UUID
	AccountSlug string
	APIKeyID    uuid.UUID // of a CI system
	Scopes      []string  // of the API key

	CalendarFeedID uuid.UUID // of a calendar program

	RequestsPerMinute *int32 // of this key; nil: the server-wide default
	RequestsPerHour   *int32 // of the account; nil: the server-wide default

	UserID    uuid.UUID // of a user
	UserName  string    // name, else e-mail address, else subject
	Role      string    // see authz
	SessionID string    // of the token or cookie, for the audit log

	UserSessionID uuid.UUID // of a session cookie
	Issuer        string    // of a session cookie: the identity provider that the user has signed in with
}

// HasScope reports whether the API key of the principal has the scope.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// IsUser reports whether the principal is a user, not an API key.
func (p Principal) IsUser() bool { return p.UserID != uuid.UUID{} }

type principalKey struct{}

// WithPrincipal returns a context that carries the principal.
func WithPrincipal(ctx context.Context, principal Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, principal)
}

// PrincipalFrom returns the principal that the context carries; the zero one for a public operation.
func PrincipalFrom(ctx context.Context) Principal {
	principal, _ := ctx.Value(principalKey{}).(Principal)
	return principal
}

// Validators has one validator for each security scheme.
type Validators struct {
	*APIKeys
	*JWTs
	*Sessions
	*CalendarFeeds
}
