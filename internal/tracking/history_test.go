package tracking_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/tracking"
)

// recordPast records the events of a deployment as of their times, in one transaction: the last one completes it.
func (l *eventLog) recordPast(ctx context.Context, t *testing.T, version string, at ...time.Time) []dbgen.RecordedDeploymentEvent {
	t.Helper()
	pool, err := postgres.Open(t.Context(), l.dsn)
	require.NoError(t, err)
	defer pool.Close()
	var events []tracking.Past[tracking.DeploymentEvent]
	for i, one := range at {
		status, invoke := tracking.Started, "run of "+version
		if i == len(at)-1 {
			status = tracking.Completed
		}
		body, err := json.Marshal(map[string]any{"version": version, "at": one})
		require.NoError(t, err)
		origin := l.origin
		origin.Body = body
		events = append(events, tracking.Past[tracking.DeploymentEvent]{At: one, Origin: origin, Event: tracking.DeploymentEvent{
			ProductName: "p", Version: version, EnvironmentName: "production", Status: string(status), Source: tracking.Source{InvokeID: &invoke},
		}})
	}
	var recorded []dbgen.RecordedDeploymentEvent
	require.NoError(t, pool.WithTx(ctx, func(db *postgres.DB) (err error) {
		recorded, err = tracking.RecordPastDeployments(ctx, db, events)
		return err
	}))
	return recorded
}

func (l *eventLog) current(t *testing.T, deployment uuid.UUID) (id *uuid.UUID, since *time.Time) {
	t.Helper()
	pool, err := postgres.Open(t.Context(), l.dsn)
	require.NoError(t, err)
	defer pool.Close()
	found, err := pool.GetDeployment(t.Context(), dbgen.GetDeploymentParams{AccountID: l.origin.AccountID, ID: deployment})
	require.NoError(t, err)
	state, err := pool.ListEnvironmentState(t.Context(), dbgen.ListEnvironmentStateParams{
		AccountID: l.origin.AccountID, ProductID: &found.ProductID, EnvironmentID: &found.EnvironmentID, RowLimit: 2,
	})
	require.NoError(t, err)
	require.Len(t, state, 1)
	return state[0].DeploymentID, state[0].Since
}

func TestPastEventsHappenAtTheirTimes(t *testing.T) {
	t.Parallel()
	l := newEventLog(t)
	began := time.Now().Add(-40 * 24 * time.Hour).Truncate(time.Microsecond)
	ended := began.Add(7 * time.Minute)
	recorded := l.recordPast(t.Context(), t, "1", began, ended)
	require.Len(t, recorded, 2)
	one := recorded[1]
	require.Equal(t, recorded[0].ID, one.ID)
	require.Equal(t, "completed", one.Status)
	require.WithinDuration(t, began, one.CreatedAt, 0)
	require.WithinDuration(t, began, *one.StartedAt, 0)
	require.WithinDuration(t, ended, *one.CompletedAt, 0)
	require.WithinDuration(t, ended, one.DeployedAt, 0)
	require.WithinDuration(t, ended, one.EventReceivedAt, 0)
	current, since := l.current(t, one.ID)
	require.Equal(t, one.ID, *current)
	require.WithinDuration(t, ended, *since, 0)

	// What happens now is newer, and what is told of the past later on does not replace it.
	now := l.recordPast(t.Context(), t, "2", time.Now())
	require.WithinDuration(t, time.Now(), now[0].CreatedAt, time.Minute)
	older := l.recordPast(t.Context(), t, "3", ended.Add(time.Hour), ended.Add(2*time.Hour))
	require.WithinDuration(t, ended.Add(time.Hour), older[1].CreatedAt, 0)
	current, _ = l.current(t, one.ID)
	require.Equal(t, now[0].ID, *current)
}

func TestNothingHappensInTheFuture(t *testing.T) {
	t.Parallel()
	l := newEventLog(t)
	recorded := l.recordPast(t.Context(), t, "1", time.Now().Add(time.Hour))
	require.WithinDuration(t, time.Now(), recorded[0].CreatedAt, time.Minute)
	require.False(t, recorded[0].CreatedAt.After(time.Now()))
}

// TestRequestsKnowNoPast records in the name of a tenant, as requests do.
func TestRequestsKnowNoPast(t *testing.T) {
	t.Parallel()
	l := newEventLog(t)
	began := time.Now()
	recorded := l.recordPast(postgres.WithTenant(t.Context(), l.origin.AccountID), t, "1", began.Add(-time.Hour))
	require.WithinDuration(t, began, recorded[0].CreatedAt, time.Minute)
	require.WithinDuration(t, began, recorded[0].EventReceivedAt, time.Minute)
	require.WithinDuration(t, began, *recorded[0].CompletedAt, time.Minute)
}
