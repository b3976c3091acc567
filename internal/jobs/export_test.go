package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/postgres"
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
