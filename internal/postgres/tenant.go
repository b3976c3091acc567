package postgres

import (
	"cmp"
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/versioner-io/versioner/internal/admission"
)

// AppRole is the database role of requests: row-level security shows it one account.
const AppRole = "versioner_app"

// enterTenant precedes a statement in the same round trip: PostgreSQL runs statements that are sent together in one transaction,
// and drops the setting when it ends.
const enterTenant = "SELECT set_config('app.account_ids', $1, true)"

// enterTenantForList makes PostgreSQL plan the statement for its parameters: most filters of a list are absent, and one plan for
// any of them is a bad plan for each. Bitmap scans are off, as they read every match before the first row: statistics do not know how many
// rows the product or the environment of a large account has, and a list needs those of a page.
const enterTenantForList = enterTenant + ", set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_bitmapscan', 'off', true)"

// TenantPool is a pool whose connections have the role AppRole: row-level security hides every row from a statement without a
// tenant. Statements run on the handles that Tenant returns.
type TenantPool struct {
	connections

	admission *admission.Limiter // of callers that need a connection; nil: callers wait for the pool
	observed  Observed
	replica   *Replica // nil: lists are read here
}

// APILimits bound the pool of the user API; zero values are the defaults.
type APILimits struct {
	MaxConns  int // statements and transactions of users that run concurrently; one account has at most half of them
	MaxQueued int // callers that wait for a connection
}

// OpenAPI opens the pool of the user API. Callers wait for a connection, the accounts in turns, and get an Unavailable error when too
// many wait. The database has been migrated.
func OpenAPI(ctx context.Context, dsn string, limits APILimits, observed Observed) (*TenantPool, error) {
	limits.MaxConns = cmp.Or(limits.MaxConns, defaultAPIConns)
	pool, err := openTenants(ctx, dsn, int32(limits.MaxConns), apiSettings, observed) //nolint:gosec // a small number
	if err != nil {
		return nil, err
	}
	pool.limit(limits)
	return pool, nil
}

const apiSettings = "SET ROLE " + AppRole

// limit makes callers wait for admission.
func (p *TenantPool) limit(limits APILimits) {
	p.admission = admission.NewLimiter(min(limits.MaxConns, p.MaxConns()), cmp.Or(limits.MaxQueued, defaultAPIQueue))
}

// Tenant returns the handle of one account: its statements see and write rows of that account only.
func (p *TenantPool) Tenant(accountID uuid.UUID) *DB {
	return newDB(tenantConn{pool: p.pool, admission: p.admission, observed: p.observed, accountID: accountID, accountIDs: "{" + accountID.String() + "}"})
}

// tenantConn runs statements for one account.
type tenantConn struct {
	pool       *pgxpool.Pool
	admission  *admission.Limiter
	observed   Observed
	accountID  uuid.UUID
	accountIDs string // as an array literal
}

// Begin implements beginner. It sets the tenant in the round trip of BEGIN.
func (c tenantConn) Begin(ctx context.Context) (pgx.Tx, error) {
	ctx, release, err := c.admit(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL app.account_ids = '" + c.accountIDs + "'"})
	if err != nil {
		release()
		return nil, err //nolint:wrapcheck // Classify sees it
	}
	return admittedTx{Tx: tx, release: release}, nil
}

// admit waits for a slot. The time counts as that of acquiring a connection, which the returned context does.
func (c tenantConn) admit(ctx context.Context) (_ context.Context, release func(), err error) {
	ctx = startAcquire(ctx, c.observed.Metrics)
	if release, err = c.admission.Acquire(ctx, c.accountID); err != nil {
		c.observed.Metrics.AdmissionRejected(c.observed.Pool)
	}
	return ctx, release, err
}

// admittedTx releases its slot when the transaction ends.
type admittedTx struct {
	pgx.Tx

	release func()
}

// Commit implements pgx.Tx.
func (t admittedTx) Commit(ctx context.Context) error {
	defer t.release()
	return t.Tx.Commit(ctx) //nolint:wrapcheck // Classify sees it
}

// Rollback implements pgx.Tx.
func (t admittedTx) Rollback(ctx context.Context) error {
	defer t.release()
	return t.Tx.Rollback(ctx) //nolint:wrapcheck // Classify sees it
}

// Exec implements dbgen.DBTX.
func (c tenantConn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := c.send(ctx, enterTenant, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	if closing := results.Close(); err == nil {
		err = closing
	}
	return tag, err
}

// Query implements dbgen.DBTX. The generated code calls it for lists.
func (c tenantConn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.query(ctx, enterTenantForList, sql, args)
}

func (c tenantConn) query(ctx context.Context, enter, sql string, args []any) (pgx.Rows, error) {
	results, err := c.send(ctx, enter, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // the same failure
		return nil, err     //nolint:wrapcheck // Classify sees it
	}
	return &tenantRows{Rows: rows, results: results}, nil
}

// QueryRow implements dbgen.DBTX.
func (c tenantConn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := c.query(ctx, enterTenant, sql, args)
	return tenantRow{rows: rows, err: err}
}

// send sends one statement for the account and returns the results that follow those of enter.
func (c tenantConn) send(ctx context.Context, enter, sql string, args []any) (pgx.BatchResults, error) {
	ctx, release, err := c.admit(ctx)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(enter, c.accountIDs)
	batch.Queue(sql, args...)
	results := c.pool.SendBatch(ctx, batch)
	_, _ = results.Exec() // its failure is that of the next statement, too
	return admittedResults{BatchResults: results, release: release}, nil
}

// admittedResults releases its slot when it is closed.
type admittedResults struct {
	pgx.BatchResults

	release func()
}

// Close implements pgx.BatchResults.
func (r admittedResults) Close() error {
	defer r.release()
	return r.BatchResults.Close() //nolint:wrapcheck // Classify sees it
}

// tenantRows closes the batch together with the rows, which use its connection.
type tenantRows struct {
	pgx.Rows

	results pgx.BatchResults
	closed  bool
	err     error
}

// Next returns false after the last row, when the transaction has ended.
func (r *tenantRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close ends the transaction.
func (r *tenantRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	r.err = r.Rows.Err()
	if err := r.results.Close(); r.err == nil {
		r.err = err
	}
}

// Err returns the error of the statement or of its transaction.
func (r *tenantRows) Err() error {
	if r.closed {
		return r.err
	}
	return r.Rows.Err() //nolint:wrapcheck // Classify sees it
}

type tenantRow struct {
	rows pgx.Rows
	err  error
}

// Scan reads the one row.
func (r tenantRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err //nolint:wrapcheck // Classify sees it
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err //nolint:wrapcheck // Classify sees it
	}
	r.rows.Close()
	return r.rows.Err() //nolint:wrapcheck // Classify sees it
}
