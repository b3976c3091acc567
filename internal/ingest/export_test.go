package ingest

import (
	"context"
	"errors"
	"io"
	"time"
)

// LoseAnswers makes the answers of the next n batches get lost after their commit.
func (r *Recorder) LoseAnswers(n int) {
	run := r.batcher.run
	r.batcher.run = func(ctx context.Context, jobs []*job, lockTimeout time.Duration) error {
		err := run(ctx, jobs, lockTimeout)
		if n > 0 && err == nil {
			n--
			return errors.Join(errors.New("lost"), io.ErrUnexpectedEOF)
		}
		return err
	}
}

// RecordTogether records events of one kind in one batch.
func (r *Recorder) RecordTogether(ctx context.Context, events []Event) ([]Recorded, []error, error) {
	jobs := make([]*job, len(events))
	for i, event := range events {
		event.ID = newID()
		jobs[i] = &job{event: event, ctx: ctx, deadline: time.Now().Add(time.Minute), done: make(chan result, 1)}
	}
	if err := r.batcher.run(ctx, jobs, time.Minute); err != nil {
		return nil, nil, err
	}
	recorded, failures := make([]Recorded, len(jobs)), make([]error, len(jobs))
	for i, j := range jobs {
		recorded[i], failures[i] = j.result.recorded, j.result.err
	}
	return recorded, failures, nil
}
