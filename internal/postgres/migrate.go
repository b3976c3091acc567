package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

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
	if err := p.ensureTenantRole(ctx); err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	database := stdlib.OpenDBFromPool(p.pool)
	defer func() { _ = database.Close() }()
	queue := goose.NewGoMigration(queueMigration, &goose.GoFunc{RunDB: p.migrateQueue}, nil)
	provider, err := goose.NewProvider(goose.DialectPostgres, database, migrations.FS,
		goose.WithSessionLocker(locker), goose.WithGoMigrations(queue))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, result := range results {
		logger.InfoContext(ctx, "schema migrated", "version", result.Source.Version, "duration_ms", result.Duration.Milliseconds())
	}
	return p.checkTenantWall(ctx)
}

// The queue's tables are made by the library that works on them: this number in the order of our migrations, up to that
// version of its own. A later version of the library gets another number here.
const (
	queueMigration = 4
	queueVersion   = 8
)

// migrateQueue goes on where it stopped, if it did. The indexes that go are for searching jobs by what they are,
// which nobody does here.
func (p *Pool) migrateQueue(ctx context.Context, _ *sql.DB) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(p.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: queueVersion}); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	if _, err := p.pool.Exec(ctx, "DROP INDEX IF EXISTS river_job_args_index, river_job_metadata_index, river_job_kind"); err != nil {
		return fmt.Errorf("drop the queue's indexes that nobody needs: %w", err)
	}
	return nil
}
