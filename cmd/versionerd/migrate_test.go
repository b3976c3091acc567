package main

import (
	"errors"
	"log/slog"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// TestMigrateApart applies the migrations with a command of their own. Servers with --migrate=check refuse an older schema and leave it
// as it is; with off they start without looking.
func TestMigrateApart(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	exitCode := func(err error) int {
		exit, ok := errors.AsType[*exec.ExitError](err)
		require.True(t, ok, "%v", err)
		return exit.ExitCode()
	}
	for range 2 { // the check must change nothing
		_, stderr, err := call(t, environment(dir, "VERSIONER_MIGRATE=check"), "serve")
		require.Equal(t, 1, exitCode(err))
		require.Contains(t, stderr, "versionerd: the schema of the database is older than this program, pending migrations: 00001_baseline, river_schema_8")
		require.Contains(t, stderr, "; run `versionerd migrate up`\n")
	}
	stdout, stderr, err := call(t, environment(dir), "migrate", "status")
	require.Equal(t, 3, exitCode(err))
	require.Regexp(t, `^VERSION +NAME +APPLIED\n1 +00001_baseline +pending\n2 +river_schema_8 +pending\n`, stdout)
	require.Contains(t, stderr, "run `versionerd migrate up`")

	stdout, stderr, err = call(t, environment(dir), "migrate", "up")
	require.NoError(t, err, stderr)
	require.Regexp(t, `^The schema is at version \d+\.\n$`, stdout)
	require.Contains(t, stderr, `"schema migrated","version":1`)
	stdout, stderr, err = call(t, environment(dir), "migrate", "status")
	require.NoError(t, err, stderr)
	require.NotContains(t, stdout, "pending")
	require.Regexp(t, `1 +00001_baseline +\d{4}-\d\d-\d\dT`, stdout)

	server := launch(t, environment(dir), "serve", "--migrate=check")
	server.stop(t)
	server = launch(t, environment(dir), "serve", "--migrate=off")
	server.stop(t)
	changeDatabase(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	server = launch(t, environment(dir), "serve", "--migrate=check")
	server.stop(t)
	_, stderr, err = call(t, environment(dir), "migrate", "status")
	require.NoError(t, err)
	require.Contains(t, stderr, "The schema is at version 99999, newer than this program")
	_, stderr, err = call(t, environment(dir), "serve", "--migrate=never")
	require.Equal(t, 1, exitCode(err))
	require.Contains(t, stderr, `VERSIONER_MIGRATE "never": use auto, check or off`)
}

// changeDatabase changes the database of a data directory that no server uses.
func changeDatabase(t *testing.T, dir, statement string) {
	t.Helper()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, database.Stop(t.Context()))
}
