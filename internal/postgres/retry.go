package postgres

import (
	"context"
	"time"

	"github.com/sethvargo/go-retry"
)

// Patience is how long a request waits for a database that restarts or fails over, before it is answered 503.
const Patience = 10 * time.Second

const (
	firstPause = 20 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// Retry runs fn again, with growing pauses, while it fails for a reason that may pass (IsTransient), and gives up after
// patience. fn must be safe to run twice. The error is that of the last run.
func Retry(ctx context.Context, patience time.Duration, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience) // a try may hang, too
	defer cancel()
	backoff := retry.WithMaxDuration(patience, retry.WithCappedDuration(maxPause, retry.NewExponential(firstPause)))
	//nolint:wrapcheck // fn's own error
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := fn(ctx)
		if err != nil && IsTransient(err) {
			return retry.RetryableError(err)
		}
		return err
	})
}
