package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	taskQueue    = "maintenance"
	taskInterval = time.Hour
)

// Task is maintenance of the database. It runs when a process becomes the leader, and at intervals after that, in one process at a time;
// a task that failed is retried.
type Task struct {
	Name     string
	Interval time.Duration // 0: an hour
	Run      func(ctx context.Context) error
}

// DeleteInBatches calls remove until it reports that no row is left.
func DeleteInBatches(ctx context.Context, remove func(context.Context) (int64, error)) error {
	for {
		if deleted, err := remove(ctx); err != nil || deleted == 0 {
			return err
		}
	}
}

type taskArgs struct {
	Task string `json:"task"`
}

// Kind is the name in the queue.
func (taskArgs) Kind() string { return "maintenance" }

// InsertOpts makes a task unique until it has ended.
func (taskArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: taskQueue, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}

func periodicJobs(tasks []Task) []*river.PeriodicJob {
	periodic := make([]*river.PeriodicJob, len(tasks))
	for i, task := range tasks {
		periodic[i] = river.NewPeriodicJob(river.PeriodicInterval(cmp.Or(task.Interval, taskInterval)),
			func() (river.JobArgs, *river.InsertOpts) { return taskArgs{Task: task.Name}, nil }, &river.PeriodicJobOpts{RunOnStart: true})
	}
	return periodic
}

var errUnknownTask = errors.New("another version of the program has this task")

type taskWorker struct {
	river.WorkerDefaults[taskArgs]

	tasks  map[string]func(context.Context) error
	logger *slog.Logger
}

func newTaskWorker(tasks []Task, logger *slog.Logger) *taskWorker {
	worker := &taskWorker{tasks: make(map[string]func(context.Context) error, len(tasks)), logger: logger}
	for _, task := range tasks {
		worker.tasks[task.Name] = task.Run
	}
	return worker
}

// Work runs a task. A task that only another version of the program has is left to the retry.
func (w *taskWorker) Work(ctx context.Context, job *river.Job[taskArgs]) error {
	err := errUnknownTask
	if run, ok := w.tasks[job.Args.Task]; ok {
		err = run(ctx)
	}
	if err != nil {
		w.logger.WarnContext(ctx, "maintenance failed, will retry", "task", job.Args.Task, "attempt", job.Attempt, "error", err)
	}
	return err
}
