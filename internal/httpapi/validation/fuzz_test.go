package validation

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// FuzzIdempotencyKey accepts printable ASCII, without white space at its ends, of at most 255 characters.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"0199c6de-6a0f-7d0b-9f3e-6a2c0f5b7a11", "a b", " a", "a ", "\"quoted\"", "é", "\x00", "", strings.Repeat("x", 256)} {
		f.Add(seed)
	}
	document, err := apigen.GetSpec()
	if err != nil {
		f.Fatal(err)
	}
	var param *openapi3.Parameter
	for _, reference := range document.Paths.Value("/products/").Post.Parameters {
		if reference.Value.Name == "Idempotency-Key" {
			param = reference.Value
		}
	}
	f.Fuzz(func(t *testing.T, key string) {
		printable := len(key) >= 1 && len(key) <= 255 && strings.TrimSpace(key) == key
		for i := range len(key) {
			printable = printable && key[i] >= ' ' && key[i] <= '~'
		}
		if problems := checkParam(param, []string{key}); (len(problems) == 0) != printable {
			t.Fatalf("%q: %v", key, problems)
		}
	})
}

// FuzzEventBody checks that any body is refused as invalid or can be stored, with its names in their normal form.
func FuzzEventBody(f *testing.F) {
	document, err := apigen.GetSpec()
	if err != nil {
		f.Fatal(err)
	}
	validator, err := NewBody(document.Paths.Value("/build-events/").Post)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		`{"product_name":"p","version":"1"}`, `{"product_name":"Cafe\u0301\u200b","version":" 1 ","status":"Started","completed_at":7,"build_number":42}`,
		`{"product_name":"p","version":"1","scm_repository":"https://u:p@h","x":"\ud83d","y":"\u0000"}`, "\uFEFF{\"product_name\":\"p\xff\",\"version\":\"\x00\"}", `[`, `{"a":1e999}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		err := validator.Middleware(func(c echo.Context) error {
			raw := RawBody(c.Request().Context())
			if clean, invalid := ingest.CleanBody(raw, validator.names...); !jsontext.Value(raw).IsValid() || !bytes.Equal(clean, raw) || len(invalid) > 0 {
				t.Fatalf("%q is stored as %q", body, raw)
			}
			event, isEvent := c.Request().Body.(validatedBody)
			object, isObject := event.value.(map[string]any)
			if !isEvent || !isObject {
				t.Fatalf("%q is read as %v", body, event.value)
			}
			for _, member := range []string{"product_name", "version"} {
				text, _ := object[member].(string)
				if name, problem := ingest.NormalizeName(text); name != text || problem != "" {
					t.Fatalf("%q has the %s %q: %s", body, member, text, problem)
				}
			}
			return nil
		})(echo.New().NewContext(request, httptest.NewRecorder()))
		if code := apperr.CodeOf(err); err != nil && code != apperr.MalformedJSON && code != apperr.Invalid {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

// FuzzQuery checks that a query is refused unless every part of it is a parameter of the operation.
func FuzzQuery(f *testing.F) {
	document, err := apigen.GetSpec()
	if err != nil {
		f.Fatal(err)
	}
	path := document.Paths.Value("/products/")
	validator, err := NewParams(path, path.Get)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"limit=1", "limit=1&q=x", "q=50%", "a;b", "%zz", "Limit=1", "=", "&&", "q=%ff", "q=a+b%20c", "q[]=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		request.URL.RawQuery = query
		err := validator.Middleware(func(echo.Context) error { return nil })(echo.New().NewContext(request, httptest.NewRecorder()))
		if err != nil && apperr.CodeOf(err) != apperr.Invalid {
			t.Fatalf("%q: %v", query, err)
		}
		for part := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(part, "=")
			name, errName := url.QueryUnescape(name)
			_, errValue := url.QueryUnescape(value)
			isValid := part == "" || errName == nil && errValue == nil && !strings.Contains(part, ";") && slices.Contains([]string{"limit", "cursor", "q"}, name)
			if !isValid && err == nil {
				t.Fatalf("%q is accepted", query)
			}
		}
	})
}
