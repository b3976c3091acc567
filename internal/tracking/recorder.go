package tracking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	monthsAhead         = 3
	maintenanceInterval = time.Hour
	maintenanceRetry    = time.Minute
	maintenanceTimeout  = time.Minute
	maintenanceBatches  = 1000
)

// Recorder records events. What it has answered without an error is in the database for good.
type Recorder struct {
	db          *postgres.DB
	logger      *slog.Logger
	deployments *batcher[dbgen.RecordDeploymentEventParams, dbgen.RecordedDeploymentEvent]
	builds      *batcher[dbgen.RecordBuildEventParams, dbgen.RecordedBuildEvent]
}

// NewRecorder returns a recorder, which works while Run does.
func NewRecorder(db *postgres.DB, logger *slog.Logger) *Recorder {
	r := &Recorder{db: db, logger: logger}
	r.deployments = newBatcher(r.runDeployments)
	r.builds = newBatcher(r.runBuilds)
	return r
}

// Run records until ctx ends, and keeps the event log in order.
func (r *Recorder) Run(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { r.deployments.work(ctx) })
	group.Go(func() { r.builds.work(ctx) })
	group.Go(func() { r.maintain(ctx) })
	group.Wait()
}

// RecordDeployment records a deployment event and returns it with the deployment it belongs to. An event that was
// recorded before changes nothing and returns the same.
func (r *Recorder) RecordDeployment(ctx context.Context, origin Origin, event DeploymentEvent) (dbgen.RecordedDeploymentEvent, error) {
	params, err := event.params(origin)
	if err != nil {
		return dbgen.RecordedDeploymentEvent{}, err
	}
	if recorded, wasTried, err := r.triedDeployment(ctx, origin, params.Fingerprint); wasTried || err != nil {
		return recorded, err
	}
	return r.deployments.do(ctx, origin.AccountID, params, fmt.Sprintf("%s %q %q", origin.AccountID, params.ProductName, params.EnvironmentName))
}

// RecordBuild records a build event and returns it with the build it belongs to. The error is VersionConflict when the
// version exists with another commit.
func (r *Recorder) RecordBuild(ctx context.Context, origin Origin, event BuildEvent) (dbgen.RecordedBuildEvent, error) {
	params, err := event.params(origin)
	if err != nil {
		return dbgen.RecordedBuildEvent{}, err
	}
	if recorded, wasTried, err := r.triedBuild(ctx, origin, params.Fingerprint); wasTried || err != nil {
		return recorded, err
	}
	recorded, err := r.builds.do(ctx, origin.AccountID, params, fmt.Sprintf("%s %q %q", origin.AccountID, params.ProductName, params.Version))
	if errors.Is(err, pgx.ErrNoRows) {
		return recorded, apperr.New(apperr.VersionConflict, fmt.Sprintf("Version %s already exists with different SHA", params.Version))
	}
	return recorded, err
}

func (r *Recorder) runDeployments(ctx context.Context, params []dbgen.RecordDeploymentEventParams, patience time.Duration) ([]answer[dbgen.RecordedDeploymentEvent], error) {
	locks, err := locksAhead(ctx, params, patience, func(p dbgen.RecordDeploymentEventParams) uuid.UUID { return p.AccountID }, lockDeployments)
	if err != nil {
		return nil, err
	}
	results := r.db.Ahead(locks).RecordDeploymentEvent(postgres.WithTenants(ctx), params)
	return collect(len(params), results.QueryRow, results.Close)
}

func (r *Recorder) runBuilds(ctx context.Context, params []dbgen.RecordBuildEventParams, patience time.Duration) ([]answer[dbgen.RecordedBuildEvent], error) {
	locks, err := locksAhead(ctx, params, patience, func(p dbgen.RecordBuildEventParams) uuid.UUID { return p.AccountID }, lockBuilds)
	if err != nil {
		return nil, err
	}
	results := r.db.Ahead(locks).RecordBuildEvent(postgres.WithTenants(ctx), params)
	return collect(len(params), results.QueryRow, results.Close)
}

// locksAhead returns what goes ahead of the first event of each account that has several of them: it takes all the locks that
// they want. A single event takes its own, in the same order (db/migrations/00010), so that a lone one is not slowed down; it
// waits for lockPatience unless told otherwise. As params are in the order of their accounts, transactions do not wait for
// each other in a circle.
func locksAhead[P any](ctx context.Context, params []P, patience time.Duration, accountOf func(P) uuid.UUID, lock func(ctx context.Context, patience string, params []P) (postgres.Statement, error)) (map[int]postgres.Statement, error) {
	locks := make(map[int]postgres.Statement)
	for begin, end := 0, 0; begin < len(params); begin = end {
		for end = begin; end < len(params) && accountOf(params[end]) == accountOf(params[begin]); {
			end++
		}
		if end == begin+1 && patience == lockPatience {
			continue
		}
		statement, err := lock(ctx, strconv.FormatInt(patience.Milliseconds(), 10), params[begin:end])
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		locks[begin] = statement
	}
	return locks, nil
}

func lockDeployments(ctx context.Context, patience string, params []dbgen.RecordDeploymentEventParams) (postgres.Statement, error) {
	locks := dbgen.LockDeploymentEventsParams{AccountID: params[0].AccountID, Patience: patience}
	for _, p := range params {
		locks.ProductNames = append(locks.ProductNames, p.ProductName)
		locks.Versions = append(locks.Versions, p.Version)
		locks.EnvironmentNames = append(locks.EnvironmentNames, p.EnvironmentName)
		locks.EnvironmentTypes = append(locks.EnvironmentTypes, p.EnvironmentType)
	}
	return postgres.StatementOf(ctx, func(ctx context.Context, q *dbgen.Queries) error { return q.LockDeploymentEvents(ctx, locks) })
}

func lockBuilds(ctx context.Context, patience string, params []dbgen.RecordBuildEventParams) (postgres.Statement, error) {
	locks := dbgen.LockBuildEventsParams{AccountID: params[0].AccountID, Patience: patience}
	for _, p := range params {
		locks.ProductNames = append(locks.ProductNames, p.ProductName)
		locks.Versions = append(locks.Versions, p.Version)
	}
	return postgres.StatementOf(ctx, func(ctx context.Context, q *dbgen.Queries) error { return q.LockBuildEvents(ctx, locks) })
}

// statementError is the failure of a transaction at one of its statements.
type statementError struct {
	index int
	err   error
}

func (e *statementError) Error() string { return e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

// collect reads the answers of a batch. All of its statements are one transaction, which closing the batch commits: only
// then does any answer count. The error is a statementError unless it is of the commit.
func collect[R any](n int, each func(func(int, R, error)), commit func() error) ([]answer[R], error) {
	answers := make([]answer[R], n)
	var failure error
	each(func(i int, result R, err error) {
		answers[i] = answer[R]{result: result, err: err}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) && failure == nil {
			failure = &statementError{index: i, err: err}
		}
	})
	if err := commit(); err != nil && failure == nil {
		failure = err
	}
	return answers, failure
}

// maintain prepares the months to come and forgets old fingerprints.
func (r *Recorder) maintain(ctx context.Context) {
	for {
		pause := maintenanceInterval
		if err := r.maintainOnce(ctx); err != nil && ctx.Err() == nil {
			pause = maintenanceRetry
			r.logger.WarnContext(ctx, "maintenance of the event log failed, trying again soon", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r *Recorder) maintainOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maintenanceTimeout)
	defer cancel()
	if err := r.db.PrepareEventPartitions(ctx, monthsAhead); err != nil {
		return fmt.Errorf("prepare partitions: %w", err)
	}
	for what, forget := range map[string]func(context.Context) (int64, error){
		"fingerprints": r.db.DeleteExpiredFingerprints, "idempotency keys": r.db.DeleteExpiredIdempotencyKeys,
	} {
		for range maintenanceBatches {
			deleted, err := forget(ctx)
			if err != nil {
				return fmt.Errorf("delete expired %s: %w", what, err)
			}
			if deleted == 0 {
				break
			}
		}
	}
	return nil
}
