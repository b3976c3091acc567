package tracking_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/tracking"
)

// connect returns a connection of somebody else to the database of the log.
func (l *eventLog) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), l.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// withAccount is the same log for another account.
func (l *eventLog) withAccount(t *testing.T, slug string) *eventLog {
	t.Helper()
	pool, err := postgres.Open(t.Context(), l.dsn)
	require.NoError(t, err)
	defer pool.Close()
	keys := authn.NewAPIKeys(pool, []byte(strings.Repeat("pepper", 8)), slog.New(slog.DiscardHandler))
	_, err = keys.CreateFor(t.Context(), slug, authn.NewKey{Name: "test"})
	require.NoError(t, err)
	infos, err := keys.List(t.Context(), slug)
	require.NoError(t, err)
	other := *l
	other.origin = tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID}
	return &other
}

// hold keeps what the statement locks, until released.
func (l *eventLog) hold(t *testing.T, sql string, args ...any) (release func()) {
	t.Helper()
	tx, err := l.connect(t).Begin(t.Context())
	require.NoError(t, err)
	tag, err := tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.NotZero(t, tag.RowsAffected())
	return func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) }
}

// requireWaiting returns when so many sessions wait for locks, or when what was to wait has ended without.
func (l *eventLog) requireWaiting(t *testing.T, n int, ended chan error) {
	t.Helper()
	conn := l.connect(t)
	require.Eventually(t, func() bool {
		var waiting int
		require.NoError(t, conn.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting))
		return waiting >= n || len(ended) > 0
	}, 10*time.Second, time.Millisecond)
}

// TestTransactionsDoNotDeadlock has one transaction stop in the middle, where the other one could get in its way.
func TestTransactionsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	deploy := func(product, environment, version string) tracking.DeploymentEvent {
		return tracking.DeploymentEvent{ProductName: product, EnvironmentName: environment, Version: version, Status: "completed"}
	}
	build := func(product, version string) tracking.BuildEvent {
		return tracking.BuildEvent{ProductName: product, Version: version, Status: "completed"}
	}
	const pair = `SELECT FROM current_state WHERE product_id = (SELECT product_id FROM product_names WHERE name = $1)
		AND environment_id = (SELECT environment_id FROM environment_names WHERE name = $2) FOR UPDATE`
	for name, one := range map[string]struct {
		before         []tracking.DeploymentEvent
		builds         []tracking.BuildEvent // before, too
		alias          [2]string             // a second name of a product
		pause          string
		at             []any
		first, second  []tracking.DeploymentEvent
		built, builtAs []tracking.BuildEvent // what the two transactions record instead
	}{
		"OfANewVersionInSeveralEnvironments": {
			before: []tracking.DeploymentEvent{deploy("shop", "a", "1"), deploy("shop", "b", "1"), deploy("shop", "c", "1")},
			pause:  pair, at: []any{"shop", "b"},
			first:  []tracking.DeploymentEvent{deploy("shop", "a", "1"), deploy("shop", "b", "1"), deploy("shop", "c", "2")},
			second: []tracking.DeploymentEvent{deploy("shop", "a", "2"), deploy("shop", "d", "2")},
		},
		"OfNewEnvironments": {
			before: []tracking.DeploymentEvent{deploy("m", "a", "1")},
			pause:  pair, at: []any{"m", "a"},
			first:  []tracking.DeploymentEvent{deploy("l", "new 2", "1"), deploy("m", "a", "1"), deploy("n", "new 1", "1")},
			second: []tracking.DeploymentEvent{deploy("x", "new 1", "1"), deploy("y", "new 2", "1")},
		},
		"OfProductsWithSeveralNames": {
			before: []tracking.DeploymentEvent{deploy("b", "a", "1"), deploy("c", "a", "1"), deploy("d", "a", "1")},
			alias:  [2]string{"e", "b"},
			pause:  pair, at: []any{"c", "a"},
			first:  []tracking.DeploymentEvent{deploy("b", "a", "1"), deploy("c", "a", "1"), deploy("d", "a", "1")},
			second: []tracking.DeploymentEvent{deploy("d", "a", "1"), deploy("e", "a", "1")},
		},
		"OfBuilds": {
			builds: []tracking.BuildEvent{build("b", "1"), build("c", "1"), build("d", "1")},
			alias:  [2]string{"e", "b"},
			pause:  "SELECT FROM versions WHERE product_id = (SELECT product_id FROM product_names WHERE name = $1) FOR NO KEY UPDATE", at: []any{"c"},
			built:   []tracking.BuildEvent{build("b", "1"), build("c", "1"), build("d", "1")},
			builtAs: []tracking.BuildEvent{build("d", "1"), build("e", "1")},
		},
		"OfBuildsAndDeployments": {
			before: []tracking.DeploymentEvent{deploy("c", "a", "1")},
			builds: []tracking.BuildEvent{build("b", "1")},
			pause:  pair, at: []any{"c", "a"},
			first:   []tracking.DeploymentEvent{deploy("b", "a", "2"), deploy("c", "a", "1"), deploy("d", "a", "3")},
			builtAs: []tracking.BuildEvent{build("d", "3"), build("b", "2")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := newEventLog(t)
			for i, event := range one.before {
				origin := log.origin
				origin.Body = fmt.Appendf(nil, `{"before":%d}`, i)
				_, err := log.recorder.RecordDeployment(t.Context(), origin, event)
				require.NoError(t, err)
			}
			for i, event := range one.builds {
				origin := log.origin
				origin.Body = fmt.Appendf(nil, `{"before":%d}`, i)
				_, err := log.recorder.RecordBuild(t.Context(), origin, event)
				require.NoError(t, err)
			}
			if one.alias[0] != "" {
				_, err := log.connect(t).Exec(t.Context(), `INSERT INTO product_names (account_id, name, product_id)
					SELECT account_id, $1, product_id FROM product_names WHERE name = $2`, one.alias[0], one.alias[1])
				require.NoError(t, err)
			}
			run := func(deployments []tracking.DeploymentEvent, builds []tracking.BuildEvent) chan error {
				transaction, err := log.recorder.DeploymentsTogether(log.origin, deployments)
				if builds != nil {
					transaction, err = log.recorder.BuildsTogether(log.origin, builds)
				}
				require.NoError(t, err)
				done := make(chan error, 1)
				go func() { done <- transaction(t.Context()) }()
				return done
			}
			release := log.hold(t, one.pause, one.at...)
			first := run(one.first, one.built)
			log.requireWaiting(t, 1, nil)
			second := run(one.second, one.builtAs)
			log.requireWaiting(t, 2, second)
			release()
			require.NoError(t, <-first)
			require.NoError(t, <-second)
		})
	}
}

// TestRefusedEventsLeaveNothing refuses events in the middle of a transaction that has locked, and made, what all of its events name.
func TestRefusedEventsLeaveNothing(t *testing.T) {
	t.Parallel()
	log := newEventLog(t)
	conn := log.connect(t)
	names := func() (names []string) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT array(SELECT name FROM product_names UNION ALL SELECT name FROM environment_names
			UNION ALL SELECT version FROM versions ORDER BY 1)`).Scan(&names))
		return names
	}
	one, other := "1111111", "2222222"
	builds, err := log.recorder.BuildsTogether(log.origin, []tracking.BuildEvent{
		{ProductName: "shop", Version: "1", Status: "started", Source: tracking.Source{SHA: &one}},
		{ProductName: "shop", Version: "1", Status: "completed", Source: tracking.Source{SHA: &other}},
	})
	require.NoError(t, err)
	require.NoError(t, builds(t.Context()))
	require.Equal(t, []string{"1", "shop"}, names())

	deployments, err := log.recorder.DeploymentsTogether(log.origin, []tracking.DeploymentEvent{
		{ProductName: "till", Version: "2", EnvironmentName: "production", Status: "completed"},
		{ProductName: "till", Version: "3", EnvironmentName: "production", Status: "completed", ExtraMetadata: []byte(`{"a":"\u0000"}`)},
	})
	require.NoError(t, err)
	require.Equal(t, apperr.Invalid, apperr.CodeOf(postgres.Classify(deployments(t.Context()))))
	require.Equal(t, []string{"1", "shop"}, names())
}

// TestLockedEventsAreOutOfTheWay keeps a product locked while many events of its account arrive.
func TestLockedEventsAreOutOfTheWay(t *testing.T) {
	t.Parallel()
	const many = 40
	begin := func(t *testing.T) (log *eventLog, record func(account *eventLog, product, version string) error, release func(), blocked chan error) {
		t.Helper()
		log = newEventLog(t)
		record = func(account *eventLog, product, version string) error {
			origin := account.origin
			origin.Body = fmt.Appendf(nil, `{"product":%q,"version":%q}`, product, version)
			_, err := account.recorder.RecordDeployment(t.Context(), origin,
				tracking.DeploymentEvent{ProductName: product, Version: version, EnvironmentName: "production", Status: "completed"})
			return err
		}
		require.NoError(t, record(log, "shop", "0"))
		release = log.hold(t, "SELECT FROM products WHERE name = 'shop' FOR UPDATE")
		blocked = make(chan error, many)
		for i := range many {
			go func() { blocked <- record(log, "shop", fmt.Sprintf("1.%d", i)) }()
		}
		log.requireWaiting(t, 1, nil)
		return log, record, release, blocked
	}

	t.Run("AndAreGivenUpInTheEnd", func(t *testing.T) {
		t.Parallel()
		log, record, release, blocked := begin(t)
		other := log.withAccount(t, "other")
		for i := range 20 {
			require.NoError(t, record(other, "shop", strconv.Itoa(i)))
		}
		require.NoError(t, record(log, "another product", "1"), "of the same account")
		require.Empty(t, blocked, "others need not wait until those that are blocked have been given up")
		for range many {
			require.Equal(t, apperr.Unavailable, apperr.CodeOf(<-blocked))
		}
		release()
		require.NoError(t, record(log, "shop", "2"))
	})
	t.Run("AndSucceedWhenTheLockIsGone", func(t *testing.T) {
		t.Parallel()
		log, record, release, blocked := begin(t)
		require.NoError(t, record(log.withAccount(t, "other"), "shop", "1"))
		require.Empty(t, blocked)
		release()
		for range many {
			require.NoError(t, <-blocked)
		}
	})
}

// TestTrafficDoesNotDeadlock reports new versions of one product in several environments from many sides at once.
func TestTrafficDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	const sides, each = 63, 8
	log := newEventLog(t)
	conn := log.connect(t)
	// Who may not say so sees only the deadlocks that take a second to be noticed.
	_, _ = conn.Exec(t.Context(), "ALTER DATABASE "+pgx.Identifier{conn.Config().Database}.Sanitize()+" SET deadlock_timeout = '5ms'")
	var begin time.Time
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&begin))
	pool, err := postgres.Open(t.Context(), log.dsn)
	require.NoError(t, err)
	recorder := tracking.NewRecorder(pool.DB, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(ctx) })
	var group sync.WaitGroup
	for side := range sides {
		group.Go(func() {
			for i := range each {
				version := fmt.Sprintf("%d.%d", i, side/3)
				origin := log.origin
				origin.Body = fmt.Appendf(nil, `{"side":%d,"i":%d}`, side, i)
				_, err := recorder.RecordDeployment(t.Context(), origin, tracking.DeploymentEvent{
					ProductName: "shop", Version: version, EnvironmentName: []string{"dev", "staging", "production"}[side%3], Status: "completed",
				})
				if err == nil {
					_, err = recorder.RecordBuild(t.Context(), origin, tracking.BuildEvent{ProductName: "shop", Version: version, Status: "completed"})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	stop()
	running.Wait()
	pool.Close()
	var sessions, deadlocks int
	require.Eventually(t, func() bool { // a session tells at its end what it has met
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*), (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())
			FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND backend_start > $1`, begin).Scan(&sessions, &deadlocks))
		return sessions == 0
	}, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, deadlocks)
}
