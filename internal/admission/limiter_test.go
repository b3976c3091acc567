package admission

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

// queued acquires a slot in the background and returns its outcome once it has one.
func queued(t *testing.T, l *Limiter, account uuid.UUID) (outcome <-chan error, release func()) {
	t.Helper()
	result := make(chan error, 1)
	var mu sync.Mutex
	var held func()
	go func() {
		release, err := l.Acquire(t.Context(), account)
		mu.Lock()
		held = release
		mu.Unlock()
		result <- err
	}()
	synctest.Wait()
	return result, func() {
		mu.Lock()
		defer mu.Unlock()
		held()
	}
}

func requireQueued(t *testing.T, outcome <-chan error) {
	t.Helper()
	synctest.Wait()
	require.Empty(t, outcome, "it waits")
}

func TestAccountHasHalfOfTheSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(4, 8)
		noisy, quiet := uuid.New(), uuid.New()
		first, err := l.Acquire(t.Context(), noisy)
		require.NoError(t, err)
		second, err := l.Acquire(t.Context(), noisy)
		require.NoError(t, err)
		third, releaseThird := queued(t, l, noisy)
		requireQueued(t, third)
		other, err := l.Acquire(t.Context(), quiet)
		require.NoError(t, err, "slots are left for other accounts")
		first()
		first() // a second call has no effect
		require.NoError(t, <-third)
		require.Equal(t, 3, l.running)
		second()
		other()
		releaseThird()
		require.Zero(t, l.running)
		require.Empty(t, l.runningOf)
	})
}

func TestWaitersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 8)
		noisy, quiet := uuid.New(), uuid.New()
		release, err := l.Acquire(t.Context(), noisy)
		require.NoError(t, err)
		one, releaseOne := queued(t, l, noisy)
		two, releaseTwo := queued(t, l, noisy)
		other, releaseOther := queued(t, l, quiet)
		release()
		require.NoError(t, <-one)
		requireQueued(t, other)
		releaseOne()
		require.NoError(t, <-other, "the other account is next")
		requireQueued(t, two)
		releaseOther()
		require.NoError(t, <-two)
		releaseTwo()
		require.Zero(t, l.running)
	})
}

func TestFullQueueRejects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 2)
		noisy, quiet := uuid.New(), uuid.New()
		release, err := l.Acquire(t.Context(), noisy)
		require.NoError(t, err)
		one, releaseOne := queued(t, l, noisy)
		two, _ := queued(t, l, noisy)
		_, err = l.Acquire(t.Context(), noisy)
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(err))
		require.ErrorIs(t, err, errQueueFull)
		other, releaseOther := queued(t, l, quiet)
		require.ErrorIs(t, <-two, errQueueFull, "the account that has most queued loses its newest")
		release()
		require.NoError(t, <-one)
		releaseOne()
		require.NoError(t, <-other)
		releaseOther()
	})
}

func TestAbandonedWaitersLeaveTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 1)
		account := uuid.New()
		release, err := l.Acquire(t.Context(), account)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = l.Acquire(ctx, account)
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		next, releaseNext := queued(t, l, account)
		requireQueued(t, next) // the queue has room again
		release()
		require.NoError(t, <-next)
		releaseNext()
		require.Zero(t, l.running)
	})
}

// TestLimitsHoldUnderContention checks the limits while many callers come, wait and give up.
func TestLimitsHoldUnderContention(t *testing.T) {
	t.Parallel()
	const limit = 4
	l := NewLimiter(limit, 16)
	accounts := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	var total, exceeded, granted atomic.Int64
	perAccount := make([]atomic.Int64, len(accounts))
	var group sync.WaitGroup
	for caller := range 48 {
		group.Go(func() {
			account := caller % len(accounts)
			for round := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if round%3 == 0 {
					time.AfterFunc(time.Duration(round)*time.Microsecond, cancel)
				}
				if release, err := l.Acquire(ctx, accounts[account]); err == nil {
					granted.Add(1)
					if total.Add(1) > limit || perAccount[account].Add(1) > limit/2 {
						exceeded.Add(1)
					}
					total.Add(-1)
					perAccount[account].Add(-1)
					release()
				}
				cancel()
			}
		})
	}
	group.Wait()
	require.Zero(t, exceeded.Load())
	require.NotZero(t, granted.Load())
	require.Zero(t, l.running)
	require.Empty(t, l.runningOf)
	_, ok := l.queue.TryDequeue()
	require.False(t, ok)
}

func TestNilLimiterGrantsEverySlot(t *testing.T) {
	t.Parallel()
	var l *Limiter
	release, err := l.Acquire(t.Context(), uuid.New())
	require.NoError(t, err)
	release()
}

func TestByteBudget(t *testing.T) {
	t.Parallel()
	b := NewByteBudget(100)
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	require.True(t, b.TryReserve(one, 40))
	require.False(t, b.TryReserve(one, 11), "an account has half of it")
	require.True(t, b.TryReserve(one, 10))
	require.True(t, b.TryReserve(two, 50))
	require.False(t, b.TryReserve(three, 1), "it is spent")
	b.Release(one, 50)
	require.True(t, b.TryReserve(three, 50))
	b.Release(two, 50)
	b.Release(three, 50)
	require.Zero(t, b.used)
	require.Empty(t, b.usedBy)
}
