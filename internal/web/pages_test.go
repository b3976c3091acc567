package web_test

import (
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/web"
)

// hashOfNothing is the SHA-256 of no bytes, in the notation of policies.
const hashOfNothing = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

func TestPages(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		page web.Page
		// holds has characteristic parts of the page and its privacy settings.
		holds []string
		// allows has all directives of its policy.
		allows []string
	}{
		{
			name:   "Home",
			page:   home(t),
			holds:  []string{`id="content"`, "/home.css", "/versioner.css"},
			allows: []string{"style-src 'self'", "img-src 'self'"},
		},
		{
			name:   "SwaggerUI",
			page:   web.SwaggerUI(),
			holds:  []string{`id="swagger-ui"`, "/swagger-ui-bundle.js", "/swagger-init.js", "/swagger-ui.css", "/docs.css"},
			allows: []string{"script-src 'self'", "connect-src 'self'", "img-src 'self' data:", "style-src 'self'"},
		},
		{
			name:   "ReDoc",
			page:   web.ReDoc(),
			holds:  []string{`spec-url="/openapi.json"`, `disable-telemetry="true"`, "/redoc.standalone.js", "/redoc-init.js", "/redoc.css"},
			allows: []string{"script-src 'self'", "connect-src 'self'", "img-src 'self' data:", "style-src 'self' " + hashOfNothing, "font-src data:"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			html := string(tt.page.HTML)
			for _, part := range tt.holds {
				require.Contains(t, html, part)
			}

			t.Run("IsReadableWithoutScript", func(t *testing.T) {
				t.Parallel()

				require.Contains(t, html, `<html lang="en">`)
				require.Contains(t, html, `<meta name="viewport"`)

				if strings.Contains(html, "<script") {
					require.Regexp(t, `<noscript>.*href="/openapi\.json".*</noscript>`, html)
				}
			})

			t.Run("LoadsNothingFromOtherHosts", func(t *testing.T) {
				t.Parallel()

				require.NotContains(t, html, "//", "an absolute or protocol-relative address")
			})

			t.Run("LoadsOnlyExistingAssets", func(t *testing.T) {
				t.Parallel()

				paths := assetPaths(tt.page)
				require.NotEmpty(t, paths)
				for _, path := range paths {
					require.Equal(t, http.StatusOK, get(t, path, nil).Code, path)
				}
			})

			t.Run("HasNoInlineScriptOrStyle", func(t *testing.T) {
				t.Parallel()

				require.NotContains(t, html, "<style")
				require.NotRegexp(t, `\s(on[a-z]+|style)=`, html)
				require.NotRegexp(t, `<script[^>]*>[^<]`, html)
				require.NotRegexp(t, `<script>`, html)
			})

			t.Run("HasAStrictPolicy", func(t *testing.T) {
				t.Parallel()

				directives := strings.Split(tt.page.ContentSecurityPolicy, "; ")
				forbids := []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"}
				require.ElementsMatch(t, append(forbids, tt.allows...), directives)
				require.NotContains(t, tt.page.ContentSecurityPolicy, "unsafe")
				require.NotContains(t, tt.page.ContentSecurityPolicy, "http")
				require.NotContains(t, tt.page.ContentSecurityPolicy, "*")
			})
		})
	}
}

// assetPaths returns the paths of assets in the attributes of a page.
func assetPaths(page web.Page) []string {
	var paths []string
	for _, match := range regexp.MustCompile(`"(/assets/[^"]*)"`).FindAllSubmatch(page.HTML, -1) {
		paths = append(paths, string(match[1]))
	}

	return paths
}

// TestFilesAreReadOnFirstUse requires that unused pages leave no copies in memory.
func TestFilesAreReadOnFirstUse(t *testing.T) { //nolint:paralleltest // counts allocations of the process
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	dashboard, err := web.Dashboard("")
	require.NoError(t, err)
	handlers := []http.Handler{dashboard, web.Assets(), web.Home("1")}
	runtime.ReadMemStats(&after)
	require.Len(t, handlers, 3)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100_000))
}
