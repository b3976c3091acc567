package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

// soon bounds the wait for a job, on a machine that runs other tests.
const soon = 30 * time.Second

func TestTasks(t *testing.T) {
	t.Parallel()
	openPool := func(t *testing.T, dsn string) *postgres.Pool {
		t.Helper()
		pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	start := func(t *testing.T, pool *postgres.Pool, logs *testapi.Logs, tasks ...jobs.Task) (stop func()) {
		t.Helper()
		client, err := jobs.New(pool, jobs.Config{Workers: river.NewWorkers(), Tasks: tasks, Logger: slog.New(slog.NewJSONHandler(logs, nil))})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		var running sync.WaitGroup
		running.Go(func() {
			if err := client.Run(ctx, time.Second); err != nil {
				t.Error(err)
			}
		})
		stop = sync.OnceFunc(func() { cancel(); running.Wait() })
		t.Cleanup(stop)
		return stop
	}

	t.Run("RunOnceForAllProcesses", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.New(t)
		runs := make(chan string, 10)
		record := func(name string) jobs.Task {
			return jobs.Task{Name: name, Run: func(context.Context) error { runs <- name; return nil }}
		}
		stopLeader := start(t, openPool(t, dsn), &testapi.Logs{}, record("first"))
		require.Equal(t, "first", receive(t, runs))
		start(t, openPool(t, dsn), &testapi.Logs{}, record("second"), record("third"))
		stopLeader()
		require.ElementsMatch(t, []string{"second", "third"}, []string{receive(t, runs), receive(t, runs)}, "the other process became the leader")
		require.Empty(t, runs)
	})

	t.Run("UniqueWhileInProgress", func(t *testing.T) {
		t.Parallel()
		pool := openPool(t, testdb.New(t))
		running, release := make(chan string, 10), make(chan struct{})
		task := jobs.Task{Name: "task", Run: func(context.Context) error { running <- "task"; <-release; return nil }}
		stop := start(t, pool, &testapi.Logs{}, task)
		receive(t, running)
		for name, want := range map[string]bool{"task": false, "other": true} {
			isNew, err := jobs.InsertTask(t.Context(), pool, name)
			require.NoError(t, err)
			require.Equal(t, want, isNew, name)
		}
		close(release)
		stop()
		isNew, err := jobs.InsertTask(t.Context(), pool, "task")
		require.NoError(t, err)
		require.True(t, isNew, "the task has ended")
	})

	t.Run("FailureIsLoggedAndRetried", func(t *testing.T) {
		t.Parallel()
		var runs atomic.Int32
		recovered := make(chan string, 10)
		task := jobs.Task{Name: "task", Run: func(context.Context) error {
			if runs.Add(1) == 1 {
				return errors.New("a transaction holds a lock")
			}
			recovered <- "task"
			return nil
		}}
		logs := &testapi.Logs{}
		start(t, openPool(t, testdb.New(t)), logs, task)
		receive(t, recovered)
		require.Equal(t, int32(2), runs.Load())
		require.Contains(t, logs.String(), `"msg":"maintenance failed, will retry","task":"task","attempt":1,"error":"a transaction holds a lock"`)
	})
}

func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case name := <-from:
		return name
	case <-time.After(soon):
		require.Fail(t, "timed out")
		return ""
	}
}

func TestDeleteInBatches(t *testing.T) {
	t.Parallel()
	left, calls := int64(11), 0
	remove := func(context.Context) (int64, error) {
		calls++
		batch := min(left, 5)
		left -= batch
		return batch, nil
	}
	require.NoError(t, jobs.DeleteInBatches(t.Context(), remove))
	require.Zero(t, left)
	require.Equal(t, 4, calls)
	failure := errors.New("broken")
	require.ErrorIs(t, jobs.DeleteInBatches(t.Context(), func(context.Context) (int64, error) { return 1, failure }), failure)
}
