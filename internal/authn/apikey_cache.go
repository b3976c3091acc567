package authn

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// cacheWindow is how long the cache is valid after a heartbeat that the listener has received was sent: a revocation takes effect
// within that time, even when the connection breaks.
const (
	cacheWindow    = 600 * time.Millisecond
	listenInterval = 200 * time.Millisecond
	maxCached      = 50_000

	// maxAge bounds how long a revoked key is cached when the server that revoked it died before it announced that.
	maxAge = 30 * time.Second
)

type fingerprint [32]byte

// cachedKey is a valid key.
type cachedKey struct {
	principal Principal
	expires   *time.Time
	added     time.Time
}

// cache holds valid keys while the listener is certain to receive their revocation.
type cache struct {
	mu         sync.RWMutex
	keys       map[fingerprint]cachedKey
	validUntil time.Time
	generation uint64 // counts invalidations
}

// get returns a cached key. The generation is an argument of put, after a look-up.
func (c *cache) get(key fingerprint, now time.Time) (found cachedKey, ok bool, generation uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if now.Before(c.validUntil) {
		found, ok = c.keys[key]
		ok = ok && now.Sub(found.added) < maxAge
	}
	return found, ok, c.generation
}

// put caches a key that was looked up, unless an invalidation came in between: the look-up may have missed the change.
func (c *cache) put(key fingerprint, value cachedKey, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.keys) >= maxCached || c.keys == nil {
		c.keys = make(map[fingerprint]cachedKey)
	}
	c.keys[key] = value
}

// invalidate drops a key.
func (c *cache) invalidate(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for key, value := range c.keys {
		if value.principal.APIKeyID == id {
			delete(c.keys, key)
		}
	}
}

// invalidateAll drops every key: changes may have been missed.
func (c *cache) invalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.keys = nil
}

// extendValidity is called when the listener has received all that was sent until asOf.
func (c *cache) extendValidity(asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.validUntil = asOf.Add(cacheWindow)
}
