package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// DatabaseOpener returns the DSN of the configured database, and a function that releases it.
type DatabaseOpener func(ctx context.Context, cfg config.Config, logger *slog.Logger) (dsn string, release func(context.Context) error, err error)

// OpenExclusiveDatabase serves servers: the embedded PostgreSQL belongs to one at a time.
func OpenExclusiveDatabase(abort *Abort) DatabaseOpener {
	return func(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
		if cfg.DatabaseURL != "" {
			return externalDatabase(cfg)
		}
		embedded, err := embeddedpg.Start(ctx, embeddedConfig(cfg, logger, abort))
		if err != nil {
			return "", nil, err
		}
		return embedded.DSN(), embedded.Stop, nil
	}
}

// AttachDatabase serves short commands and workers, which also run beside a server. It writes to output which database that is:
// a command in another terminal may have another data directory than the server.
func AttachDatabase(abort *Abort, output io.Writer) DatabaseOpener {
	return func(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
		if cfg.DatabaseURL != "" {
			_, _ = fmt.Fprintln(output, "Database: DATABASE_URL")
			return externalDatabase(cfg)
		}
		options := embeddedConfig(cfg, logger, abort)
		embedded, err := embeddedpg.Start(ctx, options)
		if err == nil {
			_, _ = fmt.Fprintf(output, "Database: %s (no server is running there)\n", cfg.DataDir)
			return embedded.DSN(), embedded.Stop, nil
		}
		inUse, ok := errors.AsType[*embeddedpg.InUseError](err)
		if !ok {
			return "", nil, err
		}
		_, _ = fmt.Fprintf(output, "Database: %s (in use by %s)\n", cfg.DataDir, inUse.Holder)
		dsn, err := embeddedpg.WaitForHolder(ctx, options)
		return dsn, func(context.Context) error { return nil }, err
	}
}

func embeddedConfig(cfg config.Config, logger *slog.Logger, abort *Abort) embeddedpg.Config {
	return embeddedpg.Config{Dir: cfg.DataDir, Logger: logger, OnStart: abort.Set}
}

func externalDatabase(cfg config.Config) (string, func(context.Context) error, error) {
	return cfg.DatabaseURL, func(context.Context) error { return nil }, nil
}
