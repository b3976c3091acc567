package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/versioner-io/versioner/internal/apperr"
)

// transientClasses are the SQLSTATE classes (and whole states) that mean "not now": connection exceptions, lack of
// resources, operator intervention, a statement or an idle transaction that was ended from outside (57014, 25P03), a read-only
// server; deadlocks and serialization failures, where trying again works.
var transientClasses = []string{"08", "53", "57P", "57014", "25P03", "25006", "40001", "40P01", "55P03", "58"} //nolint:gochecknoglobals // a constant table

// unprocessableStates are the SQLSTATEs for values that a request must not contain. Validation refuses them before
// they get here.
//
//nolint:gochecknoglobals // a constant table
var unprocessableStates = []string{
	"22021", // invalid byte sequence, NUL
	"22P05", // \u0000 in jsonb
	"22003", // number out of range
	"22008", // date out of range
	"54000", // index row too long
	"54001", // jsonb nested too deep
}

// Classify turns an error of the database into the domain's. No other place inspects them.
func Classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return apperr.New(apperr.NotFound, "Not found")
	case IsTransient(err), errors.Is(err, puddle.ErrClosedPool), errors.Is(err, context.Canceled):
		return apperr.Wrap(apperr.Unavailable, "Service temporarily unavailable", err)
	case hasSQLState(err, unprocessableStates):
		return &apperr.Error{Code: apperr.Invalid, Message: "the database cannot store the request", Fields: []apperr.Field{
			{Loc: []any{"body"}, Msg: "contains characters that cannot be stored", Type: unstorable},
		}}
	default:
		return err
	}
}

// unstorable is the type of a problem that the database has found.
const unstorable = "value_error.unstorable"

// IsUnstorable reports whether the database could not store what a request contains.
func IsUnstorable(err error) bool {
	failure, ok := errors.AsType[*apperr.Error](err)
	return ok && len(failure.Fields) == 1 && failure.Fields[0].Type == unstorable
}

// IsTransient reports whether the failure is independent of the request, so that a retry may succeed: the database is unavailable,
// starting, stopping, read-only or out of resources, or the transaction conflicted with another one.
func IsTransient(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return hasSQLState(err, transientClasses)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) || isConnectionError(err)
}

// IsLockTimeout reports whether waiting for a lock timed out, or was a deadlock.
func IsLockTimeout(err error) bool {
	return hasSQLState(err, []string{"55P03", "40P01"})
}

// IsConstraintViolation reports whether a unique or a foreign key was violated.
func IsConstraintViolation(err error) bool {
	return hasSQLState(err, []string{"23505", "23503"})
}

// isConnectionError recognises what pgx reports, in several ways, of a connection that went away.
func isConnectionError(err error) bool {
	for _, broken := range []error{pgconn.ErrConnClosed, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}

func hasSQLState(err error, prefixes []string) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(failure.Code, prefix) {
			return true
		}
	}
	return false
}
