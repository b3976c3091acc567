package tracking_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/tracking"
)

// TestEventsOfAFreshDatabaseReadFewRows records events before PostgreSQL knows anything of its tables: none of them may
// read the deployments of others.
func TestEventsOfAFreshDatabaseReadFewRows(t *testing.T) {
	t.Parallel()
	log := newEventLog(t)
	const events = 300
	for i := range events {
		_, err := log.send(t.Context(), "product "+strconv.Itoa(i), event{status: tracking.Completed, invoke: "run"})
		require.NoError(t, err)
	}
	var read int
	require.Eventually(t, func() bool {
		var scans int
		log.exec(t, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `SELECT sum(idx_scan), sum(idx_tup_read) + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'deployments')
				FROM pg_stat_user_indexes WHERE relname = 'deployments'`).Scan(&scans, &read)
		})
		return scans >= 2*events
	}, time.Minute, 100*time.Millisecond, "statistics of what was read come late")
	// The first plans of each session are for its parameters alone, and may read more.
	require.Less(t, read, events*events/4)
}
