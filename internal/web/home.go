package web

import (
	_ "embed" // for the go:embed directive
	"html"
	"net/http"
	"strings"
	"sync"
)

//go:embed static/home.html
var homeHTML string

// Home serves GET /: the version of the server and links to its documentation.
func Home(version string) http.Handler {
	once := sync.OnceValue(func() Page { // on first use: it hashes the assets
		return Page{
			HTML:                  rewriteAssetPaths(strings.ReplaceAll(homeHTML, "{version}", html.EscapeString(version))),
			ContentSecurityPolicy: policy("style-src 'self'", "img-src 'self'"),
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := once()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", page.ContentSecurityPolicy)
		_, _ = w.Write(page.HTML) // an error means that the client has disconnected
	})
}
