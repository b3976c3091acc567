package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	queue = "notifications"

	// maxWorkers is how many jobs one process runs concurrently. Most of them wait for a receiver.
	maxWorkers = 256

	pollInterval       = 100 * time.Millisecond // a notification waits for two polls: of its fan-out job and of its delivery
	fetchCooldown      = 50 * time.Millisecond
	jobTimeout         = 30 * time.Second
	rescueAfter        = time.Minute // until the jobs of a process that died run again
	maxInternalBackoff = time.Minute
	completedRetention = 10 * time.Minute
	discardedRetention = 7 * 24 * time.Hour
)

// Worker runs the jobs of the queue.
type Worker struct {
	db      *postgres.DB
	keys    *keyring.Keyring
	sender  *Sender
	logger  *slog.Logger
	river   *river.Client[pgx.Tx]
	limiter *channelLimiter

	publicURL string
}

// NewWorker returns a worker for the queue of that database.
func NewWorker(pool *postgres.Pool, channels Channels, logger *slog.Logger) (*Worker, error) {
	worker := &Worker{db: pool.DB, keys: channels.Keys, sender: channels.Sender, logger: logger, limiter: newChannelLimiter(), publicURL: channels.PublicURL}
	registry := river.NewWorkers()
	river.AddWorker(registry, &fanOutWorker{db: pool.DB, logger: logger, deliveriesPerDay: channels.DeliveriesPerDay, hasEmail: channels.Sender.Mail != nil})
	river.AddWorker(registry, &deliverWorker{worker: worker})
	river.AddWorker(registry, &adminEmailWorker{worker: worker})
	river.AddWorker(registry, &confirmationEmailWorker{worker: worker})
	river.AddWorker(registry, &purgeWorker{worker: worker})
	client, err := river.NewClient(pool.Queue(), &river.Config{
		Logger: slog.New(warnOnlyHandler{logger.Handler()}), Workers: registry,
		Queues: map[string]river.QueueConfig{queue: {MaxWorkers: maxWorkers}},
		// Polling alone: a NOTIFY for each job would slow down every event.
		PollOnly: true, FetchPollInterval: pollInterval, FetchCooldown: fetchCooldown,
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, RetryPolicy: internalErrorPolicy{},
		CompletedJobRetentionPeriod: completedRetention, CancelledJobRetentionPeriod: completedRetention, DiscardedJobRetentionPeriod: discardedRetention,
		ReindexerIndexNames: []string{"river_job_pkey", "river_job_prioritized_fetching_index", "river_job_state_and_finalized_at_index", "river_job_unique_idx"},
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(purgeInterval), func() (river.JobArgs, *river.InsertOpts) { return purgeArgs{}, nil }, nil)},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	worker.river = client
	return worker, nil
}

// Run runs jobs until ctx ends, and then waits up to timeout for those in progress.
func (w *Worker) Run(ctx context.Context, timeout time.Duration) error {
	background := context.WithoutCancel(ctx)
	if err := w.river.Start(background); err != nil {
		return fmt.Errorf("start the queue's client: %w", err)
	}
	<-ctx.Done()
	limit, cancel := context.WithTimeout(background, timeout)
	defer cancel()
	if err := w.river.Stop(limit); err != nil {
		limit, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if err := w.river.StopAndCancel(limit); err != nil {
			return fmt.Errorf("stop the queue's client: %w", err)
		}
	}
	return nil
}

// internalErrorPolicy schedules retries of jobs that failed on this side, such as an unavailable database or a missing key.
type internalErrorPolicy struct{}

// NextRetry grows quickly to maxInternalBackoff.
func (internalErrorPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	pause := min(maxInternalBackoff, time.Second<<min(len(job.Errors), 6))
	return time.Now().Add(pause + rand.N(pause/4)) //nolint:gosec // jitter is not a secret
}

func encodeAll[T any](jobs []T) ([]json.RawMessage, error) {
	encoded := make([]json.RawMessage, len(jobs))
	for i, job := range jobs {
		text, err := json.Marshal(job)
		if err != nil {
			return nil, fmt.Errorf("encode a job: %w", err)
		}
		encoded[i] = text
	}
	return encoded, nil
}

// warnOnlyHandler drops the queue's own log records below warnings.
type warnOnlyHandler struct{ slog.Handler }

// Enabled reports whether the level is a warning or above, and enabled.
func (h warnOnlyHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}
