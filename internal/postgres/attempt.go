package postgres

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// Attempt is one go at what a caller wants. Another one is safe as long as nothing of this one can have been committed:
// what is written in transactions alone then is as it was.
type Attempt struct{ committing atomic.Bool }

type attemptKey struct{}

// WithAttempt has the transactions that are begun with the context tell the attempt.
func WithAttempt(ctx context.Context) (context.Context, *Attempt) {
	attempt := &Attempt{}
	return context.WithValue(ctx, attemptKey{}, attempt), attempt
}

// MayBeCommitted tells whether a transaction was, or was about to be: how that ended need not be known.
func (a *Attempt) MayBeCommitted() bool { return a.committing.Load() }

// attemptOf makes the transaction a part of the attempt of ctx, if it has one.
func attemptOf(ctx context.Context, tx pgx.Tx, err error) (pgx.Tx, error) {
	if attempt, ok := ctx.Value(attemptKey{}).(*Attempt); ok && err == nil {
		return attemptTx{Tx: tx, attempt: attempt}, nil
	}
	return tx, err
}

// attemptTx is a transaction that is a part of an attempt.
type attemptTx struct {
	pgx.Tx

	attempt *Attempt
}

// Commit tells the attempt first.
func (t attemptTx) Commit(ctx context.Context) error {
	t.attempt.committing.Store(true)
	return t.Tx.Commit(ctx) //nolint:wrapcheck // Classify sees it
}
