package authn

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ratelimit"
)

const (
	maxUnknownLookUps = 2                // concurrently: unknown keys must not take the connections of known ones
	lookUpTimeout     = 10 * time.Second // for one of them
)

// keyLookUps bounds what unknown keys (API keys, or tokens of sessions) cost the database. A key is known after this server has seen it valid. Anyone can make
// keys that look valid: the look-up of one is charged to the budget of its network before it starts, and a valid key is refunded.
type keyLookUps[V any] struct {
	slots     *semaphore.Weighted
	perMinute int // of one network; 0: any number
	budget    *ratelimit.Local

	mu    sync.Mutex
	known map[fingerprint]struct{}
}

func newKeyLookUps[V any](perMinute int) *keyLookUps[V] {
	return &keyLookUps[V]{
		slots: semaphore.NewWeighted(maxUnknownLookUps), perMinute: perMinute, budget: ratelimit.NewLocal(), known: make(map[fingerprint]struct{}),
	}
}

// do calls fetch for a key that a client sends. The error is RateLimited when the client's network has sent too many unknown keys.
func (l *keyLookUps[V]) do(
	ctx context.Context, clientAddress string, key fingerprint, fetch func(context.Context) (V, error),
) (found V, err error) {
	if l.isKnown(key) {
		found, err = fetch(ctx)
		if apperr.Is(err, apperr.Unauthenticated) {
			l.setKnown(key, false)
		}
		return found, err
	}
	quota := ratelimit.Quota{Name: "unknown keys", Subject: ratelimit.ClientNetwork(clientAddress), Limit: l.perMinute, Window: time.Minute}
	if decision := l.budget.Take(ctx, quota); !decision.Allowed {
		return found, apperr.NewRateLimited(decision.RetryAfter)
	}
	found, err = l.fetchUnknown(ctx, fetch)
	if !apperr.Is(err, apperr.Unauthenticated) {
		l.budget.Refund(quota)
	}
	if err == nil {
		l.setKnown(key, true)
	}
	return found, err
}

func (l *keyLookUps[V]) fetchUnknown(ctx context.Context, fetch func(context.Context) (V, error)) (none V, err error) {
	waiting, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	if err := l.slots.Acquire(waiting, 1); err != nil {
		return none, apperr.Wrap(apperr.Unavailable, "too many unknown API keys or sessions", err)
	}
	defer l.slots.Release(1)
	return fetch(ctx)
}

func (l *keyLookUps[V]) isKnown(key fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.known[key]
	return ok
}

func (l *keyLookUps[V]) setKnown(key fingerprint, isKnown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !isKnown {
		delete(l.known, key)
		return
	}
	if len(l.known) >= maxCached {
		clear(l.known)
	}
	l.known[key] = struct{}{}
}
