package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sethvargo/go-retry"
)

// outageTimeout bounds the retries of a context without a deadline.
const outageTimeout = 10 * time.Second

const (
	initialBackoff = 20 * time.Millisecond
	maxBackoff     = 500 * time.Millisecond
)

// Retry runs fn until it succeeds, fails for a reason that is not transient, or ctx ends, after ten seconds if ctx has no
// deadline. fn must be safe to repeat after such a failure. The error is that of the last run.
func Retry(ctx context.Context, fn func(ctx context.Context) error) error {
	return retryWhile(ctx, IsTransient, fn)
}

func retryWhile(ctx context.Context, isRetryable func(error) bool, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, outageTimeout)
		defer cancel()
	}
	var last error
	backoff := retry.WithCappedDuration(maxBackoff, retry.NewExponential(initialBackoff))
	_ = retry.Do(ctx, backoff, func(ctx context.Context) error {
		if last = fn(ctx); last != nil && isRetryable(last) {
			return retry.RetryableError(last)
		}
		return last
	})
	if last == nil {
		return ctx.Err() //nolint:wrapcheck // when it ended before the first run
	}
	return last
}

// commitError is a failed COMMIT whose outcome is unknown.
type commitError struct{ error }

// Unwrap returns the failure of COMMIT.
func (e commitError) Unwrap() error { return e.error }

// isRepeatableTx reports whether a transaction failed for a transient reason and cannot have been committed.
func isRepeatableTx(err error) bool {
	_, isUnknown := errors.AsType[commitError](err)
	return IsTransient(err) && !isUnknown
}

// retryingConn repeats statements outside of a transaction during an outage of the database: reads, and those that were not sent.
// The rows of a list are read by the caller, who repeats the whole query (Retry).
type retryingConn struct{ beginner }

// Exec implements dbgen.DBTX.
func (c retryingConn) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = retryWhile(ctx, isRepeatable(sql), func(ctx context.Context) (err error) {
		tag, err = c.beginner.Exec(ctx, sql, args...)
		return err
	})
	return tag, err
}

// QueryRow implements dbgen.DBTX. The statement is sent when the row is scanned.
func (c retryingConn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return rowFunc(func(dest ...any) error {
		return retryWhile(ctx, isRepeatable(sql), func(ctx context.Context) error {
			return c.beginner.QueryRow(ctx, sql, args...).Scan(dest...)
		})
	})
}

type rowFunc func(dest ...any) error

// Scan implements pgx.Row.
func (f rowFunc) Scan(dest ...any) error { return f(dest...) }

// isRepeatable returns a function that reports whether the statement can be repeated after an error: a read after any transient
// one, a write only when it did not reach the server.
func isRepeatable(sql string) func(error) bool {
	return func(err error) bool {
		_, isUnconnected := errors.AsType[*pgconn.ConnectError](err)
		return isUnconnected || pgconn.SafeToRetry(err) || IsTransient(err) && isRead(sql)
	}
}

// isRead reports whether a statement is a SELECT. A query that begins with WITH may write.
func isRead(sql string) bool {
	for strings.HasPrefix(sql, "--") {
		_, sql, _ = strings.Cut(sql, "\n")
	}
	return strings.HasPrefix(sql, "SELECT")
}
