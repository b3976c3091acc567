package testapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
)

// checkingTransport fails the test for an answer that the specification does not describe.
type checkingTransport struct {
	next   http.RoundTripper
	router routers.Router
	paths  map[string]bool
	fail   func(format string, args ...any)
}

func newCheckingTransport(t *testing.T, next http.RoundTripper) checkingTransport {
	t.Helper()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)
	paths := make(map[string]bool)
	for path := range document.Paths.Map() {
		paths[path] = true
	}
	return checkingTransport{next: next, router: router, paths: paths, fail: t.Errorf}
}

// RoundTrip sends the request and checks the answer.
func (c checkingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if err := c.check(request, response, body); err != nil {
		c.fail("%s %s answered %d, which is not as specified: %v\n%s", request.Method, request.URL.Path, response.StatusCode, err, body)
	}
	return response, nil
}

func (c checkingTransport) check(request *http.Request, response *http.Response, body []byte) error {
	if response.Header.Get("X-Request-ID") == "" {
		return errors.New("no X-Request-ID")
	}
	route, params, err := c.router.FindRoute(c.canonical(request))
	if err != nil { // no operation: the router's own 404 or 405, or a page's asset
		if response.StatusCode < http.StatusBadRequest || request.Method == http.MethodHead || strings.HasPrefix(string(body), `{"detail":"`) {
			return nil
		}
		return fmt.Errorf("an error without detail: %w", err)
	}
	return openapi3filter.ValidateResponse(request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route},
		Status:                 response.StatusCode,
		Header:                 response.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true,
			ExcludeResponseBody: request.Method == http.MethodHead || strings.HasPrefix(response.Header.Get("Content-Type"), "text/html"),
		},
	})
}

// canonical is the request as the specification writes its path; HEAD is answered as GET is.
func (c checkingTransport) canonical(request *http.Request) *http.Request {
	found := request.Clone(request.Context())
	found.URL.Path = "/" + strings.Trim(strings.ReplaceAll(request.URL.Path, "//", "/"), "/")
	if c.paths[found.URL.Path+"/"] {
		found.URL.Path += "/"
	}
	if found.Method == http.MethodHead {
		found.Method = http.MethodGet
	}
	return found
}
