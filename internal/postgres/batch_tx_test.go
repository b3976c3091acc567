package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestBatchTx(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	owner, pool := openPool(t, openOwner, dsn), openPool(t, openIngest, dsn)
	insert := func(product dbgen.CreateProductParams, inserted *int) *pgx.Batch {
		batch := &pgx.Batch{}
		postgres.QueueRows(batch, dbgen.CreateProduct, product, func(row dbgen.Product) {
			if row.ID == product.ID {
				*inserted++
			}
		})
		return batch
	}
	isThere := func(t *testing.T, product dbgen.CreateProductParams) bool {
		t.Helper()
		_, err := owner.GetProduct(t.Context(), dbgen.GetProductParams{AccountID: product.AccountID, ID: product.ID})
		if !errors.Is(err, pgx.ErrNoRows) {
			require.NoError(t, err)
		}
		return err == nil
	}
	account := func(t *testing.T, slug string) []uuid.UUID {
		t.Helper()
		return []uuid.UUID{createProduct(t, owner, slug).AccountID}
	}

	t.Run("CommitsWithTheLastBatch", func(t *testing.T) {
		t.Parallel()
		accounts := account(t, "commits")
		first, last := newProduct(accounts[0], "first"), newProduct(accounts[0], "last")
		tx, inserted := begin(t, pool, accounts), 0
		require.NoError(t, tx.Send(t.Context(), insert(first, &inserted)))
		require.Equal(t, 1, inserted)
		require.False(t, isThere(t, first), "visible before the commit")
		require.NoError(t, tx.SendAndCommit(t.Context(), insert(last, &inserted)))
		require.Equal(t, 2, inserted)
		require.True(t, isThere(t, first))
		require.True(t, isThere(t, last))
		tx.Close(t.Context())
		require.True(t, isThere(t, last))
	})
	t.Run("FailedStatementRollsBack", func(t *testing.T) {
		t.Parallel()
		accounts := account(t, "fails")
		first, last := newProduct(accounts[0], "first"), newProduct(accounts[0], "last")
		tx, inserted := begin(t, pool, accounts), 0
		require.NoError(t, tx.Send(t.Context(), insert(first, &inserted)))
		batch := insert(last, &inserted)
		batch.Queue("SELECT 1 / 0")
		batch.Queue("SELECT 1").QueryRow(func(pgx.Row) error {
			t.Error("a statement after the failed one has a result")
			return nil
		})
		requireState(t, tx.SendAndCommit(t.Context(), batch), "22012")
		tx.Close(t.Context())
		require.False(t, isThere(t, first))
		require.False(t, isThere(t, last))
		require.Equal(t, 1, countProducts(t, pool, accounts), "the pool still works")
	})
	t.Run("CloseWithoutCommitRollsBack", func(t *testing.T) {
		t.Parallel()
		accounts := account(t, "closes")
		product := newProduct(accounts[0], "new")
		tx, inserted := begin(t, pool, accounts), 0
		require.NoError(t, tx.Send(t.Context(), insert(product, &inserted)))
		tx.Close(cancelled(t.Context()))
		require.Equal(t, 1, inserted)
		require.False(t, isThere(t, product))
	})
	t.Run("LockTimeout", func(t *testing.T) {
		t.Parallel()
		held := createProduct(t, owner, "locks")
		lock := func(tx *postgres.BatchTx) error {
			batch := &pgx.Batch{}
			batch.Queue("SELECT FROM products WHERE account_id = $1 AND id = $2 FOR UPDATE", held.AccountID, held.ID)
			return tx.Send(t.Context(), batch)
		}
		require.NoError(t, lock(begin(t, pool, []uuid.UUID{held.AccountID})))
		tx, err := pool.BeginBatch(t.Context(), []uuid.UUID{held.AccountID}, 50*time.Millisecond)
		require.NoError(t, err)
		defer tx.Close(t.Context())
		err = lock(tx)
		require.True(t, postgres.IsLockTimeout(err), "%v", err)
	})
	t.Run("JoinedTransactionIsCommittedWhereItWasBegun", func(t *testing.T) {
		t.Parallel()
		accounts, inserted := account(t, "joins"), 0
		kept, undone := newProduct(accounts[0], "kept"), newProduct(accounts[0], "undone")
		record := func(product dbgen.CreateProductParams, result error) error {
			return owner.WithTx(t.Context(), func(db *postgres.DB) error {
				tx := db.BatchTx()
				defer tx.Close(t.Context())
				require.NoError(t, tx.SendAndCommit(t.Context(), insert(product, &inserted)))
				require.False(t, isThere(t, product), "visible before the commit")
				return result
			})
		}
		require.NoError(t, record(kept, nil))
		require.Error(t, record(undone, errors.New("rolled back")))
		require.Equal(t, 2, inserted)
		require.True(t, isThere(t, kept))
		require.False(t, isThere(t, undone))
		require.Panics(t, func() { owner.BatchTx() }, "outside of a transaction")
	})
}

func TestAfterCommit(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	account := createProduct(t, pool, "acme").AccountID
	errUndone := errors.New("rolled back")
	// change creates a product in the transaction and sets seen after the commit to whether other connections see it.
	change := func(ctx context.Context, db *postgres.DB, name string, seen *[]string) error {
		product := newProduct(account, name)
		_, err := db.CreateProduct(ctx, product)
		db.AfterCommit(ctx, func(ctx context.Context) {
			if _, err := pool.GetProduct(ctx, dbgen.GetProductParams{AccountID: account, ID: product.ID}); err == nil {
				*seen = append(*seen, name)
			} else {
				*seen = append(*seen, name+" is invisible")
			}
		})
		return err
	}

	t.Run("OutsideOfATransactionAtOnce", func(t *testing.T) {
		t.Parallel()
		isCalled := false
		pool.AfterCommit(t.Context(), func(context.Context) { isCalled = true })
		require.True(t, isCalled)
	})
	t.Run("InOrderAfterTheCommit", func(t *testing.T) {
		t.Parallel()
		var seen []string
		require.NoError(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, change(t.Context(), db, "a1", &seen))
			require.NoError(t, change(t.Context(), db, "a2", &seen))
			require.Empty(t, seen)
			return nil
		}))
		require.Equal(t, []string{"a1", "a2"}, seen)
	})
	t.Run("AfterTheOutermostCommit", func(t *testing.T) {
		t.Parallel()
		var seen []string
		require.NoError(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, db.WithTx(t.Context(), func(db *postgres.DB) error { return change(t.Context(), db, "b", &seen) }))
			require.Empty(t, seen)
			return nil
		}))
		require.Equal(t, []string{"b"}, seen)
	})
	t.Run("NotAfterARollback", func(t *testing.T) {
		t.Parallel()
		var seen []string
		require.ErrorIs(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, change(t.Context(), db, "d1", &seen))
			return errUndone
		}), errUndone)
		require.Empty(t, seen)
	})
	t.Run("NotForARolledBackSavepoint", func(t *testing.T) {
		t.Parallel()
		var seen []string
		require.NoError(t, pool.WithTx(t.Context(), func(db *postgres.DB) error {
			require.NoError(t, change(t.Context(), db, "e1", &seen))
			require.ErrorIs(t, db.WithTx(t.Context(), func(db *postgres.DB) error {
				require.NoError(t, change(t.Context(), db, "e2", &seen))
				return errUndone
			}), errUndone)
			return change(t.Context(), db, "e3", &seen)
		}))
		require.Equal(t, []string{"e1", "e3"}, seen)
	})
	t.Run("AlthoughTheRequestIsCancelled", func(t *testing.T) {
		t.Parallel()
		var seen []string
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, pool.WithTx(ctx, func(db *postgres.DB) error {
			db.AfterCommit(ctx, func(context.Context) { cancel() })
			return change(ctx, db, "f", &seen)
		}))
		require.Equal(t, []string{"f"}, seen)
	})
}
