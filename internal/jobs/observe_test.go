package jobs_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestCountJobs counts the jobs of the database by queue and state, and reports nothing without the database.
func TestCountJobs(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, priority, max_attempts, state, scheduled_at, finalized_at)
		SELECT 'k', '{}', q.queue, 1, 5, q.state::river_job_state, now() + q.due::interval, CASE WHEN q.state IN ('completed', 'discarded') THEN now() END
		FROM (VALUES ('notifications', 'available', '-20 minutes'), ('notifications', 'available', '-1 minute'), ('notifications', 'retryable', '1 hour'),
			('notifications', 'discarded', '-3 days'), ('notifications', 'completed', '-3 days'), ('notifications', 'running', '-1 day')) AS q (queue, state, due)`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	api := testapi.API{Metrics: telemetry.NewMetrics(buildinfo.Read())}
	jobs.CountJobs(t.Context(), pool, api.Metrics)
	for series, want := range map[string]float64{
		`versioner_jobs{queue="notifications",state="available"}`: 2,
		`versioner_jobs{queue="notifications",state="retryable"}`: 1,
		`versioner_jobs{queue="notifications",state="discarded"}`: 1,
		`versioner_jobs{queue="notifications",state="running"}`:   1,
		`versioner_jobs{queue="notifications",state="completed"}`: 0,
		`versioner_jobs{queue="maintenance",state="available"}`:   0,
	} {
		require.InDelta(t, want, api.Metric(t, series), 1e-9, series)
	}
	require.InDelta(t, 1200, api.Metric(t, `versioner_job_oldest_age_seconds{queue="notifications"}`), 60, "running jobs do not wait")
	require.Contains(t, api.MetricsText(t), `versioner_job_oldest_age_seconds{queue="maintenance"} 0`)

	pool.Close()
	jobs.CountJobs(t.Context(), pool, api.Metrics)
	require.NotContains(t, api.MetricsText(t), "versioner_jobs{")
}
