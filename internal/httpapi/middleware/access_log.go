package middleware

import (
	"log/slog"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// maxLoggedPath is the length of the longest path in the log, in bytes. JSON writes a byte as up to six.
const maxLoggedPath = 2048

// AccessLog logs one line for each request, once it is answered.
func AccessLog(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			begin := time.Now()
			ctx, method, path := c.Request().Context(), c.Request().Method, c.Request().URL.Path
			if err := next(c); err != nil {
				c.Error(err)
			}
			logger.LogAttrs(ctx, slog.LevelInfo, "request",
				slog.String("method", method), slog.String("path", truncate(path)), slog.Int("status", c.Response().Status),
				slog.Int64("bytes", c.Response().Size), slog.Float64("duration_ms", float64(time.Since(begin).Microseconds())/1000),
				slog.String("remote_ip", c.RealIP()))
			return nil
		}
	}
}

func truncate(path string) string {
	if len(path) <= maxLoggedPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxLoggedPath], "") + "…"
}
