package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	state := func(code string) error {
		return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, Message: "the cause"})
	}
	for want, failures := range map[apperr.Code][]error{
		apperr.NotFound: {pgx.ErrNoRows, fmt.Errorf("wrapped: %w", pgx.ErrNoRows)},
		apperr.Unavailable: {
			state("57P01"), state("57P03"), state("53300"), state("53100"), state("08006"), state("25006"), state("40P01"), state("40001"),
			state("57014"), state("25P03"),
			io.ErrUnexpectedEOF, syscall.ECONNRESET, pgconn.ErrConnClosed, context.DeadlineExceeded,
			&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		},
		apperr.Invalid:  {state("22021"), state("22P05"), state("22003"), state("54000"), state("54001")},
		apperr.Internal: {state("42P01"), state("23505"), errors.New("anything")},
	} {
		for _, failure := range failures {
			got := Classify(failure)
			require.Equal(t, want, apperr.CodeOf(got), "%v", failure)
			require.Equal(t, want == apperr.Unavailable, IsTransient(failure), "%v", failure)
		}
	}
	require.NoError(t, Classify(nil))
}

func TestOpenFailsWithACure(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), "postgres://user:hunter2@127.0.0.1:1/none", Observed{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}
