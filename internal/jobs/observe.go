package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// observeInterval is how often the queues are counted.
const observeInterval = 15 * time.Second

// observer counts the jobs of the database and measures those of this process.
type observer struct {
	river.MiddlewareDefaults

	db      *postgres.DB
	queues  []string
	metrics *telemetry.Metrics
}

// Work implements rivertype.WorkerMiddleware.
func (o *observer) Work(ctx context.Context, job *rivertype.JobRow, run func(context.Context) error) error {
	begin, outcome := time.Now(), "failed" // also of a job that panics
	defer func() { o.metrics.Job(job.Kind, outcome, time.Since(begin)) }()
	err := run(ctx)
	outcome = outcomeOf(err)
	return err
}

func outcomeOf(err error) string {
	if err == nil {
		return "completed"
	}
	if _, isSnoozed := errors.AsType[*rivertype.JobSnoozeError](err); isSnoozed {
		return "snoozed"
	}
	if _, isCancelled := errors.AsType[*rivertype.JobCancelError](err); isCancelled {
		return "cancelled"
	}
	return "failed"
}

// count reads the numbers of jobs. While the database is unavailable they are unknown.
func (o *observer) count(ctx context.Context) {
	rows, err := o.db.CountJobs(ctx)
	if err != nil {
		o.metrics.Jobs(nil, nil)
		return
	}
	var counts []telemetry.JobCount
	ages := make(map[string]time.Duration)
	for _, queue := range o.queues {
		ages[queue] = 0
		for _, state := range countedStates() {
			counts = append(counts, telemetry.JobCount{Queue: queue, State: string(state)})
		}
	}
	for _, row := range rows {
		counts = append(counts, telemetry.JobCount{Queue: row.Queue, State: row.State, Count: row.Jobs})
		if isWaiting(rivertype.JobState(row.State)) {
			ages[row.Queue] = max(ages[row.Queue], time.Since(row.FirstDueAt))
		}
	}
	o.metrics.Jobs(counts, ages)
}

// isWaiting reports whether jobs in the state run once they are due.
func isWaiting(state rivertype.JobState) bool {
	return state == rivertype.JobStateAvailable || state == rivertype.JobStateRetryable || state == rivertype.JobStateScheduled
}

// countedStates are those of CountJobs. Jobs that have ended otherwise are deleted soon.
func countedStates() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
		rivertype.JobStateDiscarded,
	}
}
