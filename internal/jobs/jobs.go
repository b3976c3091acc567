// Package jobs runs the queue of background jobs: those of notifications, and the tasks that maintain the database.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/riverqueue/rivercontrib/otelriver"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	jobTimeout         = 30 * time.Second
	rescueAfter        = time.Minute // until the jobs of a process that died run again
	maxBackoff         = time.Minute
	completedRetention = 10 * time.Minute
	discardedRetention = 7 * 24 * time.Hour
)

// Config lists what a client runs. Every process has the same workers and tasks, since the elected leader of all processes inserts
// the tasks and reschedules the jobs; only queues differ.
type Config struct {
	Workers *river.Workers
	Tasks   []Task
	Queues  map[string]river.QueueConfig // beside that of the tasks
	Logger  *slog.Logger

	telemetry.Telemetry
}

// Client runs the jobs of a database.
type Client struct {
	river    *river.Client[pgx.Tx]
	observer *observer // nil: off
}

// New returns a client, which works while Run does.
func New(pool *postgres.Pool, config Config) (*Client, error) {
	river.AddWorker(config.Workers, newTaskWorker(config.Tasks, config.Logger))
	queues := map[string]river.QueueConfig{taskQueue: {MaxWorkers: 1}}
	maps.Copy(queues, config.Queues)
	var middleware []rivertype.Middleware
	var observed *observer
	if config.Metrics != nil {
		observed = &observer{db: pool.DB, queues: slices.Sorted(maps.Keys(queues)), metrics: config.Metrics}
		middleware = append(middleware, observed)
	}
	if config.Tracing != nil {
		middleware = append(middleware, otelriver.NewMiddleware(&otelriver.MiddlewareConfig{
			TracerProvider: config.Tracing, MeterProvider: noop.NewMeterProvider(), EnableTracePropagation: true, EnableWorkSpanJobKindSuffix: true,
		}))
	}
	client, err := river.NewClient(pool.Queue(), &river.Config{
		Logger: slog.New(warnOnlyHandler{config.Logger.Handler()}), Workers: config.Workers, Queues: queues, PeriodicJobs: periodicJobs(config.Tasks),
		Middleware: middleware,
		PollOnly:   true, // a NOTIFY for each job would slow down every event
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, RetryPolicy: retryPolicy{},
		CompletedJobRetentionPeriod: completedRetention, CancelledJobRetentionPeriod: completedRetention, DiscardedJobRetentionPeriod: discardedRetention,
		ReindexerIndexNames: []string{"river_job_pkey", "river_job_prioritized_fetching_index", "river_job_state_and_finalized_at_index", "river_job_unique_idx"},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	return &Client{river: client, observer: observed}, nil
}

// Run runs jobs until ctx ends, and then waits up to timeout for those in progress.
func (c *Client) Run(ctx context.Context, timeout time.Duration) error {
	background := context.WithoutCancel(ctx)
	if err := c.river.Start(background); err != nil {
		return fmt.Errorf("start the queue's client: %w", err)
	}
	if c.observer != nil {
		telemetry.Every(ctx, observeInterval, c.observer.count)
	}
	<-ctx.Done()
	limit, cancel := context.WithTimeout(background, timeout)
	defer cancel()
	if err := c.river.Stop(limit); err != nil {
		limit, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if err := c.river.StopAndCancel(limit); err != nil {
			return fmt.Errorf("stop the queue's client: %w", err)
		}
	}
	return nil
}

// retryPolicy schedules retries of jobs that failed on this side, such as an unavailable database or a missing key.
type retryPolicy struct{}

// NextRetry grows quickly to maxBackoff.
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	pause := min(maxBackoff, time.Second<<min(len(job.Errors), 6))
	return time.Now().Add(pause + rand.N(pause/4)) //nolint:gosec // jitter is not a secret
}

// warnOnlyHandler drops the queue's own log records below warnings.
type warnOnlyHandler struct{ slog.Handler }

// Enabled reports whether the level is a warning or above, and enabled.
func (h warnOnlyHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}
