package notify

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	purgeInterval     = time.Hour
	deliveryRetention = 90 * 24 * time.Hour
)

type purgeArgs struct{}

// Kind is the name in the queue.
func (purgeArgs) Kind() string { return "purge_deliveries" }

// InsertOpts gives the job a low priority and one attempt: the next one runs an hour later.
func (purgeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queue, MaxAttempts: 1, Priority: 4}
}

type purgeWorker struct {
	river.WorkerDefaults[purgeArgs]

	worker *Worker
}

// Work deletes what has expired: deliveries a batch at a time until nothing is left or the job's time is over.
func (w *purgeWorker) Work(ctx context.Context, _ *river.Job[purgeArgs]) error {
	if err := w.purgeUsage(ctx, time.Now()); err != nil {
		return err
	}
	before := time.Now().Add(-deliveryRetention)
	for {
		deleted, err := w.worker.db.DeleteExpiredDeliveries(ctx, &before)
		if err != nil || deleted == 0 {
			return postgres.Classify(err)
		}
	}
}

// purgeUsage deletes former days' usage and the recipients whose confirmation links have expired.
func (w *purgeWorker) purgeUsage(ctx context.Context, now time.Time) error {
	db, today := w.worker.db, dayOf(now)
	err := db.DeleteUnconfirmedRecipients(ctx, now.Add(-confirmationLifetime))
	if err == nil {
		err = db.DeleteNotificationUsage(ctx, today)
	}
	if err == nil {
		err = db.DeleteConfirmationEmailUsage(ctx, today)
	}
	return postgres.Classify(err)
}
