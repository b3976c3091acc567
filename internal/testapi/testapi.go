// Package testapi runs the API for a test, on its own database, and checks every response against the OpenAPI document.
package testapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	versioner "github.com/versioner-io/versioner/clients/go"
	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/readiness"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/signin"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testdb"
)

// stopTimeout bounds the wait for running deliveries at the end of a test.
const stopTimeout = 5 * time.Second

// Account exists in every API.
const Account = "acme"

// TrustedOrigin is an origin that CORS allows.
const TrustedOrigin = "https://app.example.com"

// PublicURL is the address of the server in links. It is not reachable: tests send requests for its paths to URL.
const PublicURL = "https://versioner.example.com"

// API is a running server.
type API struct {
	URL      string
	Key      string // an API key of Account
	Keys     *apikeys.Keys
	Channels notify.Channels
	Sessions *sessions.Sessions
	Cookies  sessions.Cookies
	Metrics  *telemetry.Metrics
	DSN      string
	Pool     *postgres.Pool
	Logs     *Logs
	dev      authn.DevSigner
	client   *http.Client
}

// Option changes how the server is built.
type Option func(*settings)

type settings struct {
	dsn    string
	work   bool
	mailer *notify.Mailer

	deliveriesPerDay int

	limits   httpapi.Limits
	lists    httpapi.ListCache
	quotas   quota.Limits
	pool     postgres.APILimits
	proxies  []*net.IPNet
	clock    func() time.Time
	security func(apigen.SecurityHandler) apigen.SecurityHandler
	tracing  trace.TracerProvider

	issuers          []authn.Issuer // beside that of development
	identityProvider *http.Client
	publicURL        string
	development      *signin.Development
}

// WithDatabase uses an existing database.
func WithDatabase(dsn string) Option { return func(s *settings) { s.dsn = dsn } }

// WithSecurity wraps the validators of credentials.
func WithSecurity(wrap func(apigen.SecurityHandler) apigen.SecurityHandler) Option {
	return func(s *settings) { s.security = wrap }
}

// WithWork runs the notification worker.
func WithWork() Option { return func(s *settings) { s.work = true } }

// WithMailer enables e-mail channels.
func WithMailer(mailer *notify.Mailer) Option { return func(s *settings) { s.mailer = mailer } }

// WithDeliveriesPerDay sets an account's daily quota of notifications. Without it there is none.
func WithDeliveriesPerDay(limit int) Option { return func(s *settings) { s.deliveriesPerDay = limit } }

// WithLimits sets rate limits. Without it there are none.
func WithLimits(limits httpapi.Limits) Option { return func(s *settings) { s.limits = limits } }

// WithLists makes requests share the bodies of lists. Without it they do not, so that a test reads what it has written.
func WithLists(lists httpapi.ListCache) Option { return func(s *settings) { s.lists = lists } }

// WithQuotas sets quotas of objects. Without it there are none.
func WithQuotas(quotas quota.Limits) Option { return func(s *settings) { s.quotas = quotas } }

// WithAPIPool bounds the pool of the user API.
func WithAPIPool(limits postgres.APILimits) Option { return func(s *settings) { s.pool = limits } }

// WithTracing records spans.
func WithTracing(provider trace.TracerProvider) Option {
	return func(s *settings) { s.tracing = provider }
}

// WithProxies trusts X-Forwarded-For of proxies in these networks.
func WithProxies(networks ...*net.IPNet) Option { return func(s *settings) { s.proxies = networks } }

// WithClock sets the clock of the server.
func WithClock(clock func() time.Time) Option { return func(s *settings) { s.clock = clock } }

// WithIssuer lets users sign in at an identity provider. The server is at publicURL.
func WithIssuer(publicURL string, issuer authn.Issuer) Option {
	return func(s *settings) {
		s.publicURL, s.issuers, s.identityProvider = publicURL, []authn.Issuer{issuer}, http.DefaultClient
	}
}

// WithDevelopment lets users sign in as in development.
func WithDevelopment(development *signin.Development) Option {
	return func(s *settings) { s.development, s.publicURL = development, "" }
}

// New starts a server, which stops at the end of the test.
func New(t *testing.T, options ...Option) *API {
	t.Helper()
	chosen := settings{publicURL: PublicURL, identityProvider: exampleIdentityProvider(), issuers: []authn.Issuer{exampleIssuer()}, clock: time.Now, security: func(handler apigen.SecurityHandler) apigen.SecurityHandler { return handler }}
	for _, option := range options {
		option(&chosen)
	}
	if chosen.limits.Limiter == nil {
		chosen.limits.Limiter = ratelimit.NewLocal()
	}
	if chosen.dsn == "" {
		chosen.dsn = testdb.New(t)
	}
	observed := telemetry.Telemetry{Metrics: telemetry.NewMetrics(buildinfo.Read()), Tracing: chosen.tracing}
	inPool := func(name string) postgres.Observed { return postgres.Observed{Pool: name, Telemetry: observed} }
	pool, err := postgres.Open(t.Context(), chosen.dsn, inPool("auth"))
	require.NoError(t, err)

	logs := &Logs{}
	logger := slog.New(logctx.NewHandler(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	keys := apikeys.New(pool, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, logger)
	ingestPool, err := postgres.OpenIngest(t.Context(), chosen.dsn, inPool("ingest"))
	require.NoError(t, err)
	apiPool, err := postgres.OpenAPI(t.Context(), chosen.dsn, chosen.pool, inPool("api"))
	require.NoError(t, err)
	rules := governance.NewCache(pool, logger)
	recorder := ingest.NewRecorder(ingestPool, chosen.quotas, rules, chosen.clock, observed)
	background, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { recorder.Run(background) })
	running.Go(func() { rules.Run(background) })
	validator := authn.NewAPIKeys(pool, keys, chosen.limits.FailuresPerMinute, logger, observed.Metrics)
	channels := newChannels(t, chosen.mailer, chosen.deliveriesPerDay, logger)
	channels.Max, keys.MaxActive = chosen.quotas.Channels, chosen.quotas.APIKeys
	if chosen.work {
		workers, queues := notify.NewWorker(pool, channels, logger, observed.Metrics).Kinds(), notify.Queues()
		governance.AddWorkers(workers, pool, notify.EmailAdmins, chosen.clock)
		maps.Copy(queues, governance.Queues())
		client, err := jobs.New(pool, jobs.Config{Workers: workers, Queues: queues, Logger: logger, Telemetry: observed})
		require.NoError(t, err)
		running.Go(func() {
			if err := client.Run(background, stopTimeout); err != nil {
				t.Error(err)
			}
		})
	}

	dev, err := devSigner()
	require.NoError(t, err)
	issuers := append([]authn.Issuer{dev.Issuer()}, chosen.issuers...)
	tenants := validator.CacheUsers(accounts.NewProvisioner(pool.DB, true))
	tokens, err := authn.NewJWTs(issuers, tenants, chosen.identityProvider, time.Now, logger)
	require.NoError(t, err)
	stored := sessions.New(pool, keys, channels.Keys, time.Now, logger)
	cookies := sessions.Cookies{Secure: strings.HasPrefix(chosen.publicURL, "https://")}
	flow := signin.New(signin.Config{
		Issuers: issuers, PublicURL: chosen.publicURL, PerMinute: chosen.limits.FailuresPerMinute, Tokens: tokens, Tenants: tenants, Sessions: stored,
		Cookies: cookies, Keys: channels.Keys, Client: chosen.identityProvider, Development: chosen.development, Now: time.Now, Logger: logger,
	})
	feeds := calendarfeeds.New(pool, keys, chosen.publicURL, logger)
	feeds.MaxActive = chosen.quotas.CalendarFeeds
	feedValidator := authn.NewCalendarFeeds(validator, feeds, chosen.limits.FailuresPerMinute)
	sessionValidator := authn.NewSessions(validator, stored, cookies, flow, chosen.limits.FailuresPerMinute)
	running.Go(func() { validator.Run(background) })
	handler, err := httpapi.New(t.Context(), httpapi.Dependencies{
		Logger: logger, Security: chosen.security(authn.Validators{APIKeys: validator, JWTs: tokens, Sessions: sessionValidator, CalendarFeeds: feedValidator}), Recorder: recorder, Rules: rules, Clock: chosen.clock,
		DB: apiPool, Keys: keys, Sessions: stored, Feeds: feeds, SignIn: flow, Channels: channels, Limits: chosen.limits, Lists: chosen.lists, Quotas: chosen.quotas, Origins: []string{TrustedOrigin}, Proxies: chosen.proxies,
		Ready:     readiness.Cache(func(ctx context.Context) error { return pool.Ready(ctx, migrate.Version()) }),
		Telemetry: observed,
	})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		stop()
		running.Wait()
		ingestPool.Close()
		apiPool.Close()
		pool.Close()
	})
	api := &API{
		URL: server.URL, Keys: keys, Channels: channels, Sessions: stored, Cookies: cookies, dev: dev, Metrics: observed.Metrics, DSN: chosen.dsn, Pool: pool, Logs: logs,
		client: &http.Client{
			Transport:     newCheckingTransport(t, server.Client().Transport),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	api.Key = api.NewKey(t, Account)
	return api
}

// devSigner has a key of this process: generating one takes more time than most tests.
//
//nolint:gochecknoglobals // not changed
var devSigner = sync.OnceValues(func() (authn.DevSigner, error) {
	dir, err := os.MkdirTemp("", "versioner-test-")
	if err != nil {
		return authn.DevSigner{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return authn.LoadDevSigner(dir)
})

// newChannels permits requests to this machine, where the receivers of tests listen.
func newChannels(t *testing.T, mailer *notify.Mailer, deliveriesPerDay int, logger *slog.Logger) notify.Channels {
	t.Helper()
	ring, err := keyring.New(bytes.Repeat([]byte("k"), keyring.KeySize))
	require.NoError(t, err)
	policy, err := egress.ParsePolicy([]string{"127.0.0.0/8"}, nil)
	require.NoError(t, err)
	sender := &notify.Sender{HTTP: egress.New(policy), Mail: mailer, UserAgent: "Versioner/test"}
	return notify.Channels{Keys: ring, Sender: sender, Logger: logger, PublicURL: PublicURL, DeliveriesPerDay: deliveriesPerDay}
}

// NewKey creates an API key in an account.
func (a *API) NewKey(t *testing.T, account string) string {
	t.Helper()
	key, err := a.Keys.CreateInAccount(t.Context(), account, apikeys.NewKey{Name: "test"})
	require.NoError(t, err)
	return key.Token
}

// Token creates a session token of a user with that role, who is named like the role.
func (a *API) Token(t *testing.T, account, role string) string {
	t.Helper()
	return a.TokenOf(t, account, role, role)
}

// TokenOf creates a session token of a user of that name.
func (a *API) TokenOf(t *testing.T, account, role, name string) string {
	t.Helper()
	token, err := a.dev.Token(account, role, name, time.Now(), time.Hour)
	require.NoError(t, err)
	return token
}

// TokenAt creates a session token that is valid for an hour from that time on.
func (a *API) TokenAt(t *testing.T, account, role string, at time.Time) string {
	t.Helper()
	token, err := a.dev.Token(account, role, role, at, time.Hour)
	require.NoError(t, err)
	return token
}

// As sends a request as a user of Account with that role.
func (a *API) As(t *testing.T, role, method, path, body string) Answer {
	t.Helper()
	request := a.Request(t, method, path, []byte(body))
	request.Header.Set("Authorization", "Bearer "+a.Token(t, Account, role))
	return a.Do(t, request)
}

// Client returns the generated client with a credential.
func (a *API) Client(t *testing.T, credential string) *versioner.Client {
	t.Helper()
	client, err := versioner.NewClient(a.URL, versioner.WithHTTPClient(a.client), versioner.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+credential)
		return nil
	}))
	require.NoError(t, err)
	return client
}

// Answer is a response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Field returns a member of the JSON object, nil without one.
func (a Answer) Field(t *testing.T, name string) any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(a.Body, &object), "%s", a.Body)
	return object[name]
}

// Do sends a request and returns the response, which has been checked against the document.
func (a *API) Do(t *testing.T, request *http.Request) Answer {
	t.Helper()
	response, err := a.client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

// Request returns a request without a credential. A body is JSON.
func (a *API) Request(t *testing.T, method, path string, body []byte) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

// Post sends a body with the API key of Account.
func (a *API) Post(t *testing.T, path, body string) Answer {
	t.Helper()
	request := a.Request(t, http.MethodPost, path, []byte(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+a.Key)
	return a.Do(t, request)
}

// PostEvent sends an event with the API key of Account and requires 200.
func (a *API) PostEvent(t *testing.T, path string, event map[string]any) Answer {
	t.Helper()
	body, err := json.Marshal(event)
	require.NoError(t, err)
	answer := a.Post(t, path, string(body))
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	return answer
}

// Get requests a path without a credential.
func (a *API) Get(t *testing.T, path string) Answer {
	t.Helper()
	return a.Do(t, a.Request(t, http.MethodGet, path, nil))
}

// Scan reads one row of the database into dest.
func (a *API) Scan(t *testing.T, sql string, dest ...any) {
	t.Helper()
	a.connect(t, func(ctx context.Context, conn *pgx.Conn) error { return conn.QueryRow(ctx, sql).Scan(dest...) })
}

// Exec executes a statement in the database of the server.
func (a *API) Exec(t *testing.T, sql string) {
	t.Helper()
	a.connect(t, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

// TryExec executes a statement and returns its error.
func (a *API) TryExec(t *testing.T, sql string) (failure error) {
	t.Helper()
	a.connect(t, func(ctx context.Context, conn *pgx.Conn) error {
		_, failure = conn.Exec(ctx, sql)
		return nil
	})
	return failure
}

// connect also works during the cleanup of a test.
func (a *API) connect(t *testing.T, fn func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, a.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	require.NoError(t, fn(ctx, conn))
}

// Count returns the number of rows of a table.
func (a *API) Count(t *testing.T, table string) int {
	t.Helper()
	var rows int
	a.Scan(t, "SELECT count(*) FROM "+table, &rows)
	return rows
}

// Logs collects the output of a program for concurrent readers.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is called by the logger.
func (l *Logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// String returns all that was logged so far.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
