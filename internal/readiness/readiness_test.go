package readiness

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestResultsAreSharedForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		var outcome atomic.Pointer[error]
		ready := Cache(func(context.Context) error {
			checks.Add(1)
			time.Sleep(100 * time.Millisecond) // of the bubble
			if err := outcome.Load(); err != nil {
				return *err
			}
			return nil
		})
		probe := func() (failed int) {
			var group sync.WaitGroup
			var failures atomic.Int64
			for range 50 {
				group.Go(func() {
					if ready(t.Context()) != nil {
						failures.Add(1)
					}
				})
			}
			group.Wait()
			return int(failures.Load())
		}
		require.Zero(t, probe())
		require.Equal(t, int64(1), checks.Load())
		away := errors.New("away")
		outcome.Store(&away)
		time.Sleep(maxAge - time.Nanosecond)
		require.Zero(t, probe())
		require.Equal(t, int64(1), checks.Load())
		time.Sleep(time.Nanosecond)
		require.Equal(t, 50, probe())
		require.Equal(t, int64(2), checks.Load())
		outcome.Store(nil)
		require.ErrorIs(t, ready(t.Context()), away, "failures are cached, too")
		time.Sleep(maxAge)
		require.Zero(t, probe())
	})
}

// TestProbeThatLeaves lets the probe that started a check leave: the others get its result.
func TestProbeThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		ready := Cache(func(ctx context.Context) error {
			<-proceed
			return ctx.Err()
		})
		leaving, leave := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- ready(leaving) }()
		synctest.Wait()
		go func() { second <- ready(t.Context()) }()
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-first, context.Canceled)
		close(proceed)
		require.NoError(t, <-second)
	})
}
