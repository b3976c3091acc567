package authn

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// cacheWindow is how long after a sign of life was sent that the listener has heard the cache is trusted: a revocation is
// seen within that time, whatever happens to the connection.
const (
	cacheWindow    = 600 * time.Millisecond
	listenInterval = 200 * time.Millisecond
	maxCached      = 50_000

	// maxAge bounds how long a revoked key is cached when the server that revoked it died before it announced that.
	maxAge = 30 * time.Second

	announceTimeout = 5 * time.Second
)

type fingerprint [32]byte

// verified is a key that was found valid.
type verified struct {
	principal Principal
	expires   *time.Time
	added     time.Time
}

// cache remembers valid keys for as long as it is certain to hear of their revocation.
type cache struct {
	mu         sync.RWMutex
	keys       map[fingerprint]verified
	trustUntil time.Time
	generation uint64 // counts what was forgotten
}

// get returns a remembered key. The generation must be given back to put, after a look-up.
func (c *cache) get(key fingerprint, now time.Time) (found verified, ok bool, generation uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if now.Before(c.trustUntil) {
		found, ok = c.keys[key]
		ok = ok && now.Sub(found.added) < maxAge
	}
	return found, ok, c.generation
}

// put remembers a key that was looked up, unless something was forgotten meanwhile: the look-up may have been too early to
// see the change.
func (c *cache) put(key fingerprint, value verified, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.keys) >= maxCached || c.keys == nil {
		c.keys = make(map[fingerprint]verified)
	}
	c.keys[key] = value
}

// forget drops the key of that id.
func (c *cache) forget(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for key, value := range c.keys {
		if value.principal.APIKeyID == id {
			delete(c.keys, key)
		}
	}
}

// forgetAll drops every key: changes may have been missed.
func (c *cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.keys = nil
}

// trust is called when the listener has heard all that was sent until then.
func (c *cache) trust(asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trustUntil = asOf.Add(cacheWindow)
}
