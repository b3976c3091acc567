// Package bodycache shares the body of a response among all requests of an account that would compute the same one: those that
// arrive while it is computed wait for it, and those within its lifetime get the same bytes.
package bodycache

import (
	"bytes"
	"compress/gzip"
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/versioner-io/versioner/internal/apperr"
)

// Key identifies a body. Bodies of different accounts are never shared.
type Key struct {
	Account uuid.UUID
	Request string // everything but the account that the body depends on
}

// Body is an encoded response. Its bytes are shared and must not be changed.
type Body struct {
	ContentType, ETag string
	Bytes             []byte

	compressed func() []byte
}

// minCompressed is the size of a body, in bytes, below which gzip saves no packet.
const minCompressed = 1400

// NewBody returns a body.
func NewBody(contentType, etag string, content []byte) Body {
	return Body{ContentType: contentType, ETag: etag, Bytes: content, compressed: sync.OnceValue(func() []byte { return compress(content) })}
}

// Gzip returns the bytes compressed, at most half as many, or nil: those of a small body, or of one that cannot be compressed that
// well. They are compressed once, when they are first needed.
func (b Body) Gzip() []byte {
	if b.compressed == nil {
		return nil
	}
	return b.compressed()
}

func compress(content []byte) []byte {
	if len(content) < minCompressed {
		return nil
	}
	var buffer bytes.Buffer
	writer, err := gzip.NewWriterLevel(&buffer, gzip.BestSpeed)
	if err == nil {
		_, err = writer.Write(content)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil || buffer.Len() > len(content)/2 {
		return nil
	}
	return bytes.Clone(buffer.Bytes())
}

// overhead is what an entry needs in memory beside its key and body, in bytes.
const overhead = 512

// generations is the number of counters that accounts share. Accounts with the same one invalidate each other's bodies, which
// costs a query.
const generations = 256

// Cache holds bodies for their lifetime, and the newest ones that fit into its size.
type Cache struct {
	maxSize     int
	lifetime    time.Duration
	clock       func() time.Time
	flights     singleflight.Group
	generations [generations]atomic.Uint64

	mu      sync.Mutex
	size    int
	entries *simplelru.LRU[string, entry] // never promoted: the oldest entry is the first to expire
}

type entry struct {
	Body

	expiresAt time.Time
}

// New returns a cache for maxSize bytes. A lifetime of 0 disables it: every request computes its own body.
func New(maxSize int, lifetime time.Duration, clock func() time.Time) *Cache {
	c := &Cache{maxSize: maxSize, lifetime: lifetime, clock: clock}
	entries, err := simplelru.NewLRU(math.MaxInt, func(key string, evicted entry) { c.size -= sizeOf(key, evicted.Body) })
	if err != nil {
		panic(err) // the number of entries is positive
	}
	c.entries = entries
	return c
}

// Get returns the body of the key, which compute makes unless there is one. Only one goroutine at a time computes the body of a
// key; it goes on when ctx ends, as others may wait for it. isFresh requires a body whose computation starts now. Errors are
// returned to all that wait, and not stored.
func (c *Cache) Get(ctx context.Context, key Key, isFresh bool, compute func() (Body, error)) (Body, error) {
	if c.lifetime == 0 {
		return compute()
	}
	id := c.id(key)
	if isFresh {
		c.flights.Forget(id)
	} else if found, ok := c.load(id); ok {
		return found, nil
	}
	computed := c.flights.DoChan(id, func() (any, error) {
		body, err := compute()
		if err == nil {
			c.store(id, body)
		}
		return body, err
	})
	select {
	case result := <-computed:
		body, _ := result.Val.(Body)
		return body, result.Err
	case <-ctx.Done():
		return Body{}, apperr.Wrap(apperr.Unavailable, "the list was not read in time", context.Cause(ctx))
	}
}

// Invalidate makes requests that begin afterwards compute their bodies. Call it after a change is committed.
func (c *Cache) Invalidate(account uuid.UUID) { c.generation(account).Add(1) }

// Size returns the bytes that the bodies take in memory.
func (c *Cache) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

func (c *Cache) generation(account uuid.UUID) *atomic.Uint64 {
	return &c.generations[account[len(account)-1]] // the last byte of a UUIDv7 is random
}

// id returns the key of the account's present generation.
func (c *Cache) id(key Key) string {
	return string(key.Account[:]) + strconv.FormatUint(c.generation(key.Account).Load(), 36) + "\x00" + key.Request
}

func (c *Cache) load(id string) (Body, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.entries.Peek(id)
	if !ok || !c.clock().Before(found.expiresAt) {
		return Body{}, false
	}
	return found.Body, true
}

// store adds a body, and evicts expired ones and the oldest until it fits. A body that never fits is not stored.
func (c *Cache) store(id string, body Body) {
	size, now := sizeOf(id, body), c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(id)
	if size > c.maxSize {
		return
	}
	for {
		_, oldest, ok := c.entries.GetOldest()
		if !ok || (c.size+size <= c.maxSize && now.Before(oldest.expiresAt)) {
			break
		}
		c.entries.RemoveOldest()
	}
	c.entries.Add(id, entry{Body: body, expiresAt: now.Add(c.lifetime)})
	c.size += size
}

// sizeOf returns what an entry takes in memory at most, with its compressed bytes.
func sizeOf(id string, body Body) int {
	return overhead + len(id) + cap(body.Bytes) + len(body.Bytes)/2 + len(body.ETag) + len(body.ContentType)
}
