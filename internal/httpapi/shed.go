package httpapi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/fairqueue"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/postgres"
)

// maxUnsent is how many bytes of answers, at most, wait for slow clients without a place: they are kept in memory.
const maxUnsent = 64 << 20

// standstill is how long nobody has left when those who work wait for something else than their turn.
const standstill = 500 * time.Millisecond

// overload keeps people's requests from taking all there is: so many are worked on at the same time, of one account half
// as many, so many wait, the accounts in turns, and the others are told to come again. Events, which pipelines wait for,
// pass beside. Only work takes a place: not reading what a client sends, nor sending what it is slow to read.
type overload struct {
	most      int // 0: any number
	mostOfOne int // account
	unsent    atomic.Int64
	guests    *guests

	mu        sync.Mutex
	running   int
	lastLeft  time.Time // when somebody did
	runningOf map[uuid.UUID]int
	waiting   *fairqueue.Queue[*visitor]
}

// visitor is a request that waits.
type visitor struct {
	account uuid.UUID
	turn    chan bool // true: it may go on; false: it is turned away
	isGone  bool
}

func newOverload(most, waiting int) *overload {
	return &overload{
		most: most, mostOfOne: (most + 1) / 2, guests: newGuests(), runningOf: make(map[uuid.UUID]int), waiting: fairqueue.New[*visitor](waiting),
	}
}

// door has a request that comes with a known credential wait for its place before anything else is done for it, so that
// turning it away costs next to nothing: what can be known of it without the database is whose turn it takes. It waits later,
// as one that nobody knows, when it has a body, which is read without a place; when whoever sends it has sent too many, and is
// to be told so; and when nobody gets on, as while the database is away, for which all may wait.
func (o *overload) door(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request := c.Request()
		if o.most == 0 || request.ContentLength != 0 {
			return next(c)
		}
		ctx, credential := request.Context(), o.guests.credential(request.Header)
		if known, ok := o.guests.find(credential); ok && time.Now().After(known.limitedUntil) && o.isMoving(known.account) {
			told := logctx.From(ctx)
			told.Account, told.User = known.slug, known.user
			leave, err := o.enter(ctx, known.account)
			if err != nil {
				return err
			}
			defer leave()
			c.SetRequest(request.WithContext(context.WithValue(ctx, placeKey{}, &place{account: known.account, leave: leave})))
		}
		err := next(c)
		o.guests.note(credential, authn.PrincipalFrom(c.Request().Context()), err)
		return err
	}
}

func (o *overload) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		principal := authn.PrincipalFrom(ctx)
		if o.most == 0 || !principal.IsPerson() {
			return next(c)
		}
		leave, ok := placeFrom(ctx).use(principal.AccountID)
		if !ok {
			var err error
			if leave, err = o.enter(ctx, principal.AccountID); err != nil {
				return err
			}
		}
		defer leave()
		got, err := hold(c, next)
		if err != nil {
			return err
		}
		size := int64(len(got.Body))
		defer o.unsent.Add(-size)
		if o.unsent.Add(size) <= maxUnsent {
			leave()
		}
		c.Response().WriteHeader(got.Status)
		_, err = c.Response().Write(got.Body)
		return err //nolint:wrapcheck // the caller has left
	}
}

// hold captures an answer; the response is as it was before even after a panic, whose answer is sent on it.
func hold(c echo.Context, next echo.HandlerFunc) (answer, error) {
	response := c.Response()
	before := *response
	defer func() { *response = before }()
	return capture(c, next)
}

// place is one that the door has let a request take.
type place struct {
	account uuid.UUID
	leave   func() // nil: it is used, or there is none
}

type placeKey struct{}

func placeFrom(ctx context.Context) *place {
	if held, ok := ctx.Value(placeKey{}).(*place); ok {
		return held
	}
	return &place{}
}

// use returns, once, how to leave the place, if it is one of the account's; another's is left.
func (p *place) use(account uuid.UUID) (leave func(), ok bool) {
	leave, p.leave = p.leave, nil
	if leave != nil && p.account != account {
		leave()
		return nil, false
	}
	return leave, leave != nil
}

// enter returns when the request may be worked on, with what gives its place back; or with the reason why it will not be.
func (o *overload) enter(ctx context.Context, account uuid.UUID) (leave func(), err error) {
	if err := o.wait(ctx, account); err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, "too much at once", err)
	}
	return sync.OnceFunc(func() { o.leave(account) }), nil
}

func (o *overload) wait(ctx context.Context, account uuid.UUID) error {
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
				o.free(account)
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
	if o.running < o.most && o.mayEnter(account) {
		o.take(account)
		return nil, nil
	}
	v = &visitor{account: account, turn: make(chan bool, 1)}
	turnedAway, _ = o.waiting.Enqueue(account, v)
	return v, turnedAway
}

func (o *overload) leave(account uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free(account)
}

// isMoving tells whether an account's requests are, or would be, worked on.
func (o *overload) isMoving(account uuid.UUID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running < o.most && o.mayEnter(account) || time.Since(o.lastLeft) < standstill
}

func (o *overload) mayEnter(account uuid.UUID) bool { return o.runningOf[account] < o.mostOfOne }

func (o *overload) take(account uuid.UUID) {
	o.running++
	o.runningOf[account]++
}

// free gives the place to whoever has waited for it, if there is somebody who may have it.
func (o *overload) free(account uuid.UUID) {
	o.running--
	o.lastLeft = time.Now()
	if o.runningOf[account]--; o.runningOf[account] == 0 {
		delete(o.runningOf, account)
	}
	for o.running < o.most {
		v, ok := o.waiting.TryDequeueWhere(o.mayEnter)
		if !ok {
			return
		}
		if !v.isGone {
			o.take(v.account)
			v.turn <- true
		}
	}
}
