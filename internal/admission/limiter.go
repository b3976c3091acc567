// Package admission bounds what requests hold of scarce resources, fairly across accounts: slots at a pool of connections
// (Limiter) and memory for bodies (ByteBudget).
package admission

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/fairqueue"
)

var errQueueFull = errors.New("admission queue full")

// Limiter grants concurrent slots: at most limit in total and half of that to one account. Further callers queue, round-robin
// across accounts; a full queue rejects the newest of the account that has most. A nil Limiter grants every slot.
type Limiter struct {
	limit           int
	perAccountLimit int

	mu        sync.Mutex
	running   int
	runningOf map[uuid.UUID]int
	queue     *fairqueue.Queue[*waiter]
}

type waiter struct {
	account uuid.UUID
	grant   chan bool // false: rejected
}

// NewLimiter returns a limiter with the given numbers of slots and queued callers.
func NewLimiter(limit, maxQueued int) *Limiter {
	return &Limiter{
		limit: limit, perAccountLimit: (limit + 1) / 2, runningOf: make(map[uuid.UUID]int), queue: fairqueue.New[*waiter](maxQueued),
	}
}

// Acquire returns once the account has a slot, which release gives back. The error is Unavailable when the queue is full or ctx
// ends first.
func (l *Limiter) Acquire(ctx context.Context, account uuid.UUID) (release func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	if w := l.tryAcquireOrEnqueue(account); w != nil {
		if err := l.wait(ctx, w); err != nil {
			return nil, apperr.Wrap(apperr.Unavailable, "server overloaded: concurrency limit reached", err)
		}
	}
	return sync.OnceFunc(func() { l.release(account) }), nil
}

// tryAcquireOrEnqueue returns nil when it has taken a slot.
func (l *Limiter) tryAcquireOrEnqueue(account uuid.UUID) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.limit && l.hasCapacity(account) {
		l.take(account)
		return nil
	}
	w := &waiter{account: account, grant: make(chan bool, 1)}
	if evicted, isFull := l.queue.Enqueue(account, w); isFull {
		evicted.grant <- false
	}
	return w
}

func (l *Limiter) wait(ctx context.Context, w *waiter) error {
	select {
	case isGranted := <-w.grant:
		if !isGranted {
			return errQueueFull
		}
		return nil
	case <-ctx.Done():
		l.abandon(w)
		return ctx.Err() //nolint:wrapcheck // the caller wraps it
	}
}

// abandon takes a waiter out of the queue, or gives back the slot that it was granted concurrently.
func (l *Limiter) abandon(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue.Remove(w.account, func(other *waiter) bool { return other == w }) {
		return
	}
	if isGranted := <-w.grant; isGranted {
		l.releaseLocked(w.account)
	}
}

func (l *Limiter) release(account uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.releaseLocked(account)
}

// releaseLocked grants the free slot to the next waiter whose account has capacity.
func (l *Limiter) releaseLocked(account uuid.UUID) {
	l.running--
	if l.runningOf[account]--; l.runningOf[account] == 0 {
		delete(l.runningOf, account)
	}
	if w, ok := l.queue.TryDequeueWhere(l.hasCapacity); ok {
		l.take(w.account)
		w.grant <- true
	}
}

func (l *Limiter) hasCapacity(account uuid.UUID) bool {
	return l.runningOf[account] < l.perAccountLimit
}

func (l *Limiter) take(account uuid.UUID) {
	l.running++
	l.runningOf[account]++
}
