package migrate

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/versioner-io/versioner/internal/postgres"
)

// A statement that waits for a lock makes the requests wait that come after it. So a migration gives up after lockTimeout, lets them
// run, and starts again: for about a minute in all.
const (
	lockTimeout = 2 * time.Second
	lockPause   = time.Second
	lockRetries = 20
)

// lockRetry repeats what fails because another transaction holds a lock.
type lockRetry struct {
	timeout, pause time.Duration
	retries        uint64
}

func (l lockRetry) run(ctx context.Context, logger *slog.Logger, fn func(context.Context) error) error {
	var last error
	backoff := retry.WithMaxRetries(l.retries, retry.WithJitterPercent(20, retry.NewConstant(l.pause))) //nolint:mnd // percent
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		if last = fn(ctx); !postgres.IsLockTimeout(last) {
			return last
		}
		logger.WarnContext(ctx, "migration waits for a lock of another transaction", "error", last)
		return retry.RetryableError(last)
	})
	if err != nil && postgres.IsLockTimeout(last) {
		return fmt.Errorf("another transaction, such as a backup, holds a lock that a migration needs: migrate again when it has ended: %w", last)
	}
	return err //nolint:wrapcheck // fn's error, or that of ctx
}
