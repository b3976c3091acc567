package notify

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
)

const (
	channelConcurrency = 4           // deliveries to one channel; those in flight are sent again after a crash
	maxWaiters         = 64          // deliveries to one channel that wait in the process for a slot
	maxWait            = time.Second // and for how long

	breakerFailures = 3                // consecutive failures that open a channel's circuit breaker
	breakerTimeout  = 10 * time.Second // until an open one lets a delivery probe the receiver

	slowResponse       = 2 * time.Second // a channel that takes longer is degraded
	maxDegradedWorkers = maxWorkers / 2  // deliveries to degraded channels, all together

	// maxTrackedChannels bounds memory. The state of the channel used least recently is dropped: it starts as a healthy one again.
	maxTrackedChannels = 4096
)

// errInternal is the result of an attempt that is independent of the receiver.
var errInternal = errors.New("internal error")

// errReceiver is the result of an attempt that failed and is to be retried.
var errReceiver = errors.New("the receiver failed")

// channelLimiter isolates channels from each other: each has a fixed number of slots, one that fails repeatedly is paused by a
// circuit breaker, and degraded ones (slow, or being probed) share half of the workers.
type channelLimiter struct {
	channels *lru.Cache[uuid.UUID, *channelState]
	degraded *semaphore.Weighted
}

type channelState struct {
	slots   *semaphore.Weighted
	waiters atomic.Int32
	slow    atomic.Bool
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newChannelLimiter() *channelLimiter {
	channels, _ := lru.New[uuid.UUID, *channelState](maxTrackedChannels) // fails for a size of zero alone
	return &channelLimiter{channels: channels, degraded: semaphore.NewWeighted(maxDegradedWorkers)}
}

func newChannelState() *channelState {
	return &channelState{
		slots: semaphore.NewWeighted(channelConcurrency),
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests: 1, Timeout: breakerTimeout,
			ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakerFailures },
			IsExcluded:  func(err error) bool { return errors.Is(err, errInternal) },
		}),
	}
}

// acquire reports whether a delivery to the channel may run now, and returns the function that ends it. It waits up to maxWait
// for a slot of a healthy channel.
func (l *channelLimiter) acquire(ctx context.Context, channel uuid.UUID) (release func(attemptResult, error), ok bool) {
	ch := l.state(channel)
	if ch.breaker.State() == gobreaker.StateOpen || !ch.acquireSlot(ctx) {
		return nil, false
	}
	isDegraded := ch.isDegraded()
	if isDegraded && !l.degraded.TryAcquire(1) {
		ch.slots.Release(1)
		return nil, false
	}
	free := func() {
		ch.slots.Release(1)
		if isDegraded {
			l.degraded.Release(1)
		}
	}
	done, err := ch.breaker.Allow()
	if err != nil {
		free()
		return nil, false
	}
	return func(result attemptResult, err error) {
		if err == nil {
			ch.slow.Store(result.latency > slowResponse)
		}
		done(breakerResult(result, err))
		free()
	}, true
}

func (l *channelLimiter) state(channel uuid.UUID) *channelState {
	if ch, ok := l.channels.Get(channel); ok {
		return ch
	}
	ch := newChannelState()
	if former, ok, _ := l.channels.PeekOrAdd(channel, ch); ok {
		return former
	}
	return ch
}

func (c *channelState) isDegraded() bool {
	return c.slow.Load() || c.breaker.State() != gobreaker.StateClosed
}

func (c *channelState) acquireSlot(ctx context.Context) bool {
	if c.slots.TryAcquire(1) {
		return true
	}
	defer c.waiters.Add(-1)
	if c.waiters.Add(1) > maxWaiters || c.isDegraded() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	return c.slots.Acquire(ctx, 1) == nil
}

func breakerResult(result attemptResult, err error) error {
	switch {
	case err != nil:
		return errInternal
	case result.isFailure:
		return errReceiver
	}
	return nil
}
