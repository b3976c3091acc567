package tracking

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// triedDeployment returns what a former try of the request has recorded, and whether there is such a thing. The functions of the
// database, which know no requests, recognise an event that comes again for minutes only; a request that names itself is
// carried out once in a day (contract.md §6, rule 2).
func (r *Recorder) triedDeployment(ctx context.Context, origin Origin, fingerprint []byte) (dbgen.RecordedDeploymentEvent, bool, error) {
	return tried(ctx, origin, func(ctx context.Context, since time.Time) (dbgen.RecordedDeploymentEvent, error) {
		return r.db.GetTriedDeploymentEvent(ctx, dbgen.GetTriedDeploymentEventParams{AccountID: origin.AccountID, Fingerprint: fingerprint, TriedSince: since})
	})
}

// triedBuild is the same for a build.
func (r *Recorder) triedBuild(ctx context.Context, origin Origin, fingerprint []byte) (dbgen.RecordedBuildEvent, bool, error) {
	return tried(ctx, origin, func(ctx context.Context, since time.Time) (dbgen.RecordedBuildEvent, error) {
		return r.db.GetTriedBuildEvent(ctx, dbgen.GetTriedBuildEventParams{AccountID: origin.AccountID, Fingerprint: fingerprint, TriedSince: since})
	})
}

func tried[R any](ctx context.Context, origin Origin, look func(context.Context, time.Time) (R, error)) (found R, wasTried bool, err error) {
	if origin.TriedSince == nil {
		return found, false, nil
	}
	err = postgres.Retry(ctx, postgres.Patience, func(ctx context.Context) (err error) {
		found, err = look(ctx, *origin.TriedSince)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return found, false, nil
	}
	return found, err == nil, postgres.Classify(err)
}
