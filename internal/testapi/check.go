package testapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/signin"
)

// checkingTransport fails the test for a response that the document does not describe: its status, content type, headers and body, down
// to undeclared members.
type checkingTransport struct {
	described

	next    http.RoundTripper
	options []openapi3.SchemaValidationOption
	fail    func(format string, args ...any)
}

// operations are those of the document with closed objects, and are the same for all servers.
//
//nolint:gochecknoglobals // not changed
var operations = sync.OnceValues(func() (described, error) {
	document, err := apigen.GetSpec()
	if err != nil {
		return described{}, err
	}
	for _, schema := range document.Components.Schemas {
		closeObjects(schema)
	}
	router, err := gorillamux.NewRouter(document)
	paths := make(map[string]bool)
	for path := range document.Paths.Map() {
		paths[path] = true
	}
	callback := document.Paths.Value("/notification-channels/").Post.Callbacks["message"].Value.Value("{$request.body#/config/url}").Post
	return described{router: router, paths: paths, webhooks: callback.RequestBody.Value.Content["application/json"].Schema.Value}, err
})

type described struct {
	router   routers.Router
	paths    map[string]bool
	webhooks *openapi3.Schema
}

func newCheckingTransport(t *testing.T, next http.RoundTripper) checkingTransport {
	t.Helper()
	document, err := operations()
	require.NoError(t, err)
	return checkingTransport{next: next, described: document, options: strictFormats(), fail: t.Errorf}
}

// RequireWebhookBody requires that exactly one of the document's schemas describes the body of a webhook, down to undeclared members.
func RequireWebhookBody(t *testing.T, body any) {
	t.Helper()
	document, err := operations()
	require.NoError(t, err)
	require.NoError(t, document.webhooks.VisitJSON(body, strictFormats()...))
}

func strictFormats() []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{
		openapi3.EnableFormatValidation(),
		openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
			"date-time": openapi3.NewCallbackValidator(isUTC), "uuid": openapi3.NewCallbackValidator(isUUID),
		}),
	}
}

// closeObjects makes schemas reject undeclared members unless they allow additional ones: clients ignore new members, but this server
// must declare what it sends.
func closeObjects(reference *openapi3.SchemaRef) {
	if reference == nil || reference.Value == nil {
		return
	}
	schema := reference.Value
	if others := &schema.AdditionalProperties; len(schema.Properties) > 0 && others.Has == nil && others.Schema == nil {
		others.Has = new(bool)
	}
	for _, property := range schema.Properties {
		if property.Ref == "" { // components are closed separately
			closeObjects(property)
		}
	}
	if items := schema.Items; items != nil && items.Ref == "" {
		closeObjects(items)
	}
}

func isUTC(text string) error {
	if _, err := time.Parse("2006-01-02T15:04:05.999999999Z", text); err != nil {
		return errors.New("not a time in UTC")
	}
	return nil
}

func isUUID(text string) error {
	if id, err := uuid.Parse(text); err != nil || id.String() != text {
		return errors.New("not a UUID")
	}
	return nil
}

// RoundTrip sends the request and checks the response.
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
	if isDashboardLink(request, response) {
		return nil
	}
	found := c.canonical(request)
	route, params, err := c.router.FindRoute(found)
	if err != nil {
		return checkUndescribed(request, response, body)
	}
	declared := route.Operation.Responses.Status(response.StatusCode)
	if declared == nil { // the library accepts redirects
		return errors.New("the status is not declared")
	}
	if err := checkContent(declared.Value.Content, response.Header.Get("Content-Type"), body, request.Method == http.MethodHead); err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: found, PathParams: params, Route: route},
		Status:                 response.StatusCode,
		Header:                 response.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, SchemaValidationOptions: c.options,
			ExcludeResponseBody: request.Method == http.MethodHead || !isJSON(declared.Value.Content),
		},
	})
}

// isJSON reports whether a response may be JSON: of others only the content type is declared.
func isJSON(declared openapi3.Content) bool {
	return len(declared) == 0 || declared["application/json"] != nil
}

// checkContent requires a declared content type in its exact form, and no body if none is declared.
func checkContent(declared openapi3.Content, contentType string, body []byte, head bool) error {
	if len(declared) == 0 {
		if contentType != "" || len(body) > 0 {
			return fmt.Errorf("a body of the type %q where none is declared", contentType)
		}
		return nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if _, ok := declared[media]; err != nil || !ok {
		return fmt.Errorf("the content type %q is not declared", contentType)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fmt.Errorf("the content type %q is not UTF-8", contentType)
	}
	if (len(body) == 0) != head {
		return fmt.Errorf("a body of %d bytes", len(body))
	}
	return nil
}

// dashboardLinks are the paths that redirect browsers to the dashboard: /manage, and objects that a browser opens as a document.
var dashboardLinks = regexp.MustCompile(`^/+(manage(/.*)?|(deployments|deployment-requests)/[^/]+)$`)

func isDashboardLink(request *http.Request, response *http.Response) bool {
	return response.StatusCode == http.StatusFound && dashboardLinks.MatchString(request.URL.Path) && strings.HasPrefix(response.Header.Get("Location"), "/app/")
}

// checkUndescribed checks responses to requests without an operation: assets, other methods, and unknown paths.
func checkUndescribed(request *http.Request, response *http.Response, body []byte) error {
	switch response.StatusCode {
	case http.StatusOK:
		path := "/" + strings.Trim(request.URL.Path, "/")
		if path == "/" || path == "/favicon.ico" || path == "/app" || strings.HasPrefix(path, "/app/") || strings.HasPrefix(path, "/assets/") {
			return nil
		}
	case http.StatusSeeOther:
		if request.URL.Path == signin.DevelopmentPath {
			return nil
		}
	case http.StatusNoContent:
		if request.Method == http.MethodOptions {
			return nil
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden:
		var problem map[string]string
		if request.Method == http.MethodHead {
			return nil
		}
		if json.Unmarshal(body, &problem) != nil || len(problem) != 1 || problem["detail"] == "" || response.Header.Get("Content-Type") != "application/json" {
			return errors.New("an error must be JSON with a detail")
		}
		if response.StatusCode == http.StatusMethodNotAllowed && response.Header.Get("Allow") == "" {
			return errors.New("no Allow")
		}
		return nil
	}
	return errors.New("it is no operation of the document, and no page")
}

// canonical returns the request with the path of the document, and GET for HEAD.
func (c checkingTransport) canonical(request *http.Request) *http.Request {
	found := request.Clone(request.Context())
	found.URL.Path = "/" + strings.Join(strings.FieldsFunc(request.URL.Path, func(r rune) bool { return r == '/' }), "/")
	if c.paths[found.URL.Path+"/"] {
		found.URL.Path += "/"
	}
	if found.Method == http.MethodHead {
		found.Method = http.MethodGet
	}
	return found
}
