package ingest

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	partitionsAhead      = 3 // months
	fingerprintRetention = 24 * time.Hour
)

// EnsurePartitions creates the partitions of the event log for the month of now and those to come.
func EnsurePartitions(ctx context.Context, pool *postgres.Pool, now time.Time) error {
	return pool.EnsureEventPartitions(ctx, now, now.AddDate(0, partitionsAhead, 0))
}

// Tasks maintain the event log: they create partitions, delete the fingerprints that no repeat can match any more, and delete events older
// than a number of whole months; 0 keeps them.
func Tasks(pool *postgres.Pool, clock func() time.Time, retentionMonths int) []jobs.Task {
	return []jobs.Task{
		{Name: "delete_old_events", Run: func(ctx context.Context) error {
			if retentionMonths == 0 {
				return nil
			}
			now := clock().UTC()
			return pool.DropEventPartitions(ctx, time.Date(now.Year(), now.Month()-time.Month(retentionMonths), 1, 0, 0, 0, 0, time.UTC))
		}},
		{Name: "create_event_partitions", Run: func(ctx context.Context) error { return EnsurePartitions(ctx, pool, clock()) }},
		{Name: "delete_fingerprints", Run: func(ctx context.Context) error {
			before := clock().Add(-fingerprintRetention)
			return jobs.DeleteInBatches(ctx, func(ctx context.Context) (int64, error) { return pool.DeleteExpiredFingerprints(ctx, before) })
		}},
	}
}
