package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/versioner-io/versioner/internal/acceptfilter"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ratelimit"
)

const (
	startPatience  = 30 * time.Second // for a database that is still starting
	drainTimeout   = 15 * time.Second
	arriveTimeout  = 10 * time.Second // a part of it: for requests of which only the beginning has come
	handOverTime   = 100 * time.Millisecond
	stopTimeout    = 5 * time.Second
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	peopleWaiting  = 128
)

// app is the server's parts, opened in this order and closed in the reverse.
type app struct {
	cfg    config.Config
	logger *slog.Logger
	dsn    string
	pool   *postgres.Pool
	keys   *authn.APIKeys
	closer func()

	draining atomic.Bool
}

// openDatabase returns the DSN of the database that the configuration means, and what lets go of it.
type openDatabase func(ctx context.Context, cfg config.Config, logger *slog.Logger) (dsn string, release func(context.Context) error, err error)

// holdDatabase is for servers: its own PostgreSQL belongs to one at a time.
func holdDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func(context.Context) error { return nil }, nil
	}
	embedded, err := postgres.StartEmbedded(ctx, postgres.EmbeddedConfig{Dir: cfg.DataDir, Logger: logger})
	if err != nil {
		return "", nil, err
	}
	return embedded.DSN(), embedded.Stop, nil
}

// shareDatabase is for short commands, which also work beside a running server.
func shareDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger) (string, func(context.Context) error, error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func(context.Context) error { return nil }, nil
	}
	return postgres.AttachEmbedded(ctx, postgres.EmbeddedConfig{Dir: cfg.DataDir, Logger: logger})
}

// openApp opens the database and brings its schema up to date.
func openApp(ctx context.Context, cfg config.Config, logger *slog.Logger, open openDatabase) (_ *app, err error) {
	dsn, release, err := open(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, logger: logger, dsn: dsn, closer: func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := release(ctx); err != nil {
			logger.WarnContext(ctx, "the database was not let go cleanly", "error", err)
		}
	}}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	err = postgres.Retry(ctx, startPatience, func(ctx context.Context) (err error) {
		a.pool, err = postgres.Open(ctx, dsn)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := a.pool.Migrate(ctx, logger); err != nil {
		return nil, err
	}
	pepper, err := cfg.LoadPepper()
	if err != nil {
		return nil, err
	}
	a.keys = authn.NewAPIKeys(a.pool, pepper, logger)
	return a, a.keys.CheckPepper(ctx)
}

func (a *app) close() {
	if a.pool != nil {
		a.pool.Close()
	}
	a.closer()
}

// channels returns the management of notification channels. Configurations that an older key encrypted are re-encrypted.
func (a *app) channels(ctx context.Context) (notify.Channels, error) {
	secrets, err := a.cfg.LoadEncryptionKeys()
	if err != nil {
		return notify.Channels{}, err
	}
	ring, err := keyring.New(secrets...)
	if err != nil {
		return notify.Channels{}, fmt.Errorf("read VERSIONER_ENCRYPTION_KEYS: %w", err)
	}
	sender := &notify.Sender{HTTP: egress.New(a.cfg.Webhooks), Mail: a.cfg.Mailer, UserAgent: "Versioner/" + httpapi.Version()}
	channels := notify.Channels{DB: a.pool.DB, Keys: ring, Sender: sender, Logger: a.logger}
	undecryptable, err := channels.ReencryptAll(ctx)
	if undecryptable > 0 {
		a.logger.ErrorContext(ctx, "cannot decrypt notification channels; missing key in VERSIONER_ENCRYPTION_KEYS", "channels", undecryptable)
	}
	return channels, err
}

// limiter counts requests, with other servers where there is a Redis.
func (a *app) limiter(ctx context.Context) (_ ratelimit.Limiter, release func(), err error) {
	if a.cfg.RedisURL == "" {
		return ratelimit.NewLocal(), func() {}, nil
	}
	shared, err := ratelimit.NewShared(context.WithoutCancel(ctx), a.cfg.RedisURL, a.logger)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare rate limits: %w", err)
	}
	return shared, func() {
		if err := shared.Close(); err != nil {
			a.logger.WarnContext(ctx, "Redis was not let go cleanly", "error", err)
		}
	}, nil
}

// work delivers notifications until ctx ends; then it finishes what it has begun. It has connections of its own, so that
// it never keeps a request waiting for one.
func (a *app) work(ctx context.Context, channels notify.Channels) error {
	pool, err := postgres.Open(ctx, a.dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	engine, err := notify.NewEngine(pool, channels, a.logger)
	if err != nil {
		return err
	}
	return engine.Run(ctx, drainTimeout)
}

// serve answers requests until ctx ends; then it finishes those that have begun. started is called once it listens.
func (a *app) serve(ctx context.Context, issuers []authn.Issuer, started func(ctx context.Context, url string) error) error {
	tokens, err := authn.NewJWTs(issuers, authn.Accounts{DB: a.pool.DB, Create: a.cfg.CreateAccounts, Roles: httpapi.Roles()}, http.DefaultClient, time.Now, a.logger)
	if err != nil {
		return fmt.Errorf("read the identity providers: %w", err)
	}
	channels, err := a.channels(ctx)
	if err != nil {
		return err
	}
	limiter, closeLimiter, err := a.limiter(ctx)
	if err != nil {
		return err
	}
	defer closeLimiter()
	// Background work outlives ctx: requests that have begun still need it.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	ingestPool, err := postgres.OpenIngest(ctx, a.dsn)
	if err != nil {
		stopBackground()
		return err
	}
	defer ingestPool.Close()
	recorder := ingest.NewRecorder(ingestPool, a.pool, time.Now, a.logger)
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(background) })
	running.Go(func() { a.keys.Run(background) })
	running.Go(func() { tokens.Run(background) })
	working, stopWork := context.WithCancel(ctx) // it stops while the last requests are answered
	if a.cfg.Work {
		running.Go(func() {
			if err := a.work(working, channels); err != nil {
				a.logger.ErrorContext(background, "notifications are not delivered", "error", err)
			}
		})
	}
	defer running.Wait()
	defer stopBackground()
	defer stopWork()

	handler, err := httpapi.New(ctx, httpapi.Config{
		Logger: a.logger, Security: authn.Validators{APIKeys: a.keys, JWTs: tokens}, Recorder: recorder, Clock: time.Now, DB: a.pool.DB, Keys: a.keys,
		Channels: channels, Limits: httpapi.Limits{
			Limiter: limiter, KeyPerMinute: a.cfg.RateLimits.KeyPerMinute,
			AccountPerHour: a.cfg.RateLimits.AccountPerHour, UserPerMinute: a.cfg.RateLimits.UserPerMinute,
			FailuresPerMinute: a.cfg.RateLimits.FailuresPerMinute, PeopleAtOnce: peopleAtOnce(a.pool.MaxConns()), PeopleWaiting: peopleWaiting,
		},
		Origins: a.cfg.CORSOrigins, Proxies: a.cfg.TrustedProxies, Ready: a.ready,
	})
	if err != nil {
		return fmt.Errorf("build the API: %w", err)
	}
	server := &http.Server{
		Handler: a.closeWhileDraining(handler), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --addr or VERSIONER_ADDR", err)
	}
	filter := acceptfilter.New(listener, acceptfilter.Patience{Header: headerTimeout, Body: readTimeout})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(filter) }()
	if err := started(ctx, urlOf(listener.Addr())); err != nil && ctx.Err() == nil { // asked to stop so soon is no failure
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.drain(ctx)
	return finish(background, server, filter)
}

// finish answers the requests that have begun, also those of which only the beginning has come.
func finish(ctx context.Context, server *http.Server, filter *acceptfilter.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	server.SetKeepAlivesEnabled(false)
	arriving, cancelArriving := context.WithTimeout(ctx, arriveTimeout)
	defer cancelArriving()
	filter.Drain(arriving)
	time.Sleep(handOverTime) // Shutdown drops the requests that have come but are not read yet
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("some requests were not finished: %w", err), server.Close())
	}
	return nil
}

// peopleAtOnce leaves some of the connections for events.
func peopleAtOnce(connections int) int { return max(1, connections*5/8) }

// drain lets load balancers notice that requests should go elsewhere, and answers those that come nevertheless.
func (a *app) drain(ctx context.Context) {
	a.draining.Store(true)
	if errors.Is(context.Cause(ctx), errTerminated) && a.cfg.DrainDelay > 0 {
		a.logger.InfoContext(ctx, "not ready any more: waiting for load balancers to notice", "delay", a.cfg.DrainDelay.String())
		time.Sleep(a.cfg.DrainDelay)
	}
	a.logger.InfoContext(ctx, "stopping: finishing the requests that have begun")
}

// ready tells whether requests may come.
func (a *app) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("the server is about to stop")
	}
	return a.pool.Ready(ctx)
}

// closeWhileDraining has clients make their next request elsewhere: a connection that is closed while they send one would
// lose it.
func (a *app) closeWhileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// urlOf is where a browser on this machine reaches the listener.
func urlOf(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
