package middleware

import (
	"net"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/signin"
)

// Browser passes on what signing in needs of a request.
func Browser(cookies sessions.Cookies) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			request := c.Request()
			host, _, err := net.SplitHostPort(request.Host)
			if err != nil { // no port
				host = request.Host
			}
			ctx := signin.WithBrowser(request.Context(), signin.Browser{
				LoginCookies: authn.Cookies(request.Header, cookies.LoginName()), UserAgent: request.UserAgent(), RemoteIP: c.RealIP(),
				RequestID: logctx.From(request.Context()).ID, IsLoopback: authn.IsLoopback(host),
			})
			c.SetRequest(request.WithContext(ctx))
			return next(c)
		}
	}
}
