package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
	"github.com/versioner-io/versioner/internal/tracking"
)

// BenchmarkSharedTransactions records events from 64 sides at once, on the same database in the same run: each in a
// transaction of its own, and through the recorder, where those that wait share one. It reports how many times as many
// the recorder records. fsync is on: what is saved is mostly waiting for the disk.
func BenchmarkSharedTransactions(b *testing.B) {
	const sides = 64
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	pool, err := postgres.Open(ctx, testdb.NewDurable(b))
	require.NoError(b, err)
	defer pool.Close()
	keys := authn.NewAPIKeys(pool, []byte(strings.Repeat("pepper", 8)), logger)
	_, err = keys.CreateFor(ctx, "acme", authn.NewKey{Name: "bench"})
	require.NoError(b, err)
	infos, err := keys.List(ctx, "acme")
	require.NoError(b, err)
	recorder := tracking.NewRecorder(pool.DB, logger)
	background, stop := context.WithCancel(ctx)
	defer stop()
	go recorder.Run(background)

	var number atomic.Int64
	next := func() (tracking.Origin, tracking.DeploymentEvent) {
		origin := tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID}
		event, err := benchEvent(number.Add(1), &origin)
		require.NoError(b, err)
		return origin, event
	}
	rate := func(record func() error) float64 {
		begin := time.Now()
		b.SetParallelism(sides)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				require.NoError(b, record())
			}
		})
		return float64(b.N) / time.Since(begin).Seconds()
	}
	alone := rate(func() error {
		origin, event := next()
		return recorder.RecordAlone(ctx, origin, event)
	})
	shared := rate(func() error {
		origin, event := next()
		_, err := recorder.RecordDeployment(ctx, origin, event)
		return err
	})
	b.ReportMetric(shared/alone, "times-as-many")
	b.ReportMetric(shared, "shared-events/s")
	b.ReportMetric(alone, "alone-events/s")
}

// BenchmarkNotices records events of two accounts in turns, on the same database in the same run: nobody wants to hear of
// the one's, the other's are each put in the queue for a channel. Nobody works on the queue. It reports the rate of the
// second as a part of the first's: the median of many turns, as the disk has moods.
func BenchmarkNotices(b *testing.B) {
	const sides, turns = 64, 25
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	pool, err := postgres.Open(ctx, testdb.NewDurable(b))
	require.NoError(b, err)
	defer pool.Close()
	keys := authn.NewAPIKeys(pool, []byte(strings.Repeat("pepper", 8)), logger)
	recorder := tracking.NewRecorder(pool.DB, logger)
	background, stop := context.WithCancel(ctx)
	defer stop()
	go recorder.Run(background)

	var origins [2]tracking.Origin
	for i, name := range []string{"quiet", "told"} {
		_, err := keys.CreateFor(ctx, name, authn.NewKey{Name: "bench"})
		require.NoError(b, err)
		infos, err := keys.List(ctx, name)
		require.NoError(b, err)
		origins[i] = tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID}
	}
	channel, err := pool.CreateNotificationChannel(ctx, dbgen.CreateNotificationChannelParams{
		AccountID: origins[1].AccountID, ID: uuid.Must(uuid.NewV7()), Name: "c", ChannelType: "webhook", SealedConfig: []byte("x"), Enabled: true,
	})
	require.NoError(b, err)
	_, err = pool.CreateNotificationPreference(ctx, dbgen.CreateNotificationPreferenceParams{
		AccountID: channel.AccountID, ChannelID: channel.ID, EventType: "deployment.completed", Environments: []string{}, Products: []string{}, Statuses: []string{},
	})
	require.NoError(b, err)

	var number atomic.Int64
	record := func(origin tracking.Origin) error {
		event, err := benchEvent(number.Add(1), &origin)
		if err == nil {
			_, err = recorder.RecordDeployment(ctx, origin, event)
		}
		return err
	}
	part := rateInTurns(b, sides, turns, func() error { return record(origins[0]) }, func() error { return record(origins[1]) })
	b.ReportMetric(part, "of-the-rate-without")
}

// BenchmarkWall does the same with and without row-level security, in turns in one run: sixteen events in a transaction, on
// the four connections that the recorder has, and a page of deployments. It reports the rate with it as a part of the one
// without.
func BenchmarkWall(b *testing.B) {
	const sides, turns, events, page = 4, 30, 16, 50
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	dsn := testdb.NewDurable(b)
	var pools [3]*postgres.Pool // a connection keeps its plans: for an empty database, for the owner, for the role behind the wall
	for i := range pools {
		var err error
		pools[i], err = postgres.Open(ctx, dsn)
		require.NoError(b, err)
		defer pools[i].Close()
	}
	pool, open, walled := pools[0], pools[1], pools[2]
	keys := authn.NewAPIKeys(pool, []byte(strings.Repeat("pepper", 8)), logger)
	_, err := keys.CreateFor(ctx, "acme", authn.NewKey{Name: "bench"})
	require.NoError(b, err)
	infos, err := keys.List(ctx, "acme")
	require.NoError(b, err)

	var number atomic.Int64
	ingest := func(ctx context.Context, pool *postgres.Pool) error {
		origins, batch := make([]tracking.Origin, events), make([]tracking.DeploymentEvent, events)
		begin := number.Add(events)
		for i := range batch {
			origins[i] = tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID}
			var err error
			if batch[i], err = benchEvent(begin+int64(i), &origins[i]); err != nil {
				return err
			}
		}
		return tracking.NewRecorder(pool.DB, logger).RecordTogether(ctx, origins, batch)
	}
	list := func(ctx context.Context, pool *postgres.Pool) error {
		_, err := pool.ListDeployments(ctx, dbgen.ListDeploymentsParams{AccountID: infos[0].AccountID, RowLimit: page})
		return err
	}
	for range 200 {
		require.NoError(b, ingest(ctx, pool))
	}
	testdb.Analyze(b, dsn)
	b.Run("events", func(b *testing.B) {
		part := rateInTurns(b, sides, turns, func() error { return ingest(ctx, open) }, func() error { return ingest(postgres.WithTenants(ctx), walled) })
		b.ReportMetric(part, "of-the-rate-without")
	})
	b.Run("lists", func(b *testing.B) {
		part := rateInTurns(b, sides, turns, func() error { return list(ctx, open) }, func() error { return list(postgres.WithTenant(ctx, infos[0].AccountID), walled) })
		b.ReportMetric(part, "of-the-rate-without")
	})
}

// benchEvent returns the n-th event, and has its origin hold its body.
func benchEvent(n int64, origin *tracking.Origin) (tracking.DeploymentEvent, error) {
	event := tracking.DeploymentEvent{
		ProductName: fmt.Sprintf("product %d", n%100), Version: fmt.Sprintf("1.0.%d", n), EnvironmentName: "production", Status: "completed",
	}
	var err error
	origin.Body, err = json.Marshal(event)
	return event, err
}

// rateInTurns does b.N things in all, from many sides at once, in turns without and with something. It returns the rate with
// as a part of the rate without: the median of the turns, as machines have moods.
func rateInTurns(b *testing.B, sides, turns int, without, with func() error) float64 {
	b.Helper()
	spent := func(do func() error) float64 {
		begin := time.Now()
		var group sync.WaitGroup
		var left atomic.Int64
		left.Store(int64(max(b.N/(2*turns), 1)))
		for range sides {
			group.Go(func() {
				for left.Add(-1) >= 0 {
					if err := do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		return time.Since(begin).Seconds()
	}
	parts := make([]float64, turns)
	for turn := range parts {
		if turn%2 == 0 { // neither is always the second
			first := spent(without)
			parts[turn] = first / spent(with)
		} else {
			first := spent(with)
			parts[turn] = spent(without) / first
		}
	}
	slices.Sort(parts)
	return parts[turns/2]
}
