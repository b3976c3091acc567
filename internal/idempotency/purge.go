package idempotency

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Tasks delete the keys whose responses are not replayed any more.
func Tasks(pool *postgres.Pool, clock func() time.Time) []jobs.Task {
	return []jobs.Task{{Name: "delete_idempotency_keys", Run: func(ctx context.Context) error {
		before := clock().Add(-retention)
		return jobs.DeleteInBatches(ctx, func(ctx context.Context) (int64, error) { return pool.DeleteExpiredIdempotencyKeys(ctx, before) })
	}}}
}
