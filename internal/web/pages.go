// Package web holds the pages of the service: a first one that shows the way, Swagger UI to try the API, ReDoc to read
// it. They are embedded in the binary, read /openapi.json of the server that serves them, and load nothing from anywhere
// else.
//
// The tools themselves are under vendored, put there by vendor.sh; what is ours is under static. Each page comes with
// a Content-Security-Policy made for it: no inline script, no eval, no other host.
package web

import (
	_ "embed" // for the go:embed directives
	"strings"
)

// Page is one HTML page with the policy it must be served with. The HTML names its assets by content hash, so it
// should be revalidated by browsers (Cache-Control: no-cache), never kept.
type Page struct {
	HTML                  []byte
	ContentSecurityPolicy string
}

//go:embed static/docs.html
var docsHTML string

//go:embed static/redoc.html
var redocHTML string

// emptyStyle is the hash of an empty style element. ReDoc adds one and fills it through the CSS object model, which
// no policy governs: naming the empty element spares a nonce per response and still refuses any style written in HTML.
const emptyStyle = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

// SwaggerUI is the page of GET /docs. It hashes the assets it names: call it once, at start.
func SwaggerUI() Page {
	return Page{HTML: withAssets(docsHTML), ContentSecurityPolicy: toolPolicy("style-src 'self'")}
}

// ReDoc is the page of GET /redoc. It hashes the assets it names: call it once, at start.
func ReDoc() Page {
	return Page{
		HTML: withAssets(redocHTML),
		// The font is the search box's icons, embedded in ReDoc's own styles.
		ContentSecurityPolicy: toolPolicy("style-src 'self' "+emptyStyle, "font-src data:"),
	}
}

// toolPolicy adds what one tool needs to what both do: own scripts, own requests, own and embedded images.
func toolPolicy(extra ...string) string {
	return policy(append([]string{"script-src 'self'", "connect-src 'self'", "img-src 'self' data:"}, extra...)...)
}

// policy forbids everything but what it is given.
func policy(allowed ...string) string {
	directives := append([]string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"}, allowed...)

	return strings.Join(directives, "; ")
}

// withAssets replaces the plain names of assets in a page by the paths under which Assets serves them.
func withAssets(html string) []byte {
	var pairs []string
	for _, a := range library() {
		pairs = append(pairs, `"`+assetsPrefix+a.name+`"`, `"`+a.path()+`"`)
	}

	return []byte(strings.NewReplacer(pairs...).Replace(html))
}
