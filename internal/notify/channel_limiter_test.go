package notify

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestChannelLimiter(t *testing.T) {
	t.Parallel()
	succeeded, failed := attemptResult{}, attemptResult{isFailure: true}
	acquire := func(t *testing.T, l *channelLimiter, id uuid.UUID) func(attemptResult, error) {
		t.Helper()
		release, ok := l.acquire(t.Context(), id)
		require.True(t, ok)
		return release
	}
	refused := func(t *testing.T, l *channelLimiter, id uuid.UUID) {
		t.Helper()
		_, ok := l.acquire(t.Context(), id)
		require.False(t, ok)
	}
	open := func(t *testing.T, l *channelLimiter, id uuid.UUID) {
		t.Helper()
		for range breakerFailures {
			acquire(t, l, id)(failed, nil)
		}
	}

	t.Run("EachChannelHasItsSlots", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newChannelLimiter()
			busy, idle := uuid.New(), uuid.New()
			for range channelConcurrency {
				acquire(t, l, busy)
			}
			begin := time.Now()
			refused(t, l, busy)
			require.Equal(t, maxWait, time.Since(begin))
			acquire(t, l, idle)
		})
	})

	t.Run("ReleaseGrantsNextWaiter", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newChannelLimiter()
			id := uuid.New()
			release := acquire(t, l, id)
			for range channelConcurrency - 1 {
				acquire(t, l, id)
			}
			var granted atomic.Bool
			go func() {
				_, ok := l.acquire(context.Background(), id)
				granted.Store(ok)
			}()
			synctest.Wait()
			require.False(t, granted.Load())
			release(succeeded, nil)
			synctest.Wait()
			require.True(t, granted.Load())
		})
	})

	t.Run("WaitersAreBounded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newChannelLimiter()
			id := uuid.New()
			for range channelConcurrency {
				acquire(t, l, id)
			}
			for range maxWaiters {
				go l.acquire(context.Background(), id)
			}
			synctest.Wait()
			begin := time.Now()
			refused(t, l, id)
			require.Equal(t, begin, time.Now(), "it waited")
			time.Sleep(2 * maxWait)
		})
	})

	t.Run("RepeatedFailuresPauseAChannel", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newChannelLimiter()
			id := uuid.New()
			open(t, l, id)
			refused(t, l, id)
			time.Sleep(breakerTimeout + 1)
			probe := acquire(t, l, id)
			refused(t, l, id) // one probe
			probe(failed, nil)
			refused(t, l, id)
			time.Sleep(breakerTimeout + 1)
			acquire(t, l, id)(succeeded, nil)
			for range channelConcurrency {
				acquire(t, l, id)
			}
		})
	})

	t.Run("InternalErrorsDoNotCount", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newChannelLimiter()
			id := uuid.New()
			for range 2 * breakerFailures {
				acquire(t, l, id)(attemptResult{}, errors.New("the database is unavailable"))
			}
			open(t, l, id)
			time.Sleep(breakerTimeout + 1)
			acquire(t, l, id)(attemptResult{}, errors.New("the database is unavailable"))
			probe := acquire(t, l, id)
			refused(t, l, id) // neither closed nor open
			probe(succeeded, nil)
		})
	})

	t.Run("DegradedChannelsShareHalfOfTheWorkers", func(t *testing.T) {
		t.Parallel()
		l := newChannelLimiter()
		ids := make([]uuid.UUID, maxWorkers)
		for i := range ids {
			ids[i] = uuid.New()
			acquire(t, l, ids[i])(attemptResult{latency: slowResponse + 1}, nil)
		}
		running := 0
		var releases []func(attemptResult, error)
		for _, id := range ids {
			for range channelConcurrency {
				if release, ok := l.acquire(t.Context(), id); ok {
					running++
					releases = append(releases, release)
				}
			}
		}
		require.Equal(t, maxDegradedWorkers, running)
		acquire(t, l, uuid.New())
		for _, release := range releases {
			release(succeeded, nil)
		}
		require.True(t, l.degraded.TryAcquire(maxDegradedWorkers), "slots of degraded channels are not released")
	})

	t.Run("MemoryIsBounded", func(t *testing.T) {
		t.Parallel()
		l := newChannelLimiter()
		for range 2 * maxTrackedChannels {
			open(t, l, uuid.New())
		}
		require.Equal(t, maxTrackedChannels, l.channels.Len())
	})

	t.Run("SlotsAreReturned", func(t *testing.T) {
		t.Parallel()
		l := newChannelLimiter()
		ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		var group sync.WaitGroup
		for i := range 2000 {
			group.Go(func() {
				if release, ok := l.acquire(t.Context(), ids[i%len(ids)]); ok {
					release(attemptResult{isFailure: i%7 == 0}, nil)
				}
			})
		}
		group.Wait()
		for _, id := range ids {
			require.True(t, l.state(id).slots.TryAcquire(channelConcurrency))
			require.Zero(t, l.state(id).waiters.Load())
		}
	})
}
