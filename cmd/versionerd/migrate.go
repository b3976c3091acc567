package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/migrate"
)

// exitPending is the exit code of migrate status when migrations are pending.
const exitPending = 3

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply the pending migrations, also those of the job queue."`
	Status migrateStatus `cmd:"" help:"List the migrations; exits with 3 when some are pending."`
}

type migrateUp struct{ config.ConnectionSettings }

// Run logs each migration and prints the version of the schema.
func (migrateUp) Run(ctx context.Context, cfg config.Config, logger *slog.Logger, abort *app.Abort) error {
	return withDatabase(ctx, cfg, logger, abort, func(dsn string) error {
		if err := migrate.Up(ctx, dsn, logger); err != nil {
			return err
		}
		state, err := migrate.Status(ctx, dsn)
		if err == nil {
			fmt.Fprintf(os.Stdout, "The schema is at version %d.\n", state.Version)
		}
		return err
	})
}

type migrateStatus struct{ config.ConnectionSettings }

// Run prints a table.
func (migrateStatus) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withDatabase(ctx, cfg, quietLogger(cfg), abort, func(dsn string) error {
		state, err := migrate.Status(ctx, dsn)
		if err != nil {
			return err
		}
		if err := printState(os.Stdout, state); err != nil {
			return err
		}
		if newest := migrate.Version(); state.Version > newest {
			fmt.Fprintf(os.Stderr, "The schema is at version %d, newer than this program, which has migrations up to %d.\n", state.Version, newest)
		}
		if pending := state.Pending(); len(pending) > 0 {
			return pendingError{&migrate.PendingError{Pending: pending}}
		}
		return nil
	})
}

func printState(w io.Writer, state migrate.State) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tNAME\tAPPLIED")
	for _, migration := range state.Migrations {
		applied := "pending"
		if !migration.AppliedAt.IsZero() {
			applied = migration.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", migration.Version, migration.Name, applied)
	}
	return table.Flush() //nolint:wrapcheck // names standard output
}

// pendingError has the exit code of its own that scripts check.
type pendingError struct{ error }

// ExitCode implements kong.ExitCoder.
func (pendingError) ExitCode() int { return exitPending }

// withDatabase runs fn with the DSN of the database, which it neither migrates nor checks.
func withDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger, abort *app.Abort, fn func(dsn string) error) error {
	return app.WithDatabase(ctx, cfg, logger, app.AttachDatabase(abort, os.Stderr), fn)
}
