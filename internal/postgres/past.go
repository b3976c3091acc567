package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/versioner-io/versioner/gen/dbgen"
)

// enterPast has what the transaction does from here on have happened at that time (db/migrations/00009). The database takes
// no notice of it in a transaction of a tenant.
const enterPast = "SELECT set_config('versioner.past', $1::timestamptz::text, true)"

// EnterPast has what this transaction writes from here on have happened at that time.
func (d *DB) EnterPast(ctx context.Context, at time.Time) error {
	_, err := d.conn.Exec(ctx, enterPast, at)
	return Classify(err)
}

// InPast is this transaction for one batch, whose statements happen at those times, one each.
func (d *DB) InPast(times []time.Time) *DB {
	conn := past{beginner: d.conn, times: times}
	return &DB{Queries: dbgen.New(batches{conn}), conn: conn, isShared: d.isShared}
}

type past struct {
	beginner

	times []time.Time
}

// SendBatch is for the generated code.
func (p past) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	entering := &pgx.Batch{}
	for i, query := range batch.QueuedQueries {
		entering.Queue(enterPast, p.times[i])
		entering.QueuedQueries = append(entering.QueuedQueries, query)
	}
	return pastResults{p.beginner.SendBatch(ctx, entering)}
}

// pastResults leaves out the answers of what the caller knows nothing of. Their failure is that of the next statement, too.
type pastResults struct{ pgx.BatchResults }

// Exec is for the generated code.
func (r pastResults) Exec() (pgconn.CommandTag, error) {
	_, _ = r.BatchResults.Exec()
	return r.BatchResults.Exec() //nolint:wrapcheck // Classify sees it
}

// Query is for the generated code.
func (r pastResults) Query() (pgx.Rows, error) {
	_, _ = r.BatchResults.Exec()
	return r.BatchResults.Query() //nolint:wrapcheck // Classify sees it
}

// QueryRow is for the generated code.
func (r pastResults) QueryRow() pgx.Row {
	_, _ = r.BatchResults.Exec()
	return r.BatchResults.QueryRow()
}
