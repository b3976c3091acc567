package requests

import (
	"context"
	"errors"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
)

// completionInterval is how long a request may stay approved after its last deployment.
const completionInterval = time.Minute

// Tasks complete approved requests once all their versions are deployed to all environments and the steps after that are done.
// publicURL is that of Requests.
func Tasks(pool *postgres.Pool, clock func() time.Time, publicURL string) []jobs.Task {
	return []jobs.Task{{
		Name: "complete_deployment_requests", Interval: completionInterval,
		Run: func(ctx context.Context) error {
			return Requests{DB: pool.DB, PublicURL: publicURL}.CompleteDeployed(ctx, clock())
		},
	}}
}

// CompleteDeployed completes the requests of all accounts that are deployed. One that cannot be completed does not keep the others from it.
func (r Requests) CompleteDeployed(ctx context.Context, now time.Time) error {
	var problems []error
	for after := (dbgen.ListDeployedRequestsParams{}); ; {
		rows, err := r.DB.ListDeployedRequests(ctx, after)
		if err != nil {
			return postgres.Classify(err)
		}
		if len(rows) == 0 {
			return errors.Join(problems...)
		}
		for _, row := range rows {
			after.AfterAccountID, after.AfterID = row.AccountID, row.ID
			err := r.completeDeployed(ctx, etag.Ref{AccountID: row.AccountID, ID: row.ID}, now)
			if err != nil && !apperr.Is(err, apperr.NotFound) && !apperr.Is(err, apperr.Conflict) {
				problems = append(problems, err)
			}
		}
	}
}

// completeDeployed completes a request that is still deployed once it is locked.
func (r Requests) completeDeployed(ctx context.Context, target etag.Ref, now time.Time) error {
	return r.change(ctx, target, governance.Actor{}, now, func(c *change) error {
		deployed, err := c.db.ListDeployedRequests(ctx, dbgen.ListDeployedRequestsParams{AccountID: &target.AccountID, ID: &target.ID})
		if err != nil || len(deployed) == 0 {
			return postgres.Classify(err)
		}
		return c.transition(ctx, Complete)
	})
}
