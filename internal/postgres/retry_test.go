package postgres_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

var errOutage = &pgconn.PgError{Code: "57P01"}

func TestRetry(t *testing.T) {
	t.Parallel()
	fail := func(failures int, with error) (fn func(context.Context) error, runs *int) {
		runs = new(int)
		return func(context.Context) error {
			if *runs++; *runs <= failures {
				return with
			}
			return nil
		}, runs
	}

	t.Run("UntilItSucceeds", func(t *testing.T) {
		t.Parallel()
		fn, runs := fail(3, apperr.Wrap(apperr.Unavailable, "away", errOutage))
		require.NoError(t, postgres.Retry(t.Context(), fn))
		require.Equal(t, 4, *runs)
	})
	t.Run("NotOtherErrors", func(t *testing.T) {
		t.Parallel()
		fn, runs := fail(3, pgx.ErrNoRows)
		require.ErrorIs(t, postgres.Retry(t.Context(), fn), pgx.ErrNoRows)
		require.Equal(t, 1, *runs)
	})
	t.Run("UntilTheContextEnds", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		err := postgres.Retry(ctx, func(context.Context) error {
			if runs++; runs == 3 {
				cancel()
			}
			return errOutage
		})
		require.ErrorIs(t, err, errOutage)
		require.Equal(t, 3, runs)
		require.ErrorIs(t, postgres.Retry(ctx, func(context.Context) error { return nil }), context.Canceled)
	})
	t.Run("BoundsAContextWithoutADeadline", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, postgres.Retry(context.WithoutCancel(t.Context()), func(ctx context.Context) error {
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.WithinRange(t, deadline, time.Now(), time.Now().Add(10*time.Second))
			return nil
		}))
	})
}

// TestOutage terminates the session of a statement.
func TestOutage(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	product := createProduct(t, pool, "mine")
	terminate := func(t *testing.T, db *postgres.DB) error {
		t.Helper()
		_, err := db.Conn().Exec(t.Context(), "DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$")
		return err
	}

	t.Run("TransactionRunsAgain", func(t *testing.T) {
		t.Parallel()
		runs, announced := 0, 0
		created, err := postgres.WithTxV(t.Context(), pool.DB, func(tx *postgres.DB) (dbgen.Product, error) {
			created, err := tx.CreateProduct(t.Context(), newProduct(product.AccountID, "again"))
			require.NoError(t, err)
			tx.AfterCommit(t.Context(), func(context.Context) { announced++ })
			if runs++; runs <= 2 {
				return created, terminate(t, tx)
			}
			return created, nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, runs)
		require.Equal(t, 1, announced, "only what was committed")
		_, err = pool.GetProduct(t.Context(), dbgen.GetProductParams{AccountID: product.AccountID, ID: created.ID})
		require.NoError(t, err)
	})
	t.Run("RolledBackAfterOtherErrors", func(t *testing.T) {
		t.Parallel()
		runs, errUndone := 0, errors.New("undone")
		params := newProduct(product.AccountID, "undone")
		require.ErrorIs(t, pool.WithTx(t.Context(), func(tx *postgres.DB) error {
			runs++
			_, err := tx.CreateProduct(t.Context(), params)
			require.NoError(t, err)
			return errUndone
		}), errUndone)
		require.Equal(t, 1, runs)
		_, err := pool.GetProduct(t.Context(), dbgen.GetProductParams{AccountID: product.AccountID, ID: params.ID})
		require.ErrorIs(t, err, pgx.ErrNoRows)
	})
	t.Run("RolledBackAfterAPanic", func(t *testing.T) {
		t.Parallel()
		params := newProduct(product.AccountID, "panic")
		require.Panics(t, func() {
			_ = pool.WithTx(t.Context(), func(tx *postgres.DB) error {
				_, err := tx.CreateProduct(t.Context(), params)
				require.NoError(t, err)
				panic("a bug")
			})
		})
		_, err := pool.GetProduct(t.Context(), dbgen.GetProductParams{AccountID: product.AccountID, ID: params.ID})
		require.ErrorIs(t, err, pgx.ErrNoRows)
	})
	t.Run("CommitIsNotRepeated", func(t *testing.T) {
		t.Parallel()
		runs := 0
		err := pool.WithTx(t.Context(), func(tx *postgres.DB) error {
			runs++
			_, err := tx.Conn().Exec(t.Context(), `CREATE TEMPORARY TABLE last (id int);
				CREATE FUNCTION pg_temp.end_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
				CREATE CONSTRAINT TRIGGER last AFTER INSERT ON last DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.end_session();
				INSERT INTO last VALUES (1)`)
			return err
		})
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(postgres.Classify(err)), "%v", err)
		require.Equal(t, 1, runs)
	})
	t.Run("WriteOutsideOfATransactionIsNotRepeated", func(t *testing.T) {
		t.Parallel()
		require.True(t, postgres.IsTransient(terminate(t, pool.DB)))
	})
	t.Run("ReadIsRepeated", func(t *testing.T) {
		t.Parallel()
		_, err := pool.Conn().Exec(t.Context(), "CREATE SEQUENCE runs")
		require.NoError(t, err)
		var run int
		const read = "-- name: Read :one\nSELECT nextval('runs') FROM (SELECT CASE WHEN nextval('runs') < 4 THEN pg_terminate_backend(pg_backend_pid()) END) AS t"
		require.NoError(t, pool.Conn().QueryRow(t.Context(), read).Scan(&run))
		require.GreaterOrEqual(t, run, 4)
	})
}

func TestIsTransient(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errOutage, net.ErrClosed, context.DeadlineExceeded, &pgconn.PgError{Code: "40001"}} {
		require.True(t, postgres.IsTransient(err), "%v", err)
	}
	for _, err := range []error{pgx.ErrNoRows, &pgconn.PgError{Code: "23505"}, errors.New("another")} {
		require.False(t, postgres.IsTransient(err), "%v", err)
	}
}
