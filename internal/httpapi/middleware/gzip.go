package middleware

import (
	"compress/gzip"
	"net/http"

	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"golang.org/x/net/http/httpguts"
)

// minGzip is the size of a response, in bytes, below which compression saves no packet.
const minGzip = 1400

// Gzip compresses the response of an operation for clients that accept it. Use it for lists only: their responses have no secret, so
// that their size reveals none (BREACH), and no strong entity tag, which would need to differ from that of the plain response.
func Gzip() echo.MiddlewareFunc {
	compress := echomiddleware.GzipWithConfig(echomiddleware.GzipConfig{Level: gzip.BestSpeed, MinLength: minGzip})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		compressed := compress(next)
		return func(c echo.Context) error {
			if acceptsGzip(c.Request()) {
				return compressed(c)
			}
			c.Response().Header().Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
			return next(c)
		}
	}
}

// acceptsGzip reports whether a client accepts gzip, which all browsers do. One with weights gets the plain response.
func acceptsGzip(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header.Values(echo.HeaderAcceptEncoding), "gzip")
}
