package middleware

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// Recover turns a panic into an error.
func Recover(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				if cause := recover(); cause != nil {
					logger.ErrorContext(c.Request().Context(), "panic", "stack", string(debug.Stack()))
					err = fmt.Errorf("panic: %v", cause)
				}
			}()
			return next(c)
		}
	}
}
