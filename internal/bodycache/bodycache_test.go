package bodycache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/bodycache"
)

const lifetime = 2 * time.Second

// source counts how often its body is computed. A body names the call that made it.
type source struct {
	calls atomic.Int64
	size  int
}

func (s *source) compute() (bodycache.Body, error) {
	call := strconv.FormatInt(s.calls.Add(1), 10)
	return bodycache.Body{ETag: call, Bytes: make([]byte, s.size)}, nil
}

func get(t *testing.T, cache *bodycache.Cache, key bodycache.Key, s *source) string {
	t.Helper()
	body, err := cache.Get(t.Context(), key, false, s.compute)
	require.NoError(t, err)
	return body.ETag
}

func TestBodiesLiveForTheirLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache, key, s := bodycache.New(1<<20, lifetime, time.Now), bodycache.Key{Account: uuid.New(), Request: "/x"}, &source{}
		require.Equal(t, "1", get(t, cache, key, s))
		time.Sleep(lifetime - time.Nanosecond)
		require.Equal(t, "1", get(t, cache, key, s))
		time.Sleep(time.Nanosecond)
		require.Equal(t, "2", get(t, cache, key, s))
		require.Equal(t, "3", get(t, cache, bodycache.Key{Account: key.Account, Request: "/y"}, s), "another request")
		require.Equal(t, "4", get(t, cache, bodycache.Key{Account: uuid.New(), Request: "/x"}, s), "another account")
		require.Equal(t, "2", get(t, cache, key, s))
	})
}

func TestInvalidateIsPerAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache, s := bodycache.New(1<<20, lifetime, time.Now), &source{}
		one, other := bodycache.Key{Account: uuid.UUID{15: 1}}, bodycache.Key{Account: uuid.UUID{15: 2}}
		require.Equal(t, "1", get(t, cache, one, s))
		require.Equal(t, "2", get(t, cache, other, s))
		cache.Invalidate(one.Account)
		require.Equal(t, "3", get(t, cache, one, s))
		require.Equal(t, "2", get(t, cache, other, s))
	})
}

func TestDisabled(t *testing.T) {
	t.Parallel()
	cache, s := bodycache.New(1<<20, 0, time.Now), &source{}
	require.Equal(t, "1", get(t, cache, bodycache.Key{}, s))
	require.Equal(t, "2", get(t, cache, bodycache.Key{}, s))
}

// TestConcurrentRequestsShareAComputation blocks a computation: requests that arrive during it wait for it, fresh ones do not, and
// it ends although its first request has left.
func TestConcurrentRequestsShareAComputation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache, s := bodycache.New(1<<20, lifetime, time.Now), &source{}
		release := make(chan struct{})
		blocked := func() (bodycache.Body, error) {
			<-release
			return s.compute()
		}
		first, leave := context.WithCancelCause(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := cache.Get(first, bodycache.Key{}, false, blocked)
			left <- err
		}()
		synctest.Wait()
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() {
				body, err := cache.Get(t.Context(), bodycache.Key{}, false, blocked)
				if err != nil || body.ETag != "2" {
					t.Errorf("%v, %v", body, err)
				}
			})
		}
		synctest.Wait()
		leave(context.DeadlineExceeded)
		require.True(t, apperr.Is(<-left, apperr.Unavailable))

		fresh, err := cache.Get(t.Context(), bodycache.Key{}, true, s.compute)
		require.NoError(t, err)
		require.Equal(t, "1", fresh.ETag)
		close(release)
		waiting.Wait()
		require.EqualValues(t, 2, s.calls.Load(), "one for the 101 that came first, one for the fresh one")
	})
}

func TestErrorsAreNotStored(t *testing.T) {
	t.Parallel()
	cache, s := bodycache.New(1<<20, lifetime, time.Now), &source{}
	failure := errors.New("the database is away")
	_, err := cache.Get(t.Context(), bodycache.Key{}, false, func() (bodycache.Body, error) { return bodycache.Body{}, failure })
	require.ErrorIs(t, err, failure)
	require.Equal(t, "1", get(t, cache, bodycache.Key{}, s))
}

// TestSizeIsBounded stores bodies of 100 kB, and as much as half of that compressed, in a cache for 1.5 MB: the newest nine are there, and expired ones make room first.
func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache, s := bodycache.New(1_500_000, lifetime, time.Now), &source{size: 100_000}
		key := func(i int) bodycache.Key { return bodycache.Key{Request: strconv.Itoa(i)} }
		for i := 1; i <= 30; i++ {
			require.Equal(t, strconv.Itoa(i), get(t, cache, key(i), s))
			require.LessOrEqual(t, cache.Size(), 1_500_000)
		}
		for i := 22; i <= 30; i++ {
			require.Equal(t, strconv.Itoa(i), get(t, cache, key(i), s))
		}
		require.Equal(t, "31", get(t, cache, key(21), s), "the oldest were evicted")
		require.Equal(t, "31", get(t, cache, key(21), s))

		time.Sleep(lifetime)
		require.Equal(t, "32", get(t, cache, key(99), s))
		require.Less(t, cache.Size(), 160_000, "expired bodies are evicted")

		large := &source{size: 2_000_000}
		require.Equal(t, "1", get(t, cache, key(100), large))
		require.Equal(t, "2", get(t, cache, key(100), large), "a body that does not fit is not stored")
		require.Equal(t, "32", get(t, cache, key(99), s), "and evicts nothing")
	})
}

func TestBodiesAreCompressedOnce(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte(`{"a":1},`), 1000)
	body := bodycache.NewBody("application/json", `W/"1"`, content)
	compressed := body.Gzip()
	require.Less(t, len(compressed), len(content)/10)
	require.Same(t, &compressed[0], &body.Gzip()[0])
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	require.NoError(t, err)
	plain, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, content, plain)

	require.Nil(t, bodycache.NewBody("", "", content[:100]).Gzip(), "a small one")
	random := make([]byte, 1<<16)
	_, _ = rand.Read(random)
	require.Nil(t, bodycache.NewBody("", "", random).Gzip(), "one that cannot be compressed: its size is bounded")
	require.Nil(t, bodycache.Body{}.Gzip())
}
