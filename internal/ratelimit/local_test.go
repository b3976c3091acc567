package ratelimit_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ratelimit"
)

const slot = time.Minute / 60

// exactLog holds the times at which requests were admitted.
type exactLog []time.Duration

// within counts what was admitted in the length of time that ends now, now included.
func (l exactLog) within(length, now time.Duration) int {
	count := 0
	for i := len(l) - 1; i >= 0 && l[i] > now-length; i-- {
		count++
	}
	return count
}

// follow runs a trace of requests, each so long after the one before, against the exact log: more than the limit is never
// admitted in any rolling window, and no request is rejected that fits in a window that is a sixtieth longer.
func follow(t *testing.T, limit int, trace []time.Duration) (admitted exactLog) {
	t.Helper()
	now := time.Duration(0)
	limiter := ratelimit.NewLocalAt(func() time.Duration { return now })
	quota := ratelimit.Quota{Name: "key", Subject: "key", Limit: limit, Window: time.Minute}
	for _, pause := range trace {
		now += pause
		decision := limiter.Take(t.Context(), quota)
		if decision.Allowed {
			require.Less(t, admitted.within(time.Minute, now), limit, "over-admission")
			admitted = append(admitted, now)
			require.Zero(t, decision.RetryAfter)
		} else {
			require.GreaterOrEqual(t, admitted.within(time.Minute+slot, now), limit, "under-admission")
			require.Positive(t, decision.RetryAfter)
			require.LessOrEqual(t, decision.RetryAfter, time.Minute+slot)
		}
		state := decision.States[0]
		require.LessOrEqual(t, state.Remaining, limit-admitted.within(time.Minute, now))
		require.GreaterOrEqual(t, state.Remaining, limit-admitted.within(time.Minute+slot, now))
	}
	return admitted
}

// pauses makes a trace of one of several kinds: steady, bursts, bursts at the borders of slots and windows, long silence.
func pauses(random *rand.Rand) []time.Duration {
	trace := make([]time.Duration, 0, 200)
	kind := random.IntN(5)
	for range 200 {
		var pause time.Duration
		switch kind {
		case 0:
			pause = time.Duration(random.Int64N(int64(2 * time.Second)))
		case 1:
			if random.IntN(30) == 0 {
				pause = time.Duration(random.Int64N(int64(2 * time.Minute)))
			}
		case 2:
			pause = []time.Duration{0, slot - 1, slot, 1, time.Minute - slot, time.Minute - 1, time.Minute, time.Minute + slot - 1, time.Minute + slot}[random.IntN(9)]
		case 3:
			pause = time.Duration(random.ExpFloat64() * float64(time.Second))
		default:
			if random.IntN(100) == 0 {
				pause = 24 * time.Hour
			}
		}
		trace = append(trace, pause)
	}
	return trace
}

func TestAgainstAnExactLog(t *testing.T) {
	t.Parallel()
	random, traces := rand.New(rand.NewPCG(1, 2)), 10_000
	if testing.Short() {
		traces = 500
	}
	for range traces {
		follow(t, 1+random.IntN(50), pauses(random))
	}
}

func FuzzLimiterAgainstAnExactLog(f *testing.F) {
	f.Add(uint8(3), []byte{0, 0, 0, 0, 255, 17, 60})
	f.Fuzz(func(t *testing.T, limit uint8, steps []byte) {
		trace := make([]time.Duration, min(len(steps), 500))
		for i := range trace {
			trace[i] = time.Duration(steps[i]) * time.Duration(steps[i]) * time.Millisecond
		}
		follow(t, 1+int(limit%40), trace)
	})
}

func TestTheWholeLimitAtOnce(t *testing.T) {
	t.Parallel()
	require.Len(t, follow(t, 256, make([]time.Duration, 300)), 256)
}

// TestRetryAfterIsExact sleeps exactly for RetryAfter, in whole seconds.
func TestRetryAfterIsExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	now := time.Duration(0)
	limiter := ratelimit.NewLocalAt(func() time.Duration { return now })
	quotas := []ratelimit.Quota{{Name: "key", Subject: "key", Limit: 7, Window: time.Minute}, {Name: "account", Subject: "account", Limit: 50, Window: time.Hour}}
	admitted := 0
	for range 1000 {
		decision := limiter.Take(t.Context(), quotas...)
		for decision.Allowed {
			now += time.Duration(random.Int64N(int64(3 * time.Second)))
			decision = limiter.Take(t.Context(), quotas...)
		}
		almost := decision.RetryAfter - 1
		now += almost
		require.False(t, limiter.Take(t.Context(), quotas...).Allowed, "and not a moment earlier")
		now += (decision.RetryAfter+time.Second-1)/time.Second*time.Second - almost
		if limiter.Take(t.Context(), quotas...).Allowed {
			admitted++
		}
	}
	require.Equal(t, 1000, admitted)
}

// TestAllQuotasOrNone has requests that one quota refuses take nothing from the other.
func TestAllQuotasOrNone(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	limiter := ratelimit.NewLocalAt(func() time.Duration { return now })
	account := ratelimit.Quota{Name: "account", Subject: "account", Limit: 10, Window: time.Hour}
	key := func(n int) ratelimit.Quota {
		return ratelimit.Quota{Name: "key", Subject: "key" + strconv.Itoa(n), Limit: 4, Window: time.Minute}
	}
	off := ratelimit.Quota{Name: "user", Subject: "user", Window: time.Minute}
	for i := range 100 {
		require.Equal(t, i < 4, limiter.Take(t.Context(), key(1), account, off).Allowed)
	}
	decision := limiter.Take(t.Context(), key(2), account)
	require.True(t, decision.Allowed)
	require.Equal(t, 5, decision.States[1].Remaining, "what was refused is not counted")
	for range 3 {
		limiter.Take(t.Context(), key(2), account)
	}
	for range 2 {
		require.True(t, limiter.Take(t.Context(), key(3), account).Allowed)
	}
	decision = limiter.Take(t.Context(), key(3), account)
	require.False(t, decision.Allowed)
	tightest, ok := decision.Tightest()
	require.True(t, ok)
	require.Equal(t, "account", tightest.Name)
	require.Equal(t, 2, decision.States[0].Remaining)

	none := limiter.Take(t.Context(), off)
	require.True(t, none.Allowed)
	_, ok = none.Tightest()
	require.False(t, ok)
}

func TestRefund(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	limiter := ratelimit.NewLocalAt(func() time.Duration { return now })
	quota := ratelimit.Quota{Name: "key", Subject: "key", Limit: 2, Window: time.Minute}
	limiter.Refund(quota) // nothing was charged
	for range 2 {
		require.True(t, limiter.Take(t.Context(), quota).Allowed)
		now += 10 * slot
	}
	require.False(t, limiter.Take(t.Context(), quota).Allowed)
	for range 3 { // one more than was charged
		limiter.Refund(quota)
	}
	for i := range 3 {
		require.Equal(t, i < 2, limiter.Take(t.Context(), quota).Allowed)
	}
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	limiter := ratelimit.NewLocal()
	var admitted atomic.Int64
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for range 100 {
				if limiter.Take(t.Context(), ratelimit.Quota{Subject: "key", Limit: 1000, Window: time.Hour}).Allowed {
					admitted.Add(1)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(1000), admitted.Load())
}

func TestSubjectsAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	limiter := ratelimit.NewLocalAt(func() time.Duration { return now })
	for i := range 1000 {
		limiter.Take(t.Context(), ratelimit.Quota{Subject: strconv.Itoa(i), Limit: 1, Window: time.Minute})
	}
	now = 3 * time.Minute
	limiter.Take(t.Context(), ratelimit.Quota{Subject: "last", Limit: 1, Window: time.Minute})
	require.Equal(t, 1, limiter.Subjects())
}

// TestAnotherLimit changes what a subject may do.
func TestAnotherLimit(t *testing.T) {
	t.Parallel()
	limiter := ratelimit.NewLocal()
	take := func(limit int) ratelimit.Decision {
		return limiter.Take(t.Context(), ratelimit.Quota{Subject: "key", Limit: limit, Window: time.Hour})
	}
	for range 5 {
		require.True(t, take(5).Allowed)
	}
	require.False(t, take(5).Allowed)
	require.True(t, take(6).Allowed)
	require.Zero(t, take(3).States[0].Remaining)
}

func BenchmarkTake(b *testing.B) {
	limiter := ratelimit.NewLocal()
	for b.Loop() {
		limiter.Take(b.Context(), ratelimit.Quota{Subject: "key", Limit: 1 << 30, Window: time.Minute}, ratelimit.Quota{Subject: "account", Limit: 1 << 30, Window: time.Hour})
	}
}
