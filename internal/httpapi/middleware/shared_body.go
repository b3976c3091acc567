package middleware

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/bodycache"
	"github.com/versioner-io/versioner/internal/etag"
)

// SharedBody answers an operation whose body depends on the account, the path and the query alone. Requests of an account share
// bodies for a short time, so that many pages that poll a list cost as much as one; the body has an entity tag, and a request
// that names it in If-None-Match is answered with 304. It is compressed once, for the clients that accept gzip. It must come after authentication, authorization and validation, which
// every request passes.
//
// "Cache-Control: max-age=0" in a request bypasses the cache. "no-cache" does not: browsers add it to every request to which a script
// adds If-None-Match.
func SharedBody(cache *bodycache.Cache, timeout time.Duration, logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		next = Recover(logger)(next)
		return func(c echo.Context) error {
			request := c.Request()
			key := bodycache.Key{
				Account: authn.PrincipalFrom(request.Context()).AccountID,
				Request: request.URL.EscapedPath() + "?" + request.URL.Query().Encode(),
			}
			body, err := cache.Get(request.Context(), key, isFreshRequired(request), func() (bodycache.Body, error) {
				return record(c, next, timeout)
			})
			if err != nil {
				return err
			}
			header := c.Response().Header()
			header.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
			header.Set("ETag", body.ETag)
			if etag.IsNoneMatch(request.Header.Get("If-None-Match"), body.ETag) {
				return c.NoContent(http.StatusNotModified)
			}
			content := body.Bytes
			if acceptsGzip(request) {
				if compressed := body.Gzip(); compressed != nil {
					content = compressed
					header.Set(echo.HeaderContentEncoding, "gzip")
				}
			}
			header.Set(echo.HeaderContentLength, strconv.Itoa(len(content)))
			return c.Blob(http.StatusOK, body.ContentType, content)
		}
	}
}

// Revalidate lets the client store the answer, and use it after asking whether it has changed.
func Revalidate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "private, no-cache")
		return next(c)
	}
}

// InvalidateSharedBodies makes the changes of users visible in the lists that this server answers next. wrote announces a change.
func InvalidateSharedBodies(cache *bodycache.Cache, wrote func(ctx context.Context, account uuid.UUID)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx := c.Request().Context()
			account := authn.PrincipalFrom(ctx).AccountID
			c.Response().Before(func() { // before the client can send its next request
				wrote(ctx, account)
				cache.Invalidate(account)
			})
			return next(c)
		}
	}
}

func isFreshRequired(r *http.Request) bool {
	directives := strings.Split(strings.ToLower(r.Header.Get("Cache-Control")), ",")
	return slices.ContainsFunc(directives, func(directive string) bool { return strings.TrimSpace(directive) == "max-age=0" })
}

// record runs the handler with a context of its own, which outlives the request: others may wait for the body.
func record(c echo.Context, next echo.HandlerFunc, timeout time.Duration) (bodycache.Body, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), timeout)
	defer cancel()
	recorder := &recorder{header: make(http.Header)}
	own := c.Echo().NewContext(c.Request().WithContext(ctx), recorder)
	own.SetPath(c.Path())
	own.SetParamNames(c.ParamNames()...)
	own.SetParamValues(slices.Clone(c.ParamValues())...)
	if err := next(own); err != nil {
		return bodycache.Body{}, err
	}
	body := bytes.Clone(recorder.Bytes())
	return bodycache.NewBody(recorder.header.Get(echo.HeaderContentType), etag.OfBody(body), body), nil
}

// recorder is the http.ResponseWriter of a handler that has no client.
type recorder struct {
	bytes.Buffer

	header http.Header
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter. A handler reports failures as errors: every status is 200.
func (*recorder) WriteHeader(int) {}
