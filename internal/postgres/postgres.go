// Package postgres is the way to the database: the pool, transactions, the schema, what an error of the database means,
// and the server's own PostgreSQL where none is given.
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

	"github.com/versioner-io/versioner/gen/dbgen"
)

// minServerVersion is PostgreSQL 15 as the server itself numbers it.
const minServerVersion = 150000

const (
	connectTimeout = 5 * time.Second
	pingTimeout    = 2 * time.Second

	// defaultMaxConns leaves connections for reads, keys and health while every recording worker waits for a lock.
	defaultMaxConns = 16
)

// beginner is what a pool and a transaction have in common.
type beginner interface {
	dbgen.DBTX
	Begin(ctx context.Context) (pgx.Tx, error)
}

// DB runs the generated queries, on the pool or inside a transaction; for one account, if the context has one (WithTenant).
type DB struct {
	*dbgen.Queries
	conn     beginner
	isShared bool // a transaction that Share has begun, or one inside of it
}

func newDB(conn beginner) *DB {
	return &DB{Queries: dbgen.New(batches{conn}), conn: conn}
}

// batches sends batches that may be closed twice, as the generated code and its caller do: the second time their connection
// may be somebody else's already.
type batches struct{ beginner }

// SendBatch is for the generated code.
func (b batches) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	return &closedOnce{BatchResults: b.beginner.SendBatch(ctx, batch)}
}

type closedOnce struct {
	pgx.BatchResults

	closed bool
	err    error
}

// Close returns what it returned the first time.
func (c *closedOnce) Close() error {
	if !c.closed {
		c.closed, c.err = true, c.BatchResults.Close()
	}
	return c.err
}

// WithTx runs fn in a transaction, which commits when fn returns nil. A nested call is a savepoint.
func (d *DB) WithTx(ctx context.Context, fn func(*DB) error) error {
	if shared, ok := ctx.Value(sharedKey{}).(*DB); ok && !d.isShared {
		return shared.WithTx(ctx, fn)
	}
	//nolint:wrapcheck // fn's error must come back as it is; Classify sees the rest
	return pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error { return fn(&DB{Queries: dbgen.New(batches{tx}), conn: tx, isShared: d.isShared}) })
}

type sharedKey struct{}

// Share runs fn in a transaction which all that calls WithTx with fn's context takes part in.
func (d *DB) Share(ctx context.Context, fn func(context.Context, *DB) error) error {
	//nolint:wrapcheck // fn's error must come back as it is; Classify sees the rest
	return pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		shared := &DB{Queries: dbgen.New(batches{tx}), conn: tx, isShared: true}
		return fn(context.WithValue(ctx, sharedKey{}, shared), shared)
	})
}

// Pool is a DB on a pool of connections.
type Pool struct {
	*DB
	pool *pgxpool.Pool
}

// Open connects to the database and checks that it is one we can work with.
func Open(ctx context.Context, dsn string) (*Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read DATABASE_URL: %w", err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.PingTimeout = pingTimeout
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = defaultMaxConns
	}
	config.AfterConnect = limitSession
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := checkServer(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return &Pool{DB: newDB(walled{pool}), pool: pool}, nil
}

// sessionLimits end the transaction of a program that froze or was cut off, and free its locks: within half a minute, which is
// longer than anything here leaves a transaction idle. They are sent when the connection is made, not with its first message,
// where poolers refuse what they do not know; and what the DSN, the role, the database or the server say themselves stays.
const sessionLimits = `SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
  ('idle_in_transaction_session_timeout', '30s'),
  ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
  ('tcp_user_timeout', '30s')) AS limits (name, value) USING (name)
WHERE source = 'default'`

// limitSession leaves alone a server that does not know such settings.
func limitSession(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, sessionLimits)
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

// MaxConns is how many connections there are at most.
func (p *Pool) MaxConns() int { return int(p.pool.Config().MaxConns) }

// Close closes every connection; it waits for those in use.
func (p *Pool) Close() { p.pool.Close() }

// Ready tells whether the database answers and has the schema that this program needs.
func (p *Pool) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var version int64
	if err := p.pool.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&version); err != nil {
		return Classify(err)
	}
	if version < schemaVersion() {
		return fmt.Errorf("the schema is at version %d, this program needs %d", version, schemaVersion())
	}
	return nil
}

// Queue is the way to the database for the library that works on the queue of jobs.
func (p *Pool) Queue() *riverpgxv5.Driver { return riverpgxv5.New(p.pool) }
