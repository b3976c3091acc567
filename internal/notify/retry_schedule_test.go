package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	var total time.Duration
	for tries := 1; ; tries++ {
		delay, more := delayAfter(tries, 0)
		if !more {
			require.Equal(t, 17, tries)
			break
		}
		require.InEpsilon(t, delays[tries-1], delay, delayJitter)
		if tries > 1 {
			require.GreaterOrEqual(t, delays[tries-1], delays[tries-2])
		}
		total += delay
	}
	require.InEpsilon(t, 72*time.Hour, total, 0.1, "about three days")
}
