package app

import (
	"context"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// TestReplacedBinaries makes the library of PL/pgSQL unavailable to new connections, as an upgrade of packages does.
func TestReplacedBinaries(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	restarts := 0
	a := &App{Pool: pool, logger: slog.New(slog.DiscardHandler), database: Database{Restart: func(context.Context) { restarts++ }}, databaseReady: func(context.Context) error { return nil }}
	require.True(t, a.checkBinaries(t.Context()))
	require.NoError(t, a.ready(t.Context()))

	admin, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	_, err = admin.Exec(t.Context(), "UPDATE pg_proc SET probin = '$libdir/replaced' WHERE proname IN ('plpgsql_call_handler', 'plpgsql_inline_handler')")
	require.NoError(t, err)
	require.False(t, a.checkBinaries(t.Context()))
	require.ErrorContains(t, a.ready(t.Context()), "58P01")
	require.Equal(t, 1, restarts)

	_, err = admin.Exec(t.Context(), "UPDATE pg_proc SET probin = '$libdir/plpgsql' WHERE proname IN ('plpgsql_call_handler', 'plpgsql_inline_handler')")
	require.NoError(t, err)
	require.True(t, a.checkBinaries(t.Context()))
	require.NoError(t, a.ready(t.Context()))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.True(t, a.checkBinaries(ended), "a database that cannot be reached has another fault")
}
