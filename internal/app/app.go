// Package app wires the parts of the program together and runs them: opening the database, serving the API, delivering
// notifications, and stopping in order.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/readiness"
	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	startupTimeout = 30 * time.Second // for a database that is still starting
	releaseTimeout = 5 * time.Second
)

// App is the opened database and what every command needs of it.
type App struct {
	Pool *postgres.Pool
	Keys *apikeys.Keys

	cfg         config.Config
	logger      *slog.Logger
	telemetry   telemetry.Telemetry
	flushTraces func(context.Context) error
	database    Database

	databaseReady func(ctx context.Context) error
	draining      atomic.Bool
	binariesFault atomic.Pointer[error]
}

// Open opens the database, and migrates or checks its schema.
func Open(ctx context.Context, cfg config.Config, logger *slog.Logger, open DatabaseOpener) (_ *App, err error) {
	var observed telemetry.Telemetry
	if cfg.OperatorAddr != "" {
		observed.Metrics = telemetry.NewMetrics(buildinfo.Read())
	}
	tracing, flushTraces, err := telemetry.NewTracing(ctx, buildinfo.Read(), logger)
	if err != nil {
		return nil, err
	}
	observed.Tracing = tracing
	database, err := open(ctx, cfg, logger, observed.Metrics)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, logger: logger, telemetry: observed, flushTraces: flushTraces, database: database}
	defer func() {
		if err != nil {
			a.Close(ctx)
		}
	}()
	if a.Pool, err = awaitDatabase(ctx, database.DSN, a.observed("auth")); err != nil {
		return nil, err
	}
	a.databaseReady = readiness.Cache(func(ctx context.Context) error { return a.Pool.Ready(ctx, migrate.Version()) })
	if err := prepareSchema(ctx, cfg.Migrate, database.DSN, logger); err != nil {
		return nil, err
	}
	peppers, err := cfg.LoadPeppers()
	if err != nil {
		return nil, err
	}
	a.Keys = apikeys.New(a.Pool, peppers, logger)
	a.Keys.MaxActive = cfg.Quotas.APIKeys
	return a, a.Keys.VerifyPepper(ctx)
}

// prepareSchema handles pending migrations as the mode requires.
func prepareSchema(ctx context.Context, mode config.MigrateMode, dsn string, logger *slog.Logger) error {
	switch mode {
	case config.MigrateCheck:
		return migrate.Check(ctx, dsn)
	case config.MigrateOff:
		return nil
	case config.MigrateAuto:
	}
	return migrate.Up(ctx, dsn, logger)
}

// observed names a pool of connections for operators.
func (a *App) observed(pool string) postgres.Observed {
	return postgres.Observed{Pool: pool, Telemetry: a.telemetry}
}

// Close sends the remaining traces, closes the connections and releases the database, also after ctx has ended.
func (a *App) Close(ctx context.Context) {
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := a.flushTraces(flushing); err != nil {
		a.logger.WarnContext(ctx, "traces are not exported", "error", err)
	}
	if a.Pool != nil {
		a.Pool.Close()
	}
	a.database.release(ctx, a.logger)
}

// Channels returns the management of notification channels, with every stored configuration encrypted under the newest key.
func (a *App) Channels(ctx context.Context) (notify.Channels, error) {
	ring, err := a.keyring()
	if err != nil {
		return notify.Channels{}, err
	}
	sender := &notify.Sender{HTTP: egress.New(a.cfg.Webhooks), Mail: a.cfg.Mailer, UserAgent: "Versioner/" + buildinfo.Version()}
	channels := notify.Channels{
		Keys: ring, Sender: sender, Logger: a.logger, Max: a.cfg.Quotas.Channels,
		PublicURL: a.cfg.PublicURL, DeliveriesPerDay: a.cfg.DeliveriesPerDay,
	}
	return channels, a.reencryptChannels(ctx, channels)
}

// limiter returns the rate limiter, shared with other servers when a Redis is configured.
func (a *App) limiter(ctx context.Context) (_ ratelimit.Limiter, release func(), err error) {
	if a.cfg.RedisURL == "" {
		return ratelimit.NewLocal(), func() {}, nil
	}
	ratelimit.SetLibraryLogger(a.logger)
	shared, err := ratelimit.NewShared(context.WithoutCancel(ctx), a.cfg.RedisURL, a.logger)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare rate limits: %w", err)
	}
	return shared, func() {
		if err := shared.Close(); err != nil {
			a.logger.WarnContext(ctx, "failed to close redis", "error", err)
		}
	}, nil
}

// RunWorker delivers notifications until ctx ends.
func (a *App) RunWorker(ctx context.Context) error {
	channels, err := a.Channels(ctx)
	if err != nil {
		return err
	}
	stopOperator, err := a.serveOperator(ctx)
	if err != nil {
		return err
	}
	defer stopOperator()
	a.logger.InfoContext(ctx, "notification worker started")
	a.notifySystemd(ctx, daemon.SdNotifyReady)
	defer a.runWatchdog(ctx)()
	return a.runJobs(ctx, channels, true)
}

// runJobs runs background jobs until ctx ends, then finishes those in progress: maintenance of the database, and notifications if
// deliver is set. It has a pool of its own, so that it never takes a connection from a request.
func (a *App) runJobs(ctx context.Context, channels notify.Channels, deliver bool) error {
	pool, err := postgres.Open(ctx, a.database.DSN, a.observed("jobs"))
	if err != nil {
		return err
	}
	defer pool.Close()
	workers := notify.NewWorker(pool, channels, a.logger, a.telemetry.Metrics).Kinds()
	governance.AddWorkers(workers, pool, notify.EmailAdmins, time.Now)
	config := jobs.Config{
		Workers: workers, Logger: a.logger, Telemetry: a.telemetry,
		Tasks: slices.Concat(ingest.Tasks(pool, time.Now, a.cfg.RetentionMonths), idempotency.Tasks(pool, time.Now), notify.Tasks(pool, time.Now), sessions.Tasks(pool, time.Now), requests.Tasks(pool, time.Now, a.cfg.PublicURL)),
	}
	if deliver {
		config.Queues = notify.Queues()
		maps.Copy(config.Queues, governance.Queues())
	}
	client, err := jobs.New(pool, config)
	if err != nil {
		return err
	}
	return client.Run(ctx, drainTimeout)
}

// ensurePartitions creates the partitions of the next events. Without them, events are stored in the default partition.
func (a *App) ensurePartitions(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startupTimeout)
	defer cancel()
	if err := ingest.EnsurePartitions(ctx, a.Pool, time.Now()); err != nil {
		a.logger.WarnContext(ctx, "failed to create event partitions", "error", err)
	}
}
