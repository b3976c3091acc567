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

	"golang.org/x/net/http/httpguts"
)

const (
	assetsPrefix = "/assets/"

	// immutableCacheControl fits paths with a content hash.
	immutableCacheControl = "public, max-age=31536000, immutable"

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

// assets returns the files that Assets serves. The licences of the tools are among them, as the binary distributes the tools.
func assets() []asset {
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

// asset is an embedded file. The tools are stored compressed.
type asset struct {
	name        string
	contentType string
	body        []byte
	gzipped     bool
}

// hash is 64 bits of the content's SHA-256, enough to distinguish the versions of a file.
func (a asset) hash() string {
	sum := sha256.Sum256(a.body)
	return hex.EncodeToString(sum[:8])
}

// path contains the hash of the content, so that browsers can cache it indefinitely.
func (a asset) path() string {
	return assetsPrefix + a.hash() + "/" + a.name
}

// Assets serves the files that the pages load, for GET and HEAD of paths below /assets/. Its responses are compressed: do not add a
// compressing middleware.
func Assets() http.Handler {
	handlers := sync.OnceValue(func() map[string]http.Handler { // on first use: hashes read every file
		byPath := make(map[string]http.Handler)
		for _, a := range assets() {
			byPath[a.path()] = a.handler()
		}
		return byPath
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")

		handler, ok := handlers()[r.URL.Path]
		if !ok {
			writeError(w, http.StatusNotFound, "Not found")
			return
		}

		handler.ServeHTTP(w, r)
	})
}

// Favicon serves GET /favicon.ico, which browsers request beside documents without a link to the icon, such as the specification. Its
// path has no hash, so that browsers may cache it for a day.
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
		a.serve(w, r, etag, immutableCacheControl, a.body)
	})
}

// gzippedHandler decompresses the bytes for clients that do not accept gzip once, on first use.
func (a asset) gzippedHandler() http.Handler {
	return a.compressedHandler(immutableCacheControl, sync.OnceValues(func() ([]byte, error) { return gunzip(a.body) }))
}

// compressedHandler serves the compressed bytes to clients that accept gzip, which all browsers do, and the plain ones to others.
func (a asset) compressedHandler(caching string, plain func() ([]byte, error)) http.Handler {
	// Two representations of a path need two strong tags.
	etag, gzipETag := strconv.Quote(a.hash()), strconv.Quote(a.hash()+"-gzip")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")

		if httpguts.HeaderValuesContainsToken(r.Header.Values("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			a.serve(w, r, gzipETag, caching, a.body)
			return
		}

		body, err := plain()
		if err != nil {
			writeError(w, http.StatusInternalServerError, "Internal server error")
			return
		}

		a.serve(w, r, etag, caching, body)
	})
}

// serve responds with the body, the requested range of it, or 304.
func (a asset) serve(w http.ResponseWriter, r *http.Request, etag, caching string, body []byte) {
	w.Header().Set("Cache-Control", caching)
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(body))
}

func gunzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read gzip header: %w", err)
	}

	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return plain, nil
}

// writeError writes an error body of the API.
func writeError(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"detail":`+strconv.Quote(detail)+`}`) // an error means that the client has disconnected
}
