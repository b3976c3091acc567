package middleware

import "github.com/labstack/echo/v4"

// SecurityHeaders sets the headers that restrict what browsers do with an answer. Answers are private unless a handler sets
// another Cache-Control.
func SecurityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		return next(c)
	}
}
