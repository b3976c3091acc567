package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// dashboardFiles is what `make web` builds from directory web.
//
//go:embed all:dist
var dashboardFiles embed.FS

const (
	// DashboardPath is the path of the dashboard.
	DashboardPath = "/app"

	dashboardRoot   = "dist"
	dashboardAssets = "assets/"
	dashboardIndex  = "index.html"
	dashboardBase   = `<base href="/app/" />`

	// dashboardPolicy permits what the dashboard's own files do, and nothing else.
	dashboardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
		"base-uri 'self'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

// dashboardTypes are the content types of the files, which must not depend on the machine.
//
//nolint:gochecknoglobals // a constant map
var dashboardTypes = map[string]string{".css": typeCSS, ".html": "text/html; charset=utf-8", ".js": typeJS}

// Dashboard serves GET and HEAD of /app and of all paths below it: the files of the dashboard, and its index for every other path, which
// is the address of one of its pages. pathPrefix is the path of the server's public address, without a slash at its end.
func Dashboard(pathPrefix string) (http.Handler, error) {
	files, err := readDashboard(pathPrefix)
	if err != nil {
		return nil, fmt.Errorf("read the dashboard: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", dashboardPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, DashboardPath), "/")
		file, ok := files[name]
		if !ok && strings.HasPrefix(name, dashboardAssets) {
			writeError(w, http.StatusNotFound, "Not found")
			return
		}
		if !ok {
			file = files[dashboardIndex]
		}
		file.ServeHTTP(w, r)
	}), nil
}

// readDashboard returns the handlers of the files by their names below /app/.
func readDashboard(pathPrefix string) (map[string]http.Handler, error) {
	root, err := fs.Sub(dashboardFiles, dashboardRoot)
	if err != nil {
		return nil, fmt.Errorf("read the dashboard: %w", err)
	}
	handlers := make(map[string]http.Handler)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		handlers[name], err = dashboardFile(name, func() ([]byte, error) {
			body, err := fs.ReadFile(root, name)
			if name == dashboardIndex {
				body = setBase(body, pathPrefix)
			}
			return body, err //nolint:wrapcheck // names the file
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the dashboard: %w", err)
	}
	if handlers[dashboardIndex] == nil {
		return nil, fmt.Errorf("%s is missing: run make web", dashboardIndex)
	}
	return handlers, nil
}

// setBase makes the links of the index relative to the address at which users reach the dashboard.
func setBase(index []byte, pathPrefix string) []byte {
	base := fmt.Sprintf(`<base href="%s/" />`, html.EscapeString(pathPrefix+DashboardPath))
	return bytes.Replace(index, []byte(dashboardBase), []byte(base), 1)
}

// dashboardFile returns the handler of a file, which is read and compressed once, on first use: an unused dashboard leaves no
// copy in memory. Names in assets contain a hash of the content.
func dashboardFile(name string, read func() ([]byte, error)) (http.Handler, error) {
	contentType, ok := dashboardTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("%s has no content type", name)
	}
	caching := "no-cache"
	if strings.HasPrefix(name, dashboardAssets) {
		caching = immutableCacheControl
	}
	handler := sync.OnceValues(func() (http.Handler, error) {
		body, err := read()
		if err != nil {
			return nil, err
		}
		compressed, err := compress(body)
		file := asset{name: path.Base(name), contentType: contentType, body: compressed, gzipped: true}
		return file.compressedHandler(caching, read), err
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := handler()
		if err != nil {
			writeError(w, http.StatusInternalServerError, "Internal server error")
			return
		}
		file.ServeHTTP(w, r)
	}), nil
}

func compress(body []byte) ([]byte, error) {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := writer.Write(body); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return compressed.Bytes(), nil
}
