package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestEventPartitions(t *testing.T) {
	t.Parallel()
	date := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	setUp := func(t *testing.T) (*postgres.Pool, *pgx.Conn) {
		t.Helper()
		dsn := testdb.New(t)
		conn := connect(t, dsn)
		_, err := conn.Exec(t.Context(), "ALTER TABLE events DROP CONSTRAINT events_api_key_fkey, DROP CONSTRAINT events_deployment_fkey")
		require.NoError(t, err)
		return openPool(t, openOwner, dsn), conn
	}
	partitions := func(t *testing.T, conn *pgx.Conn) []string {
		t.Helper()
		rows, _ := conn.Query(t.Context(), `SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'events'::regclass AND c.relname > 'events_2030' AND c.relname <> 'events_default' ORDER BY 1`)
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return names
	}
	insert := func(t *testing.T, conn *pgx.Conn, at string) (partition string) {
		t.Helper()
		require.NoError(t, conn.QueryRow(t.Context(), `INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
			VALUES (gen_random_uuid(), gen_random_uuid(), $1, gen_random_uuid(), 'completed', 'created', gen_random_uuid(), '{}') RETURNING tableoid::regclass::text`,
			date(at)).Scan(&partition))
		return partition
	}

	t.Run("AcrossTheEndOfAYear", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		for range 2 {
			require.NoError(t, pool.EnsureEventPartitions(t.Context(), date("2031-11-30T23:59:59Z"), date("2032-02-01T00:00:00Z")))
			require.Equal(t, []string{"events_2031_11", "events_2031_12", "events_2032_01", "events_2032_02"}, partitions(t, conn))
		}
		for now, want := range map[string]int{"2031-11-30T23:59:59Z": 3, "2032-01-01T00:30:00+01:00": 2, "2032-03-01T00:00:00Z": 0} {
			ahead, err := pool.CountFutureEventPartitions(t.Context(), date(now))
			require.NoError(t, err)
			require.Equal(t, want, ahead, now)
		}
		for at, want := range map[string]string{
			"2031-10-31T23:59:59.999999Z": "events_default", "2031-11-01T00:00:00Z": "events_2031_11", "2031-12-31T23:59:59.999999Z": "events_2031_12",
			"2032-01-01T00:00:00Z": "events_2032_01", "2032-02-29T23:59:59Z": "events_2032_02", "2032-03-01T00:00:00Z": "events_default",
			"2032-01-01T00:30:00+01:00": "events_2031_12",
		} {
			require.Equal(t, want, insert(t, conn, at), at)
		}
	})
	t.Run("MonthsAreInUTC", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		_, err := conn.Exec(t.Context(), "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Pacific/Auckland''', current_database()); END $$")
		require.NoError(t, err)
		local := date("2032-01-01T02:00:00+05:00") // still in December
		require.NoError(t, pool.EnsureEventPartitions(t.Context(), local, local))
		require.Equal(t, []string{"events_2031_12"}, partitions(t, conn))
		require.Equal(t, "events_2031_12", insert(t, conn, "2031-12-01T00:00:00Z"))
		require.Equal(t, "events_2031_12", insert(t, conn, "2031-12-31T23:59:59Z"))
	})
	t.Run("EventsOfTheDefaultPartitionStay", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		require.Equal(t, "events_default", insert(t, conn, "2031-12-15T00:00:00Z"))
		for range 2 {
			require.NoError(t, pool.EnsureEventPartitions(t.Context(), date("2031-11-01T00:00:00Z"), date("2032-01-01T00:00:00Z")))
			require.Equal(t, []string{"events_2031_11", "events_2032_01"}, partitions(t, conn))
		}
		require.Equal(t, "events_default", insert(t, conn, "2031-12-31T00:00:00Z"))
		var kept int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE received_at >= '2031-12-01' AND received_at < '2032-01-01'").Scan(&kept))
		require.Equal(t, 2, kept)
	})
	t.Run("ConcurrentCalls", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		failures := make([]error, 8)
		var group sync.WaitGroup
		for i := range failures {
			group.Go(func() {
				failures[i] = pool.EnsureEventPartitions(t.Context(), date("2031-11-01T00:00:00Z"), date("2032-02-01T00:00:00Z"))
			})
		}
		group.Wait()
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		require.Len(t, partitions(t, conn), 4)
	})
	t.Run("DropsOldMonths", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		require.NoError(t, pool.EnsureEventPartitions(t.Context(), date("2031-11-01T00:00:00Z"), date("2032-02-01T00:00:00Z")))
		kept := func() (events []string) {
			rows, _ := conn.Query(t.Context(), "SELECT to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM events WHERE received_at > '2030-01-01' ORDER BY received_at")
			events, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			return events
		}
		for _, at := range []string{"2031-10-15T00:00:00Z", "2031-11-15T00:00:00Z", "2031-12-31T23:59:59Z", "2032-01-01T00:00:00Z", "2032-05-01T00:00:00Z"} {
			insert(t, conn, at)
		}
		for range 2 {
			require.NoError(t, pool.DropEventPartitions(t.Context(), date("2032-01-20T00:00:00Z")))
			require.Equal(t, []string{"2032-01-01", "2032-05-01"}, kept())
			require.Equal(t, []string{"events_2032_01", "events_2032_02"}, partitions(t, conn))
		}
		require.Equal(t, "events_default", insert(t, conn, "2031-12-15T00:00:00Z"), "a late event of a dropped month is recorded")
		require.Equal(t, []string{"2031-12-15", "2032-01-01", "2032-05-01"}, kept())
		require.NoError(t, pool.DropEventPartitions(t.Context(), date("2032-01-20T00:00:00Z")))
		require.Equal(t, []string{"2032-01-01", "2032-05-01"}, kept())
		_, err := conn.Exec(t.Context(), "DELETE FROM events WHERE received_at = '2032-05-01T00:00:00Z'")
		require.ErrorContains(t, err, "append-only", "the trigger of the default partition is enabled again")
	})
	t.Run("DropsNothingThatIsInUse", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		require.NoError(t, pool.EnsureEventPartitions(t.Context(), date("2031-11-01T00:00:00Z"), date("2031-12-01T00:00:00Z")))
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "LOCK TABLE events_2031_12 IN ACCESS SHARE MODE")
		require.NoError(t, err)
		begun := time.Now()
		err = pool.DropEventPartitions(t.Context(), date("2032-01-20T00:00:00Z"))
		require.True(t, postgres.IsLockTimeout(err), "%v", err)
		require.Less(t, time.Since(begun), 10*time.Second)
		require.NoError(t, tx.Rollback(t.Context()))
		require.Equal(t, []string{"events_2031_12"}, partitions(t, conn), "each month has a transaction of its own")
		require.NoError(t, pool.DropEventPartitions(t.Context(), date("2032-01-20T00:00:00Z")))
		require.Empty(t, partitions(t, conn))
	})
	t.Run("GivesUpRatherThanBlockEvents", func(t *testing.T) {
		t.Parallel()
		pool, conn := setUp(t)
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "LOCK TABLE events IN ACCESS SHARE MODE; LOCK TABLE events_default IN ACCESS SHARE MODE")
		require.NoError(t, err)
		begun := time.Now()
		err = pool.EnsureEventPartitions(t.Context(), date("2032-01-01T00:00:00Z"), date("2032-01-01T00:00:00Z"))
		require.True(t, postgres.IsLockTimeout(err), "%v", err)
		require.Less(t, time.Since(begun), 10*time.Second)
		require.NoError(t, tx.Rollback(t.Context()))
		require.NoError(t, pool.EnsureEventPartitions(t.Context(), date("2032-01-01T00:00:00Z"), date("2032-01-01T00:00:00Z")))
	})
}
