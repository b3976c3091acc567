package postgres_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
		err = openPool(t, postgres.Open, dsn).Migrate(t.Context(), logger)
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
		require.NoError(t, openPool(t, postgres.Open, dsn).Migrate(t.Context(), logger))
	})
	t.Run("MigratedDatabaseIsReady", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		pool := openPool(t, postgres.Open, dsn)
		require.NoError(t, pool.Migrate(t.Context(), logger), "again")
		require.NoError(t, pool.Ready(t.Context()))
		_, err := connect(t, dsn).Exec(t.Context(), "DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)")
		require.NoError(t, err)
		err = pool.Ready(t.Context())
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), "the schema is at version 1, this program needs 2"), "%v", err)
	})
}
