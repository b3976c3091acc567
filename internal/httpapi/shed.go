package httpapi

import (
	"errors"
	"sync"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

// overload keeps people's requests from taking all there is: so many are worked on at the same time, half of them at most for
// one account, and the others are told to come again. Events, which pipelines wait for, are never turned away.
type overload struct {
	most int // 0: any number

	mu       sync.Mutex
	running  int
	accounts map[uuid.UUID]int
}

func newOverload(most int) *overload {
	return &overload{most: most, accounts: make(map[uuid.UUID]int)}
}

func (o *overload) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		principal := authn.PrincipalFrom(c.Request().Context())
		if o.most == 0 || !principal.IsPerson() {
			return next(c)
		}
		if !o.enter(principal.AccountID) {
			return apperr.Wrap(apperr.Unavailable, "too much at once", errors.New("as many requests are worked on as the server can"))
		}
		defer o.leave(principal.AccountID)
		return next(c)
	}
}

func (o *overload) enter(account uuid.UUID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running >= o.most || o.accounts[account] >= max(1, o.most/2) {
		return false
	}
	o.running++
	o.accounts[account]++
	return true
}

func (o *overload) leave(account uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running--
	if o.accounts[account]--; o.accounts[account] == 0 {
		delete(o.accounts, account)
	}
}
