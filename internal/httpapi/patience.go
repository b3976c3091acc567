package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
)

// patient has people's requests wait for a database that restarts or fails over, and none of them longer than
// postgres.Patience for one that hangs. A request is worked on again as long as it can have changed nothing: handlers
// write in transactions alone. A claim of an Idempotency-Key is written before them, and its request is left to the
// client, who may send it again. Sending the answer is not bounded here.
func patient(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		request := c.Request()
		if !authn.PrincipalFrom(request.Context()).IsUser() {
			return next(c)
		}
		defer c.SetRequest(request)
		once := request.Method == http.MethodPost && request.Header.Get(idempotencyKey) != ""
		gaveUp := postgres.Retry(request.Context(), postgres.Patience, func(ctx context.Context) error {
			ctx, attempt := postgres.WithAttempt(ctx)
			c.SetRequest(request.WithContext(ctx))
			if err = next(c); once || attempt.MayBeCommitted() || c.Response().Committed {
				return nil
			}
			return err
		})
		if err == nil {
			err = gaveUp
		}
		if _, ok := errors.AsType[*apperr.Error](err); ok || c.Response().Committed { // then it is the client who is away
			return err
		}
		return postgres.Classify(err)
	}
}
