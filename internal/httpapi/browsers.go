package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
)

// sessionCookie is where a browser may keep the person's token.
const sessionCookie = "__session"

// corsMaxAge is for how many seconds a browser may remember what a preflight told.
const corsMaxAge = "600"

// exposedHeaders are what a page may read of an answer beside what browsers let it read anyway.
const exposedHeaders = "ETag, " + replayedHeader + ", Location, RateLimit, RateLimit-Policy, Retry-After, " +
	"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"

// browsers lets the pages of trusted origins call what is for people, with their credentials, and refuses requests that
// other pages have a browser make with its cookie. What CI systems send is for no page.
type browsers struct {
	origins     []string
	crossOrigin *http.CrossOriginProtection
}

func newBrowsers(origins []string) (browsers, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return browsers{}, fmt.Errorf("trust %s: %w", origin, err)
		}
	}
	return browsers{origins: origins, crossOrigin: protection}, nil
}

// share answers preflights and tells browsers whether the page may read the answer. It stands before the routes: a
// preflight is no operation.
func (b browsers) share(machines map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header, request := c.Response().Header(), c.Request()
			origin := request.Header.Get("Origin")
			header.Add("Vary", "Origin")
			if !slices.Contains(b.origins, origin) || machines[request.URL.Path] {
				return next(c)
			}
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
			header.Set("Access-Control-Expose-Headers", exposedHeaders)
			if request.Method != http.MethodOptions || request.Header.Get("Access-Control-Request-Method") == "" {
				return next(c)
			}
			header.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-ID")
			header.Set("Access-Control-Max-Age", corsMaxAge)
			return c.NoContent(http.StatusNoContent)
		}
	}
}

// protect refuses a change that a browser makes with its cookie on behalf of another site's page. A token in the header
// was put there by a page that knew it.
func (b browsers) protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request := c.Request()
		if len(request.Header.Values("Authorization")) > 0 {
			return next(c)
		}
		if _, err := request.Cookie(sessionCookie); errors.Is(err, http.ErrNoCookie) {
			return next(c)
		}
		if err := b.crossOrigin.Check(request); err != nil {
			return apperr.Wrap(apperr.Forbidden, errForbidden.Message, err)
		}
		return next(c)
	}
}

// machinePaths are the addresses of what CI systems send.
func machinePaths(document *openapi3.T) map[string]bool {
	paths := make(map[string]bool)
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			if slices.Contains(apigen.OperationSchemes[operation.OperationID], "ApiKeyAuth") {
				paths[path] = true
			}
		}
	}
	return paths
}
