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

	// ingestMaxConns is one for each worker and one for parked jobs.
	ingestMaxConns = 9
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
	isShared bool                     // a transaction that Share has begun, or one inside of it
	commits  *[]func(context.Context) // what follows when the outermost transaction is committed; nil outside of one
}

func newDB(conn beginner) *DB {
	return &DB{Queries: dbgen.New(conn), conn: conn}
}

// WithTx runs fn in a transaction, which commits when fn returns nil. A nested call is a savepoint.
func (d *DB) WithTx(ctx context.Context, fn func(*DB) error) error {
	if shared, ok := ctx.Value(sharedKey{}).(*DB); ok && !d.isShared {
		return shared.WithTx(ctx, fn)
	}
	return d.begin(ctx, d.isShared, fn)
}

// AfterCommit makes fn run once the outermost transaction is committed; outside of a transaction it runs at once. It is for
// notices that must not go out before the change is visible, and that may be lost when the server dies in between.
func (d *DB) AfterCommit(ctx context.Context, fn func(context.Context)) {
	if d.commits == nil {
		fn(ctx)
		return
	}
	*d.commits = append(*d.commits, fn)
}

type sharedKey struct{}

// Share runs fn in a transaction which all that calls WithTx with fn's context takes part in.
func (d *DB) Share(ctx context.Context, fn func(context.Context, *DB) error) error {
	return d.begin(ctx, true, func(shared *DB) error { return fn(context.WithValue(ctx, sharedKey{}, shared), shared) })
}

func (d *DB) begin(ctx context.Context, isShared bool, fn func(*DB) error) error {
	commits := d.commits
	if commits == nil {
		commits = new([]func(context.Context))
	}
	registered := len(*commits)
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		return fn(&DB{Queries: dbgen.New(tx), conn: tx, isShared: isShared, commits: commits})
	})
	if err != nil {
		*commits = (*commits)[:registered] // a savepoint may be rolled back alone
		return err                         //nolint:wrapcheck // fn's error must come back as it is; Classify sees the rest
	}
	if d.commits == nil {
		for _, fn := range *commits {
			fn(context.WithoutCancel(ctx))
		}
	}
	return nil
}

// Pool is a DB on a pool of connections.
type Pool struct {
	*DB
	pool *pgxpool.Pool
}

// Open connects to the database and checks that it is one we can work with.
func Open(ctx context.Context, dsn string) (*Pool, error) {
	return open(ctx, dsn, defaultMaxConns, limitSession)
}

// ingestSettings make the connections of the ingest path the application's role, which sees the rows of the accounts that a
// transaction names and nothing without. All look-ups are by key: no plan may depend on statistics, which a fresh database
// does not have.
const ingestSettings = "SET ROLE " + AppRole + "; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; " +
	"SET enable_material = off; SET enable_memoize = off; SET join_collapse_limit = 1; SET from_collapse_limit = 1; SET plan_cache_mode = force_generic_plan; SET jit = off"

// OpenIngest opens the pool of the ingest path, whose transactions are BatchTx. The database has been migrated.
func OpenIngest(ctx context.Context, dsn string) (*Pool, error) {
	return open(ctx, dsn, ingestMaxConns, func(ctx context.Context, conn *pgx.Conn) error {
		if err := limitSession(ctx, conn); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, ingestSettings)
		return err //nolint:wrapcheck // Classify sees it
	})
}

func open(ctx context.Context, dsn string, maxConns int32, prepare func(context.Context, *pgx.Conn) error) (*Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read DATABASE_URL: %w", err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.PingTimeout = pingTimeout
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = maxConns
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return prepare(ctx, conn)
	}
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

// Ready reports whether the database answers and has at least that version of the schema.
func (p *Pool) Ready(ctx context.Context, schemaVersion int64) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var version int64
	if err := p.pool.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&version); err != nil {
		return Classify(err)
	}
	if version < schemaVersion {
		return fmt.Errorf("the schema is at version %d, this program needs %d", version, schemaVersion)
	}
	return nil
}

// Queue is the way to the database for the library that works on the queue of jobs.
func (p *Pool) Queue() *riverpgxv5.Driver { return riverpgxv5.New(p.pool) }
