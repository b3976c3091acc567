package middleware

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

const (
	corsMaxAge         = "600" // seconds for which a browser may cache the answer to a preflight
	corsAllowedMethods = "GET, POST, PUT, PATCH, DELETE"
	corsAllowedHeaders = "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
	// corsExposedHeaders are readable by a page beside those that browsers expose anyway.
	corsExposedHeaders = "ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, " +
		"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
)

// CORS lets pages of the trusted origins call the operations of users, with credentials, and answers preflights.
// Operations at apiKeyOnlyPaths are for CI systems: no page may call them. It runs before routing, as a preflight is no
// operation.
func CORS(origins []string, apiKeyOnlyPaths map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header, request := c.Response().Header(), c.Request()
			origin := request.Header.Get("Origin")
			header.Add("Vary", "Origin")
			if !slices.Contains(origins, origin) || apiKeyOnlyPaths[request.URL.Path] {
				return next(c)
			}
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
			header.Set("Access-Control-Expose-Headers", corsExposedHeaders)
			if request.Method != http.MethodOptions || request.Header.Get("Access-Control-Request-Method") == "" {
				return next(c)
			}
			header.Set("Access-Control-Allow-Methods", corsAllowedMethods)
			header.Set("Access-Control-Allow-Headers", corsAllowedHeaders)
			header.Set("Access-Control-Max-Age", corsMaxAge)
			return c.NoContent(http.StatusNoContent)
		}
	}
}
