package middleware

import (
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// SecurityHeaders sets the headers that restrict what browsers do with an answer: by default it is private, never a document
// that loads or runs anything, and never a resource of another site's page. Handlers of HTML pages replace the
// Content-Security-Policy.
func SecurityHeaders(trustedProxies []*net.IPNet) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header := c.Response().Header()
			header.Set("Cache-Control", "no-store")
			header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			header.Set("Cross-Origin-Resource-Policy", "same-origin")
			header.Set("Referrer-Policy", "no-referrer")
			header.Set("X-Content-Type-Options", "nosniff")
			header.Set("X-Frame-Options", "DENY")
			if isTLS(c.Request(), trustedProxies) {
				header.Set("Strict-Transport-Security", "max-age=31536000")
			}
			return next(c)
		}
	}
}

// isTLS reports whether the client's connection is encrypted, up to the server or to a trusted proxy.
func isTLS(r *http.Request, trustedProxies []*net.IPNet) bool {
	if r.TLS != nil {
		return true
	}
	scheme, _, _ := strings.Cut(r.Header.Get(echo.HeaderXForwardedProto), ",")
	return strings.EqualFold(strings.TrimSpace(scheme), "https") && isTrusted(remoteIP(r), trustedProxies)
}
