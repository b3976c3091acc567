package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// AppRole is the database role of requests: row-level security shows it one account.
const AppRole = "versioner_app"

type tenantKey struct{}

// WithTenant has all that is done with the context see and write that account's rows only, whatever the statements say.
// A context without one belongs to the server itself, which sees all accounts.
func WithTenant(ctx context.Context, accountID uuid.UUID) context.Context {
	return context.WithValue(ctx, tenantKey{}, accountID)
}

func tenantFrom(ctx context.Context) (uuid.UUID, bool) {
	accountID, ok := ctx.Value(tenantKey{}).(uuid.UUID)
	return accountID, ok
}

// enter is sent before a statement, in the same round trip: PostgreSQL takes what is sent together for one transaction,
// and forgets the settings when it ends.
const enter = "SELECT set_config('role', '" + AppRole + "', true), set_config('app.account_ids', $1, true)"

// enterForList has the statement planned for its parameters: those of lists are filters, most of which are not there, and
// a plan that would do for all of them is a bad one for each.
const enterForList = enter + ", set_config('plan_cache_mode', 'force_custom_plan', true)"

// walled is a pool that minds the context's tenant.
type walled struct{ pool *pgxpool.Pool }

// Begin is for WithTx.
func (w walled) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := w.begin(ctx)
	if attempt, ok := ctx.Value(attemptKey{}).(*Attempt); ok && err == nil {
		return attemptTx{Tx: tx, attempt: attempt}, nil
	}
	return tx, err
}

// begin enters the account, too: the statements are one text, and so one round trip.
func (w walled) begin(ctx context.Context) (pgx.Tx, error) {
	accountID, ok := tenantFrom(ctx)
	if !ok {
		return w.pool.Begin(ctx) //nolint:wrapcheck // Classify sees it
	}
	//nolint:wrapcheck // Classify sees it
	return w.pool.BeginTx(ctx, pgx.TxOptions{
		BeginQuery: fmt.Sprintf("BEGIN; SET LOCAL ROLE %s; SET LOCAL app.account_ids = '{%s}'", AppRole, accountID),
	})
}

// Exec is for the generated code.
func (w walled) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	accountID, ok := tenantFrom(ctx)
	if !ok {
		return w.pool.Exec(ctx, sql, args...) //nolint:wrapcheck // Classify sees it
	}
	results := w.entering(ctx, enter, accountID, sql, args)
	tag, err := results.Exec()
	if closing := results.Close(); err == nil {
		err = closing
	}
	return tag, err
}

// Query is for the generated code, which reads lists with it.
func (w walled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return w.query(ctx, enterForList, sql, args)
}

func (w walled) query(ctx context.Context, enter, sql string, args []any) (pgx.Rows, error) {
	accountID, ok := tenantFrom(ctx)
	if !ok {
		return w.pool.Query(ctx, sql, args...) //nolint:wrapcheck // Classify sees it
	}
	results := w.entering(ctx, enter, accountID, sql, args)
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // the same failure
		return nil, err     //nolint:wrapcheck // Classify sees it
	}
	return &walledRows{Rows: rows, results: results}, nil
}

// QueryRow is for the generated code.
func (w walled) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if _, ok := tenantFrom(ctx); !ok {
		return w.pool.QueryRow(ctx, sql, args...)
	}
	rows, err := w.query(ctx, enter, sql, args)
	return walledRow{rows: rows, err: err}
}

// entering sends one statement in the name of an account.
func (w walled) entering(ctx context.Context, enter string, accountID uuid.UUID, sql string, args []any) pgx.BatchResults {
	batch := &pgx.Batch{}
	batch.Queue(enter, "{"+accountID.String()+"}")
	batch.Queue(sql, args...)
	return w.send(ctx, batch)
}

// send leaves the results of those statements that come after entering.
func (w walled) send(ctx context.Context, entering *pgx.Batch) pgx.BatchResults {
	results := w.pool.SendBatch(ctx, entering)
	_, _ = results.Exec() // its failure is that of the next statement, too
	return results
}

// walledRows closes the batch with the rows, as their connection is the batch's.
type walledRows struct {
	pgx.Rows

	results pgx.BatchResults
	closed  bool
	err     error
}

// Next is false when there are no more rows, and then the transaction has ended.
func (r *walledRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close ends the transaction.
func (r *walledRows) Close() {
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

// Err is the statement's error, or its transaction's.
func (r *walledRows) Err() error {
	if r.closed {
		return r.err
	}
	return r.Rows.Err() //nolint:wrapcheck // Classify sees it
}

type walledRow struct {
	rows pgx.Rows
	err  error
}

// Scan reads the one row.
func (r walledRow) Scan(dest ...any) error {
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
