package notify

import (
	"context"
	"time"
)

// Delays is the schedule.
//
//nolint:gochecknoglobals // a constant table
var Delays = delays

// DeliverArgs is a job.
type DeliverArgs = deliverArgs

// Attempt does a job's work once; it returns how long to wait for the next time, 0 when there is none.
func Attempt(ctx context.Context, e *Engine, args DeliverArgs) (time.Duration, error) {
	done, err := e.attempt(ctx, args)
	return done.again, err
}
