package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
)

// RetrySchedule lists the pauses after each failed attempt.
//
//nolint:gochecknoglobals // a constant table
var RetrySchedule = retrySchedule

// FanOut runs a fan-out job.
func FanOut(ctx context.Context, db *postgres.DB, args ingest.FanOutArgs) error {
	return FanOutWithin(ctx, db, 0, args)
}

// FanOutWithin runs a fan-out job under a daily quota.
func FanOutWithin(ctx context.Context, db *postgres.DB, deliveriesPerDay int, args ingest.FanOutArgs) error {
	quota := deliveryQuota{perDay: deliveriesPerDay, hasEmail: true, logger: slog.New(slog.DiscardHandler)}
	return (&fanOutWorker{db: db, quota: quota}).Work(ctx, &river.Job[ingest.FanOutArgs]{JobRow: &rivertype.JobRow{}, Args: args})
}

// DeliverArgs is a job.
type DeliverArgs = deliverArgs

// Attempt makes one attempt and returns when the next one is due; 0: never.
func Attempt(ctx context.Context, w *Worker, args DeliverArgs) (time.Duration, error) {
	result, err := w.attempt(ctx, args)
	return result.retryIn, err
}
