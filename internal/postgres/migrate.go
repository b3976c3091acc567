package postgres

import (
	"context"
	"database/sql"
	"errors"
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

// schemaVersion is the number of the newest migration in this program; the queue's is one of them.
//
//nolint:gochecknoglobals // computed once
var schemaVersion = sync.OnceValue(func() int64 {
	newest := int64(queueMigration)
	entries, _ := migrations.FS.ReadDir(".")
	for _, entry := range entries {
		number, _, _ := strings.Cut(path.Base(entry.Name()), "_")
		if version, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, version)
		}
	}
	return newest
})

// errOldSchema refuses a database of the time before the baseline: the migrations start over.
var errOldSchema = errors.New("the database was created by a development version before 0.1, whose schema cannot be upgraded: " +
	"start with an empty data directory or database")

// checkBaseline refuses a database that was migrated by the migrations before the baseline. Its first table had another name.
func (p *Pool) checkBaseline(ctx context.Context) error {
	var isOld bool
	err := p.pool.QueryRow(ctx, "SELECT to_regclass('instance') IS NOT NULL AND to_regclass('goose_db_version') IS NOT NULL").Scan(&isOld)
	if err == nil && isOld {
		return errOldSchema
	}
	return Classify(err)
}

// Migrate brings the schema up to date. Servers that start at the same time wait for each other.
func (p *Pool) Migrate(ctx context.Context, logger *slog.Logger) error {
	if err := p.checkBaseline(ctx); err != nil {
		return err
	}
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
	queueMigration = 2
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
	const adapt = "DROP INDEX IF EXISTS river_job_args_index, river_job_metadata_index, river_job_kind; " +
		"GRANT INSERT ON river_job TO " + tenantRole + "; GRANT USAGE ON SEQUENCE river_job_id_seq TO " + tenantRole
	if _, err := p.pool.Exec(ctx, adapt); err != nil {
		return fmt.Errorf("adapt the queue's tables: %w", err)
	}
	return nil
}
