package middleware

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
)

// sessionCookie is where a browser may keep the user's token.
const sessionCookie = "__session"

// CSRF returns middleware that rejects changes which a browser makes with its session cookie on behalf of a page of another
// site, but for the trusted origins. A request with an Authorization header passes: only a page that knows the token can set it.
func CSRF(origins []string) (echo.MiddlewareFunc, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trust %s: %w", origin, err)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			request := c.Request()
			if len(request.Header.Values("Authorization")) > 0 {
				return next(c)
			}
			if _, err := request.Cookie(sessionCookie); errors.Is(err, http.ErrNoCookie) {
				return next(c)
			}
			if err := protection.Check(request); err != nil {
				return apperr.Wrap(apperr.Forbidden, errForbidden.Message, err)
			}
			return next(c)
		}
	}, nil
}
