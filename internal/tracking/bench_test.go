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
		n := number.Add(1)
		event := tracking.DeploymentEvent{
			ProductName: fmt.Sprintf("product %d", n%100), Version: fmt.Sprintf("1.0.%d", n), EnvironmentName: "production", Status: "completed",
		}
		body, err := json.Marshal(event)
		require.NoError(b, err)
		return tracking.Origin{AccountID: infos[0].AccountID, APIKeyID: infos[0].ID, Body: body}, event
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
	var spent [2]time.Duration
	var parts []float64
	for turn := range 2 * turns {
		origin := origins[turn%2]
		begin := time.Now()
		var group sync.WaitGroup
		var left atomic.Int64
		left.Store(int64(max(b.N/(2*turns), 1)))
		for range sides {
			group.Go(func() {
				for left.Add(-1) >= 0 {
					n := number.Add(1)
					event := tracking.DeploymentEvent{
						ProductName: fmt.Sprintf("product %d", n%100), Version: fmt.Sprintf("1.0.%d", n), EnvironmentName: "production", Status: "completed",
					}
					body, err := json.Marshal(event)
					if err == nil {
						_, err = recorder.RecordDeployment(ctx, tracking.Origin{AccountID: origin.AccountID, APIKeyID: origin.APIKeyID, Body: body}, event)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		spent[turn%2] = time.Since(begin)
		if turn%2 == 1 {
			parts = append(parts, spent[0].Seconds()/spent[1].Seconds())
		}
	}
	slices.Sort(parts)
	b.ReportMetric(parts[len(parts)/2], "of-the-rate-without")
}
