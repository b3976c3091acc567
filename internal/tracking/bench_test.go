package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
