package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ratelimit"
)

// emptyServer is the argument that makes the program serve the empty handler.
const emptyServer = "empty-server"

// emptyRecorder answers every event with the same record.
type emptyRecorder struct{ id uuid.UUID }

// Record records nothing.
func (r emptyRecorder) Record(_ context.Context, event ingest.Event) (ingest.Recorded, error) {
	return ingest.Recorded{
		EventID: r.id, Effect: ingest.Created, ProductName: event.ProductName, Version: event.Version, EnvironmentName: event.EnvironmentName,
		Subject: ingest.Subject{ID: r.id, ProductID: r.id, VersionID: r.id, EnvironmentID: r.id, Status: event.Status, Metadata: event.Metadata},
	}, nil
}

// serveEmpty serves the API on VERSIONER_ADDR with a recorder that records nothing, until ctx ends: authentication, rate limits and
// validation are the real ones, on the database of DATABASE_URL.
func serveEmpty(ctx context.Context) error {
	logger := slog.New(logctx.NewHandler(slog.NewJSONHandler(os.Stderr, nil)))
	pool, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"), postgres.Observed{})
	if err != nil {
		return err
	}
	defer pool.Close()
	apiPool, err := postgres.OpenAPI(ctx, os.Getenv("DATABASE_URL"), postgres.APILimits{}, postgres.Observed{})
	if err != nil {
		return err
	}
	defer apiPool.Close()
	keys := apikeys.New(pool, apikeys.Peppers{[]byte(os.Getenv("VERSIONER_KEY_PEPPER"))}, logger)
	validator := authn.NewAPIKeys(pool, keys, 0, logger, nil)
	go validator.Run(ctx)
	tokens, err := authn.NewJWTs(nil, accounts.NewProvisioner(pool.DB, false), http.DefaultClient, time.Now, logger)
	if err != nil {
		return err
	}
	handler, err := httpapi.New(ctx, httpapi.Dependencies{
		Logger: logger, Security: authn.Validators{APIKeys: validator, JWTs: tokens}, Recorder: emptyRecorder{id: uuid.New()}, Clock: time.Now,
		DB: apiPool, Keys: keys, Channels: notify.Channels{},
		Limits: httpapi.Limits{Limiter: ratelimit.NewLocal()}, Ready: func(ctx context.Context) error { return pool.Ready(ctx, migrate.Version()) },
	})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: os.Getenv("VERSIONER_ADDR"), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
