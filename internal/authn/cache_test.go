package authn

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC)
	key := fingerprint{1}
	fill := func(t *testing.T) (*cache[fingerprint, cachedKey], uuid.UUID) {
		t.Helper()
		c, id := &cache[fingerprint, cachedKey]{}, uuid.New()
		c.extendValidity(now)
		_, ok, generation := c.get(key, now)
		require.False(t, ok)
		c.put(key, cachedKey{}, generation, now, uuid.New(), id)
		_, ok, _ = c.get(key, now)
		require.True(t, ok)
		return c, id
	}
	isCached := func(c *cache[fingerprint, cachedKey], at time.Time) bool {
		_, ok, _ := c.get(key, at)
		return ok
	}

	t.Run("EntriesExpire", func(t *testing.T) {
		t.Parallel()
		c, _ := fill(t)
		for _, test := range []struct {
			age  time.Duration
			want bool
		}{{maxAge - 1, true}, {maxAge, false}, {maxAge + time.Hour, false}} {
			c.extendValidity(now.Add(test.age))
			require.Equal(t, test.want, isCached(c, now.Add(test.age)), test.age)
		}
		require.LessOrEqual(t, maxAge, time.Minute, "a revocation that was not announced")
	})
	t.Run("NeedsTheListener", func(t *testing.T) {
		t.Parallel()
		c, _ := fill(t)
		require.True(t, isCached(c, now.Add(cacheWindow-1)))
		require.False(t, isCached(c, now.Add(cacheWindow)))
		c.extendValidity(now.Add(cacheWindow))
		require.True(t, isCached(c, now.Add(cacheWindow)))
	})
	t.Run("ForgetsOneKey", func(t *testing.T) {
		t.Parallel()
		c, id := fill(t)
		c.invalidate(uuid.New())
		require.True(t, isCached(c, now))
		c.invalidate(id)
		require.False(t, isCached(c, now))
	})
	t.Run("ForgetsAllKeys", func(t *testing.T) {
		t.Parallel()
		c, _ := fill(t)
		c.invalidateAll()
		require.False(t, isCached(c, now))
	})
	t.Run("LookUpBeforeAChangeIsNotStored", func(t *testing.T) {
		t.Parallel()
		c, id := fill(t)
		found, _, generation := c.get(key, now)
		c.invalidate(id)
		c.put(key, found, generation, now, id)
		require.False(t, isCached(c, now))
	})
}
