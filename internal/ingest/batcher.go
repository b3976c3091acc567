package ingest

import (
	"context"
	"errors"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/fairqueue"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	queueCapacity = 1024 // of events that wait, in all
	maxBatch      = 256
	maxReruns     = 8 // of a batch that another transaction was in the way of, without a pause

	maxWait           = 10 * time.Second // of an event whose context has no earlier deadline
	retryBackoff      = 50 * time.Millisecond
	lockTimeout       = time.Second
	parkedLockTimeout = 100 * time.Millisecond
	parkedBackoff     = 20 * time.Millisecond
)

// workerCount is the number of concurrent transactions: more than processors only take turns, with smaller batches.
func workerCount() int { return min(max(runtime.GOMAXPROCS(0), 2), 8) }

// batcher makes concurrent events share a transaction. Products hash to workers, so that two transactions of one
// server do not wait for the same pairs or versions; accounts take turns inside a worker. There is no timer: a lone event is its own batch,
// and what is queued when a worker becomes free is the next one.
//
// The events of an account that are blocked on a lock of another transaction are parked: retried apart from the others, until
// they succeed or their deadline passes. Later events of the account join them.
type batcher struct {
	queues []*fairqueue.Queue[*job]
	seed   maphash.Seed
	// run executes a batch in one transaction, which waits lockTimeout for each lock, and sets the results of its jobs. After an error no job has one.
	run func(ctx context.Context, jobs []*job, lockTimeout time.Duration) error

	telemetry.Telemetry

	mu     sync.Mutex
	parked map[uuid.UUID][]*job
	wake   chan struct{} // there is something parked
}

type job struct {
	event    Event
	ctx      context.Context //nolint:containedctx // a job whose client is gone is dropped
	deadline time.Time
	done     chan result
	result   result
	arrived  time.Time
	at       time.Time // of a backdated event; zero: the time of its batch
	// isRerun is set when an earlier try may have been committed although its answer was lost; since is when the first began.
	isRerun bool
	since   time.Time
}

type result struct {
	recorded Recorded
	err      error
}

// reply answers the client. Only the first reply counts.
func (j *job) reply(r result) {
	select {
	case j.done <- r:
	default:
	}
}

func newBatcher(run func(context.Context, []*job, time.Duration) error, observed telemetry.Telemetry) *batcher {
	b := &batcher{run: run, Telemetry: observed, seed: maphash.MakeSeed(), parked: make(map[uuid.UUID][]*job), wake: make(chan struct{}, 1)}
	for range workerCount() {
		b.queues = append(b.queues, fairqueue.New[*job](queueCapacity/workerCount()))
	}
	return b
}

// Submit queues an event and waits for its result.
func (b *batcher) Submit(ctx context.Context, event Event) (Recorded, error) {
	deadline := time.Now().Add(maxWait)
	if until, ok := ctx.Deadline(); ok && until.Before(deadline) {
		deadline = until
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j := &job{event: event, ctx: ctx, deadline: deadline, done: make(chan result, 1), arrived: time.Now()}
	b.Metrics.QueuedEvents(1)
	defer b.Metrics.QueuedEvents(-1)
	if evicted, isFull := b.queueOf(event).Enqueue(event.AccountID, j); isFull {
		b.Metrics.AdmissionRejected("ingest")
		evicted.reply(result{err: apperr.New(apperr.Unavailable, "ingest queue full")})
	}
	select {
	case r := <-j.done:
		return r.recorded, r.err
	case <-ctx.Done():
		return Recorded{}, apperr.Wrap(apperr.Unavailable, "client disconnected", ctx.Err())
	}
}

// queueOf returns the queue of the event's product: its pairs share the rows of its versions.
func (b *batcher) queueOf(event Event) *fairqueue.Queue[*job] {
	product := nameKey{accountID: event.AccountID, product: event.ProductName}
	return b.queues[maphash.Comparable(b.seed, product)%uint64(len(b.queues))]
}

// Run executes batches until ctx ends. No client submits events any more by then.
func (b *batcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, queue := range b.queues {
		group.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-queue.Ready():
					b.process(ctx, nextBatch(queue))
				}
			}
		})
	}
	group.Go(func() { b.retryParked(ctx) })
	group.Wait()
}

// nextBatch takes what is queued.
func nextBatch(queue *fairqueue.Queue[*job]) []*job {
	jobs := []*job{queue.Dequeue()}
	for len(jobs) < maxBatch {
		next, ok := queue.TryDequeue()
		if !ok {
			break
		}
		jobs = append(jobs, next)
	}
	return jobs
}

// process executes the jobs: builds before deployments, which inherit from them.
func (b *batcher) process(ctx context.Context, jobs []*job) {
	jobs = b.withoutParked(jobs)
	for _, kind := range []Kind{Build, Deployment} {
		of := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return j.event.Kind != kind })
		if len(of) > 0 {
			b.execute(ctx, of)
		}
	}
}

// execute runs the batch until it succeeds or the deadlines of its jobs have passed. A batch that fails for the sake of one
// event is run again without it.
func (b *batcher) execute(ctx context.Context, jobs []*job) {
	var failure error
	for try := 0; ; try++ {
		if jobs = dropExpired(jobs, failure); len(jobs) == 0 {
			return
		}
		if failure = b.try(ctx, jobs, lockTimeout); failure == nil {
			return
		}
		switch {
		case postgres.IsLockTimeout(failure):
			b.split(ctx, jobs)
			return
		case errors.Is(failure, errConcurrent) && try < maxReruns:
		case postgres.IsTransient(failure) || errors.Is(failure, errConcurrent):
			time.Sleep(retryBackoff)
		case len(jobs) == 1:
			jobs[0].reply(result{err: postgres.Classify(failure)})
			return
		default:
			for i := range jobs {
				b.execute(ctx, jobs[i:i+1])
			}
			return
		}
	}
}

// split executes the jobs of each account apart, and parks those that are blocked.
func (b *batcher) split(ctx context.Context, jobs []*job) {
	byAccount := make(map[uuid.UUID][]*job)
	for _, j := range jobs {
		byAccount[j.event.AccountID] = append(byAccount[j.event.AccountID], j)
	}
	if len(byAccount) == 1 {
		b.park(jobs)
		return
	}
	for _, account := range byAccount {
		switch failure := b.try(ctx, account, parkedLockTimeout); {
		case failure == nil:
		case postgres.IsLockTimeout(failure):
			b.park(account)
		default:
			b.execute(ctx, account)
		}
	}
}

// try executes the jobs and answers all of them, or none.
func (b *batcher) try(ctx context.Context, jobs []*job, timeout time.Duration) error {
	deadline := jobs[0].deadline
	for _, j := range jobs {
		if j.since.IsZero() {
			j.since = time.Now()
			b.Metrics.QueueWait(j.since.Sub(j.arrived))
		}
		if j.deadline.After(deadline) {
			deadline = j.deadline
		}
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	ctx, end := b.traceBatch(ctx, jobs)
	err := b.run(ctx, jobs, timeout)
	end(err)
	if err != nil {
		for _, j := range jobs {
			j.isRerun = true
		}
		return err
	}
	b.count(jobs)
	for _, j := range jobs {
		j.reply(j.result)
	}
	return nil
}

// count counts the recorded events of a transaction. Invalid ones are none.
func (b *batcher) count(jobs []*job) {
	b.Metrics.Batch(len(jobs))
	for _, j := range jobs {
		if j.result.err == nil || IsRejection(j.result.err) {
			b.Metrics.Event(j.event.eventType(), string(j.result.recorded.Effect))
		}
		if j.result.recorded.preflight != "" {
			b.Metrics.Preflight(j.result.recorded.preflight)
		}
	}
}

// dropExpired drops the jobs whose client is gone, and answers those whose deadline has passed.
func dropExpired(jobs []*job, failure error) []*job {
	return slices.DeleteFunc(jobs, func(j *job) bool {
		isLate := failure != nil && !time.Now().Before(j.deadline)
		if isLate {
			j.reply(result{err: postgres.Classify(failure)})
		}
		return isLate || j.ctx.Err() != nil
	})
}

// park hands jobs of one account to retryParked.
func (b *batcher) park(jobs []*job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	account := jobs[0].event.AccountID
	b.parked[account] = append(b.parked[account], jobs...)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// withoutParked diverts the jobs of accounts that have parked jobs.
func (b *batcher) withoutParked(jobs []*job) []*job {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.parked) == 0 {
		return jobs
	}
	return slices.DeleteFunc(jobs, func(j *job) bool {
		_, isParked := b.parked[j.event.AccountID]
		if isParked {
			b.parked[j.event.AccountID] = append(b.parked[j.event.AccountID], j)
		}
		return isParked
	})
}

// retryParked retries the parked jobs, account by account, until ctx ends.
func (b *batcher) retryParked(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		}
		for b.retryEachAccount(ctx) && ctx.Err() == nil {
			time.Sleep(parkedBackoff)
		}
	}
}

// retryEachAccount reports whether any job is still parked. The jobs of an account are tried together; when those are blocked,
// one by one, so that one locked row does not hold up the account.
func (b *batcher) retryEachAccount(ctx context.Context) bool {
	b.mu.Lock()
	accounts := make([]uuid.UUID, 0, len(b.parked))
	for account := range b.parked {
		accounts = append(accounts, account)
	}
	b.mu.Unlock()
	for _, account := range accounts {
		b.mu.Lock()
		jobs := b.parked[account]
		b.parked[account] = nil // later events still join
		b.mu.Unlock()
		blocked := b.retryBlocked(ctx, jobs)
		b.mu.Lock()
		if blocked = append(blocked, b.parked[account]...); len(blocked) > 0 {
			b.parked[account] = blocked
		} else {
			delete(b.parked, account)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.parked) > 0
}

// retryBlocked returns the jobs that are still blocked.
func (b *batcher) retryBlocked(ctx context.Context, jobs []*job) []*job {
	var blocked []*job
	for _, kind := range []Kind{Build, Deployment} {
		of := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return j.event.Kind != kind })
		of = dropExpired(of, errBlocked)
		if len(of) == 0 {
			continue
		}
		failure := b.try(ctx, of, parkedLockTimeout)
		switch {
		case failure == nil:
		case postgres.IsLockTimeout(failure) && len(of) > 1:
			for i := range of {
				if failure := b.try(ctx, of[i:i+1], parkedLockTimeout/4); postgres.IsLockTimeout(failure) {
					blocked = append(blocked, of[i])
				} else if failure != nil {
					b.execute(ctx, of[i:i+1])
				}
			}
		case postgres.IsLockTimeout(failure):
			blocked = append(blocked, of...)
		default:
			b.execute(ctx, of)
		}
	}
	return blocked
}
