package ratelimit_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/testredis"
)

// newShared returns a limiter that waits for the reply of Redis for as long as a busy machine needs: how long a server
// waits is the subject of TestRedisAway alone.
func newShared(t *testing.T, address string) *ratelimit.Shared {
	t.Helper()
	limiter, err := ratelimit.NewSharedWithTimeout(t.Context(), address, time.Minute, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = limiter.Close() })
	require.Eventually(t, func() bool { return ratelimit.IsAvailable(limiter) }, time.Minute, 10*time.Millisecond)
	return limiter
}

// TestReplicasShareALimit lets three servers have twice as many requests as the limit between them.
func TestReplicasShareALimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	address := testredis.New(t).URL()
	var admitted atomic.Int64
	var group sync.WaitGroup
	for range 3 {
		limiter := newShared(t, address)
		for range 4 {
			group.Go(func() {
				for range 2 * limit / 12 {
					if limiter.Take(t.Context(), ratelimit.Quota{Subject: "key", Limit: limit, Window: time.Hour}, ratelimit.Quota{Subject: "account", Limit: 10 * limit, Window: time.Hour}).Allowed {
						admitted.Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	require.Equal(t, int64(limit), admitted.Load())
}

func TestSharedDecisions(t *testing.T) {
	t.Parallel()
	limiter := newShared(t, testredis.New(t).URL())
	quotas := []ratelimit.Quota{
		{Name: "key", Subject: "k", Limit: 3, Window: time.Minute}, {Name: "user", Subject: "off", Window: time.Minute}, {Name: "account", Subject: "a", Limit: 5, Window: time.Hour},
	}
	for i := range 3 {
		decision := limiter.Take(t.Context(), quotas...)
		require.True(t, decision.Allowed)
		require.Len(t, decision.States, 2)
		require.Equal(t, 2-i, decision.States[0].Remaining)
		require.Equal(t, 4-i, decision.States[1].Remaining)
		require.InDelta(t, 60.5, decision.States[0].Reset.Seconds(), 1)
		require.InDelta(t, 3630, decision.States[1].Reset.Seconds(), 35)
	}
	decision := limiter.Take(t.Context(), quotas...)
	require.False(t, decision.Allowed)
	require.InDelta(t, 60, decision.RetryAfter.Seconds(), 2)
	require.Equal(t, 2, decision.States[1].Remaining, "nothing is taken from the other")
}

// TestSharedWindowSlides sends requests until one is refused, waits for as long as the answer requires, and is admitted. However
// long the machine takes for a request, no window admits more than the limit.
func TestSharedWindowSlides(t *testing.T) {
	t.Parallel()
	limiter := newShared(t, testredis.New(t).URL())
	const (
		limit     = 10
		window    = 1200 * time.Millisecond
		slot      = window / 60
		tolerance = 5 * time.Millisecond // between the clocks of Redis and of the test
	)
	quota := ratelimit.Quota{Subject: "k", Limit: limit, Window: window}
	var sent []time.Time // of admitted requests
	take := func() ratelimit.Decision {
		begin := time.Now()
		decision := limiter.Take(t.Context(), quota)
		if decision.Allowed {
			sent = append(sent, begin)
			if first := len(sent) - 1 - limit; first >= 0 {
				require.GreaterOrEqual(t, time.Since(sent[first]), window-tolerance, "a window admits more than the limit")
			}
		}
		return decision
	}
	for range 5 {
		decision := take()
		for decision.Allowed {
			time.Sleep(slot / 4)
			decision = take()
		}
		require.Positive(t, decision.RetryAfter)
		require.LessOrEqual(t, decision.RetryAfter, window+slot)
		time.Sleep(decision.RetryAfter + tolerance)
		require.True(t, take().Allowed)
	}
	require.GreaterOrEqual(t, len(sent), 5+limit)
}

// TestRedisAway has no Redis, one that never answers, ones that answer errors, and ones that come back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	for name, redisURL := range map[string]func(*testing.T) string{
		"Unavailable": func(*testing.T) string { return "redis://127.0.0.1:1" },
		"Silent": func(t *testing.T) string {
			t.Helper()
			silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = silent.Close() })
			return "redis://" + silent.Addr().String()
		},
		"WrongPassword": func(t *testing.T) string {
			t.Helper()
			return testredis.New(t, "--requirepass", "another").URL()
		},
		"OutOfMemory": func(t *testing.T) string {
			t.Helper()
			return testredis.New(t, "--maxmemory", "1").URL()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limiter, err := ratelimit.NewShared(t.Context(), redisURL(t), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { _ = limiter.Close() })
			require.Never(t, func() bool { return ratelimit.IsAvailable(limiter) }, 500*time.Millisecond, 10*time.Millisecond)
			admitted := 0
			begin := time.Now()
			for range 500 {
				if limiter.Take(t.Context(), ratelimit.Quota{Subject: "key", Limit: 100, Window: time.Hour}).Allowed {
					admitted++
				}
			}
			require.Equal(t, 100, admitted, "this server counts for itself")
			require.Less(t, time.Since(begin), 10*time.Second, "not 500 times the timeout")
		})
	}

	kill := func(t *testing.T, server *testredis.Server) {
		t.Helper()
		server.Kill(t)
	}
	start := func(t *testing.T, server *testredis.Server) {
		t.Helper()
		server.Start(t)
	}
	setMaxMemory := func(bytes string) func(*testing.T, *testredis.Server) {
		return func(t *testing.T, server *testredis.Server) {
			t.Helper()
			require.NoError(t, server.Client(t).ConfigSet(t.Context(), "maxmemory", bytes).Err())
		}
	}
	for name, test := range map[string]struct {
		fail, recover func(*testing.T, *testredis.Server)
		remaining     int // once Redis is back
	}{
		"ComesBackAfterARestart":     {kill, start, 999},
		"ComesBackWithMemoryToSpare": {setMaxMemory("1"), setMaxMemory("0"), 989},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testredis.New(t)
			limiter := newShared(t, server.URL())
			quota := ratelimit.Quota{Subject: "key", Limit: 1000, Window: time.Hour}
			for range 10 {
				limiter.Take(t.Context(), quota)
			}
			test.fail(t, server)
			decision := limiter.Take(t.Context(), quota)
			require.Equal(t, 989, decision.States[0].Remaining, "it has counted what it admitted")
			require.False(t, ratelimit.IsAvailable(limiter))
			test.recover(t, server)
			require.Eventually(t, func() bool { return ratelimit.IsAvailable(limiter) }, time.Minute, 10*time.Millisecond)
			decision = limiter.Take(t.Context(), quota)
			require.Equal(t, test.remaining, decision.States[0].Remaining, "Redis counts again")
		})
	}

	t.Run("AnswersButCannotCount", func(t *testing.T) {
		t.Parallel()
		server := testredis.New(t)
		client := server.Client(t)
		require.NoError(t, client.Set(t.Context(), "versioner:rate:probe", "no window", 0).Err())
		limiter, err := ratelimit.NewSharedWithTimeout(t.Context(), server.URL(), time.Minute, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { _ = limiter.Close() })
		require.Never(t, func() bool { return ratelimit.IsAvailable(limiter) }, time.Second, 10*time.Millisecond)
		require.NoError(t, client.Del(t.Context(), "versioner:rate:probe").Err())
		require.Eventually(t, func() bool { return ratelimit.IsAvailable(limiter) }, time.Minute, 10*time.Millisecond)
	})

	t.Run("TheCallerLeaves", func(t *testing.T) {
		t.Parallel()
		limiter := newShared(t, testredis.New(t).URL())
		ctx, leave := context.WithCancel(t.Context())
		leave()
		require.True(t, limiter.Take(ctx, ratelimit.Quota{Subject: "key", Limit: 1, Window: time.Hour}).Allowed)
		require.True(t, ratelimit.IsAvailable(limiter), "that is no fault of Redis")
	})
}

func TestNewShared(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "http://host", "redis://u:hunter2@host:port", "redis://u:hunter2@host/x/y", "localhost:6379"} {
		_, err := ratelimit.NewShared(t.Context(), address, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "REDIS_URL", address)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
