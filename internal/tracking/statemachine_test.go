package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
	"github.com/versioner-io/versioner/internal/tracking"
)

// log is a recorder with a tenant, and a way to look at what it wrote.
type eventLog struct {
	recorder *tracking.Recorder
	origin   tracking.Origin
	dsn      string
}

func newEventLog(t *testing.T) *eventLog {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	keys := authn.NewAPIKeys(pool, []byte(strings.Repeat("pepper", 8)), logger)
	_, err = keys.CreateFor(t.Context(), "acme", authn.NewKey{Name: "test"})
	require.NoError(t, err)
	infos, err := keys.List(t.Context(), "acme")
	require.NoError(t, err)

	recorder := tracking.NewRecorder(pool.DB, logger)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return &eventLog{recorder: recorder, dsn: dsn, origin: tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID}}
}

// event is what the state machine looks at; note makes two events differ that are otherwise the same.
type event struct {
	status  tracking.Status
	invoke  string
	attempt int
	note    string
}

func (e event) String() string {
	return fmt.Sprintf("%s(%s#%d%s)", e.status, e.invoke, e.attempt, e.note)
}

// send records the event for a product; each property run has a product of its own.
func (l *eventLog) send(ctx context.Context, product string, e event) (dbgen.RecordedDeploymentEvent, error) {
	metadata := map[string]any{}
	if e.attempt > 0 {
		metadata["vi_gh_run_attempt"] = strconv.Itoa(e.attempt)
	}
	body, err := json.Marshal(map[string]any{"product": product, "status": e.status, "invoke": e.invoke, "metadata": metadata, "note": e.note})
	if err != nil {
		return dbgen.RecordedDeploymentEvent{}, err
	}
	raw, err := json.Marshal(metadata)
	if err != nil {
		return dbgen.RecordedDeploymentEvent{}, err
	}
	origin := l.origin
	origin.Body = body
	return l.recorder.RecordDeployment(ctx, origin, tracking.DeploymentEvent{
		ProductName: product, Version: "1", EnvironmentName: "production", Status: string(e.status),
		Source: tracking.Source{InvokeID: &e.invoke}, ExtraMetadata: raw,
	})
}

// exec looks at, or changes, the database.
func (l *eventLog) exec(t require.TestingT, fn func(ctx context.Context, conn *pgx.Conn) error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, l.dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	require.NoError(t, fn(ctx, conn))
}

// TestStateMachine goes through the rules of contract.md §6, one story each: what is sent, and what the log says of it.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	log := newEventLog(t)
	const (
		pending, started = tracking.Pending, tracking.Started
		completed        = tracking.Completed
		failed, aborted  = tracking.Failed, tracking.Aborted
	)
	type step struct {
		event      event
		deployment int // in the order of their creation, from 1
		effect     string
		status     tracking.Status // of the deployment, afterwards
	}
	for name, story := range map[string][]step{
		"1 ManyEventsOneDeployment": {
			{event{pending, "a", 0, ""}, 1, "opened", pending},
			{event{started, "a", 0, ""}, 1, "advanced", started},
			{event{completed, "a", 0, ""}, 1, "finished", completed},
		},
		"1 RunIsLearnedLater": {
			{event{started, "", 0, ""}, 1, "opened", started},
			{event{completed, "a", 0, ""}, 1, "finished", completed},
			{event{completed, "a", 0, "again"}, 1, "repeated", completed},
		},
		"1 EndWithoutARunEndsWhatIsUnfinished": {
			{event{started, "a", 0, ""}, 1, "opened", started},
			{event{failed, "", 0, ""}, 1, "finished", failed},
		},
		"1 OtherRunsAreOtherDeployments": {
			{event{started, "a", 0, ""}, 1, "opened", started},
			{event{started, "b", 0, ""}, 2, "opened", started},
			{event{completed, "a", 0, ""}, 1, "finished", completed},
			{event{aborted, "b", 0, ""}, 2, "finished", aborted},
		},
		"2 RepeatsAreNotRecorded": {
			{event{started, "a", 0, ""}, 1, "opened", started},
			{event{started, "a", 0, ""}, 1, "repeat", started},
			{event{completed, "a", 0, ""}, 1, "finished", completed},
			{event{started, "a", 0, ""}, 1, "repeat", completed},
			{event{completed, "a", 0, ""}, 1, "repeat", completed},
		},
		"3 NewAttemptIsANewDeployment": {
			{event{started, "a", 1, ""}, 1, "opened", started},
			{event{failed, "a", 1, ""}, 1, "finished", failed},
			{event{started, "a", 2, ""}, 2, "opened", started},
			{event{completed, "a", 2, ""}, 2, "finished", completed},
			{event{started, "a", 1, "late"}, 1, "late", failed},
		},
		"3 NewAttemptAfterOneThatNeverEnded": {
			{event{started, "a", 1, ""}, 1, "opened", started},
			{event{started, "a", 2, ""}, 2, "opened", started},
			{event{completed, "a", 2, ""}, 2, "finished", completed},
			{event{aborted, "a", 1, ""}, 1, "finished", aborted},
		},
		"3 NewAttemptOfWhichOnlyTheEndIsSent": {
			{event{failed, "a", 1, ""}, 1, "opened", failed},
			{event{completed, "a", 2, ""}, 2, "opened", completed},
		},
		"3 RunStartedAgainWithoutAttempts": {
			{event{started, "a", 0, ""}, 1, "opened", started},
			{event{failed, "a", 0, ""}, 1, "finished", failed},
			{event{started, "a", 0, "again"}, 2, "opened", started},
			{event{failed, "a", 0, ""}, 2, "finished", failed},
		},
		"4 EndAloneIsAFinishedDeployment": {
			{event{completed, "a", 0, ""}, 1, "opened", completed},
			{event{completed, "a", 0, "again"}, 1, "repeated", completed},
		},
		"2 RetryWithoutARunIsNotAnotherRunsEnd": {
			{event{completed, "", 0, ""}, 1, "opened", completed},
			{event{started, "a", 0, ""}, 2, "opened", started},
			{event{completed, "", 0, ""}, 1, "repeat", completed},
			{event{failed, "a", 0, ""}, 2, "finished", failed},
		},
		"4 WithoutARunItIsARedeployment": {
			{event{completed, "", 0, ""}, 1, "opened", completed},
			{event{completed, "", 0, "again"}, 2, "opened", completed},
		},
		"5 LateEventsChangeNothing": {
			{event{completed, "a", 0, ""}, 1, "opened", completed},
			{event{started, "a", 0, ""}, 1, "late", completed},
			{event{pending, "a", 0, ""}, 1, "late", completed},
		},
		"5 PendingAfterStarted": {
			{event{started, "a", 0, ""}, 1, "opened", started},
			{event{pending, "a", 0, ""}, 1, "late", started},
		},
		"5 FirstEndStands": {
			{event{failed, "a", 0, ""}, 1, "opened", failed},
			{event{completed, "a", 0, ""}, 1, "contradicted", failed},
			{event{aborted, "a", 0, ""}, 1, "contradicted", failed},
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			product := t.Name()
			var seen []uuid.UUID
			for i, step := range story {
				recorded, err := log.send(t.Context(), product, step.event)
				require.NoError(t, err)
				if len(seen) < step.deployment {
					require.NotContains(t, seen, recorded.ID, "step %d: a new deployment", i+1)
					seen = append(seen, recorded.ID)
				}
				require.Equal(t, seen[step.deployment-1], recorded.ID, "step %d: which deployment", i+1)
				require.Equal(t, string(step.status), recorded.Status, "step %d: status", i+1)
				require.Equal(t, step.effect == "repeat", recorded.IsRepeat, "step %d", i+1)
				if !recorded.IsRepeat {
					require.Equal(t, step.effect, recorded.Effect, "step %d: effect", i+1)
				}
			}
		})
	}
}

// TestOldEventsComeAgain moves the log back in time: what is a client's retry today is a new event later.
func TestOldEventsComeAgain(t *testing.T) {
	t.Parallel()
	log := newEventLog(t)
	age := func(t *testing.T, by string) {
		t.Helper()
		log.exec(t, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, fmt.Sprintf(`SET session_replication_role = replica;
				UPDATE event_fingerprints SET event_received_at = event_received_at - interval '%[1]s';
				UPDATE events SET received_at = received_at - interval '%[1]s';
				UPDATE deployments SET updated_at = updated_at - interval '%[1]s', created_at = created_at - interval '%[1]s'`, by))
			return err
		})
	}
	send := func(t *testing.T, product string, e event) dbgen.RecordedDeploymentEvent {
		t.Helper()
		recorded, err := log.send(t.Context(), product, e)
		require.NoError(t, err)
		return recorded
	}
	redeployed := send(t, "redeployed", event{status: tracking.Completed})
	rerun := send(t, "rerun", event{status: tracking.Started, invoke: "a"})
	send(t, "rerun", event{status: tracking.Failed, invoke: "a"})
	running := send(t, "running", event{status: tracking.Started, invoke: "a"})
	ended := send(t, "ended", event{status: tracking.Completed, invoke: "a"})
	send(t, "contradicted", event{status: tracking.Completed, invoke: "a"})
	require.Equal(t, "contradicted", send(t, "contradicted", event{status: tracking.Failed, invoke: "a"}).Effect)
	stale := send(t, "stale", event{status: tracking.Started})
	staleToo := send(t, "stale too", event{status: tracking.Started})

	age(t, "4 minutes")
	require.NotEqual(t, redeployed.ID, send(t, "redeployed", event{status: tracking.Completed}).ID, "without a run it is a redeployment")
	second := send(t, "rerun", event{status: tracking.Started, invoke: "a"})
	require.NotEqual(t, rerun.ID, second.ID, "a run that starts again")
	require.Equal(t, second.ID, send(t, "rerun", event{status: tracking.Failed, invoke: "a"}).ID, "and ends again")
	require.True(t, send(t, "running", event{status: tracking.Started, invoke: "a"}).IsRepeat, "still unfinished")
	require.True(t, send(t, "ended", event{status: tracking.Completed, invoke: "a"}).IsRepeat, "ended already")
	require.True(t, send(t, "contradicted", event{status: tracking.Failed, invoke: "a"}).IsRepeat, "flagged already")
	require.Equal(t, ended.ID, send(t, "ended", event{status: tracking.Completed, invoke: "a"}).ID)
	require.Equal(t, running.ID, send(t, "running", event{status: tracking.Completed, invoke: "a"}).ID)

	age(t, "25 hours")
	require.NotEqual(t, stale.ID, send(t, "stale", event{status: tracking.Started}).ID, "nobody has heard of the old one for a day")
	require.Equal(t, staleToo.ID, send(t, "stale too", event{status: tracking.Completed}).ID, "an end still belongs to it")
}

// TestPermutationsOfOneRun sends the events of one run in any order, any number of times, from many sides at once: there
// is one deployment, it ended as it did, and each event stands in the log once.
func TestPermutationsOfOneRun(t *testing.T) {
	t.Parallel()
	log := newEventLog(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		product := fmt.Sprintf("permuted %d", run)
		statuses := rapid.Permutation([]tracking.Status{tracking.Pending, tracking.Started, rapid.SampledFrom([]tracking.Status{
			tracking.Completed, tracking.Failed, tracking.Aborted,
		}).Draw(rt, "end")}).Draw(rt, "order")
		attempt := rapid.IntRange(0, 2).Draw(rt, "attempt")
		sent := statuses
		for range rapid.IntRange(0, 5).Draw(rt, "duplicates") {
			at := rapid.IntRange(0, len(sent)).Draw(rt, "at")
			again := rapid.SampledFrom(statuses).Draw(rt, "again")
			sent = append(sent[:at:at], append([]tracking.Status{again}, sent[at:]...)...)
		}
		send := func(status tracking.Status) {
			_, err := log.send(context.Background(), product, event{status: status, invoke: "a", attempt: attempt})
			require.NoError(rt, err)
		}
		if rapid.Bool().Draw(rt, "at once") {
			var group sync.WaitGroup
			for _, status := range sent {
				group.Go(func() { send(status) })
			}
			group.Wait()
		} else {
			for _, status := range sent {
				send(status)
			}
		}

		var deployments, events, current, open int
		var status string
		log.exec(rt, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `SELECT count(DISTINCT d.id), count(*), min(d.status), count(s.deployment_id), count(s.in_progress_id)
				FROM deployment_records d JOIN events e ON e.deployment_id = d.id
				JOIN current_state s ON s.product_id = d.product_id WHERE d.product_name = $1`, product).
				Scan(&deployments, &events, &status, &current, &open)
		})
		require.Equal(rt, 1, deployments)
		require.Equal(rt, 3, events)
		require.True(rt, tracking.Status(status).Final())
		require.Zero(rt, open, "nothing is in progress")
		require.Equal(rt, status == "completed", current > 0, "what completed is current")
	})
}
