package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// InsertTask inserts a task as the leader does, and reports whether it was not in progress.
func InsertTask(ctx context.Context, pool *postgres.Pool, name string) (bool, error) {
	client, err := river.NewClient(pool.Queue(), &river.Config{})
	if err != nil {
		return false, err
	}
	inserted, err := client.Insert(ctx, taskArgs{Task: name}, nil)
	return err == nil && !inserted.UniqueSkippedAsDuplicate, err
}

// CountJobs counts the jobs as a running client does now and then.
func CountJobs(ctx context.Context, pool *postgres.Pool, metrics *telemetry.Metrics) {
	(&observer{db: pool.DB, queues: []string{taskQueue}, metrics: metrics}).count(ctx)
}
