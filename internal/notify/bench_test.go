package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testdb"
)

// BenchmarkFirstAttempt records 200 events a second, each for one channel, and reports how long it takes from the event's
// acknowledgement to the request at the receiver.
func BenchmarkFirstAttempt(b *testing.B) {
	const perSecond = 200
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	dsn := testdb.NewDurable(b)
	open := func() *postgres.Pool {
		pool, err := postgres.Open(ctx, dsn, postgres.Observed{})
		require.NoError(b, err)
		b.Cleanup(pool.Close)
		return pool
	}
	pool := open()
	keys := apikeys.New(pool, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, logger)
	_, err := keys.CreateInAccount(ctx, "acme", apikeys.NewKey{Name: "bench"})
	require.NoError(b, err)
	infos, err := keys.List(ctx, "acme")
	require.NoError(b, err)
	account := infos[0].AccountID

	var mu sync.Mutex
	arrived := make(map[string]time.Time)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ ID string }
		if json.NewDecoder(r.Body).Decode(&message) == nil {
			mu.Lock()
			defer mu.Unlock()
			arrived[message.ID] = time.Now()
		}
	}))
	b.Cleanup(server.Close)
	ring, err := keyring.New(bytes.Repeat([]byte("k"), keyring.KeySize))
	require.NoError(b, err)
	policy, err := egress.ParsePolicy([]string{"127.0.0.0/8"}, nil)
	require.NoError(b, err)
	channels := notify.Channels{Keys: ring, Sender: &notify.Sender{HTTP: egress.New(policy)}, Logger: logger}
	channel, err := channels.Create(ctx, pool.DB, account, "c", notify.TypeWebhook, notify.ConfigPatch{URL: &server.URL}, true)
	require.NoError(b, err)
	_, err = notify.Preferences{DB: pool.DB}.Create(ctx, account, channel.ID, "deployment.completed", notify.Filters{})
	require.NoError(b, err)

	ingestPool, err := postgres.OpenIngest(ctx, dsn, postgres.Observed{})
	require.NoError(b, err)
	b.Cleanup(ingestPool.Close)
	background, stop := context.WithCancel(ctx)
	defer stop()
	recorder := ingest.NewRecorder(ingestPool, quota.Limits{}, nil, time.Now, telemetry.Telemetry{})
	go recorder.Run(background)
	workers := open()
	client, err := jobs.New(workers, jobs.Config{Workers: notify.NewWorker(workers, channels, logger, nil).Kinds(), Queues: notify.Queues(), Logger: logger})
	require.NoError(b, err)
	var working sync.WaitGroup
	working.Go(func() { _ = client.Run(background, time.Second) })

	acknowledged := make(map[string]time.Time)
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	var sending sync.WaitGroup
	for i := range b.N {
		<-ticker.C
		sending.Go(func() {
			event := ingest.Event{
				AccountID: account, APIKeyID: infos[0].ID, ProductName: fmt.Sprintf("product %d", i%100), Version: fmt.Sprintf("1.0.%d", i),
				EnvironmentName: "production", Status: ingest.Completed, Body: []byte(fmt.Sprintf(`{"number":%d}`, i)),
			}
			if err := event.Normalize(); err != nil {
				b.Error(err)
				return
			}
			recorded, err := recorder.Record(ctx, event)
			if err != nil {
				b.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			acknowledged[recorded.Subject.ID.String()] = time.Now()
		})
	}
	sending.Wait()
	require.Eventually(b, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(arrived) == b.N
	}, time.Minute, 10*time.Millisecond)
	stop()
	working.Wait()
	took := make([]float64, 0, b.N)
	for id, at := range acknowledged {
		took = append(took, arrived[id].Sub(at).Seconds()*1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-median")
	b.ReportMetric(took[len(took)*99/100], "ms-p99")
}
