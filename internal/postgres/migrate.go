package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/versioner-io/versioner/db/migrations"
)

// schemaVersion is the number of the newest migration in this program.
//
//nolint:gochecknoglobals // computed once
var schemaVersion = sync.OnceValue(func() int64 {
	var newest int64
	entries, _ := migrations.FS.ReadDir(".")
	for _, entry := range entries {
		number, _, _ := strings.Cut(path.Base(entry.Name()), "_")
		if version, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, version)
		}
	}
	return newest
})

// Migrate brings the schema up to date. Servers that start at the same time wait for each other.
func (p *Pool) Migrate(ctx context.Context, logger *slog.Logger) error {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	database := stdlib.OpenDBFromPool(p.pool)
	defer func() { _ = database.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, database, migrations.FS, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, result := range results {
		logger.InfoContext(ctx, "schema migrated", "migration", path.Base(result.Source.Path), "duration_ms", result.Duration.Milliseconds())
	}
	return nil
}
