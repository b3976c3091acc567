package migrate

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Migration is a migration of this program.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero while it is pending
}

// State is the state of a database's schema.
type State struct {
	Version    int64 // the newest applied migration, which may be newer than this program; 0 without any
	Migrations []Migration
}

// Pending returns the migrations that Up would apply.
func (s State) Pending() []Migration {
	var pending []Migration
	for _, migration := range s.Migrations {
		if migration.AppliedAt.IsZero() {
			pending = append(pending, migration)
		}
	}
	return pending
}

// PendingError reports migrations that were not applied.
type PendingError struct{ Pending []Migration }

func (e *PendingError) Error() string {
	names := make([]string, len(e.Pending))
	for i, migration := range e.Pending {
		names[i] = migration.Name
	}
	return fmt.Sprintf("the schema of the database is older than this program, pending migrations: %s; run `versionerd migrate up`", strings.Join(names, ", "))
}

// Status returns the state of the schema. It changes nothing.
func Status(ctx context.Context, dsn string) (State, error) {
	pool, err := open(ctx, dsn, lockTimeout)
	if err != nil {
		return State{}, err
	}
	defer pool.Close()
	return readState(ctx, pool)
}

// Check rejects a schema that is older than this program, or that requests cannot read. It changes nothing.
func Check(ctx context.Context, dsn string) error {
	pool, err := open(ctx, dsn, lockTimeout)
	if err != nil {
		return err
	}
	defer pool.Close()
	state, err := readState(ctx, pool)
	if err != nil {
		return err
	}
	if pending := state.Pending(); len(pending) > 0 {
		return &PendingError{Pending: pending}
	}
	return verifyRowLevelSecurity(ctx, pool)
}

func readState(ctx context.Context, pool *pgxpool.Pool) (State, error) {
	if err := rejectOldSchema(ctx, pool); err != nil {
		return State{}, err
	}
	provider, err := newProvider(pool)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = provider.Close() }()
	var state State
	for _, source := range provider.ListSources() {
		name := strings.TrimSuffix(filepath.Base(source.Path), ".sql")
		if source.Version == riverMigration {
			name = "river_schema_" + strconv.Itoa(riverSchemaVersion)
		}
		state.Migrations = append(state.Migrations, Migration{Version: source.Version, Name: name})
	}
	var isMigrated bool // goose would create its table
	if err := pool.QueryRow(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&isMigrated); err != nil {
		return State{}, fmt.Errorf("read the schema: %w", err)
	}
	if !isMigrated {
		return state, nil
	}
	statuses, err := provider.Status(ctx)
	if err != nil {
		return State{}, fmt.Errorf("read the applied migrations: %w", err)
	}
	for i, status := range statuses {
		state.Migrations[i].AppliedAt = status.AppliedAt
	}
	if state.Version, err = provider.GetDBVersion(ctx); err != nil {
		return State{}, fmt.Errorf("read the version of the schema: %w", err)
	}
	return state, nil
}
