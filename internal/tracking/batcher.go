package tracking

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"runtime"
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
	retryPause  = 50 * time.Millisecond

	// What waits for a lock is set aside after lockPatience, which the functions that record one event keep to by themselves
	// (db/migrations/00010), and tried again by other workers.
	lockPatience      = time.Second
	retryLockPatience = 100 * time.Millisecond
	retryWorkers      = 2
)

// workers is how many transactions run at the same time, of each kind of event. More of them than processors, where the
// database has the same ones, get nothing done earlier: they take turns, and have fewer events share one.
func workers() int { return min(max(runtime.GOMAXPROCS(0), 2), 4) }

// batcher lets events that wait at the same time share a transaction. It is fed by whatever is queued, without a timer:
// a lone event waits for nobody. Each caller gets its own answer, and its own error.
//
// Events that need what somebody else keeps locked are set aside, out of the way of other accounts', and tried there until
// they succeed or have waited too long. New events of their account join them while there are any.
type batcher[P, R any] struct {
	queue *fairqueue.Queue[*job[P, R]]
	aside *fairqueue.Queue[*job[P, R]]
	// run executes the statements in one transaction, which waits that long for each lock. A caller's own failure is in its answer; an error concerns all.
	run func(ctx context.Context, params []P, patience time.Duration) ([]answer[R], error)

	mu     sync.Mutex
	locked map[uuid.UUID]int // how many of the account's events have met a lock and are not done with
}

type job[P, R any] struct {
	account uuid.UUID
	params  P
	lockKey string
	caller  context.Context //nolint:containedctx // a job without a caller is dropped
	until   time.Time
	done    chan answer[R]
	metLock bool
}

type answer[R any] struct {
	result R
	err    error
}

// answer is for the caller. Only the first one counts.
func (j *job[P, R]) answer(a answer[R]) {
	select {
	case j.done <- a:
	default:
	}
}

func newBatcher[P, R any](run func(context.Context, []P, time.Duration) ([]answer[R], error)) *batcher[P, R] {
	return &batcher[P, R]{
		queue: fairqueue.New[*job[P, R]](queueLength), aside: fairqueue.New[*job[P, R]](queueLength),
		run: run, locked: make(map[uuid.UUID]int),
	}
}

// work runs the transactions until ctx ends. Whoever calls it has made sure that nobody calls do any more by then.
func (b *batcher[P, R]) work(ctx context.Context) {
	var group sync.WaitGroup
	for range workers() {
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
	for range retryWorkers {
		group.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-b.aside.Waits():
					b.retry(ctx, b.aside.Pop())
				}
			}
		})
	}
	group.Wait()
}

// do queues a statement and waits for its answer. Statements of the same lockKey are run one after the other.
func (b *batcher[P, R]) do(ctx context.Context, account uuid.UUID, params P, lockKey string) (R, error) {
	caller, leave := context.WithCancel(ctx)
	defer leave()
	j := &job[P, R]{
		account: account, params: params, lockKey: lockKey, caller: caller,
		until: time.Now().Add(postgres.Patience), done: make(chan answer[R], 1),
	}
	if b.hasLocked(account) {
		b.push(b.aside, j)
	} else {
		b.push(b.queue, j)
	}
	var none R
	select {
	case a := <-j.done:
		return a.result, a.err
	case <-ctx.Done():
		return none, apperr.Wrap(apperr.Unavailable, "the caller went away", ctx.Err())
	}
}

func (b *batcher[P, R]) push(queue *fairqueue.Queue[*job[P, R]], j *job[P, R]) {
	if turnedAway, isFull := queue.Push(j.account, j); isFull {
		b.finish(turnedAway, answer[R]{err: apperr.New(apperr.Unavailable, "too many events are waiting")})
	}
}

// gather takes what else is waiting. The events of an account are next to each other, and the accounts in the order in which
// every transaction takes them (locksAhead).
func (b *batcher[P, R]) gather(first *job[P, R]) []*job[P, R] {
	jobs := []*job[P, R]{first}
	for len(jobs) < maxBatch {
		next, ok := b.queue.TryPop()
		if !ok {
			break
		}
		jobs = append(jobs, next)
	}
	slices.SortStableFunc(jobs, func(one, other *job[P, R]) int {
		return cmp.Or(bytes.Compare(one.account[:], other.account[:]), strings.Compare(one.lockKey, other.lockKey))
	})
	return jobs
}

// process runs the jobs, again and again while the database is away. Those of an account that waits for a lock which
// somebody holds are set aside. When a statement fails for its own sake, the transaction is lost for all, and each is tried
// alone.
func (b *batcher[P, R]) process(ctx context.Context, jobs []*job[P, R]) {
	var failure error
	for {
		jobs = b.withoutLocked(dropLate(jobs, failure))
		if len(jobs) == 0 {
			return
		}
		if failure = b.attempt(ctx, jobs, lockPatience); failure == nil {
			return
		}
		if account, ok := lockedAccount(jobs, failure); ok {
			for _, j := range jobs {
				if j.account == account {
					b.setAside(j, failure)
				}
			}
			jobs = slices.DeleteFunc(jobs, func(j *job[P, R]) bool { return j.account == account })
			failure = nil // it says nothing about the others
			continue
		}
		if !postgres.IsTransient(failure) || len(jobs) > 1 && postgres.IsLocked(failure) {
			break
		}
		time.Sleep(retryPause)
	}
	if len(jobs) == 1 {
		jobs[0].answer(answer[R]{err: postgres.Classify(failure)})
		return
	}
	for i := range jobs {
		b.process(ctx, jobs[i:i+1])
	}
}

// withoutLocked hands on the jobs of accounts that have met a lock.
func (b *batcher[P, R]) withoutLocked(jobs []*job[P, R]) []*job[P, R] {
	return slices.DeleteFunc(jobs, func(j *job[P, R]) bool {
		isLocked := b.hasLocked(j.account)
		if isLocked {
			b.push(b.aside, j)
		}
		return isLocked
	})
}

// lockedAccount tells whose statement waited for a lock in vain.
func lockedAccount[P, R any](jobs []*job[P, R], failure error) (uuid.UUID, bool) {
	if !postgres.IsLocked(failure) {
		return uuid.UUID{}, false
	}
	if at, ok := errors.AsType[*statementError](failure); ok {
		return jobs[at.index].account, true
	}
	return jobs[0].account, len(jobs) == 1
}

// setAside has the job tried again out of the way of others, until it has waited too long.
func (b *batcher[P, R]) setAside(j *job[P, R], failure error) {
	if !j.metLock {
		j.metLock = true
		b.mu.Lock()
		b.locked[j.account]++
		b.mu.Unlock()
		time.AfterFunc(time.Until(j.until), func() { j.answer(answer[R]{err: postgres.Classify(failure)}) })
	}
	b.push(b.aside, j)
}

// retry tries a job that was set aside, once. One that only followed others of its account shares transactions again when
// those are done with.
func (b *batcher[P, R]) retry(ctx context.Context, j *job[P, R]) {
	switch {
	case j.caller.Err() != nil:
		b.forget(j)
		return
	case !j.metLock && !b.hasLocked(j.account):
		b.push(b.queue, j)
		return
	}
	failure := b.attempt(ctx, []*job[P, R]{j}, retryLockPatience)
	switch {
	case failure == nil:
		b.forget(j)
	case !postgres.IsTransient(failure) || !time.Now().Before(j.until):
		b.finish(j, answer[R]{err: postgres.Classify(failure)})
	default:
		if !postgres.IsLocked(failure) {
			time.Sleep(retryPause)
		}
		b.setAside(j, failure)
	}
}

// finish answers a job that may have been set aside.
func (b *batcher[P, R]) finish(j *job[P, R], a answer[R]) {
	b.forget(j)
	j.answer(a)
}

func (b *batcher[P, R]) forget(j *job[P, R]) {
	if !j.metLock {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.locked[j.account]--; b.locked[j.account] <= 0 {
		delete(b.locked, j.account)
	}
}

func (b *batcher[P, R]) hasLocked(account uuid.UUID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.locked[account] > 0
}

// attempt answers all jobs, or returns an error and answers none.
func (b *batcher[P, R]) attempt(ctx context.Context, jobs []*job[P, R], patience time.Duration) error {
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
	answers, err := b.run(ctx, params, patience)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.answer(answers[i])
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
			j.answer(answer[R]{err: postgres.Classify(failure)})
		default:
			kept = append(kept, j)
		}
	}
	return kept
}
