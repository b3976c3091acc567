package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/embeddedpg"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// Database is the configured database while the program uses it.
type Database struct {
	DSN     string
	Release func(context.Context) error
	Restart func(context.Context) // nil where another process or machine runs the database
}

// DatabaseOpener opens the configured database.
type DatabaseOpener func(ctx context.Context, cfg config.Config, logger *slog.Logger, metrics *telemetry.Metrics) (Database, error)

// OpenExclusiveDatabase serves servers: the embedded PostgreSQL belongs to one at a time.
func OpenExclusiveDatabase(abort *Abort) DatabaseOpener {
	return func(ctx context.Context, cfg config.Config, logger *slog.Logger, metrics *telemetry.Metrics) (Database, error) {
		if cfg.DatabaseURL != "" {
			return sharedDatabase(cfg.DatabaseURL), nil
		}
		embedded, err := embeddedpg.Start(ctx, embeddedConfig(cfg, logger, metrics, abort))
		if err != nil {
			return Database{}, err
		}
		return ownedDatabase(embedded), nil
	}
}

// AttachDatabase serves short commands and workers, which also run beside a server. It writes to output which database that is:
// a command in another terminal may have another data directory than the server.
func AttachDatabase(abort *Abort, output io.Writer) DatabaseOpener {
	return func(ctx context.Context, cfg config.Config, logger *slog.Logger, metrics *telemetry.Metrics) (Database, error) {
		if cfg.DatabaseURL != "" {
			_, _ = fmt.Fprintln(output, "Database: DATABASE_URL")
			return sharedDatabase(cfg.DatabaseURL), nil
		}
		options := embeddedConfig(cfg, logger, metrics, abort)
		embedded, err := embeddedpg.Start(ctx, options)
		if err == nil {
			_, _ = fmt.Fprintf(output, "Database: %s (no server is running there)\n", cfg.DataDir)
			return ownedDatabase(embedded), nil
		}
		inUse, ok := errors.AsType[*embeddedpg.InUseError](err)
		if !ok {
			return Database{}, err
		}
		_, _ = fmt.Fprintf(output, "Database: %s (in use by %s)\n", cfg.DataDir, inUse.Holder)
		dsn, err := embeddedpg.WaitForHolder(ctx, options)
		return sharedDatabase(dsn), err
	}
}

// WithDatabase runs fn with the DSN of the database, once it accepts connections, and then releases it.
func WithDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger, open DatabaseOpener, fn func(dsn string) error) error {
	database, err := open(ctx, cfg, logger, nil)
	if err != nil {
		return err
	}
	defer database.release(ctx, logger)
	pool, err := awaitDatabase(ctx, database.DSN, postgres.Observed{})
	if err != nil {
		return err
	}
	pool.Close()
	return fn(database.DSN)
}

// awaitDatabase opens a pool of a database that may still be starting.
func awaitDatabase(ctx context.Context, dsn string, observed postgres.Observed) (pool *postgres.Pool, err error) {
	ctx, cancel := context.WithTimeout(ctx, startupTimeout)
	defer cancel()
	err = postgres.Retry(ctx, func(ctx context.Context) (err error) {
		pool, err = postgres.Open(ctx, dsn, observed)
		return err
	})
	return pool, err
}

// release releases the database also after ctx has ended.
func (d Database) release(ctx context.Context, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := d.Release(ctx); err != nil {
		logger.WarnContext(ctx, "failed to close database", "error", err)
	}
}

// embeddedConfig also clears the variables of libpq, which configure an external database and would apply to every connection.
func embeddedConfig(cfg config.Config, logger *slog.Logger, metrics *telemetry.Metrics, abort *Abort) embeddedpg.Config {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name) // the name is valid
		}
	}
	return embeddedpg.Config{Dir: cfg.DataDir, Logger: logger, Metrics: metrics, OnStart: abort.Set}
}

func ownedDatabase(embedded *embeddedpg.Server) Database {
	return Database{DSN: embedded.DSN(), Release: embedded.Stop, Restart: embedded.Restart}
}

func sharedDatabase(dsn string) Database {
	return Database{DSN: dsn, Release: func(context.Context) error { return nil }}
}
