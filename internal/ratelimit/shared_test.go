package ratelimit_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ratelimit"
)

// redisURL starts a real server where there is one, else one for tests.
func redisURL(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"valkey-server", "redis-server"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		command := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
		require.NoError(t, command.Start())
		t.Cleanup(func() {
			_ = command.Process.Signal(os.Interrupt)
			_ = command.Wait()
		})
		require.Eventually(t, func() bool {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		}, time.Minute, 10*time.Millisecond)
		return "redis://" + address
	}
	t.Log("no valkey-server or redis-server on this machine: a server for tests stands in")
	return "redis://" + miniredis.RunT(t).Addr()
}

func newShared(t *testing.T, address string) *ratelimit.Shared {
	t.Helper()
	limiter, err := ratelimit.NewShared(t.Context(), address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = limiter.Close() })
	require.Eventually(t, func() bool { return ratelimit.Asks(limiter) }, time.Minute, 10*time.Millisecond)
	return limiter
}

// TestReplicasShareALimit lets three servers have twice as many requests as the limit between them.
func TestReplicasShareALimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	address := redisURL(t)
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
	require.InDelta(t, limit, admitted.Load(), limit*0.017)
	require.LessOrEqual(t, admitted.Load(), int64(limit))
}

func TestSharedDecisions(t *testing.T) {
	t.Parallel()
	limiter := newShared(t, redisURL(t))
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

// TestSharedWindowSlides spends a limit in one second and waits for as long as it is told.
func TestSharedWindowSlides(t *testing.T) {
	t.Parallel()
	limiter := newShared(t, redisURL(t))
	quota := ratelimit.Quota{Subject: "k", Limit: 10, Window: 1200 * time.Millisecond}
	for range 5 {
		for range 10 {
			require.True(t, limiter.Take(t.Context(), quota).Allowed)
			time.Sleep(2 * time.Millisecond)
		}
		decision := limiter.Take(t.Context(), quota)
		require.False(t, decision.Allowed)
		require.LessOrEqual(t, decision.RetryAfter, 1220*time.Millisecond)
		time.Sleep(1300 * time.Millisecond)
	}
}

// TestRedisAway has no Redis, one that never answers, one that answers errors, and one that comes back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	broken := miniredis.RunT(t)
	broken.SetError("LOADING Redis is loading the dataset in memory")
	for name, address := range map[string]string{"Nobody": "127.0.0.1:1", "Silent": silent.Addr().String(), "Broken": broken.Addr()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limiter, err := ratelimit.NewShared(t.Context(), "redis://"+address, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { _ = limiter.Close() })
			admitted := 0
			begin := time.Now()
			for range 500 {
				if limiter.Take(t.Context(), ratelimit.Quota{Subject: "key", Limit: 100, Window: time.Hour}).Allowed {
					admitted++
				}
			}
			require.Equal(t, 100, admitted, "this server counts for itself")
			require.Less(t, time.Since(begin), 10*time.Second, "not 500 times the budget")
		})
	}

	t.Run("ComesBack", func(t *testing.T) {
		t.Parallel()
		server := miniredis.RunT(t)
		limiter := newShared(t, "redis://"+server.Addr())
		quota := ratelimit.Quota{Subject: "key", Limit: 1000, Window: time.Hour}
		for range 10 {
			limiter.Take(t.Context(), quota)
		}
		server.SetError("LOADING")
		decision := limiter.Take(t.Context(), quota)
		require.Equal(t, 989, decision.States[0].Remaining, "it knows what it has let through")
		require.False(t, ratelimit.Asks(limiter))
		server.SetError("")
		require.Eventually(t, func() bool { return ratelimit.Asks(limiter) }, time.Minute, 10*time.Millisecond)
	})

	t.Run("AnswersButCannotCount", func(t *testing.T) {
		t.Parallel()
		server := miniredis.RunT(t)
		require.NoError(t, server.Set("versioner:rate:probe", "no window"))
		limiter, err := ratelimit.NewShared(t.Context(), "redis://"+server.Addr(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { _ = limiter.Close() })
		require.Never(t, func() bool { return ratelimit.Asks(limiter) }, time.Second, 10*time.Millisecond)
		server.Del("versioner:rate:probe")
		require.Eventually(t, func() bool { return ratelimit.Asks(limiter) }, time.Minute, 10*time.Millisecond)
	})

	t.Run("TheCallerLeaves", func(t *testing.T) {
		t.Parallel()
		limiter := newShared(t, "redis://"+miniredis.RunT(t).Addr())
		ctx, leave := context.WithCancel(t.Context())
		leave()
		require.True(t, limiter.Take(ctx, ratelimit.Quota{Subject: "key", Limit: 1, Window: time.Hour}).Allowed)
		require.True(t, ratelimit.Asks(limiter), "that says nothing about Redis")
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
