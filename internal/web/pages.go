// Package web serves the embedded pages: the dashboard, the home page, Swagger UI and ReDoc. They load nothing from other hosts.
//
// Directory dist is built from directory web of the repository by `make web`. Directory vendored has the distributions of the tools, which vendor.sh updates; static has the project's own files. Each page has its
// own Content-Security-Policy without inline scripts, eval and other hosts.
package web

import (
	_ "embed" // for the go:embed directives
	"strings"
)

// Page is an HTML page with its Content-Security-Policy. The HTML links to assets by content hash, so browsers must revalidate it
// (Cache-Control: no-cache).
type Page struct {
	HTML                  []byte
	ContentSecurityPolicy string
}

//go:embed static/docs.html
var docsHTML string

//go:embed static/redoc.html
var redocHTML string

// emptyStyle is the hash of an empty style element. ReDoc adds one and fills it through the CSS object model, which no policy governs:
// its hash avoids a nonce for each response and forbids any style written in HTML.
const emptyStyle = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

// SwaggerUI is the page of GET /docs. It hashes the assets: call it once.
func SwaggerUI() Page {
	return Page{HTML: rewriteAssetPaths(docsHTML), ContentSecurityPolicy: toolPolicy("style-src 'self'")}
}

// ReDoc is the page of GET /redoc. It hashes the assets: call it once.
func ReDoc() Page {
	return Page{
		HTML: rewriteAssetPaths(redocHTML),
		// The font with the icons of the search box is embedded in ReDoc's styles.
		ContentSecurityPolicy: toolPolicy("style-src 'self' "+emptyStyle, "font-src data:"),
	}
}

// toolPolicy extends the policy of both tools: scripts and requests of this host, images of this host and embedded ones.
func toolPolicy(extra ...string) string {
	return policy(append([]string{"script-src 'self'", "connect-src 'self'", "img-src 'self' data:"}, extra...)...)
}

// policy forbids everything except the given directives.
func policy(allowed ...string) string {
	directives := append([]string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"}, allowed...)
	return strings.Join(directives, "; ")
}

// rewriteAssetPaths replaces the plain paths of assets by those with their hashes.
func rewriteAssetPaths(html string) []byte {
	var pairs []string
	for _, a := range assets() {
		pairs = append(pairs, `"`+assetsPrefix+a.name+`"`, `"`+a.path()+`"`)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(html))
}
