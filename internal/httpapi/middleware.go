package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// request is what the log tells of a request; it is filled in as it becomes known.
type request struct {
	id, operation, account string
	apiKey, user           string // the identifier of whoever sent it
	path                   string // as the specification writes it
	query                  url.Values
}

type requestKey struct{}

// requestFrom returns the request that ctx belongs to, an empty one outside of any.
func requestFrom(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// LogHandler adds the request's identifiers to every record that is logged with its context.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	r := requestFrom(ctx)
	for _, attr := range []slog.Attr{
		slog.String("request_id", r.id), slog.String("operation", r.operation), slog.String("account", r.account),
		slog.String("api_key_id", r.apiKey), slog.String("user_id", r.user),
	} {
		if attr.Value.String() != "" {
			record.AddAttrs(attr)
		}
	}
	return h.Handler.Handle(ctx, record) //nolint:wrapcheck // a handler that only adds
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// identify gives the request its id: the caller's own if it can be quoted safely, else a new one.
func identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDPattern.MatchString(id) {
			id = uuid.NewString()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		ctx := context.WithValue(c.Request().Context(), requestKey{}, &request{id: id, query: c.Request().URL.Query()})
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// access logs one line for each request, once it is answered.
func access(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			begin := time.Now()
			ctx, method, path := c.Request().Context(), c.Request().Method, c.Request().URL.Path
			if err := next(c); err != nil {
				c.Error(err)
			}
			logger.LogAttrs(ctx, slog.LevelInfo, "request",
				slog.String("method", method), slog.String("path", path), slog.Int("status", c.Response().Status),
				slog.Int64("bytes", c.Response().Size), slog.Float64("duration_ms", float64(time.Since(begin).Microseconds())/1000),
				slog.String("remote_ip", c.RealIP()))
			return nil
		}
	}
}

// recoverPanic makes a panic an error like any other.
func recoverPanic(logger *slog.Logger) echo.MiddlewareFunc {
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

// secure sets what browsers must know of every answer. Answers are private unless a handler says otherwise.
func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		return next(c)
	}
}

// answerHEAD lets HEAD be answered wherever GET is; net/http, which still knows better, leaves out the body. It stands
// before echo, whose router looks at the request that it was given first.
func answerHEAD(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.Clone(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// allowHEAD has Allow tell of it: echo, which writes that header, knows nothing of answerHEAD.
func allowHEAD(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			header := c.Response().Header()
			if allowed := header.Get(echo.HeaderAllow); slices.Contains(strings.Split(allowed, ", "), http.MethodGet) {
				header.Set(echo.HeaderAllow, allowed+", "+http.MethodHead)
			}
		})
		return next(c)
	}
}

// refuseBelow answers 404 below an address that ends in an identifier: echo takes all the rest of a path for the last one.
func refuseBelow(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		route := c.Path()
		if route != "" && !strings.HasSuffix(route, "*") && strings.Count(route, "/") != strings.Count(echo.GetPath(c.Request()), "/") {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// tolerateSlashes serves /x, /x/ and //x/ directly. A redirect would lose events: clients follow it as a GET without a
// body, and report success. Collections are the specification's paths that end in a slash.
func tolerateSlashes(collections map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			address := c.Request().URL
			address.Path = canonicalPath(address.Path, collections)
			requestFrom(c.Request().Context()).path = address.Path
			if address.RawPath != "" {
				address.RawPath = canonicalPath(address.RawPath, collections)
			}
			return next(c)
		}
	}
}

func canonicalPath(path string, collections map[string]bool) string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	canonical := "/" + strings.Join(segments, "/")
	if collections[canonical+"/"] {
		return canonical + "/"
	}
	return canonical
}
