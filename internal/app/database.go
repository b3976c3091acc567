package app

import (
	"context"
	"log/slog"

	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// DatabaseOpener returns the DSN of the configured database, and a function that releases it.
type DatabaseOpener func(ctx context.Context, cfg config.Config, logger *slog.Logger) (dsn string, release func(context.Context) error, err error)

// OpenExclusiveDatabase serves servers: the embedded PostgreSQL belongs to one at a time.
func OpenExclusiveDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
	if cfg.DatabaseURL != "" {
		return externalDatabase(cfg)
	}
	embedded, err := embeddedpg.Start(ctx, embeddedpg.Config{Dir: cfg.DataDir, Logger: logger})
	if err != nil {
		return "", nil, err
	}
	return embedded.DSN(), embedded.Stop, nil
}

// AttachDatabase serves short commands and workers, which also run beside a server.
func AttachDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
	if cfg.DatabaseURL != "" {
		return externalDatabase(cfg)
	}
	return embeddedpg.Attach(ctx, embeddedpg.Config{Dir: cfg.DataDir, Logger: logger})
}

func externalDatabase(cfg config.Config) (string, func(context.Context) error, error) {
	return cfg.DatabaseURL, func(context.Context) error { return nil }, nil
}
