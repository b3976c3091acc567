package middleware

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// Measure counts each request once it is answered. AccessLog, which answers failed requests, runs inside of it.
func Measure(metrics *telemetry.Metrics) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			begin, request := time.Now(), logctx.From(c.Request().Context())
			err := next(c)
			metrics.Request(request.Operation, c.Response().Status, time.Since(begin))
			return err
		}
	}
}
