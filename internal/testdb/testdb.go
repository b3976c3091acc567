// Package testdb gives each test a PostgreSQL database of its own: a clone of a migrated template, on a server that the
// test process runs for itself, or on the one that VERSIONER_TEST_DATABASE_URL names.
package testdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	template     = "versioner_template"
	slots        = 64 // test processes at the same time
	startTimeout = 2 * time.Minute
)

// server is the one of this process.
type server struct {
	adminDSN string
	stop     func(context.Context) error
}

//nolint:gochecknoglobals // the tests of a package share one server
var (
	start   = sync.OnceValues(startServer)
	started bool
	count   struct {
		sync.Mutex

		n int
	}
)

// Main runs the tests of a package and stops their server: call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if started {
		if shared, err := start(); err == nil {
			_ = shared.stop(context.Background())
		}
	}
	os.Exit(code)
}

// New returns the DSN of a new database with the current schema; it is dropped when the test ends.
func New(tb testing.TB) string {
	tb.Helper()
	return clone(tb, template)
}

// NewDurable is New for benchmarks: on a server that waits for the disk, as in production.
func NewDurable(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("versioner-bench-%d", os.Geteuid()))
	embedded, err := embeddedpg.Start(b.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = embedded.Stop(context.Background())
		_ = os.RemoveAll(dir)
	})
	require.NoError(b, migrate.Up(b.Context(), embedded.DSN(), slog.New(slog.DiscardHandler)))
	return embedded.DSN()
}

// Open returns a pool on a new database with the current schema.
func Open(t *testing.T) *postgres.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), New(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// OpenBoth returns a pool as the owner of the tables and the pool of the API, on one new database with the current schema.
func OpenBoth(t *testing.T) (*postgres.Pool, *postgres.TenantPool) {
	t.Helper()
	dsn := New(t)
	owner, err := postgres.Open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	api, err := postgres.OpenAPI(t.Context(), dsn, postgres.APILimits{})
	require.NoError(t, err)
	t.Cleanup(api.Close)
	return owner, api
}

// Analyze has the database's planner know what is in the tables.
func Analyze(tb testing.TB, dsn string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	require.NoError(tb, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(tb.Context(), "ANALYZE")
	require.NoError(tb, err)
}

func clone(tb testing.TB, from string) string {
	tb.Helper()
	shared, err := start()
	if err != nil && os.Getenv("CI") == "" {
		tb.Skipf("SKIPPED, NO DATABASE: %v", err)
	}
	require.NoError(tb, err, "tests need a database")
	name := nextName()
	admin, err := pgx.Connect(tb.Context(), shared.adminDSN)
	require.NoError(tb, err)
	defer func() { _ = admin.Close(context.Background()) }()
	_, err = admin.Exec(tb.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from))
	require.NoError(tb, err)
	tb.Cleanup(func() { drop(shared.adminDSN, name) })
	dsn, err := withDatabase(shared.adminDSN, name)
	require.NoError(tb, err)
	return dsn
}

func drop(adminDSN, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if admin, err := pgx.Connect(ctx, adminDSN); err == nil {
		_, _ = admin.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
		_ = admin.Close(ctx)
	}
}

func nextName() string {
	count.Lock()
	defer count.Unlock()
	count.n++
	return fmt.Sprintf("versioner_test_%d_%d", os.Getpid(), count.n)
}

// startServer also makes the template. The databases of an earlier process that crashed go first.
func startServer() (server, error) {
	started = true
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	shared, err := findServer(ctx)
	if err != nil {
		return server{}, err
	}
	if err := makeTemplate(ctx, shared.adminDSN); err != nil {
		return server{}, errors.Join(err, shared.stop(ctx))
	}
	return shared, nil
}

func findServer(ctx context.Context) (server, error) {
	if dsn := os.Getenv("VERSIONER_TEST_DATABASE_URL"); dsn != "" {
		return server{adminDSN: dsn, stop: func(context.Context) error { return nil }}, nil
	}
	// A slot is a data directory that is used again by later runs: its lock tells whether it is free, and what a killed
	// test process has left running there is stopped.
	for slot := range slots {
		dir := filepath.Join(os.TempDir(), fmt.Sprintf("versioner-test-%d-%d", os.Geteuid(), slot))
		embedded, err := embeddedpg.Start(ctx, embeddedpg.Config{
			Dir:    dir,
			Logger: slog.New(slog.DiscardHandler),
			Settings: map[string]string{
				"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300",
			},
		})
		if err == nil {
			return server{adminDSN: embedded.DSN(), stop: embedded.Stop}, nil
		}
		if _, ok := errors.AsType[*embeddedpg.InUseError](err); !ok {
			return server{}, fmt.Errorf("start a test server: %w", err)
		}
	}
	return server{}, errors.New("start a test server: every slot is in use")
}

// makeTemplate is done by one process at a time, as several may share a server.
func makeTemplate(ctx context.Context, adminDSN string) error {
	admin, err := pgx.Connect(ctx, adminDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = admin.Close(ctx) }()
	if _, err := admin.Exec(ctx, "SELECT pg_advisory_lock(hashtext('versioner_template'))"); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if os.Getenv("VERSIONER_TEST_DATABASE_URL") == "" {
		if err := dropLeftovers(ctx, admin); err != nil {
			return err
		}
	}
	var exists bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", template).Scan(&exists); err != nil {
		return fmt.Errorf("look for the template: %w", err)
	}
	if !exists {
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+template+" TEMPLATE template0"); err != nil {
			return fmt.Errorf("make the template: %w", err)
		}
	}
	dsn, err := withDatabase(adminDSN, template)
	if err != nil {
		return err
	}
	if err := migrate.Up(ctx, dsn, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	return nil
}

// dropLeftovers removes every database of former runs, the template too: its migrations may have changed.
func dropLeftovers(ctx context.Context, admin *pgx.Conn) error {
	rows, _ := admin.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^versioner_(test_|template$)'`)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, name := range names {
		if _, err := admin.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop a leftover: %w", err)
		}
	}
	return nil
}

// withDatabase replaces the database that a DSN names, in either of its two forms.
func withDatabase(dsn, name string) (string, error) {
	if strings.Contains(dsn, "://") {
		address, err := url.Parse(dsn)
		if err != nil {
			return "", errors.New("VERSIONER_TEST_DATABASE_URL cannot be read")
		}
		address.Path = "/" + name
		return address.String(), nil
	}
	return dsn + " dbname=" + name, nil
}
