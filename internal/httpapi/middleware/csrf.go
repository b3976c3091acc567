package middleware

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/signin"
)

// CSRF returns middleware that rejects changes which a browser makes with a session cookie on behalf of a page of another
// site, but for the trusted origins. A request that is not authenticated by a cookie passes: only a page that has a token can set the
// Authorization header. The sign-in of a development server needs no credential and is protected, too.
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
			if !authn.UsesSessionCookie(request.Header) && request.URL.Path != signin.DevelopmentPath {
				return next(c)
			}
			if err := protection.Check(request); err != nil {
				return apperr.Wrap(apperr.Forbidden, errForbidden.Message, err)
			}
			return next(c)
		}
	}, nil
}
