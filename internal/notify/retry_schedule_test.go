package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	var total time.Duration
	for attempts := 1; ; attempts++ {
		delay, more := nextDelay(attempts, 0)
		if !more {
			require.Equal(t, 17, attempts)
			break
		}
		require.InEpsilon(t, retrySchedule[attempts-1], delay, delayJitter)
		if attempts > 1 {
			require.GreaterOrEqual(t, retrySchedule[attempts-1], retrySchedule[attempts-2])
		}
		total += delay
	}
	require.InEpsilon(t, 72*time.Hour, total, 0.1, "about three days")
}
