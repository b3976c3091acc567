package migrate_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)

	t.Run("RefusesSchemaBeforeTheBaseline", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		conn := connect(t, dsn)
		_, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE instance (id int); CREATE TABLE goose_db_version (id int)")
		require.NoError(t, err)
		err = migrate.Up(t.Context(), dsn, logger)
		require.EqualError(t, err, "the database was created by a development version before 0.1, whose schema cannot be upgraded: "+
			"start with an empty data directory or database")
		var tables int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
		require.Equal(t, 2, tables, "the database was changed")
	})
	t.Run("AcceptsOtherTables", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		_, err := connect(t, dsn).Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE instance (id int)")
		require.NoError(t, err)
		require.NoError(t, migrate.Up(t.Context(), dsn, logger))
	})
	t.Run("ConcurrentCallersWait", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		_, err := connect(t, dsn).Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		require.NoError(t, err)
		failures := make(chan error, 4)
		for range cap(failures) {
			go func() { failures <- migrate.Up(t.Context(), dsn, logger) }()
		}
		for range cap(failures) {
			require.NoError(t, <-failures)
		}
	})
	t.Run("MigratedDatabaseIsReady", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		require.NoError(t, migrate.Up(t.Context(), dsn, logger), "again")
		pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		require.NoError(t, pool.Ready(t.Context(), migrate.Version()))
		_, err = connect(t, dsn).Exec(t.Context(), "DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)")
		require.NoError(t, err)
		err = pool.Ready(t.Context(), migrate.Version())
		require.Error(t, err)
		var before int64
		require.NoError(t, connect(t, dsn).QueryRow(t.Context(), "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&before))
		require.Less(t, before, migrate.Version())
		require.EqualError(t, err, fmt.Sprintf("the schema is at version %d, this program needs %d", before, migrate.Version()))
	})
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestRestoredWithoutRole migrates a database whose dump was restored on a server without the role of requests.
func TestRestoredWithoutRole(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	for _, lost := range []string{"REVOKE ALL ON products FROM versioner_app", "DROP POLICY tenant_isolation ON products"} {
		dsn := testdb.New(t)
		require.NoError(t, migrate.Up(t.Context(), dsn, logger))
		_, err := connect(t, dsn).Exec(t.Context(), lost)
		require.NoError(t, err)
		err = migrate.Up(t.Context(), dsn, logger)
		require.ErrorContains(t, err, "lacks the SELECT privilege or the policy of products: either a migration lacks its GRANT", lost)
		require.ErrorContains(t, err, "restore it again", lost)
	}
}

// TestNumberOfRiver adds a migration with the number that River's tables have.
func TestNumberOfRiver(t *testing.T) {
	t.Parallel()
	taken := fmt.Sprintf("%05d_saved_views.sql", migrate.RiverMigration)
	require.EqualError(t, migrate.VerifyNumbers(fstest.MapFS{"00001_baseline.sql": {}, taken: {}}),
		fmt.Sprintf("%s: migration %d is that of River's tables: the first free number is %d", taken, migrate.RiverMigration, migrate.Version()+1))
	require.NoError(t, migrate.VerifyNumbers(fstest.MapFS{"00001_baseline.sql": {}, fmt.Sprintf("%05d_saved_views.sql", migrate.RiverMigration+1): {}}))
}

func TestMain(m *testing.M) { testdb.Main(m) }
