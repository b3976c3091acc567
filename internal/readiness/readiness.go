// Package readiness bounds what probes cost: however many there are, the server checks itself about once a second.
package readiness

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxAge bounds how old a result may be.
const maxAge = time.Second

// Cache returns a function that returns the result of a check, at most maxAge old. Concurrent callers share one check, which goes on
// when the caller that started it leaves.
func Cache(check func(ctx context.Context) error) func(ctx context.Context) error {
	c := &cache{check: check}
	return c.get
}

type cache struct {
	check  func(ctx context.Context) error
	flight singleflight.Group

	mu        sync.Mutex
	checkedAt time.Time
	err       error
}

func (c *cache) get(ctx context.Context) error {
	if err, ok := c.cached(); ok {
		return err
	}
	result := c.flight.DoChan("", func() (any, error) {
		if err, ok := c.cached(); ok { // a flight that ended in between
			return nil, err
		}
		err := c.check(context.WithoutCancel(ctx))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.checkedAt, c.err = time.Now(), err
		return nil, err
	})
	select {
	case done := <-result:
		return done.Err
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller has left
	}
}

func (c *cache) cached() (err error, ok bool) { //nolint:revive // the error is the value
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err, !c.checkedAt.IsZero() && time.Since(c.checkedAt) < maxAge
}
