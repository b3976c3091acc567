package ingest

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
)

// createdObjects are the accounts of products and environments that a batch has created, one entry for each object.
type createdObjects struct{ products, environments []uuid.UUID }

// insertedObject is a row that InsertProducts and InsertEnvironments return.
type insertedObject struct{ AccountID uuid.UUID }

// checkQuotas returns an error for the caller when an account has more products or environments than the limits allow. Only
// accounts with created objects are counted, under a lock that the transaction takes after all names. exceeded is nil
// otherwise.
func (t *transaction) checkQuotas(ctx context.Context, created createdObjects) (exceeded *apperr.Error, err error) {
	batch := &pgx.Batch{}
	if accounts := distinct(created.products); len(accounts) > 0 && t.limits.Products > 0 {
		postgres.QueueQuery(batch, dbgen.LockQuotas, dbgen.LockQuotasParams{Kind: string(quota.Products), AccountIDs: accounts})
		postgres.QueueRows(batch, dbgen.ListProductCounts, struct{ Accounts []uuid.UUID }{accounts}, func(row dbgen.ListProductCountsRow) {
			if row.Count > int64(t.limits.Products) {
				exceeded = quota.Exceeded(quota.Products, t.limits.Products, "body", "product_name")
			}
		})
	}
	if accounts := distinct(created.environments); len(accounts) > 0 && t.limits.Environments > 0 {
		postgres.QueueQuery(batch, dbgen.LockQuotas, dbgen.LockQuotasParams{Kind: string(quota.Environments), AccountIDs: accounts})
		postgres.QueueRows(batch, dbgen.ListEnvironmentCounts, struct{ Accounts []uuid.UUID }{accounts}, func(row dbgen.ListEnvironmentCountsRow) {
			if row.Count > int64(t.limits.Environments) {
				exceeded = quota.Exceeded(quota.Environments, t.limits.Environments, "body", "environment_name")
			}
		})
	}
	if batch.Len() == 0 {
		return nil, nil //nolint:nilnil // nothing to count
	}
	err = t.tx.Send(ctx, batch)
	return exceeded, err
}

// reject makes exceeded the result of a lone event. In a larger batch the error makes each event run alone, so that the
// others are recorded.
func (t *transaction) reject(exceeded *apperr.Error, err error) error {
	if err != nil {
		return err
	}
	if len(t.jobs) > 1 {
		return errRejected
	}
	t.jobs[0].result = result{err: exceeded}
	return nil
}

// distinct returns the identifiers in ascending order, each once.
func distinct(ids []uuid.UUID) []uuid.UUID {
	slices.SortFunc(ids, func(one, other uuid.UUID) int { return bytes.Compare(one[:], other[:]) })
	return slices.Compact(ids)
}
