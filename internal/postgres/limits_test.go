package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	open := func(t *testing.T, parameter string) *postgres.Pool {
		t.Helper()
		switch {
		case parameter == "":
		case !strings.Contains(dsn, "://"):
			parameter = " " + parameter
		case strings.Contains(dsn, "?"):
			parameter = "&" + parameter
		default:
			parameter = "?" + parameter
		}
		pool, err := postgres.Open(t.Context(), dsn+parameter, postgres.Observed{})
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	setting := func(t *testing.T, pool *postgres.Pool, name string) string {
		t.Helper()
		value, err := pool.Setting(t.Context(), name)
		require.NoError(t, err)
		return value
	}

	t.Run("OfTransactionsThatAreIdleAndOfDeadConnections", func(t *testing.T) {
		pool := open(t, "")
		require.Equal(t, "30s", setting(t, pool, "idle_in_transaction_session_timeout"))
		if setting(t, pool, "tcp_keepalives_idle") != "0" { // not through a socket of the machine itself
			require.Equal(t, "15", setting(t, pool, "tcp_keepalives_idle"))
			require.Equal(t, "5", setting(t, pool, "tcp_keepalives_interval"))
			require.Equal(t, "3", setting(t, pool, "tcp_keepalives_count"))
		}
	})
	t.Run("UnlessTheDSNSaysOtherwise", func(t *testing.T) {
		require.Equal(t, "7s", setting(t, open(t, "idle_in_transaction_session_timeout=7s"), "idle_in_transaction_session_timeout"))
	})
	t.Run("AndWhatIsEndedIsTriedAgain", func(t *testing.T) {
		err := open(t, "idle_in_transaction_session_timeout=20ms").Sleep(t.Context(), func() { time.Sleep(time.Second) })
		require.Error(t, err)
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(postgres.Classify(err)), "%v", err)
	})
	t.Run("UnlessTheDatabaseSaysOtherwise", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		_, err = conn.Exec(t.Context(), "ALTER DATABASE "+pgx.Identifier{conn.Config().Database}.Sanitize()+" SET idle_in_transaction_session_timeout = '9s'")
		require.NoError(t, err)
		require.Equal(t, "9s", setting(t, open(t, ""), "idle_in_transaction_session_timeout"))
	})
}
