// Package authn verifies credentials: one validator for each security scheme of openapi.yaml, and nothing else may.
package authn

import (
	"context"

	"github.com/google/uuid"
)

// Principal is who a request comes from, as the database tells it, never as the credential's text claims: either a CI
// system with an API key, or a person with a token.
type Principal struct {
	AccountID   uuid.UUID
	AccountSlug string
	APIKeyID    uuid.UUID // of a CI system

	RequestsPerMinute *int32 // of this key; nil: what the server says
	RequestsPerHour   *int32 // of the account; nil: what the server says

	UserID    uuid.UUID // of a person
	UserName  string    // name, e-mail address or subject, whichever is known
	Role      string    // what the person may do: contract.md §10
	SessionID string    // of the token, for the audit log
}

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
}
