package migrate

import (
	"context"
	"log/slog"
	"time"
)

// RiverMigration is the number of River's tables.
const RiverMigration = riverMigration

// VerifyNumbers is verifyNumbers.
var VerifyNumbers = verifyNumbers //nolint:gochecknoglobals // of a test

// UpWithin is Up with other limits of waiting for locks.
func UpWithin(ctx context.Context, dsn string, timeout, pause time.Duration, retries uint64) error {
	return up(ctx, dsn, slog.New(slog.DiscardHandler), lockRetry{timeout: timeout, pause: pause, retries: retries})
}
