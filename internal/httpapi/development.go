package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/signin"
)

// developmentHandlers serve the sign-in of a development server, which needs no identity provider: a link, and a form of the sign-in page. It
// answers only at a loopback host: otherwise a page whose name resolves to this machine could sign in.
type developmentHandlers struct{ flow *signin.Flow }

func (h developmentHandlers) register(e *echo.Echo, browser echo.MiddlewareFunc) {
	e.GET(signin.DevelopmentPath, h.followLink, browser, loopbackOnly)
	e.POST(signin.DevelopmentPath, h.signIn, browser, loopbackOnly)
}

func (h developmentHandlers) followLink(c echo.Context) error {
	next, err := h.flow.FollowLink(c.Request().Context(), c.QueryParams())
	return answerRedirect(c, next, err)
}

func (h developmentHandlers) signIn(c echo.Context) error {
	next, err := h.flow.SignInDevelopment(c.Request().Context(), c.QueryParam("return_to"))
	return answerRedirect(c, next, err)
}

func answerRedirect(c echo.Context, next signin.Redirect, err error) error {
	if err != nil {
		return err
	}
	for _, cookie := range next.Cookies {
		c.SetCookie(cookie)
	}
	return c.Redirect(http.StatusSeeOther, next.URL) //nolint:wrapcheck // of the response
}

func loopbackOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !signin.BrowserFrom(c.Request().Context()).IsLoopback {
			return echo.ErrNotFound
		}
		return next(c)
	}
}
