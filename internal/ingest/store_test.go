package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testdb"
)

// fixture is a recorder with an account, and a connection to look at what it has written.
type fixture struct {
	recorder *ingest.Recorder
	pool     *postgres.TenantPool // of the recorder
	account  uuid.UUID
	key      uuid.UUID
	dsn      string
	keys     *apikeys.Keys
	conn     *pgx.Conn
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOn(t, testdb.New(t))
}

// newFixtureOn is another server on the same database.
func newFixtureOn(t *testing.T, dsn string) *fixture {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	owner, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	pool, err := postgres.OpenIngest(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	f := &fixture{dsn: dsn, pool: pool, recorder: ingest.NewRecorder(pool, quota.Limits{}, nil, time.Now, telemetry.Telemetry{}), keys: apikeys.New(owner, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, logger)}
	f.useAccount(t, "acme")
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f.recorder.Run(ctx) })
	f.conn = f.connect(t)
	t.Cleanup(func() { stop(); running.Wait(); pool.Close(); owner.Close() })
	return f
}

func (f *fixture) useAccount(t *testing.T, slug string) {
	t.Helper()
	key, err := f.keys.CreateInAccount(t.Context(), slug, apikeys.NewKey{Name: "test"})
	require.NoError(t, err)
	f.account, f.key = key.AccountID, key.ID
}

// withAccount is the same recorder for another account.
func (f *fixture) withAccount(t *testing.T, slug string) *fixture {
	t.Helper()
	other := *f
	other.useAccount(t, slug)
	return &other
}

func (f *fixture) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// event completes and normalizes an event.
func (f *fixture) event(t *testing.T, event ingest.Event) ingest.Event {
	t.Helper()
	event.AccountID, event.APIKeyID = f.account, f.key
	body, err := json.Marshal(event)
	require.NoError(t, err)
	event.Body = body
	require.NoError(t, event.Normalize())
	return event
}

func deployment(product, environment, version string, status ingest.Status, run string) ingest.Event {
	return ingest.Event{Kind: ingest.Deployment, ProductName: product, EnvironmentName: environment, Version: version, Status: status, InvokeID: run}
}

func build(product, version string, status ingest.Status, run string) ingest.Event {
	return ingest.Event{Kind: ingest.Build, ProductName: product, Version: version, Status: status, InvokeID: run}
}

func (f *fixture) record(t *testing.T, event ingest.Event) (ingest.Recorded, error) {
	t.Helper()
	return f.recorder.Record(t.Context(), f.event(t, event))
}

func (f *fixture) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, f.conn.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// TestStoredStateDecidesAlike plays one sequence three ways: events one by one, all in one batch, and in batches of three. All
// leave the same rows.
func TestStoredStateDecidesAlike(t *testing.T) {
	t.Parallel()
	var sequence []ingest.Event
	for i, status := range strings.Fields("queued started failed queued started success success failed aborted started success") {
		for _, version := range []string{"1.0.0", "2.0.0", "main"} {
			event := deployment("shop", []string{"staging", "production"}[i%2], version, ingest.Status(status), []string{"a", "", "b"}[i%3])
			event.Metadata, event.SHA, event.Branch = json.RawMessage(fmt.Sprintf(`{"step":%d}`, i)), "abcdef123", "main"
			sequence = append(sequence, event)
			sequence = append(sequence, build("shop", version, ingest.Status(status), []string{"a", "", "b"}[i%3]))
		}
	}
	shapes := make(map[int]string)
	for _, size := range []int{1, 3, len(sequence)} {
		f := newFixture(t)
		at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		owner, err := postgres.Open(t.Context(), f.dsn, postgres.Observed{})
		require.NoError(t, err)
		defer owner.Close()
		for _, kind := range []ingest.Kind{ingest.Build, ingest.Deployment} {
			var batch []ingest.Backdated
			flush := func() {
				require.NoError(t, owner.WithTx(t.Context(), func(db *postgres.DB) error {
					_, err := ingest.RecordBackdated(t.Context(), db, batch)
					return err
				}))
				batch = nil
			}
			for i, event := range sequence {
				if event.Kind != kind {
					continue
				}
				batch = append(batch, ingest.Backdated{Event: f.event(t, event), At: at.Add(time.Duration(i) * 7 * time.Minute)})
				if len(batch) == size {
					flush()
				}
			}
			if len(batch) > 0 {
				flush()
			}
		}
		var shape string
		require.NoError(t, f.conn.QueryRow(t.Context(), `
			WITH numbered AS (
				SELECT d.*, v.version, e.name, row_number() OVER (ORDER BY d.id) AS n FROM deployments d
				JOIN versions v ON v.id = d.version_id JOIN environments e ON e.id = d.environment_id)
			SELECT concat_ws(E'\n',
				(SELECT string_agg(format('%s %s %s %s %s %s %s %s %s %s %s %s %s', n, name, version, status, seen_statuses, invoke_id, occurred_at, started_at, completed_at,
					last_event_at, superseded, overtaken, extra_metadata), E'\n' ORDER BY n) FROM numbered),
				(SELECT string_agg(format('%s %s %s %s', e.name, c.n, s.current_since, ARRAY(SELECT n FROM numbered WHERE id = ANY (s.open_deployment_ids) ORDER BY n)), E'\n' ORDER BY e.name)
					FROM environment_state s JOIN environments e ON e.id = s.environment_id LEFT JOIN numbered c ON c.id = s.current_deployment_id),
				(SELECT string_agg(format('%s %s %s %s', status, effect, received_at, build_id IS NULL), E'\n' ORDER BY received_at, build_id IS NULL) FROM events),
				(SELECT string_agg(format('%s %s %s %s %s %s', version, semver_key, occurred_at, first_completed_at, staging_completed_at, cardinality(open_build_ids)), E'\n' ORDER BY version) FROM versions),
				(SELECT string_agg(format('%s %s %s', status, seen_statuses, occurred_at), E'\n' ORDER BY id) FROM builds))`).Scan(&shape))
		shapes[size] = shape
	}
	require.NotEmpty(t, shapes[1])
	require.Equal(t, strings.Split(shapes[1], "\n"), strings.Split(shapes[3], "\n"))
	require.Equal(t, strings.Split(shapes[1], "\n"), strings.Split(shapes[len(sequence)], "\n"))
}

// TestRecordedIsWhatIsStored compares the answer to each event with the row.
func TestRecordedIsWhatIsStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	event := deployment("shop", "production", "1.4.2", "started", "7")
	event.Details = ingest.Details{SourceSystem: "github", BuildNumber: "1", SHA: "abc", Branch: "main", Repository: "acme/shop", URL: "u", By: "ada", ByEmail: "e", ByName: "n"}
	event.Attempt, event.Metadata = 0, json.RawMessage(`{"vi_gh_run_attempt":"2","a":1}`)
	for _, status := range []ingest.Status{"started", "completed"} {
		event.Status = status
		got, err := f.record(t, event)
		require.NoError(t, err)
		var row struct {
			status, invoke, branch, by string
			attempt                    int64
			started, occurred          time.Time
			completed                  *time.Time
			effect                     string
		}
		require.NoError(t, f.conn.QueryRow(t.Context(), `SELECT d.status, invoke_id, scm_branch, deployed_by, attempt, started_at, occurred_at, completed_at, e.effect
			FROM deployments d JOIN events e ON e.deployment_id = d.id WHERE e.id = $1`, got.EventID).Scan(
			&row.status, &row.invoke, &row.branch, &row.by, &row.attempt, &row.started, &row.occurred, &row.completed, &row.effect))
		require.Equal(t, string(status), row.status)
		require.Equal(t, []string{"7", "main", "ada"}, []string{row.invoke, row.branch, row.by})
		require.Equal(t, int64(2), row.attempt)
		require.Equal(t, string(got.Effect), row.effect)
		require.True(t, got.Subject.StartedAt.Equal(row.started))
		require.True(t, got.Subject.OccurredAt.Equal(row.occurred))
		require.Equal(t, status == "completed", row.completed != nil)
	}
}

func TestIdenticalEventsAreRecordedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := newFixtureOn(t, f.dsn)
	other.account, other.key = f.account, f.key
	var group sync.WaitGroup
	ids := make(chan [2]uuid.UUID, 128)
	for i := range 128 {
		group.Go(func() {
			got, err := []*fixture{f, other}[i%2].record(t, deployment("shop", "production", "1", "completed", ""))
			if err != nil {
				t.Error(err)
				return
			}
			ids <- [2]uuid.UUID{got.Subject.ID, got.EventID}
		})
	}
	group.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		require.Equal(t, first, id)
	}
	require.Equal(t, 1, f.count(t, "SELECT count(*) FROM events"))
	require.Equal(t, 1, f.count(t, "SELECT count(*) FROM deployments"))
}

// TestLostAnswerOfACommit runs batches again whose commit was not answered: their events are found by their identifiers.
func TestLostAnswerOfACommit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i, event := range []ingest.Event{
		deployment("shop", "production", "1", "completed", ""), deployment("shop", "production", "2", "completed", ""),
		deployment("shop", "production", "1", "completed", ""), build("shop", "3", "completed", ""),
	} {
		f.recorder.LoseAnswers(2)
		got, err := f.record(t, event)
		require.NoError(t, err)
		require.Equal(t, ingest.Created, got.Effect)
		require.Equal(t, i+1, f.count(t, "SELECT count(*) FROM events"))
		require.Equal(t, 1, f.count(t, "SELECT count(*) FROM events WHERE id = $1 AND $2 IN (deployment_id, build_id)", got.EventID, got.Subject.ID))
	}
}

// TestRejectedEventsLeaveNothing rejects events beside others of the same batch.
func TestRejectedEventsLeaveNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	names := func() (names []string) {
		require.NoError(t, f.conn.QueryRow(t.Context(), `SELECT array(SELECT name FROM product_names UNION ALL SELECT name FROM environment_names
			UNION ALL SELECT version FROM versions ORDER BY 1)`).Scan(&names))
		return names
	}
	first, second := build("shop", "1", "completed", "a"), build("shop", "1", "completed", "b")
	first.SHA, second.SHA = "1111111", "2222222"
	_, err := f.record(t, first)
	require.NoError(t, err)
	_, failures, err := f.recorder.RecordTogether(t.Context(), []ingest.Event{f.event(t, second), f.event(t, build("shop", "1", "started", "c"))})
	require.NoError(t, err)
	require.Equal(t, apperr.VersionConflict, apperr.CodeOf(failures[0]))
	require.NoError(t, failures[1])
	require.Equal(t, []string{"1", "shop"}, names())

	reused := deployment("till", "production", "1", "completed", "")
	reused.IdempotencyKey = "k"
	_, err = f.record(t, deployment("shop", "production", "1", "completed", ""))
	require.NoError(t, err)
	keyed := deployment("shop", "production", "2", "completed", "")
	keyed.IdempotencyKey = "k"
	_, err = f.record(t, keyed)
	require.NoError(t, err)
	before := names()
	_, err = f.record(t, reused)
	require.Equal(t, apperr.Invalid, apperr.CodeOf(err))
	require.Equal(t, before, names(), "a rejected event creates no product")

	bad := deployment("kiosk", "production", "1", "completed", "")
	bad.Metadata = json.RawMessage(`{"a":"\u0000"}`)
	_, err = f.record(t, bad)
	require.Equal(t, apperr.Invalid, apperr.CodeOf(err))
	require.Equal(t, before, names())
	require.Equal(t, 4, f.count(t, "SELECT count(*) FROM events"))
}

// TestBlockedEventsDoNotHoldUpOthers keeps a pair locked while many events of its account arrive.
func TestBlockedEventsDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	const many = 40
	begin := func(t *testing.T) (f *fixture, release func(), blocked chan error) {
		t.Helper()
		f = newFixture(t)
		_, err := f.record(t, deployment("shop", "production", "0", "completed", ""))
		require.NoError(t, err)
		tx, err := f.connect(t).Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT FROM environment_state FOR UPDATE")
		require.NoError(t, err)
		blocked = make(chan error, many)
		events := make([]ingest.Event, many)
		for i := range events {
			events[i] = f.event(t, deployment("shop", "production", fmt.Sprintf("1.%d", i), "completed", ""))
		}
		for i := range many {
			go func() {
				_, err := f.recorder.Record(t.Context(), events[i])
				blocked <- err
			}()
		}
		require.Eventually(t, func() bool {
			return f.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
		}, 10*time.Second, time.Millisecond)
		return f, func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) }, blocked
	}
	t.Run("UntilTheirDeadline", func(t *testing.T) {
		t.Parallel()
		f, release, blocked := begin(t)
		other := f.withAccount(t, "other")
		for i := range 20 {
			_, err := other.record(t, deployment("shop", "production", strconv.Itoa(i), "completed", ""))
			require.NoError(t, err)
		}
		_, err := f.record(t, deployment("another product", "production", "1", "completed", ""))
		require.NoError(t, err, "of the same account")
		require.Empty(t, blocked, "others do not wait for the deadlines of the blocked ones")
		for range many {
			require.Equal(t, apperr.Unavailable, apperr.CodeOf(<-blocked))
		}
		release()
		_, err = f.record(t, deployment("shop", "production", "2", "completed", ""))
		require.NoError(t, err)
	})
	t.Run("UntilTheLockIsReleased", func(t *testing.T) {
		t.Parallel()
		f, release, blocked := begin(t)
		_, err := f.withAccount(t, "other").record(t, deployment("shop", "production", "1", "completed", ""))
		require.NoError(t, err)
		require.Empty(t, blocked)
		release()
		for range many {
			require.NoError(t, <-blocked)
		}
	})
}

// TestTrafficDoesNotDeadlock reports new products, environments and versions to two servers on one database at once.
func TestTrafficDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	const clients, each = 48, 10
	f := newFixture(t)
	_, _ = f.conn.Exec(t.Context(), "ALTER DATABASE "+pgx.Identifier{f.conn.Config().Database}.Sanitize()+" SET deadlock_timeout = '5ms'")
	servers := []*fixture{newFixtureOn(t, f.dsn), newFixtureOn(t, f.dsn)}
	second := servers[0].withAccount(t, "other")
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := range each {
				server := servers[(client+i)%2]
				from := *server
				from.account, from.key = f.account, f.key
				if client%8 == 0 {
					from.account, from.key = second.account, second.key
				}
				product, version := fmt.Sprintf("product %d", (client+i)%5), fmt.Sprintf("%d.%d", i, client/3)
				for _, event := range []ingest.Event{
					deployment(product, []string{"dev", "staging", "production"}[client%3], version, "completed", ""),
					build(product, version, "completed", ""),
					deployment(fmt.Sprintf("new %d", i), fmt.Sprintf("environment %d", (client+i)%4), version, "started", ""),
				} {
					if _, err := from.record(t, event); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	require.Eventually(t, func() bool { // sessions report what they have met with a delay
		return f.count(t, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()") > clients
	}, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, f.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
}

func TestDeletedProductIsCreatedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.record(t, deployment("shop", "production", "1", "completed", "a"))
	require.NoError(t, err)
	_, err = f.conn.Exec(t.Context(), `DELETE FROM environment_state; DELETE FROM product_names; UPDATE products SET deleted_at = created_at`)
	require.NoError(t, err)
	again, err := f.record(t, deployment("shop", "production", "1", "completed", "a"))
	require.NoError(t, err)
	require.NotEqual(t, first.Subject.ProductID, again.Subject.ProductID)
	require.Equal(t, first.Subject.EnvironmentID, again.Subject.EnvironmentID)
}

func TestTasks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool, err := postgres.Open(t.Context(), f.dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	runTasks := func(later time.Duration) {
		for _, task := range ingest.Tasks(pool, func() time.Time { return time.Now().Add(later) }, 0) {
			require.NoError(t, task.Run(t.Context()), task.Name)
		}
	}
	_, err = f.record(t, deployment("shop", "production", "1", "completed", "a"))
	require.NoError(t, err)
	require.Equal(t, 1, f.count(t, "SELECT count(*) FROM event_fingerprints"))
	runTasks(23 * time.Hour)
	require.Equal(t, 1, f.count(t, "SELECT count(*) FROM event_fingerprints"), "an Idempotency-Key is valid for a day")
	runTasks(25 * time.Hour)
	require.Zero(t, f.count(t, "SELECT count(*) FROM event_fingerprints"))
	require.GreaterOrEqual(t, f.count(t, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"), 5, "the default and four months")
}

// TestRetention deletes the events of a deployment: it stays, its repeats are recognised, and later events continue it.
func TestRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool, err := postgres.Open(t.Context(), f.dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	runTasks := func(later time.Duration, months int) {
		for _, task := range ingest.Tasks(pool, func() time.Time { return time.Now().Add(later) }, months) {
			require.NoError(t, task.Run(t.Context()), task.Name)
		}
	}
	const month = 31 * 24 * time.Hour
	finished, err := f.record(t, deployment("shop", "production", "1", "completed", "a"))
	require.NoError(t, err)
	_, err = f.record(t, deployment("shop", "staging", "1", "started", "b"))
	require.NoError(t, err)
	runTasks(12*month, 0)
	runTasks(0, 1)
	runTasks(month, 1)
	require.Equal(t, 2, f.count(t, "SELECT count(*) FROM events"), "a whole month is kept")
	runTasks(3*month, 1)
	require.Zero(t, f.count(t, "SELECT count(*) FROM events"))
	require.Equal(t, 2, f.count(t, "SELECT count(*) FROM deployments"))

	repeat, err := f.record(t, deployment("shop", "production", "1", "completed", "a"))
	require.NoError(t, err)
	require.Equal(t, ingest.Duplicate, repeat.Effect)
	require.Equal(t, finished.Subject.ID, repeat.Subject.ID)
	require.NotEqual(t, uuid.Nil, repeat.EventID)
	continued, err := f.record(t, deployment("shop", "staging", "1", "completed", "b"))
	require.NoError(t, err)
	require.Equal(t, ingest.Terminated, continued.Effect)
	require.Equal(t, 1, f.count(t, "SELECT count(*) FROM events_default"), "events of a dropped month are recorded")
}

// rowsRead returns how many rows of tables were read since the database was created.
func (f *fixture) rowsRead(t *testing.T, tables ...string) int {
	t.Helper()
	f.flushStatistics(t)
	return f.count(t, "SELECT sum(idx_tup_fetch + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname = ANY ($1)", tables)
}

// flushStatistics takes all connections of the recorder and lets each of them, and the fixture's own, report what it has read. An idle one
// reports after 10 s.
func (f *fixture) flushStatistics(t *testing.T) {
	t.Helper()
	_, err := f.conn.Exec(t.Context(), "SELECT pg_stat_force_next_flush()")
	require.NoError(t, err)
	var transactions []*postgres.BatchTx
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		tx, err := f.pool.BeginBatch(ctx, []uuid.UUID{f.account}, time.Second)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			break
		}
		transactions = append(transactions, tx)
	}
	for _, tx := range transactions {
		batch := &pgx.Batch{}
		batch.Queue("SELECT pg_stat_force_next_flush()")
		require.NoError(t, tx.Send(t.Context(), batch))
		tx.Close(t.Context())
	}
}

// TestPlansDoNotDependOnStatistics records events while PostgreSQL has no statistics of its tables: on an empty database, and, over
// connections that have planned on the empty one, when there are many rows that were never analyzed. No event reads the rows of
// others.
func TestPlansDoNotDependOnStatistics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, table := range []string{"deployments", "builds", "versions", "event_fingerprints", "environment_state", "product_names", "products"} {
		_, err := f.conn.Exec(t.Context(), "ALTER TABLE "+table+" SET (autovacuum_enabled = off)")
		require.NoError(t, err)
	}
	const events = 200
	n := 0
	flushed := func() int {
		return f.rowsRead(t, "deployments", "builds", "versions", "event_fingerprints", "environment_state", "product_names", "products", "environments", "environment_names")
	}
	send := func() {
		for range events {
			n++
			product := fmt.Sprintf("product %d", n%50)
			if n%10 == 0 {
				product = fmt.Sprintf("new product %d", n)
			}
			_, err := f.record(t, deployment(product, "production", strconv.Itoa(n/10), "completed", strconv.Itoa(n)))
			require.NoError(t, err)
			_, err = f.record(t, build(product, strconv.Itoa(n/10), "completed", strconv.Itoa(n)))
			require.NoError(t, err)
		}
	}
	send()
	onEmpty := flushed()
	require.Less(t, onEmpty, 100*events, "on an empty database")
	require.Greater(t, onEmpty, events, "the reads are counted")
	filler := f.connect(t)
	_, err := filler.Exec(t.Context(), `
		INSERT INTO versions (account_id, id, product_id, version, created_at)
			SELECT account_id, gen_random_uuid(), id, 'filled ' || n, now() FROM products, generate_series(1, 400) AS n;
		INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, occurred_at, last_event_at,
				superseded, overtaken, extra_metadata, created_at)
			SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{completed}', 'filled ' || n, now(), now(), false, false, '{}', now()
			FROM versions AS v, environments AS e, generate_series(1, 5) AS n WHERE v.version LIKE 'filled%';
		INSERT INTO event_fingerprints (account_id, fingerprint, event_id, subject_id, received_at)
			SELECT account_id, decode(md5(id::text) || md5(id::text), 'hex'), id, id, now() FROM deployments`)
	require.NoError(t, err)
	var filled int
	require.NoError(t, filler.QueryRow(t.Context(), "SELECT count(*) FROM deployments").Scan(&filled))
	require.Greater(t, filled, 100_000)
	_, err = filler.Exec(t.Context(), "SELECT pg_stat_force_next_flush()") // of what it read, before it is ready for the next statement
	require.NoError(t, err)
	before := flushed()
	send()
	after := flushed()
	require.Less(t, after-before, 100*events, "with 100,000 rows that were never analyzed")
}
