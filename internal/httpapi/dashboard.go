package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/web"
)

// dashboardHandlers serve the pages for users, which the specification does not describe, and redirects the links that published CI clients
// print to them.
type dashboardHandlers struct {
	pathPrefix string // of the public address, without a slash at its end
	files      http.Handler
}

func newDashboard(publicURL string) (dashboardHandlers, error) {
	address, err := url.Parse(publicURL)
	if err != nil {
		return dashboardHandlers{}, fmt.Errorf("read the public address: %w", err)
	}
	prefix := strings.TrimRight(address.EscapedPath(), "/")
	files, err := web.Dashboard(prefix)
	return dashboardHandlers{pathPrefix: prefix, files: files}, err
}

func (h dashboardHandlers) register(e *echo.Echo) {
	for _, path := range []string{web.DashboardPath, web.DashboardPath + "/*"} {
		e.GET(path, echo.WrapHandler(h.files))
	}
	for _, path := range []string{"/manage", "/manage/*"} {
		e.GET(path, h.redirectManage)
	}
}

// redirectManage redirects the links of published clients to the page of the object in parameter view, other paths to the first page.
func (h dashboardHandlers) redirectManage(c echo.Context) error {
	target := h.pathPrefix + web.DashboardPath + "/"
	id, err := uuid.Parse(c.QueryParam("view"))
	if err != nil {
		return c.Redirect(http.StatusFound, target) //nolint:wrapcheck // echo's
	}
	switch tab := c.QueryParam("tab"); c.Request().URL.Path {
	case "/manage/deployments":
		target += "deployments/" + id.String()
	case "/manage/versions":
		target += "versions/" + id.String()
	case "/manage/catalog":
		if tab == "versions" {
			target += "versions/" + id.String()
		}
	}
	return c.Redirect(http.StatusFound, target) //nolint:wrapcheck // echo's
}

// documentPaths are the paths of the API that published clients print as links.
//
//nolint:gochecknoglobals // a constant list
var documentPaths = []string{"/deployments/", "/deployment-requests/"}

// redirectDocuments redirects browsers that navigate to an object of the API to its page. Programs get the object.
func (h dashboardHandlers) redirectDocuments(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request := c.Request()
		if !isDocumentPath(request) {
			return next(c)
		}
		c.Response().Header().Add(echo.HeaderVary, "Sec-Fetch-Dest, Accept")
		if !wantsDocument(request.Header) {
			return next(c)
		}
		return c.Redirect(http.StatusFound, h.pathPrefix+web.DashboardPath+(&url.URL{Path: request.URL.Path}).EscapedPath())
	}
}

func isDocumentPath(request *http.Request) bool {
	if request.Method != http.MethodGet {
		return false
	}
	for _, prefix := range documentPaths {
		id, found := strings.CutPrefix(request.URL.Path, prefix)
		if found && id != "" && !strings.Contains(id, "/") {
			return true
		}
	}
	return false
}

// wantsDocument reports whether a browser navigates. Browsers without Sec-Fetch-Dest, and all over http, accept text/html by name.
func wantsDocument(header http.Header) bool {
	if dest := header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document"
	}
	return strings.Contains(strings.ToLower(header.Get(echo.HeaderAccept)), "text/html")
}
