package notify

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Delays is the schedule.
//
//nolint:gochecknoglobals // a constant table
var Delays = delays

// FanOut does the work of a fan-out job.
func FanOut(ctx context.Context, db *postgres.DB, args ingest.FanOutArgs) error {
	return (&fanOutWorker{db: db}).Work(ctx, &river.Job[ingest.FanOutArgs]{JobRow: &rivertype.JobRow{}, Args: args})
}

// DeliverArgs is a job.
type DeliverArgs = deliverArgs

// Attempt does a job's work once; it returns how long to wait for the next time, 0 when there is none.
func Attempt(ctx context.Context, e *Engine, args DeliverArgs) (time.Duration, error) {
	done, err := e.attempt(ctx, args)
	return done.again, err
}
