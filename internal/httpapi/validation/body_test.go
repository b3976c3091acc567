package validation

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
)

// eventBody returns an ordinary deployment event of 1 KiB.
func eventBody() string {
	return `{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"completed","source_system":"github",
		"scm_repository":"https://github.com/acme/checkout","deploy_url":"https://github.com/acme/checkout/actions/runs/16421337842",
		"scm_sha":"9fceb02d0ae598e95dc970b74767f19372d61af8","scm_branch":"main","invoke_id":"16421337842","build_number":"312",
		"deployed_by":"ada","deployed_by_name":"Ada Lovelace","deployed_by_email":"ada@example.com","completed_at":"2026-11-21T18:00:00Z",
		"extra_metadata":{"vi_gh_run_attempt":"1","vi_gh_workflow":"Deploy","commits":["` + strings.Repeat(`A message\nof two lines","`, 14) + `end"]}}`
}

// BenchmarkEventBody reads and validates an ordinary event of 1 KiB.
func BenchmarkEventBody(b *testing.B) {
	document, err := apigen.GetSpec()
	require.NoError(b, err)
	validator, err := NewBody(document.Paths.Value("/deployment-events/").Post)
	require.NoError(b, err)
	handler := validator.Middleware(func(echo.Context) error { return nil })
	for name, body := range map[string]string{
		"Plain":   eventBody(),
		"NotUTF8": strings.Replace(eventBody(), "message", "m\xe9ssage", 1),
	} {
		b.Run(name, func(b *testing.B) {
			e := echo.New()
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", strings.NewReader(body))
				request.Header.Set("Content-Type", "application/json")
				if err := handler(e.NewContext(request, httptest.NewRecorder())); err != nil && name == "Plain" {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeJSON decodes an ordinary event of 1 KiB, with the standard library's decoder to compare.
func BenchmarkDecodeJSON(b *testing.B) {
	body := []byte(eventBody())
	b.Run("Strict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := decodeJSON(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("EncodingJSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			decoder := json.NewDecoder(bytes.NewReader(body))
			decoder.UseNumber()
			var value any
			if err := decoder.Decode(&value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
