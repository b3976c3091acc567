package middleware

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Timeout cancels the context of a request after d, not counting the time in which the client sends the body. It is the only time
// limit of what a request waits for: connections, locks, and a database that restarts.
func Timeout(d time.Duration) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx, cancel := context.WithCancelCause(c.Request().Context())
			defer cancel(nil)
			timer := time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
			defer timer.Stop()
			request := c.Request().WithContext(ctx)
			if request.Body != nil && request.Body != http.NoBody {
				request.Body = &untimedBody{ReadCloser: request.Body, timer: timer, left: d, since: time.Now()}
			}
			c.SetRequest(request)
			return next(c)
		}
	}
}

// untimedBody stops the timer of the request while it reads.
type untimedBody struct {
	io.ReadCloser

	timer *time.Timer
	left  time.Duration // at since
	since time.Time
}

// Read implements io.Reader.
func (b *untimedBody) Read(into []byte) (int, error) {
	if b.timer.Stop() {
		b.left -= time.Since(b.since)
		defer func() {
			b.since = time.Now()
			b.timer.Reset(b.left)
		}()
	}
	return b.ReadCloser.Read(into) //nolint:wrapcheck // io.EOF must stay what it is
}
