package authn

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

func TestUnknownKeysSpendTheBudgetBeforeTheLookUp(t *testing.T) {
	t.Parallel()
	const client, other = "203.0.113.7", "203.0.113.8"
	const valid apperr.Code = -1
	fetched := 0
	outcome := unauthenticated(errors.New("unknown"))
	fetch := func(context.Context) (cachedKey, error) {
		fetched++
		return cachedKey{principal: Principal{AccountSlug: "acme"}}, outcome
	}
	l := newKeyLookUps[cachedKey](5)
	send := func(address string, key byte) apperr.Code {
		_, err := l.do(t.Context(), address, fingerprint{key}, fetch)
		if err == nil {
			return valid
		}
		return apperr.CodeOf(err)
	}
	outcome = nil
	for range 20 { // valid keys are refunded, and known from then on
		require.Equal(t, valid, send(client, 1))
	}
	outcome = apperr.New(apperr.Unavailable, "the database is away")
	for key := range byte(20) { // that is no fault of the key
		require.Equal(t, apperr.Unavailable, send(client, 100+key))
	}
	outcome = unauthenticated(errors.New("unknown"))
	fetched = 0
	for key := range byte(20) {
		want := apperr.RateLimited
		if key < 5 {
			want = apperr.Unauthenticated
		}
		require.Equal(t, want, send(client, 100+key))
	}
	require.Equal(t, 5, fetched)
	require.Equal(t, apperr.Unauthenticated, send(other, 100), "another network has its own budget")
	outcome = nil
	require.Equal(t, valid, send(client, 1), "a known key needs no budget")
	outcome = unauthenticated(errors.New("revoked"))
	require.Equal(t, apperr.Unauthenticated, send(client, 1))
	require.Equal(t, apperr.RateLimited, send(client, 1), "a revoked key is unknown")
}

func TestUnknownKeysAreLookedUpTwoAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newKeyLookUps[cachedKey](0)
		l.setKnown(fingerprint{255}, true)
		var running, exceeded atomic.Int64
		outcomes := make(chan error, 20)
		for key := range byte(20) {
			go func() {
				_, err := l.do(t.Context(), "203.0.113.7", fingerprint{key}, func(context.Context) (cachedKey, error) {
					if running.Add(1) > maxUnknownLookUps {
						exceeded.Add(1)
					}
					time.Sleep(3 * time.Second) // of the bubble
					running.Add(-1)
					return cachedKey{}, nil
				})
				outcomes <- err
			}()
		}
		synctest.Wait()
		require.Equal(t, int64(maxUnknownLookUps), running.Load())
		_, err := l.do(t.Context(), "203.0.113.7", fingerprint{255}, func(context.Context) (cachedKey, error) { return cachedKey{}, nil })
		require.NoError(t, err, "known keys do not wait for unknown ones")
		timedOut := 0
		for range 20 {
			if err := <-outcomes; err != nil {
				require.Equal(t, apperr.Unavailable, apperr.CodeOf(err))
				timedOut++
			}
		}
		require.Equal(t, 12, timedOut, "the others got slots at 0, 3, 6 and 9 seconds")
		require.Zero(t, exceeded.Load())
	})
}
