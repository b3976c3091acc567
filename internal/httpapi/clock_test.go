package httpapi_test

import (
	"sync"
	"time"
)

// testClock is a clock that a test sets: events are received at its time, and staleness is measured by it.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTestClock() *testClock { return &testClock{now: time.Now().UTC().Truncate(time.Second)} }

// Now returns the time of the clock.
func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// set moves the clock to a time, which may be in the past.
func (c *testClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// advance moves the clock and returns its new time.
func (c *testClock) advance(by time.Duration) time.Time {
	c.set(c.Now().Add(by))
	return c.Now()
}
