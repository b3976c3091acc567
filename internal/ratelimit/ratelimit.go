// Package ratelimit enforces quotas of requests: no rolling window admits more than the limit, and the whole limit may be spent at
// once.
//
// A window is counted in 60 slots of equal length. What was admitted counts until the whole of its slot has left the window,
// so that a little less than the limit may be let through now and then (what was admitted in one slot, a sixtieth of the
// window), but never more. Fixed windows, buckets that start full and weighted windows let through almost twice as many.
package ratelimit

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	slots = 60
	kept  = slots + 1 // the current one is not over yet
)

// Quota is what a subject may do: Limit requests in any Window. A limit of 0 is none.
type Quota struct {
	Name    string // in the header RateLimit-Policy: key, account, user
	Subject string // who; no two quotas share one
	Limit   int
	Window  time.Duration
}

// State is how much of a quota is left.
type State struct {
	Quota

	Remaining int
	Reset     time.Duration // until all of it is there again
}

// Decision reports whether a request is admitted.
type Decision struct {
	Allowed    bool
	States     []State       // in the order of the quotas, without those that are off
	RetryAfter time.Duration // of a rejected request: until one is admitted, if none is sent before
}

// Tightest is the state with the least left in proportion; false when every quota is off.
func (d Decision) Tightest() (State, bool) {
	var tightest State
	least := math.Inf(1)
	for _, state := range d.States {
		if left := float64(state.Remaining) / float64(state.Limit); left < least {
			tightest, least = state, left
		}
	}
	return tightest, len(d.States) > 0
}

// Limiter takes one request from every quota, or from none when one of them is spent.
type Limiter interface {
	Take(ctx context.Context, quotas ...Quota) Decision
}

// maxSubjects bounds the memory of Local: about 300 bytes each.
const maxSubjects = 1 << 20

// Local counts in the memory of this process.
type Local struct {
	clock func() time.Duration // since some moment; it never goes back

	mu      sync.Mutex
	windows map[string]*window
	swept   time.Duration
}

// NewLocal returns a limiter whose clock cannot be set back.
func NewLocal() *Local {
	begin := time.Now()
	return newLocal(func() time.Duration { return time.Since(begin) })
}

func newLocal(clock func() time.Duration) *Local {
	return &Local{clock: clock, windows: make(map[string]*window)}
}

// window is what a subject has done.
type window struct {
	slot   time.Duration // how long one takes
	newest int64         // number of the slot that was last counted in
	used   int           // in all slots
	counts [kept]int32   // by the number of the slot, modulo their number
}

// Take never waits.
func (l *Local) Take(_ context.Context, quotas ...Quota) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	l.sweep(now)
	decision := Decision{Allowed: true}
	windows := make([]*window, 0, len(quotas))
	for _, quota := range quotas {
		if quota.Limit <= 0 {
			continue
		}
		w := l.window(quota, now)
		windows = append(windows, w)
		if wait := w.wait(now, quota.Limit); wait > 0 {
			decision.Allowed = false
			decision.RetryAfter = max(decision.RetryAfter, wait)
		}
		decision.States = append(decision.States, State{Quota: quota})
	}
	for i, w := range windows {
		if decision.Allowed {
			w.count()
		}
		state := &decision.States[i]
		state.Remaining, state.Reset = max(0, state.Limit-w.used), w.reset(now)
	}
	return decision
}

// Refund gives back one request that Take has charged to the quota, unless it has left the window already.
func (l *Local) Refund(quota Quota) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[quota.Subject]
	if w == nil || w.used == 0 {
		return
	}
	for number := w.newest; number >= w.newest-slots; number-- {
		if count := &w.counts[(number+kept)%kept]; *count > 0 {
			*count--
			w.used--
			return
		}
	}
}

// window returns the subject's window as it is now.
func (l *Local) window(quota Quota, now time.Duration) *window {
	w := l.windows[quota.Subject]
	if slot := quota.Window / slots; w == nil || w.slot != slot {
		w = &window{slot: slot, newest: int64(now / slot)}
		l.windows[quota.Subject] = w
	}
	w.advance(now)
	return w
}

// sweep removes, once a minute, the subjects without a request in a whole window, and all of them when there are too many: lack of
// memory must not reject requests.
func (l *Local) sweep(now time.Duration) {
	if now-l.swept >= time.Minute {
		l.swept = now
		for subject, w := range l.windows {
			if int64(now/w.slot) >= w.newest+kept {
				delete(l.windows, subject)
			}
		}
	}
	if len(l.windows) > maxSubjects {
		clear(l.windows)
	}
}

// advance empties the slots that have left.
func (w *window) advance(now time.Duration) {
	current := int64(now / w.slot)
	for number := max(w.newest+1, current-slots); number <= current; number++ {
		w.used -= int(w.counts[number%kept])
		w.counts[number%kept] = 0
	}
	w.newest = max(w.newest, current)
}

func (w *window) count() {
	w.counts[w.newest%kept]++
	w.used++
}

// wait is how long until there is room for one more; 0 when there is.
func (w *window) wait(now time.Duration, limit int) time.Duration {
	left := w.used
	for number := w.newest - slots; number <= w.newest && left >= limit; number++ {
		left -= int(w.counts[(number+kept)%kept])
		if left < limit {
			return time.Duration(number+kept)*w.slot - now
		}
	}
	return 0
}

// reset is how long until nothing counts any more.
func (w *window) reset(now time.Duration) time.Duration {
	for number := w.newest; number >= w.newest-slots; number-- {
		if w.counts[(number+kept)%kept] > 0 {
			return time.Duration(number+kept)*w.slot - now
		}
	}
	return 0
}
