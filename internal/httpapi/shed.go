package httpapi

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/fairqueue"
	"github.com/versioner-io/versioner/internal/postgres"
)

// overload keeps people's requests from taking all there is: so many are worked on at the same time, so many wait, the
// accounts in turns, and the others are told to come again. Events, which pipelines wait for, pass beside.
type overload struct {
	most int // 0: any number

	mu      sync.Mutex
	running int
	waiting *fairqueue.Queue[*visitor]
}

// visitor is a request that waits.
type visitor struct {
	turn   chan bool // true: it may go on; false: it is turned away
	isGone bool
}

func newOverload(most, waiting int) *overload {
	return &overload{most: most, waiting: fairqueue.New[*visitor](waiting)}
}

func (o *overload) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		principal := authn.PrincipalFrom(ctx)
		if o.most == 0 || !principal.IsPerson() {
			return next(c)
		}
		if err := o.enter(ctx, principal.AccountID); err != nil {
			return apperr.Wrap(apperr.Unavailable, "too much at once", err)
		}
		defer o.leave()
		return next(c)
	}
}

// enter returns when the request may be worked on, or with the reason why it will not be.
func (o *overload) enter(ctx context.Context, account uuid.UUID) error {
	v, turnedAway := o.arrive(account)
	if v == nil {
		return nil
	}
	if turnedAway != nil {
		turnedAway.turn <- false
	}
	ctx, cancel := context.WithTimeout(ctx, postgres.Patience)
	defer cancel()
	select {
	case mayEnter := <-v.turn:
		if !mayEnter {
			return errors.New("as many requests wait as the server has room for")
		}
		return nil
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		v.isGone = true
		select {
		case mayEnter := <-v.turn: // it came too late
			if mayEnter {
				o.next()
			}
		default:
		}
		return ctx.Err() //nolint:wrapcheck // the caller says what it means
	}
}

// arrive takes a free place, or returns how to wait for one, and who else has lost theirs for it.
func (o *overload) arrive(account uuid.UUID) (v, turnedAway *visitor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running < o.most {
		o.running++
		return nil, nil
	}
	v = &visitor{turn: make(chan bool, 1)}
	turnedAway, _ = o.waiting.Push(account, v)
	return v, turnedAway
}

func (o *overload) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next()
}

// next gives a place to whoever has waited for it, or keeps it free.
func (o *overload) next() {
	for {
		v, ok := o.waiting.TryPop()
		if !ok {
			o.running--
			return
		}
		if !v.isGone {
			v.turn <- true
			return
		}
	}
}
