// Package testdb creates a PostgreSQL database for each test: a clone of a migrated template, on the server of
// VERSIONER_TEST_DATABASE_URL, or else on a server that the test process starts.
package testdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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

	"github.com/versioner-io/versioner/db/migrations"
	"github.com/versioner-io/versioner/internal/embeddedpg"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	slots        = 64 // concurrent servers
	startTimeout = 2 * time.Minute
)

// server is the PostgreSQL of this process.
type server struct {
	adminDSN string
	stop     func(context.Context) error
}

//nolint:gochecknoglobals // the tests of a package share one server
var (
	start    = sync.OnceValues(startServer)
	template = sync.OnceValue(func() string { return templateName(migrations.FS) })
	started  bool
	count    struct {
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

// New returns the DSN of a new database with the current schema, which is dropped at the end of the test.
func New(tb testing.TB) string {
	tb.Helper()
	return clone(tb, template())
}

// NewDurable is New for benchmarks, on a server with fsync.
func NewDurable(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("versioner-bench-%d", os.Geteuid()))
	embedded, err := embeddedpg.Start(b.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = embedded.Stop(context.Background())
		_ = os.RemoveAll(dir)
	})
	require.NoError(b, createSchema(b.Context(), embedded.DSN()))
	return embedded.DSN()
}

// Open returns a pool on a new database with the current schema.
func Open(t *testing.T) *postgres.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), New(t), postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// OpenBoth returns a pool as the owner of the tables and the pool of the API, on one new database with the current schema.
func OpenBoth(t *testing.T) (*postgres.Pool, *postgres.TenantPool) {
	t.Helper()
	dsn := New(t)
	owner, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	api, err := postgres.OpenAPI(t.Context(), dsn, postgres.APILimits{}, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(api.Close)
	return owner, api
}

// Analyze updates the statistics of the planner.
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
	if maySkip(err) {
		tb.Skipf("SKIPPED, NO DATABASE: %v", err)
	}
	require.NoError(tb, err, "tests need a database")
	name := nextName()
	admin, err := pgx.Connect(tb.Context(), shared.adminDSN)
	require.NoError(tb, err)
	defer func() { _ = admin.Close(context.Background()) }()
	// Copying files takes half of the time of copying pages through the write-ahead log.
	_, err = admin.Exec(tb.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY", name, from))
	require.NoError(tb, err)
	tb.Cleanup(func() { drop(shared.adminDSN, name) })
	dsn, err := withDatabase(shared.adminDSN, name)
	require.NoError(tb, err)
	return dsn
}

// maySkip reports whether tests are skipped for an error at the start: only because the machine has no PostgreSQL, and not in CI. An
// error in a migration fails them.
func maySkip(err error) bool {
	return errors.Is(err, embeddedpg.ErrNoBinaries) && os.Getenv("CI") == ""
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

// Serve starts a server for several test processes, which use it if VERSIONER_TEST_DATABASE_URL is set to its DSN.
func Serve(ctx context.Context) (dsn string, stop func(context.Context) error, err error) {
	shared, err := startEmbedded(ctx)
	if err != nil {
		return "", nil, err
	}
	return shared.adminDSN, shared.stop, nil
}

func startServer() (server, error) {
	started = true
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	shared := server{adminDSN: os.Getenv("VERSIONER_TEST_DATABASE_URL"), stop: func(context.Context) error { return nil }}
	if shared.adminDSN == "" {
		var err error
		if shared, err = startEmbedded(ctx); err != nil {
			return server{}, err
		}
	}
	if err := createTemplate(ctx, shared.adminDSN, template()); err != nil {
		return server{}, errors.Join(err, shared.stop(ctx))
	}
	return shared, nil
}

// startEmbedded starts PostgreSQL in a directory that no other process uses, and drops the databases of earlier runs there.
func startEmbedded(ctx context.Context) (server, error) {
	for slot := range slots {
		dir := filepath.Join(os.TempDir(), fmt.Sprintf("versioner-test-%d-%d", os.Geteuid(), slot))
		embedded, err := embeddedpg.Start(ctx, embeddedpg.Config{
			Dir:    dir,
			Logger: slog.New(slog.DiscardHandler),
			Settings: map[string]string{
				"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300",
				"autovacuum": "off", // databases are short-lived, and tests of plans collect the statistics themselves
			},
		})
		if err == nil {
			shared := server{adminDSN: embedded.DSN(), stop: embedded.Stop}
			return shared, dropLeftovers(ctx, shared.adminDSN)
		}
		if _, ok := errors.AsType[*embeddedpg.InUseError](err); !ok {
			return server{}, fmt.Errorf("start a test server: %w", err)
		}
	}
	return server{}, errors.New("start a test server: every directory is in use")
}

// createTemplate creates the migrated database that tests clone, unless another process has done so. The template gets its name once
// it is complete: no connection to it may be open while it is cloned.
func createTemplate(ctx context.Context, adminDSN, name string) error {
	admin, err := pgx.Connect(ctx, adminDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = admin.Close(ctx) }()
	if _, err := admin.Exec(ctx, "SELECT pg_advisory_lock(hashtext('versioner_template'))"); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	var exists bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil || exists {
		return err
	}
	incomplete := name + "_new"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + incomplete + " WITH (FORCE)", "CREATE DATABASE " + incomplete + " TEMPLATE template0"} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("create the template: %w", err)
		}
	}
	dsn, err := withDatabase(adminDSN, incomplete)
	if err != nil {
		return err
	}
	if err := createSchema(ctx, dsn); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	if _, err := admin.Exec(ctx, "ALTER DATABASE "+incomplete+" RENAME TO "+name); err != nil {
		return fmt.Errorf("rename the template: %w", err)
	}
	return nil
}

// createSchema migrates a database and creates the partitions of the event log that a server creates at start.
func createSchema(ctx context.Context, dsn string) error {
	if err := migrate.Up(ctx, dsn, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, dsn, postgres.Observed{})
	if err != nil {
		return err
	}
	defer pool.Close()
	return pool.EnsureEventPartitions(ctx, time.Now(), time.Now().AddDate(0, 1, 0))
}

// PrepareTemplate creates the template that the tests of another version of the program clone, with the schema of this one. files are the
// migrations of that version.
func PrepareTemplate(ctx context.Context, adminDSN string, files fs.FS) error {
	return createTemplate(ctx, adminDSN, templateName(files))
}

// templateName contains a hash of the migrations, as a server of the environment may have templates of other versions.
func templateName(files fs.FS) string {
	hash := sha256.New()
	names, _ := fs.Glob(files, "*.sql") // a constant pattern is valid
	for _, name := range names {
		text, _ := fs.ReadFile(files, name)
		_, _ = hash.Write(text)
	}
	return "versioner_template_" + hex.EncodeToString(hash.Sum(nil)[:8])
}

// dropLeftovers drops the databases and templates of earlier runs.
func dropLeftovers(ctx context.Context, adminDSN string) error {
	admin, err := pgx.Connect(ctx, adminDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = admin.Close(ctx) }()
	rows, _ := admin.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^versioner_(test|template)_'`)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	for _, name := range names {
		if _, err := admin.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop a leftover: %w", err)
		}
	}
	return nil
}

// withDatabase replaces the database of a DSN in either form.
func withDatabase(dsn, name string) (string, error) {
	if strings.Contains(dsn, "://") {
		address, err := url.Parse(dsn)
		if err != nil {
			return "", errors.New("VERSIONER_TEST_DATABASE_URL is not a valid URL")
		}
		address.Path = "/" + name
		return address.String(), nil
	}
	return dsn + " dbname=" + name, nil
}
