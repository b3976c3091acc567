package middleware

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// HeadAsGet answers HEAD wherever GET is answered; net/http, which sees the original method, leaves out the body. It wraps
// echo, whose router matches the request that it was called with.
func HeadAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.Clone(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// CorrectAllow corrects the Allow header of echo, which ignores HeadAsGet and mixes the methods of a literal path with those
// of the path with parameters beside it. literal has the methods of each such path.
func CorrectAllow(literal map[string]string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Before(func() {
				header := c.Response().Header()
				allowed := header.Get(echo.HeaderAllow)
				if methods, ok := literal[c.Request().URL.Path]; ok && allowed != "" {
					allowed = methods
				}
				if slices.Contains(strings.Split(allowed, ", "), http.MethodGet) {
					allowed += ", " + http.MethodHead
				}
				if allowed != "" {
					header.Set(echo.HeaderAllow, allowed)
				}
			})
			return next(c)
		}
	}
}
