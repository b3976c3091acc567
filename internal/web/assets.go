package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // for the go:embed directives
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	assetsPrefix = "/assets/"

	// forEver is how long a browser may keep what is named by its content.
	forEver = "public, max-age=31536000, immutable"

	typeCSS  = "text/css; charset=utf-8"
	typeJS   = "text/javascript; charset=utf-8"
	typeSVG  = "image/svg+xml"
	typeText = "text/plain; charset=utf-8"
)

var (
	//go:embed vendored/swagger-ui-dist/swagger-ui-bundle.js.gz
	swaggerBundle []byte
	//go:embed vendored/swagger-ui-dist/swagger-ui.css.gz
	swaggerCSS []byte
	//go:embed vendored/swagger-ui-dist/LICENSE
	swaggerLicense []byte
	//go:embed vendored/swagger-ui-dist/NOTICE
	swaggerNotice []byte
	//go:embed vendored/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt
	swaggerBundleLicense []byte
	//go:embed vendored/redoc/redoc.standalone.js.gz
	redocBundle []byte
	//go:embed vendored/redoc/LICENSE
	redocLicense []byte
	//go:embed static/swagger-init.js
	swaggerInit []byte
	//go:embed static/redoc-init.js
	redocInit []byte
	//go:embed static/versioner.css
	versionerCSS []byte
	//go:embed static/home.css
	homeCSS []byte
	//go:embed static/docs.css
	docsCSS []byte
	//go:embed static/redoc.css
	redocCSS []byte
	//go:embed static/favicon.svg
	favicon []byte
)

// library is every file that Assets serves. The licences are among them because they must travel with the tools, and
// the binary is how the tools travel.
func library() []asset {
	return []asset{
		{name: "swagger-ui-bundle.js", contentType: typeJS, body: swaggerBundle, gzipped: true},
		{name: "swagger-ui.css", contentType: typeCSS, body: swaggerCSS, gzipped: true},
		{name: "swagger-ui.LICENSE.txt", contentType: typeText, body: swaggerLicense},
		{name: "swagger-ui.NOTICE.txt", contentType: typeText, body: swaggerNotice},
		{name: "swagger-ui-bundle.js.LICENSE.txt", contentType: typeText, body: swaggerBundleLicense},
		{name: "redoc.standalone.js", contentType: typeJS, body: redocBundle, gzipped: true},
		{name: "redoc.LICENSE.txt", contentType: typeText, body: redocLicense},
		{name: "swagger-init.js", contentType: typeJS, body: swaggerInit},
		{name: "redoc-init.js", contentType: typeJS, body: redocInit},
		{name: "versioner.css", contentType: typeCSS, body: versionerCSS},
		{name: "home.css", contentType: typeCSS, body: homeCSS},
		{name: "docs.css", contentType: typeCSS, body: docsCSS},
		{name: "redoc.css", contentType: typeCSS, body: redocCSS},
		{name: "favicon.svg", contentType: typeSVG, body: favicon},
	}
}

// asset is one embedded file. Ours are small and stored as they are; the tools are stored gzipped.
type asset struct {
	name        string
	contentType string
	body        []byte
	gzipped     bool
}

// hash is 64 bits of the content's SHA-256: enough to tell the versions of one file apart.
func (a asset) hash() string {
	sum := sha256.Sum256(a.body)

	return hex.EncodeToString(sum[:8])
}

// path holds the content's hash, so what a browser has once stored under it is right for ever.
func (a asset) path() string {
	return assetsPrefix + a.hash() + "/" + a.name
}

// Assets serves the files that the pages name, for GET and HEAD of every path below /assets/. It compresses by itself:
// keep it out of reach of a compressing middleware.
func Assets() http.Handler {
	handlers := make(map[string]http.Handler)
	for _, a := range library() {
		handlers[a.path()] = a.handler()
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")

		handler, ok := handlers[r.URL.Path]
		if !ok {
			writeDetail(w, http.StatusNotFound, "Not found")
			return
		}

		handler.ServeHTTP(w, r)
	})
}

// Favicon answers GET /favicon.ico, which browsers ask for beside what is no page of ours, such as the specification. Its
// name is no hash of its content, so it is asked for again after a day.
func Favicon() http.Handler {
	icon := asset{name: "favicon.svg", contentType: typeSVG, body: favicon}
	etag := strconv.Quote(icon.hash())

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		icon.serve(w, r, etag, "public, max-age=86400", icon.body)
	})
}

func (a asset) handler() http.Handler {
	if a.gzipped {
		return a.gzippedHandler()
	}

	etag := strconv.Quote(a.hash())

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, etag, forEver, a.body)
	})
}

// gzippedHandler sends the stored bytes to a client that accepts gzip, which is every browser, and unpacks them for
// the others: once, when the first of them comes, and then keeps them.
func (a asset) gzippedHandler() http.Handler {
	plain := sync.OnceValues(func() ([]byte, error) { return gunzip(a.body) })
	// Two representations of one path need two strong tags.
	etag, gzipETag := strconv.Quote(a.hash()), strconv.Quote(a.hash()+"-gzip")

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")

		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			w.Header().Set("Content-Encoding", "gzip")
			a.serve(w, r, gzipETag, forEver, a.body)

			return
		}

		body, err := plain()
		if err != nil {
			writeDetail(w, http.StatusInternalServerError, "Internal server error")
			return
		}

		a.serve(w, r, etag, forEver, body)
	})
}

// serve answers with the body, or with 304 to a client that has it, or with the range asked for.
func (a asset) serve(w http.ResponseWriter, r *http.Request, etag, caching string, body []byte) {
	w.Header().Set("Cache-Control", caching)
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(body))
}

func gunzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading gzip header: %w", err)
	}

	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}

	return plain, nil
}

// writeDetail sends the service's error shape.
func writeDetail(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that went away is no error of ours.
	_, _ = io.WriteString(w, `{"detail":`+strconv.Quote(detail)+`}`)
}
