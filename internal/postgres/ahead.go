package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/versioner-io/versioner/gen/dbgen"
)

// Statement is one to be sent ahead of another (Ahead).
type Statement struct {
	sql  string
	args []any
}

// StatementOf returns what a generated query that returns nothing would execute.
func StatementOf(ctx context.Context, query func(context.Context, *dbgen.Queries) error) (Statement, error) {
	var noted noting
	err := query(ctx, dbgen.New(&noted))
	return noted.statement, err
}

// noting notes a statement instead of executing it.
type noting struct {
	dbgen.DBTX

	statement Statement
}

// Exec is for the generated code.
func (n *noting) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	n.statement = Statement{sql: sql, args: args}
	return pgconn.CommandTag{}, nil
}

// Ahead is this DB for one batch: ahead of its statement i goes statements[i], if there is one, in the same round trip. When
// that fails, so does statement i.
func (d *DB) Ahead(statements map[int]Statement) *DB {
	if len(statements) == 0 {
		return d
	}
	conn := ahead{beginner: d.conn, statements: statements}
	return &DB{Queries: dbgen.New(batches{conn}), conn: conn, isShared: d.isShared}
}

type ahead struct {
	beginner

	statements map[int]Statement
}

// SendBatch is for the generated code.
func (a ahead) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	longer := &pgx.Batch{}
	for i, query := range batch.QueuedQueries {
		if first, ok := a.statements[i]; ok {
			longer.Queue(first.sql, first.args...)
		}
		longer.QueuedQueries = append(longer.QueuedQueries, query)
	}
	return &aheadResults{BatchResults: a.beginner.SendBatch(ctx, longer), statements: a.statements}
}

// aheadResults leaves out the answers of what the caller knows nothing of. Their failure is that of the next statement, too.
type aheadResults struct {
	pgx.BatchResults

	statements map[int]Statement
	next       int
}

func (r *aheadResults) skip() {
	if _, ok := r.statements[r.next]; ok {
		_, _ = r.BatchResults.Exec()
	}
	r.next++
}

// Exec is for the generated code.
func (r *aheadResults) Exec() (pgconn.CommandTag, error) {
	r.skip()
	return r.BatchResults.Exec() //nolint:wrapcheck // Classify sees it
}

// Query is for the generated code.
func (r *aheadResults) Query() (pgx.Rows, error) {
	r.skip()
	return r.BatchResults.Query() //nolint:wrapcheck // Classify sees it
}

// QueryRow is for the generated code.
func (r *aheadResults) QueryRow() pgx.Row {
	r.skip()
	return r.BatchResults.QueryRow()
}
