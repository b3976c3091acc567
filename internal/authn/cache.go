package authn

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/telemetry"
)

// cacheWindow is how long a cache is valid after a heartbeat that the listener has received was sent: a revocation takes effect
// within that time, even when the connection breaks.
const (
	cacheWindow    = 600 * time.Millisecond
	listenInterval = 200 * time.Millisecond
	maxCached      = 50_000

	// maxAge bounds how long a changed credential is cached when the server that changed it died before it announced that.
	maxAge = 30 * time.Second
)

// invalidator is a cache that a listener keeps up to date.
type invalidator interface {
	invalidate(id uuid.UUID)
	invalidateAll()
	extendValidity(asOf time.Time)
}

// cache holds what was verified of credentials while the listener is certain to receive changes.
type cache[K comparable, V any] struct {
	metrics *telemetry.Metrics

	mu         sync.RWMutex
	entries    map[K]cacheEntry[V]
	validUntil time.Time
	generation uint64 // counts invalidations
}

type cacheEntry[V any] struct {
	value V
	ids   []uuid.UUID // of the rows that it depends on
	added time.Time
}

// get returns a cached value. The generation is an argument of put, after a look-up.
func (c *cache[K, V]) get(key K, now time.Time) (value V, ok bool, generation uint64) {
	value, outcome, generation := c.find(key, now)
	c.metrics.CredentialCache(outcome)
	return value, outcome == hit, generation
}

// The outcomes of a look-up in a cache.
const (
	hit    = "hit"
	miss   = "miss"
	bypass = "bypass" // the cache is not valid
)

func (c *cache[K, V]) find(key K, now time.Time) (value V, outcome string, generation uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !now.Before(c.validUntil) {
		return value, bypass, c.generation
	}
	entry, ok := c.entries[key]
	if !ok || now.Sub(entry.added) >= maxAge {
		return value, miss, c.generation
	}
	return entry.value, hit, c.generation
}

// put caches what was looked up, unless an invalidation came in between: the look-up may have missed the change.
func (c *cache[K, V]) put(key K, value V, generation uint64, now time.Time, ids ...uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.entries) >= maxCached || c.entries == nil {
		c.entries = make(map[K]cacheEntry[V])
	}
	c.entries[key] = cacheEntry[V]{value: value, ids: ids, added: now}
}

// invalidate drops what depends on a row.
func (c *cache[K, V]) invalidate(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for key, entry := range c.entries {
		if slices.Contains(entry.ids, id) {
			delete(c.entries, key)
		}
	}
}

// invalidateAll drops everything: changes may have been missed.
func (c *cache[K, V]) invalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.entries = nil
}

// extendValidity is called when the listener has received all that was sent until asOf.
func (c *cache[K, V]) extendValidity(asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.validUntil = asOf.Add(cacheWindow)
}
