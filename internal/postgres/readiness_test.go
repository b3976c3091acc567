package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestReadyDoesNotDependOnLoad(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool := openPool(t, openOwner, dsn+" pool_max_conns=1")
	require.NoError(t, pool.WithTx(t.Context(), func(*postgres.DB) error { // the pool has no connection left
		return pool.Ready(t.Context(), 1)
	}))
	_, err := connect(t, dsn).Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
	require.NoError(t, pool.Ready(t.Context(), 1), "a broken connection is replaced")
	require.ErrorContains(t, pool.Ready(t.Context(), 1<<40), "the schema is at version")
	pool.Close()
	require.Error(t, pool.Ready(t.Context(), 1))
}
