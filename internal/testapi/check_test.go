package testapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// canned returns the same response to every request.
type canned struct {
	status int
	header map[string]string
	body   string
}

// RoundTrip returns the response.
func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	header := http.Header{"X-Request-Id": {"x"}}
	for name, value := range c.header {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(bytes.NewBufferString(c.body))}, nil
}

// TestUndeclaredResponsesFail checks the checks.
func TestUndeclaredResponsesFail(t *testing.T) {
	t.Parallel()
	const (
		id   = "01a1f44d-55e8-7b5b-b04b-7095f117bbe8"
		item = "/products/" + id
	)
	product := func(id, at, more string) string {
		return fmt.Sprintf(`{"id":%q,"name":"x","description":"","extra_metadata":{"any":1},"created_at":%q,"updated_at":"2026-11-23T14:56:06Z"%s}`, id, at, more)
	}
	inUTC := "2026-11-23T14:56:06.5Z"
	ok := map[string]string{"Content-Type": "application/json", "ETag": `"1"`}
	cases := map[string]struct {
		method, path string
		answer       canned
		fails        bool
	}{
		"AsSpecified":         {http.MethodGet, item, canned{200, ok, product(id, inUTC, "")}, false},
		"MemberNotDescribed":  {http.MethodGet, item, canned{200, ok, product(id, inUTC, `,"secret":1`)}, true},
		"MemberMissing":       {http.MethodGet, item, canned{200, ok, `{"id":"` + id + `"}`}, true},
		"NestedNotDescribed":  {http.MethodGet, "/products/", canned{200, ok, `{"items":[` + product(id, inUTC, `,"secret":1`) + `],"next_cursor":null}`}, true},
		"TimeNotInUTC":        {http.MethodGet, item, canned{200, ok, product(id, "2026-11-23T14:56:06+01:00", "")}, true},
		"NotAUUID":            {http.MethodGet, item, canned{200, ok, product("7", inUTC, "")}, true},
		"StatusNotDeclared":   {http.MethodGet, item, canned{409, ok, `{"detail":"x"}`}, true},
		"Redirect":            {http.MethodGet, item, canned{301, map[string]string{"Location": "/products/"}, ""}, true},
		"HeaderMissing":       {http.MethodGet, item, canned{200, map[string]string{"Content-Type": "application/json"}, product(id, inUTC, "")}, true},
		"OtherContentType":    {http.MethodGet, item, canned{200, map[string]string{"Content-Type": "text/html", "ETag": `"1"`}, "<p>"}, true},
		"BodyOf204":           {http.MethodDelete, item, canned{204, map[string]string{"Content-Type": "application/json"}, "{}"}, true},
		"HEADNotDeclared":     {http.MethodHead, item, canned{409, ok, ""}, true},
		"HEADWithoutHeader":   {http.MethodHead, item, canned{200, map[string]string{"Content-Type": "application/json"}, ""}, true},
		"HEAD":                {http.MethodHead, item, canned{200, ok, ""}, false},
		"RetryAfterMissing":   {http.MethodGet, item, canned{503, ok, `{"detail":"x"}`}, true},
		"RetryAfterNotSoon":   {http.MethodGet, item, canned{503, map[string]string{"Content-Type": "application/json", "Retry-After": "0"}, `{"detail":"x"}`}, true},
		"NoSuchAddress":       {http.MethodGet, "/nothing", canned{404, ok, `{"detail":"Not found"}`}, false},
		"NoSuchAddressIsFine": {http.MethodGet, "/nothing", canned{200, ok, `{}`}, true},
		"FaultWithoutAddress": {http.MethodGet, "/nothing", canned{500, ok, `{"detail":"x"}`}, true},
		"RouterSaysMore":      {http.MethodGet, "/nothing", canned{404, ok, `{"detail":"Not found","path":"x"}`}, true},
		"MethodWithoutAllow":  {http.MethodPut, item, canned{405, ok, `{"detail":"Method not allowed"}`}, true},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := false
			transport := newCheckingTransport(t, test.answer)
			transport.fail = func(string, ...any) { failed = true }
			request, err := http.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1"+test.path, nil)
			require.NoError(t, err)
			_, err = transport.RoundTrip(request)
			require.NoError(t, err)
			require.Equal(t, test.fails, failed)
		})
	}
}
