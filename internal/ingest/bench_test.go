package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// BenchmarkRecord records events from 64 goroutines, without HTTP: the cost of load, decide and store.
func BenchmarkRecord(b *testing.B) {
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	dsn := os.Getenv("BENCH_DSN")
	if dsn == "" {
		dsn = testdb.NewDurable(b)
	}
	owner, err := postgres.Open(ctx, dsn)
	require.NoError(b, err)
	defer owner.Close()
	pool, err := postgres.OpenIngest(ctx, dsn)
	require.NoError(b, err)
	defer pool.Close()
	keys := authn.NewAPIKeys(owner, []byte(strings.Repeat("pepper", 8)), logger)
	key, err := keys.CreateFor(ctx, "acme", authn.NewKey{Name: "bench"})
	require.NoError(b, err)
	recorder := ingest.NewRecorder(pool, owner, time.Now, logger)
	background, stop := context.WithCancel(ctx)
	defer stop()
	go recorder.Run(background)

	var number atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(64 / 2)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := number.Add(1)
			event := ingest.Event{
				Kind: ingest.Deployment, AccountID: key.AccountID, APIKeyID: key.ID,
				ProductName: fmt.Sprintf("product %d", n%20), EnvironmentName: []string{"dev", "qa", "staging", "production"}[n/20%4],
				Version: fmt.Sprintf("1.0.%d", n/400), Status: "completed", InvokeID: fmt.Sprint(n), Attempt: 1,
				Details: ingest.Details{
					SourceSystem: "github", BuildNumber: "17", SHA: "9fceb02d0ae598e95dc970b74767f19372d61af8", Branch: "main", Repository: "acme/shop",
					URL: "https://github.com/acme/shop/actions/runs/16421300017", By: "ada", ByEmail: "ada@example.com", ByName: "Ada Lovelace",
				},
				Metadata: []byte(`{"vi_gh_workflow":"deploy","vi_gh_run_attempt":"1","vi_gh_actor":"ada","vi_gh_ref":"refs/heads/main","vi_gh_event_name":"push"}`),
				Body:     []byte(fmt.Sprintf(`{"n":%d,"body":%q}`, n, strings.Repeat("x", 800))),
			}
			if err := event.Normalize(); err != nil {
				b.Error(err)
				return
			}
			if _, err := recorder.Record(ctx, event); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
