package tracking

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/fairqueue"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	queueLength = 1024
	maxBatch    = 64
	workers     = 4
	retryPause  = 50 * time.Millisecond
)

// batcher lets events that wait at the same time share a transaction. It is fed by whatever is queued, without a timer:
// a lone event waits for nobody. Each caller gets its own answer, and its own error.
type batcher[P, R any] struct {
	queue *fairqueue.Queue[*job[P, R]]
	// run executes the statements in one transaction. A caller's own failure is in its answer; an error concerns all.
	run func(ctx context.Context, params []P) ([]answer[R], error)
}

type job[P, R any] struct {
	params  P
	lockKey string
	caller  context.Context //nolint:containedctx // a job without a caller is dropped
	until   time.Time
	done    chan answer[R]
}

type answer[R any] struct {
	result R
	err    error
}

func newBatcher[P, R any](run func(context.Context, []P) ([]answer[R], error)) *batcher[P, R] {
	return &batcher[P, R]{queue: fairqueue.New[*job[P, R]](queueLength), run: run}
}

// work runs the transactions until ctx ends. Whoever calls it has made sure that nobody calls do any more by then.
func (b *batcher[P, R]) work(ctx context.Context) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-b.queue.Waits():
					b.process(ctx, b.gather(b.queue.Pop()))
				}
			}
		})
	}
	group.Wait()
}

// do queues a statement and waits for its answer. Statements of the same lockKey are run one after the other.
func (b *batcher[P, R]) do(ctx context.Context, account uuid.UUID, params P, lockKey string) (R, error) {
	j := &job[P, R]{params: params, lockKey: lockKey, caller: ctx, until: time.Now().Add(postgres.Patience), done: make(chan answer[R], 1)}
	if turnedAway, isFull := b.queue.Push(account, j); isFull {
		turnedAway.done <- answer[R]{err: apperr.New(apperr.Unavailable, "too many events are waiting")}
	}
	var none R
	select {
	case a := <-j.done:
		return a.result, a.err
	case <-ctx.Done():
		return none, apperr.Wrap(apperr.Unavailable, "the caller went away", ctx.Err())
	}
}

// gather takes what else is waiting. The order of the locks is the same in every batch, so that batches do not deadlock.
func (b *batcher[P, R]) gather(first *job[P, R]) []*job[P, R] {
	jobs := []*job[P, R]{first}
	for len(jobs) < maxBatch {
		next, ok := b.queue.TryPop()
		if !ok {
			break
		}
		jobs = append(jobs, next)
	}
	slices.SortStableFunc(jobs, func(one, other *job[P, R]) int { return strings.Compare(one.lockKey, other.lockKey) })
	return jobs
}

// process runs the jobs, again and again while the database is away. When one statement fails for its own sake, or waits
// for a lock that somebody holds, the transaction is lost for all, and each is tried alone.
func (b *batcher[P, R]) process(ctx context.Context, jobs []*job[P, R]) {
	var failure error
	for {
		jobs = dropLate(jobs, failure)
		if len(jobs) == 0 {
			return
		}
		if failure = b.attempt(ctx, jobs); failure == nil {
			return
		}
		if !postgres.IsTransient(failure) || len(jobs) > 1 && postgres.IsLocked(failure) {
			break
		}
		time.Sleep(retryPause)
	}
	if len(jobs) == 1 {
		jobs[0].done <- answer[R]{err: postgres.Classify(failure)}
		return
	}
	for i := range jobs {
		b.process(ctx, jobs[i:i+1])
	}
}

// attempt answers all jobs, or returns an error and answers none.
func (b *batcher[P, R]) attempt(ctx context.Context, jobs []*job[P, R]) error {
	params := make([]P, len(jobs))
	until := jobs[0].until
	for i, j := range jobs {
		params[i] = j.params
		if j.until.After(until) {
			until = j.until
		}
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	answers, err := b.run(ctx, params)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.done <- answers[i]
	}
	return nil
}

// dropLate forgets the jobs whose caller went away, and answers those that have waited too long.
func dropLate[P, R any](jobs []*job[P, R], failure error) []*job[P, R] {
	kept := jobs[:0]
	for _, j := range jobs {
		switch {
		case j.caller.Err() != nil:
		case failure != nil && !time.Now().Before(j.until):
			j.done <- answer[R]{err: postgres.Classify(failure)}
		default:
			kept = append(kept, j)
		}
	}
	return kept
}
