package governance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// maxObservedHistory bounds the deployments of the product that the facts of an observed one are rebuilt from.
const maxObservedHistory = 5000

// observedSince is how long ago a deployment may have started that a job still evaluates: after an outage, jobs run late.
const observedSince = 24 * time.Hour

// observeWorker evaluates deployments that were reported at their end only, and records what the rules in force would have blocked. They
// took no place, so that rules of concurrency do not apply. Facts are rebuilt from the deployments of the product.
type observeWorker struct {
	river.WorkerDefaults[ingest.ObserveArgs]

	db    *postgres.DB
	clock func() time.Time
}

// Work evaluates each deployment once. One that fails does not keep the others from it.
func (w *observeWorker) Work(ctx context.Context, job *river.Job[ingest.ObserveArgs]) error {
	now := w.clock()
	rules, err := observedRules(ctx, w.db, job.Args.AccountID, now)
	if err != nil {
		return err
	}
	var failures []error
	for _, one := range job.Args.Deployments {
		if err := observe(ctx, w.db, rules, one, now); !apperr.Is(err, apperr.NotFound) { // it was deleted
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func observe(ctx context.Context, db *postgres.DB, set *policy.Set, one ingest.ObservedDeployment, now time.Time) error {
	deployment, err := db.GetDeploymentOfHistory(ctx, dbgen.GetDeploymentOfHistoryParams{AccountID: one.AccountID, ID: one.DeploymentID})
	if err != nil || deployment.Observed > 0 {
		return postgres.Classify(err)
	}
	at := deployment.StartedAt
	if !set.Covers(at) { // it started long ago
		return nil
	}
	rows, err := db.ListProductHistory(ctx, dbgen.ListProductHistoryParams{
		AccountID: one.AccountID, ProductID: deployment.ProductID, Since: at.Add(-priorHistory), Until: at, RowLimit: maxObservedHistory,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	history := &History{}
	entries := make([]dbgen.ListDeploymentHistoryRow, len(rows))
	for i, row := range rows {
		entries[i] = dbgen.ListDeploymentHistoryRow(row)
	}
	if err := history.load(ctx, db, one.AccountID, entries); err != nil {
		return err
	}
	if err := history.loadRequests(ctx, db, one.AccountID, []uuid.UUID{deployment.VersionID}); err != nil {
		return err
	}
	var found []policy.Violation
	replayStarts(history, at, func(entry *HistoryEntry, facts policy.Facts) bool {
		if entry.ID != one.DeploymentID {
			return true
		}
		verdict := set.Evaluate(at, policy.Attempt{DeploymentID: entry.ID, InvokeID: entry.InvokeID, Attempt: entry.Attempt}, facts)
		found = slices.Concat(verdict.Violations, verdict.Reports)
		return false
	})
	if len(found) == 0 {
		return nil
	}
	var p dbgen.InsertRuleViolationsParams
	for _, violation := range found {
		violation.Action = policy.ActionObserved
		ingest.AppendViolation(&p, violation, ingest.ViolationOf{
			ID: uuid.Must(uuid.NewV7()), AccountID: one.AccountID, DeploymentID: one.DeploymentID, ProductID: deployment.ProductID,
			EnvironmentID: deployment.EnvironmentID, VersionID: deployment.VersionID, APIKeyID: one.APIKeyID, At: now,
		})
	}
	return postgres.Classify(db.InsertRuleViolations(ctx, p))
}

// observedRules compiles the rules in force that deployments of the last hours are observed under.
func observedRules(ctx context.Context, db *postgres.DB, accountID uuid.UUID, now time.Time) (*policy.Set, error) {
	rows, err := db.ListRulesInForce(ctx, []uuid.UUID{accountID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	var rules []policy.Rule
	for _, row := range rows {
		rule, err := RuleOf(row)
		if err != nil {
			return nil, err
		}
		if rule.Type != policy.ConcurrencyRule {
			rules = append(rules, rule.Rule)
		}
	}
	return calendar.Compile(rules, now.Add(-observedSince))
}
