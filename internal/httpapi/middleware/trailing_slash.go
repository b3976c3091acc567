package middleware

import (
	"strings"

	"github.com/labstack/echo/v4"
)

// NormalizeSlashes serves /x, /x/ and //x/ directly. A redirect would lose events: clients follow it as a GET without a
// body, and report success. collectionPaths are the paths of the specification that end in a slash.
func NormalizeSlashes(collectionPaths map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			address := c.Request().URL
			address.Path = normalizePath(address.Path, collectionPaths)
			if address.RawPath != "" {
				address.RawPath = normalizePath(address.RawPath, collectionPaths)
			}
			return next(c)
		}
	}
}

func normalizePath(path string, collectionPaths map[string]bool) string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	normalized := "/" + strings.Join(segments, "/")
	if collectionPaths[normalized+"/"] {
		return normalized + "/"
	}
	return normalized
}

// RejectUnmatchedSuffix answers 404 below a path that ends in a parameter: echo takes the rest of a path, slashes included,
// for the last parameter.
func RejectUnmatchedSuffix(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		route := c.Path()
		if route != "" && !strings.HasSuffix(route, "*") && strings.Count(route, "/") != strings.Count(echo.GetPath(c.Request()), "/") {
			return echo.ErrNotFound
		}
		return next(c)
	}
}
