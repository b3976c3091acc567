package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/net/netutil"

	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/signin"
)

const (
	drainTimeout      = 15 * time.Second
	drainPollInterval = 10 * time.Millisecond
	headerTimeout     = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	maxBodyBytes      = 64 << 20
	maxListBytes      = 64 << 20
	listLifetime      = 2 * time.Second
)

// ErrTerminated is the cancellation cause of a context that SIGTERM ended: load balancers may still send requests.
var ErrTerminated = errors.New("terminated")

// Serve answers requests until ctx ends, then finishes those in flight. It calls started once it listens. development is nil except
// in development.
func (a *App) Serve(ctx context.Context, issuers []authn.Issuer, development *signin.Development, started func(ctx context.Context, url string) error) error {
	channels, err := a.Channels(ctx)
	if err != nil {
		return err
	}
	users, err := a.authentication(ctx, issuers, development, channels.Keys)
	if err != nil {
		return err
	}
	limiter, closeLimiter, err := a.limiter(ctx)
	if err != nil {
		return err
	}
	defer closeLimiter()
	stopOperator, err := a.serveOperator(ctx)
	if err != nil {
		return err
	}
	defer stopOperator()
	ingestPool, err := postgres.OpenIngest(ctx, a.database.DSN, a.observed("ingest"))
	if err != nil {
		return err
	}
	defer ingestPool.Close()
	apiPool, err := postgres.OpenAPI(ctx, a.database.DSN, postgres.APILimits{}, a.observed("api"))
	if err != nil {
		return err
	}
	defer apiPool.Close()
	stopReplica, err := a.readFromReplica(ctx, apiPool, users.validators.APIKeys)
	if err != nil {
		return err
	}
	defer stopReplica()
	a.ensurePartitions(ctx)
	rules := governance.NewCache(a.Pool, a.logger)
	recorder := ingest.NewRecorder(ingestPool, a.cfg.Quotas, rules, time.Now, a.telemetry)
	stop := a.runBackground(ctx, recorder, rules, users.validators, channels)
	defer stop()

	handler, err := httpapi.New(ctx, httpapi.Dependencies{
		Logger: a.logger, Security: users.validators, Recorder: recorder, Rules: rules, Clock: time.Now, DB: apiPool, Keys: a.Keys,
		Sessions: users.sessions, Feeds: users.feeds, SignIn: users.flow, Channels: channels, Limits: a.limits(limiter),
		Lists:  httpapi.ListCache{Bytes: maxListBytes, Lifetime: listLifetime},
		Quotas: a.cfg.Quotas, Origins: a.cfg.CORSOrigins, Proxies: a.cfg.TrustedProxies, Ready: a.ready,
		Telemetry: a.telemetry,
	})
	if err != nil {
		return fmt.Errorf("build the API: %w", err)
	}
	return a.listenAndServe(ctx, handler, started)
}

// authentication is what verifies and signs in users.
type authentication struct {
	validators authn.Validators
	sessions   *sessions.Sessions
	feeds      *calendarfeeds.Feeds
	flow       *signin.Flow
}

func (a *App) authentication(ctx context.Context, issuers []authn.Issuer, development *signin.Development, ring *keyring.Keyring) (authentication, error) {
	keys := authn.NewAPIKeys(a.Pool, a.Keys, a.cfg.RateLimits.FailuresPerMinute, a.logger, a.telemetry.Metrics)
	tenants := keys.CacheUsers(accounts.NewProvisioner(a.Pool.DB, a.cfg.CreateAccounts))
	tokens, err := authn.NewJWTs(issuers, tenants, http.DefaultClient, time.Now, a.logger)
	if err != nil {
		return authentication{}, fmt.Errorf("read the identity providers: %w", err)
	}
	stored := sessions.New(a.Pool, a.Keys, ring, time.Now, a.logger)
	if err := a.reencryptSessions(ctx, stored); err != nil {
		return authentication{}, err
	}
	cookies := sessions.Cookies{Secure: strings.HasPrefix(a.cfg.PublicURL, "https://")}
	flow := signin.New(signin.Config{
		Issuers: issuers, PublicURL: a.cfg.PublicURL, SignInURL: a.cfg.SignInURL, PerMinute: a.cfg.RateLimits.FailuresPerMinute,
		Tokens: tokens, Tenants: tenants, Sessions: stored, Cookies: cookies, Keys: ring, Client: http.DefaultClient, Development: development,
		Now: time.Now, Logger: a.logger,
	})
	feeds := calendarfeeds.New(a.Pool, a.Keys, a.cfg.PublicURL, a.logger)
	feeds.MaxActive = a.cfg.Quotas.CalendarFeeds
	validators := authn.Validators{
		APIKeys: keys, JWTs: tokens, Sessions: authn.NewSessions(keys, stored, cookies, flow, a.cfg.RateLimits.FailuresPerMinute),
		CalendarFeeds: authn.NewCalendarFeeds(keys, feeds, a.cfg.RateLimits.FailuresPerMinute),
	}
	return authentication{validators: validators, sessions: stored, feeds: feeds, flow: flow}, nil
}

// runBackground starts the background work and returns a function that stops it and waits for its end. The work outlives ctx, as
// requests in flight need it; background jobs stop with ctx.
func (a *App) runBackground(ctx context.Context, recorder *ingest.Recorder, rules *governance.Cache, validators authn.Validators, channels notify.Channels) (stop func()) {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	workerCtx, stopWorker := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(background) })
	running.Go(func() { rules.Run(background) })
	running.Go(func() { validators.APIKeys.Run(background) })
	running.Go(func() { validators.JWTs.Run(background) })
	running.Go(func() { a.watchBinaries(workerCtx) })
	running.Go(func() { a.watchPartitions(workerCtx) })
	running.Go(func() {
		if err := a.runJobs(workerCtx, channels, a.cfg.Worker); err != nil {
			a.logger.ErrorContext(background, "background jobs failed", "error", err)
		}
	})
	return func() {
		stopWorker()
		stopBackground()
		running.Wait()
	}
}

// readFromReplica makes the pool read lists from the read replica, if there is one.
func (a *App) readFromReplica(ctx context.Context, pool *postgres.TenantPool, announcements *authn.APIKeys) (stop func(), err error) {
	if a.cfg.ReadDatabaseURL == "" {
		return func() {}, nil
	}
	replica, err := postgres.OpenReplica(ctx, a.cfg.ReadDatabaseURL, a.Pool, postgres.APILimits{}, a.observed("replica"), a.logger)
	if err != nil {
		return nil, err
	}
	pool.ReadFrom(replica)
	announcements.Observe(replica)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // requests in flight read lists
	var measuring sync.WaitGroup
	measuring.Go(func() { replica.Run(running) })
	return func() {
		cancel()
		measuring.Wait()
		replica.Close()
	}, nil
}

func (a *App) limits(limiter ratelimit.Limiter) httpapi.Limits {
	return httpapi.Limits{
		Limiter: limiter, KeyPerMinute: a.cfg.RateLimits.KeyPerMinute, AccountPerHour: a.cfg.RateLimits.AccountPerHour,
		UserPerMinute: a.cfg.RateLimits.UserPerMinute, FailuresPerMinute: a.cfg.RateLimits.FailuresPerMinute,
		BodyBytes: maxBodyBytes,
	}
}

func (a *App) listenAndServe(ctx context.Context, handler http.Handler, started func(ctx context.Context, url string) error) error {
	var open atomic.Int64
	server := &http.Server{
		Handler: a.disableKeepAlivesWhileDraining(handler), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
		ConnState: countConnections(&open),
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --addr or VERSIONER_ADDR", err)
	}
	url := browserURL(listener.Addr())
	if a.cfg.MaxConnections > 0 {
		listener = netutil.LimitListener(listener, a.cfg.MaxConnections)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := started(ctx, url); err != nil && ctx.Err() == nil { // a signal during startup is no failure
		return errors.Join(err, server.Close())
	}
	a.notifySystemd(ctx, daemon.SdNotifyReady)
	defer a.runWatchdog(ctx)()
	debug.FreeOSMemory() // what only the start needed: the parsed OpenAPI document, migrations, compressed assets
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.notifySystemd(ctx, daemon.SdNotifyStopping)
	a.waitForDeregistration(ctx)
	return shutdown(context.WithoutCancel(ctx), server, listener, &open)
}

// shutdown answers the requests in flight. It calls Server.Shutdown, which drops requests whose header is incomplete, only once every
// connection has ended with its answer or has timed out.
func shutdown(ctx context.Context, server *http.Server, listener net.Listener, open *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	_ = listener.Close() // Serve reports it
	server.SetKeepAlivesEnabled(false)
	ticker := time.NewTicker(drainPollInterval)
	defer ticker.Stop()
	for open.Load() > 0 && ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) { // Serve may not have seen yet that its listener is closed
		return errors.Join(fmt.Errorf("some requests were not finished: %w", err), server.Close())
	}
	return nil
}

// countConnections returns a ConnState hook that counts the open connections.
func countConnections(open *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
}

// waitForDeregistration turns readiness off and goes on serving while load balancers detect it.
func (a *App) waitForDeregistration(ctx context.Context) {
	a.draining.Store(true)
	if errors.Is(context.Cause(ctx), ErrTerminated) && a.cfg.DrainDelay > 0 {
		a.logger.InfoContext(ctx, "draining: readiness set to false", "delay", a.cfg.DrainDelay.String())
		time.Sleep(a.cfg.DrainDelay)
	}
	a.logger.InfoContext(ctx, "shutting down: waiting for in-flight requests")
}

// ready reports whether the server can serve requests.
func (a *App) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("the server is about to stop")
	}
	if fault := a.binariesFault.Load(); fault != nil {
		return *fault
	}
	return a.databaseReady(ctx)
}

// disableKeepAlivesWhileDraining makes clients send their next request on a new connection: one that the server closes while a
// client sends a request would lose it.
func (a *App) disableKeepAlivesWhileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// browserURL returns the URL of the listener for a browser on this machine.
func browserURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
