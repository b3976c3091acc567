// Package migrate brings the schema of a database up to date: the migrations of db/migrations and those of River, in one order.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/versioner-io/versioner/db/migrations"
	"github.com/versioner-io/versioner/internal/postgres"
)

// River creates its own tables: riverMigration is their number in the order of the migrations, riverSchemaVersion the version
// of River's schema. A later version of River's schema gets another number here.
const (
	riverMigration     = 2
	riverSchemaVersion = 8
)

// maxConns covers the connection of the migration lock and those of the migrations, whatever limit the DSN sets.
const maxConns = 4

// Version returns the number of the newest migration in this program.
//
//nolint:gochecknoglobals // computed once
var Version = sync.OnceValue(func() int64 {
	newest := int64(riverMigration)
	for _, number := range numbers(migrations.FS) {
		newest = max(newest, number)
	}
	return newest
})

// numbers returns the number of each migration by the name of its file.
func numbers(files fs.ReadDirFS) map[string]int64 {
	found := make(map[string]int64)
	entries, _ := files.ReadDir(".") // an embedded directory is readable
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		if version, err := strconv.ParseInt(number, 10, 64); err == nil {
			found[entry.Name()] = version
		}
	}
	return found
}

// verifyNumbers rejects a migration with the number of River's.
func verifyNumbers(files fs.ReadDirFS) error {
	for name, number := range numbers(files) {
		if number == riverMigration {
			return fmt.Errorf("%s: migration %d is that of River's tables: the first free number is %d", name, riverMigration, Version()+1)
		}
	}
	return nil
}

// errOldSchema rejects a database from before the baseline migration.
var errOldSchema = errors.New("the database was created by a development version before 0.1, whose schema cannot be upgraded: " +
	"start with an empty data directory or database")

// Up migrates the database as the owner of its tables. Concurrent callers wait for each other.
func Up(ctx context.Context, dsn string, logger *slog.Logger) error {
	return up(ctx, dsn, logger, lockRetry{timeout: lockTimeout, pause: lockPause, retries: lockRetries})
}

func up(ctx context.Context, dsn string, logger *slog.Logger, locks lockRetry) error {
	pool, err := open(ctx, dsn, locks.timeout)
	if err != nil {
		return err
	}
	defer pool.Close()
	unlock, err := acquireLock(ctx, pool)
	if err != nil {
		return err
	}
	defer unlock()
	if err := rejectOldSchema(ctx, pool); err != nil {
		return err
	}
	if err := ensureAppRole(ctx, pool); err != nil {
		return err
	}
	if err := locks.run(ctx, logger, func(ctx context.Context) error { return migrateSchema(ctx, pool, logger) }); err != nil {
		return err
	}
	return verifyRowLevelSecurity(ctx, pool)
}

// EnsureAppRole creates the role of requests, which the grants and policies of a restored database name.
func EnsureAppRole(ctx context.Context, dsn string) error {
	pool, err := open(ctx, dsn, lockTimeout)
	if err != nil {
		return err
	}
	defer pool.Close()
	return ensureAppRole(ctx, pool)
}

// open opens a pool whose statements wait no longer than the timeout for a lock.
func open(ctx context.Context, dsn string, timeout time.Duration) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read DATABASE_URL: %w", err)
	}
	config.MaxConns = maxConns
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", timeout.Milliseconds()))
		return err //nolint:wrapcheck // of the pool
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

// acquireLock waits until no other process migrates the database.
func acquireLock(ctx context.Context, pool *pgxpool.Pool) (unlock func(), err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if _, err := conn.Exec(ctx, "SET lock_timeout = 0; SELECT pg_advisory_lock(hashtext('versioner_migrations'))"); err != nil {
		conn.Release()
		return nil, fmt.Errorf("acquire the migration lock: %w", err)
	}
	return func() { // closing the session releases the lock, also on a broken connection
		_ = conn.Hijack().Close(context.WithoutCancel(ctx))
	}, nil
}

// rejectOldSchema detects the migrations from before the baseline by the former name of their first table.
func rejectOldSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var isOld bool
	err := pool.QueryRow(ctx, "SELECT to_regclass('instance') IS NOT NULL AND to_regclass('goose_db_version') IS NOT NULL").Scan(&isOld)
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	if isOld {
		return errOldSchema
	}
	return nil
}

// newProvider returns the migrations of db/migrations and of River.
func newProvider(pool *pgxpool.Pool) (*goose.Provider, error) {
	river := goose.NewGoMigration(riverMigration, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error { return migrateRiver(ctx, pool) }}, nil)
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(pool), migrations.FS, goose.WithGoMigrations(river))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}

func migrateSchema(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if err := verifyNumbers(migrations.FS); err != nil {
		return err
	}
	provider, err := newProvider(pool)
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }()
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, result := range results {
		logger.InfoContext(ctx, "schema migrated", "version", result.Source.Version, "duration_ms", result.Duration.Milliseconds())
	}
	return nil
}

// migrateRiver resumes after an interruption. It drops the indexes that serve searching jobs by their content, which nothing
// here does.
func migrateRiver(ctx context.Context, pool *pgxpool.Pool) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("prepare River's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: riverSchemaVersion}); err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	const adapt = "DROP INDEX IF EXISTS river_job_args_index, river_job_metadata_index, river_job_kind; " +
		"GRANT INSERT ON river_job TO " + postgres.AppRole + "; GRANT USAGE ON SEQUENCE river_job_id_seq TO " + postgres.AppRole
	if _, err := pool.Exec(ctx, adapt); err != nil {
		return fmt.Errorf("adapt River's tables: %w", err)
	}
	return nil
}
