// Package authn verifies credentials: one validator for each security scheme of openapi.yaml, and nothing else may.
package authn

import (
	"context"

	"github.com/google/uuid"
)

// Principal is who a request comes from, as the database tells it, never as the credential's text claims.
type Principal struct {
	AccountID   uuid.UUID
	AccountSlug string
	APIKeyID    uuid.UUID
}

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
