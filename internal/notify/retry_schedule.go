package notify

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retrySchedule lists the pauses after each failed attempt of a generation: short ones first, growing until the attempts have
// lasted for about three days.
//
//nolint:gochecknoglobals // a constant table
var retrySchedule = [...]time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	12 * time.Hour, 12 * time.Hour, 16 * time.Hour, 16 * time.Hour,
}

const (
	// delayJitter spreads the attempts of deliveries that failed together: the largest deviation as a fraction of the pause.
	delayJitter = 0.05

	// maxRetryAfter bounds the Retry-After of a receiver.
	maxRetryAfter = time.Hour

	// disableAfter is how long a channel fails before it is disabled.
	disableAfter = 5 * 24 * time.Hour
)

// nextDelay returns the pause after the nth attempt, or false when it was the last one.
func nextDelay(attempts int, retryAfter time.Duration) (time.Duration, bool) {
	if attempts > len(retrySchedule) {
		return 0, false
	}
	delay := retrySchedule[max(attempts, 1)-1]
	delay += time.Duration((2*rand.Float64() - 1) * delayJitter * float64(delay)) //nolint:gosec // jitter is not a secret
	return max(delay, min(retryAfter, maxRetryAfter)), true
}

// parseRetryAfter reads either form of the header (RFC 9110, 10.2.3). Invalid values are zero.
func parseRetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
