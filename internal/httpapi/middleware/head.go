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

// AddHeadToAllow adds HEAD to the Allow header, which echo writes without knowledge of HeadAsGet.
func AddHeadToAllow(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			header := c.Response().Header()
			if allowed := header.Get(echo.HeaderAllow); slices.Contains(strings.Split(allowed, ", "), http.MethodGet) {
				header.Set(echo.HeaderAllow, allowed+", "+http.MethodHead)
			}
		})
		return next(c)
	}
}
