package migrate_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestStatus(t *testing.T) {
	t.Parallel()

	t.Run("EmptyDatabase", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		conn := connect(t, dsn)
		_, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		require.NoError(t, err)
		state, err := migrate.Status(t.Context(), dsn)
		require.NoError(t, err)
		require.Zero(t, state.Version)
		require.Equal(t, "00001_baseline", state.Migrations[0].Name)
		require.Equal(t, state.Migrations, state.Pending())
		err = migrate.Check(t.Context(), dsn)
		require.ErrorContains(t, err, "the schema of the database is older than this program, pending migrations: 00001_baseline, river_schema_8")
		require.ErrorContains(t, err, "run `versionerd migrate up`")
		var tables int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
		require.Zero(t, tables, "the database was changed")
	})
	t.Run("MigratedDatabase", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		state, err := migrate.Status(t.Context(), dsn)
		require.NoError(t, err)
		require.Equal(t, migrate.Version(), state.Version)
		require.Empty(t, state.Pending())
		require.NoError(t, migrate.Check(t.Context(), dsn))
	})
	t.Run("OnePending", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		_, err := connect(t, dsn).Exec(t.Context(), "DELETE FROM goose_db_version WHERE version_id = $1", migrate.Version())
		require.NoError(t, err)
		state, err := migrate.Status(t.Context(), dsn)
		require.NoError(t, err)
		require.Len(t, state.Pending(), 1)
		require.Equal(t, migrate.Version(), state.Pending()[0].Version)
		require.Less(t, state.Version, migrate.Version())
		require.Error(t, migrate.Check(t.Context(), dsn))
	})
	t.Run("SchemaOfANewerProgram", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		_, err := connect(t, dsn).Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", migrate.Version()+1)
		require.NoError(t, err)
		state, err := migrate.Status(t.Context(), dsn)
		require.NoError(t, err)
		require.Equal(t, migrate.Version()+1, state.Version)
		require.Empty(t, state.Pending())
		require.NoError(t, migrate.Check(t.Context(), dsn), "a program runs on the schema of the next release")
		require.NoError(t, migrate.Up(t.Context(), dsn, slog.New(slog.DiscardHandler)))
	})
	t.Run("MissingPolicy", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		_, err := connect(t, dsn).Exec(t.Context(), "DROP POLICY tenant_isolation ON products")
		require.NoError(t, err)
		require.ErrorContains(t, migrate.Check(t.Context(), dsn), "lacks the SELECT privilege or the policy of products")
	})
}

// TestLockTimeout migrates a database while another transaction has locked a table.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	tx, err := connect(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	begun := time.Now()
	err = migrate.UpWithin(t.Context(), dsn, 50*time.Millisecond, 10*time.Millisecond, 2)
	require.ErrorContains(t, err, "another transaction, such as a backup, holds a lock that a migration needs: migrate again when it has ended")
	require.Greater(t, time.Since(begun), 150*time.Millisecond, "it was tried three times")

	migrated := make(chan error, 1)
	go func() { migrated <- migrate.UpWithin(t.Context(), dsn, 50*time.Millisecond, 10*time.Millisecond, 1000) }()
	time.Sleep(200 * time.Millisecond)
	require.Empty(t, migrated)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-migrated)
}
