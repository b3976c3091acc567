package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// BatchTx is a transaction of few round trips: one for each batch of statements. It begins with the first one, and the last one
// commits it.
type BatchTx struct {
	conn *pgxpool.Conn
	tx   pgx.Tx // nil before the first batch and after the commit

	accounts    []uuid.UUID
	lockTimeout time.Duration
	isJoined    bool // the transaction is another one's
}

// BeginBatch prepares a transaction that sees the rows of the accounts, and waits for each lock no longer than lockTimeout.
func (p *TenantPool) BeginBatch(ctx context.Context, accounts []uuid.UUID, lockTimeout time.Duration) (*BatchTx, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire a connection: %w", err)
	}
	return &BatchTx{conn: conn, accounts: accounts, lockTimeout: lockTimeout}, nil
}

// BatchTx sends batches in the transaction of d, which is committed where it was begun.
func (d *DB) BatchTx() *BatchTx {
	tx, ok := d.conn.(pgx.Tx)
	if !ok {
		panic("not in a transaction")
	}
	return &BatchTx{tx: tx, isJoined: true}
}

// Send executes the statements of a batch in one round trip and calls their functions.
func (t *BatchTx) Send(ctx context.Context, batch *pgx.Batch) error {
	if t.tx != nil {
		return t.tx.SendBatch(ctx, batch).Close() //nolint:wrapcheck // Classify sees it
	}
	ids := make([]string, len(t.accounts))
	for i, id := range t.accounts {
		ids[i] = id.String()
	}
	first := &pgx.Batch{}
	first.BeginTx(pgx.TxOptions{})
	first.Queue("SELECT set_config('app.account_ids', $1, true), set_config('lock_timeout', $2, true)",
		"{"+strings.Join(ids, ",")+"}", strconv.FormatInt(t.lockTimeout.Milliseconds(), 10))
	first.QueuedQueries = append(first.QueuedQueries, batch.QueuedQueries...)
	results := t.conn.SendBatch(ctx, first)
	t.tx = results.Tx()
	return results.Close() //nolint:wrapcheck // Classify sees it
}

// SendAndCommit executes the last statements and commits, in one round trip. After an error it is unknown whether the
// transaction was committed, unless the error is of a statement.
func (t *BatchTx) SendAndCommit(ctx context.Context, batch *pgx.Batch) error {
	if t.isJoined {
		return t.Send(ctx, batch)
	}
	batch.Queue("COMMIT")
	if err := t.Send(ctx, batch); err != nil {
		return err
	}
	t.tx = nil
	return nil
}

// Close rolls back what is not committed, and gives the connection back.
func (t *BatchTx) Close(ctx context.Context) {
	if t.isJoined {
		return
	}
	if t.tx != nil {
		_ = t.tx.Rollback(context.WithoutCancel(ctx)) // the pool closes a connection that cannot
	}
	t.conn.Release()
}

// QueueQuery queues a generated query with its parameters: sqlc declares the fields of a query's Params in the order of its
// placeholders.
func QueueQuery(batch *pgx.Batch, sql string, params any) *pgx.QueuedQuery {
	value := reflect.ValueOf(params)
	args := make([]any, value.NumField())
	for i := range args {
		args[i] = withoutReflection(value.Field(i).Interface())
	}
	return batch.Queue(sql, args...)
}

// withoutReflection returns a parameter as a type that pgx encodes without reflection: it matters for long arrays.
func withoutReflection(param any) any {
	switch param := param.(type) {
	case []uuid.UUID:
		ids := make([][16]byte, len(param))
		for i, id := range param {
			ids[i] = id
		}
		return ids
	case []json.RawMessage:
		return pgtype.FlatArray[json.RawMessage](param)
	case [][]byte:
		return pgtype.FlatArray[[]byte](param)
	default:
		return param
	}
}

// QueueRows queues a generated query and calls each for every row of its result.
func QueueRows[T any](batch *pgx.Batch, sql string, params any, each func(T)) {
	QueueQuery(batch, sql, params).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			row, err := pgx.RowToStructByPos[T](rows)
			if err != nil {
				return err
			}
			each(row)
		}
		return rows.Err()
	})
}
