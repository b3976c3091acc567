package authn

import (
	"context"
	"slices"
	"time"
)

// cachedTenants caches the principals of users. A role that is assigned reaches it as the revocation of an API key does; a token
// with another name, address or role than the cached one is looked up.
type cachedTenants struct {
	next  Tenants
	cache cache[userKey, cachedUser]
}

type userKey struct{ issuer, organization, subject string }

type cachedUser struct {
	identity  Identity
	principal Principal
}

// CacheUsers returns next with a cache that Run keeps up to date.
func (k *APIKeys) CacheUsers(next Tenants) Tenants {
	cached := &cachedTenants{next: next, cache: cache[userKey, cachedUser]{metrics: k.metrics}}
	k.caches = append(k.caches, &cached.cache)
	return cached
}

// Resolve implements Tenants.
func (c *cachedTenants) Resolve(ctx context.Context, identity Identity) (Principal, error) {
	key := userKey{issuer: identity.Issuer, organization: identity.OrganizationID, subject: identity.Subject}
	found, ok, generation := c.cache.get(key, time.Now())
	if ok && isSameUser(found.identity, identity) {
		found.principal.SessionID = identity.SessionID
		return found.principal, nil
	}
	principal, err := c.next.Resolve(ctx, identity)
	if err == nil {
		c.cache.put(key, cachedUser{identity: identity, principal: principal}, generation, time.Now(), principal.UserID, principal.AccountID)
	}
	return principal, err
}

// isSameUser reports whether two tokens of a subject describe the user equally.
func isSameUser(one, other Identity) bool {
	return one.Name == other.Name && one.Email == other.Email && one.OrganizationSlug == other.OrganizationSlug && slices.Equal(one.Roles, other.Roles)
}
