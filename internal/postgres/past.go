package postgres

import (
	"context"
	"time"
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
	statements := make(map[int]Statement, len(times))
	for i, at := range times {
		statements[i] = Statement{sql: enterPast, args: []any{at}}
	}
	return d.Ahead(statements)
}
