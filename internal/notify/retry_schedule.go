package notify

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// delays are the pauses after each failed try of a round: two quick ones as contract.md §9 promises, then growing until a
// receiver has been tried for about three days.
//
//nolint:gochecknoglobals // a constant table
var delays = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	12 * time.Hour, 12 * time.Hour, 16 * time.Hour, 16 * time.Hour,
}

const (
	// delayJitter spreads the tries of many deliveries that failed together, by this part of the pause at most.
	delayJitter = 0.05

	// maxRetryAfter is how long a receiver may ask us to wait.
	maxRetryAfter = time.Hour

	// failingLimit is for how long a channel may fail before it is disabled.
	failingLimit = 5 * 24 * time.Hour
)

// delayAfter is how long to wait after so many tries, and false when it has been tried often enough.
func delayAfter(tries int, retryAfter time.Duration) (time.Duration, bool) {
	if tries > len(delays) {
		return 0, false
	}
	delay := delays[max(tries, 1)-1]
	delay += time.Duration((2*rand.Float64() - 1) * delayJitter * float64(delay)) //nolint:gosec // spreading is no secret
	return max(delay, min(retryAfter, maxRetryAfter)), true
}

// parseRetryAfter reads either form of the header (RFC 9110, 10.2.3); what it cannot read asks for nothing.
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
