// Package postgres is the database access: the pool, transactions and what an error of the database means.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
)

// minServerVersion is PostgreSQL 15 as the server itself numbers it.
const minServerVersion = 150000

const (
	connectTimeout = 5 * time.Second
	pingTimeout    = 2 * time.Second

	// defaultMaxConns leaves connections for reads, keys and health while every recording worker waits for a lock.
	defaultMaxConns = 16

	// defaultAPIConns is more than the processors of a database server execute concurrently, and little enough not to slow down
	// events. defaultAPIQueue callers wait for well under a second.
	defaultAPIConns = 10
	defaultAPIQueue = 128

	// ingestMaxConns is one for each worker and one for parked jobs.
	ingestMaxConns = 9
)

// beginner is what a pool and a transaction have in common.
type beginner interface {
	dbgen.DBTX
	Begin(ctx context.Context) (pgx.Tx, error)
}

// DB runs the generated queries on a pool or inside a transaction: of one account (TenantPool.Tenant) or as the owner of the
// tables (Pool).
type DB struct {
	*dbgen.Queries
	conn    beginner
	commits *[]func(context.Context) // functions to run after the commit of the outermost transaction; nil outside of one
}

func newDB(conn beginner) *DB {
	conn = retryingConn{conn}
	return &DB{Queries: dbgen.New(conn), conn: conn}
}

// WithTx runs fn in a transaction, which commits when fn returns nil. A nested call is a savepoint. When the database is
// unavailable, the transaction runs again until ctx ends, unless it may have been committed: fn changes nothing outside of the
// transaction that a second run does not overwrite.
func (d *DB) WithTx(ctx context.Context, fn func(*DB) error) error {
	if d.commits != nil {
		return d.savepoint(ctx, fn)
	}
	var commits []func(context.Context)
	err := retryWhile(ctx, isRepeatableTx, func(ctx context.Context) error {
		commits = nil
		return d.runTx(ctx, &commits, fn)
	})
	if err != nil {
		return err
	}
	for _, fn := range commits {
		fn(context.WithoutCancel(ctx))
	}
	return nil
}

// WithTxV is WithTx for a function that returns a value.
func WithTxV[T any](ctx context.Context, db *DB, fn func(*DB) (T, error)) (value T, err error) {
	err = db.WithTx(ctx, func(tx *DB) (err error) {
		value, err = fn(tx)
		return err
	})
	return value, err
}

// runTx runs fn in one transaction.
func (d *DB) runTx(ctx context.Context, commits *[]func(context.Context), fn func(*DB) error) error {
	tx, err := d.conn.Begin(ctx)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a panic, too; it has no effect after the commit
	if err := fn(&DB{Queries: dbgen.New(tx), conn: tx, commits: commits}); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return commitError{Classify(err)} // pgx reports a lost answer as if nothing had been sent
	}
	return nil
}

func (d *DB) savepoint(ctx context.Context, fn func(*DB) error) error {
	registered := len(*d.commits)
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		return fn(&DB{Queries: dbgen.New(tx), conn: tx, commits: d.commits})
	})
	if err != nil {
		*d.commits = (*d.commits)[:registered]
	}
	return err //nolint:wrapcheck // fn's error must come back as it is; Classify sees the rest
}

// AfterCommit makes fn run once the outermost transaction is committed; outside of a transaction it runs at once. It serves
// announcements that must not precede the change, and that may be lost when the server dies in between.
func (d *DB) AfterCommit(ctx context.Context, fn func(context.Context)) {
	if d.commits == nil {
		fn(ctx)
		return
	}
	*d.commits = append(*d.commits, fn)
}

// connections is a pool of connections.
type connections struct{ pool *pgxpool.Pool }

// MaxConns returns the limit of connections.
func (c connections) MaxConns() int { return int(c.pool.Config().MaxConns) }

// Close closes every connection, after waiting for those in use.
func (c connections) Close() { c.pool.Close() }

// Pool runs statements as the owner of the tables, which sees the rows of all accounts: for authentication, background work and
// commands. Requests use a TenantPool.
type Pool struct {
	*DB
	connections

	probe *pgxpool.Pool
}

// Open connects to the database as the owner of the tables and verifies its version.
func Open(ctx context.Context, dsn string, observed Observed) (*Pool, error) {
	pool, err := open(ctx, dsn, defaultMaxConns, "", observed)
	if err != nil {
		return nil, err
	}
	probe, err := newProbe(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	observed.watch(pool)
	return &Pool{DB: newDB(pool), connections: connections{pool}, probe: probe}, nil
}

// ingestSettings make every look-up one by key: no plan may depend on statistics, which a fresh database does not have.
const ingestSettings = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; " +
	"SET enable_material = off; SET enable_memoize = off; SET join_collapse_limit = 1; SET from_collapse_limit = 1; SET plan_cache_mode = force_generic_plan; SET jit = off"

// OpenIngest opens the pool of the ingest path, whose transactions are BatchTx. The database has been migrated.
func OpenIngest(ctx context.Context, dsn string, observed Observed) (*TenantPool, error) {
	return openTenants(ctx, dsn, ingestMaxConns, "SET ROLE "+AppRole+"; "+ingestSettings, observed)
}

func openTenants(ctx context.Context, dsn string, maxConns int32, settings string, observed Observed) (*TenantPool, error) {
	pool, err := open(ctx, dsn, maxConns, settings, observed)
	if err != nil {
		return nil, err
	}
	observed.watch(pool)
	return &TenantPool{connections: connections{pool}, observed: observed}, nil
}

// open opens a pool whose connections have the settings, and verifies the version of the server.
func open(ctx context.Context, dsn string, maxConns int32, settings string, observed Observed) (*pgxpool.Pool, error) {
	pool, err := newPool(ctx, dsn, maxConns, settings, observed)
	if err != nil {
		return nil, err
	}
	if err := checkServer(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// newPool returns a pool that connects when a connection is needed.
func newPool(ctx context.Context, dsn string, maxConns int32, settings string, observed Observed) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read DATABASE_URL: %w", err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.PingTimeout = pingTimeout
	observed.configure(config)
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = maxConns
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		if err := setSessionTimeouts(ctx, conn); err != nil {
			return err
		}
		if settings == "" {
			return nil
		}
		_, err := conn.Exec(ctx, settings)
		return err //nolint:wrapcheck // Classify sees it
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

// sessionTimeouts end the transaction of a program that froze or was disconnected, and free its locks: within half a minute, which
// is longer than any transaction here stays idle. They are sent after connecting, not in the startup message, where poolers reject
// unknown settings. Values set by the DSN, the role, the database or the server take precedence.
const sessionTimeouts = `SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
  ('idle_in_transaction_session_timeout', '30s'),
  ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
  ('tcp_user_timeout', '30s')) AS limits (name, value) USING (name)
WHERE source = 'default'`

// setSessionTimeouts ignores a server that does not support the settings.
func setSessionTimeouts(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, sessionTimeouts)
	if _, isRefused := errors.AsType[*pgconn.PgError](err); isRefused && !IsTransient(err) {
		return nil
	}
	return err //nolint:wrapcheck // Classify sees it
}

func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	if version < minServerVersion {
		return fmt.Errorf("the database is PostgreSQL %d: version 15 or newer is needed", version/10000)
	}
	return nil
}

// Queue is the way to the database for the library that works on the queue of jobs.
func (p *Pool) Queue() *riverpgxv5.Driver { return riverpgxv5.New(p.pool) }
