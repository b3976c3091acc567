package web

import (
	_ "embed" // for the go:embed directive
	"encoding/json"
	"html"
	"net/http"
	"strings"
)

//go:embed static/home.html
var homeHTML string

// index tells a program what the page of GET / tells a person.
type index struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	Documentation string `json:"documentation"`
	Reference     string `json:"reference"`
	Specification string `json:"specification"`
	Health        string `json:"health"`
	Readiness     string `json:"readiness"`
}

// Home answers GET /: what this server is, in which version, and where to go next. A client that names text/html, and
// does not want JSON more, gets a page; any other gets JSON, curl's */* and a request without Accept included.
func Home(version string) http.Handler {
	page := Page{
		HTML:                  withAssets(strings.ReplaceAll(homeHTML, "{version}", html.EscapeString(version))),
		ContentSecurityPolicy: policy("style-src 'self'", "img-src 'self'"),
	}
	links := index{
		Name: "Versioner", Version: version, Documentation: "/docs", Reference: "/redoc", Specification: "/openapi.json",
		Health: "/health", Readiness: "/health/ready",
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Add("Vary", "Accept")

		// A client that went away is no error of ours.
		if !prefersHTML(r.Header.Values("Accept")) {
			header.Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(links)

			return
		}

		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", page.ContentSecurityPolicy)
		_, _ = w.Write(page.HTML)
	})
}
