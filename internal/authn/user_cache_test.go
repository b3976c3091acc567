package authn_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
)

// countingTenants counts look-ups.
type countingTenants struct {
	authn.Tenants

	lookUps atomic.Int64
}

func (c *countingTenants) Resolve(ctx context.Context, identity authn.Identity) (authn.Principal, error) {
	c.lookUps.Add(1)
	return c.Tenants.Resolve(ctx, identity)
}

func TestUsersAreCached(t *testing.T) {
	t.Parallel()
	pool, api, administrator, _ := servers(t)
	server := newKeys(t, pool)
	lookUps := &countingTenants{Tenants: accounts.NewProvisioner(pool.DB, true)}
	tenants := server.CacheUsers(lookUps)
	identity := authn.Identity{
		Issuer: "https://issuer.example.com", OrganizationID: "org_1", OrganizationSlug: "acme-users", Subject: "user_1", Name: "Ada", Roles: []string{"viewer"}, SessionID: "s1",
	}
	resolve := func() authn.Principal {
		t.Helper()
		principal, err := tenants.Resolve(t.Context(), identity)
		require.NoError(t, err)
		return principal
	}
	for range 3 {
		resolve()
	}
	require.Equal(t, int64(3), lookUps.lookUps.Load(), "the cache is bypassed while the listener is disconnected")

	run(t, server)
	require.Eventually(t, server.IsCaching, soon, time.Millisecond)
	require.Eventually(t, func() bool { // nothing invalidates the cache between two look-ups
		before := lookUps.lookUps.Load()
		resolve()
		return lookUps.lookUps.Load() == before
	}, soon, time.Millisecond)
	identity.SessionID = "s2"
	user := resolve()
	require.Equal(t, "s2", user.SessionID, "it is of the token")
	require.Equal(t, "viewer", user.Role)

	t.Run("RoleOfTheToken", func(t *testing.T) {
		identity.Roles = []string{"developer"}
		require.Equal(t, "developer", resolve().Role)
	})
	t.Run("AssignedRole", func(t *testing.T) {
		role := "sre"
		_, err := accounts.AssignRole(t.Context(), api.Tenant(user.AccountID), administrator.Keys, etag.Ref{AccountID: user.AccountID, ID: user.UserID}, &role)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return resolve().Role == role }, soon, time.Millisecond)
	})
	t.Run("AssignedRoleOnTheOwnServerAtOnce", func(t *testing.T) {
		role := "qa"
		_, err := accounts.AssignRole(t.Context(), api.Tenant(user.AccountID), server.Keys, etag.Ref{AccountID: user.AccountID, ID: user.UserID}, &role)
		require.NoError(t, err)
		require.Equal(t, role, resolve().Role)
	})
	t.Run("LimitOfTheAccount", func(t *testing.T) {
		_, err := administrator.CreateInAccount(t.Context(), user.AccountSlug, apikeys.NewKey{Name: "ci"})
		require.NoError(t, err)
		limit := int32(7)
		require.NoError(t, administrator.SetAccountLimit(t.Context(), user.AccountSlug, &limit))
		require.Eventually(t, func() bool {
			limit := resolve().RequestsPerHour
			return limit != nil && *limit == 7
		}, soon, time.Millisecond)
	})
}
