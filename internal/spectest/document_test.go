package spectest_test

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// The security schemes of the document. Every operation of users accepts the cookie, too.
const (
	keyScheme    = "ApiKeyAuth"
	jwtScheme    = "JWTAuth"
	cookieScheme = "SessionCookie"
	feedScheme   = "CalendarFeedToken"
)

// operation is an operation of the document.
type operation struct {
	*openapi3.Operation

	method, path string
	params       openapi3.Parameters // of the path, too
}

// served returns the document that the server serves.
func served(t *testing.T, api *testapi.API) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Get(t, "/openapi.json").Body)
	require.NoError(t, err)
	return document
}

// operations returns the operations of the document, sorted.
func operations(document *openapi3.T) []operation {
	var all []operation
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{Operation: op, method: method, path: path, params: slices.Concat(item.Parameters, op.Parameters)})
		}
	}
	slices.SortFunc(all, func(one, other operation) int {
		return cmp.Or(strings.Compare(one.path, other.path), strings.Compare(one.method, other.method))
	})
	return all
}

// TestPathsWithParametersEndWithoutSlash: the server normalizes the path of a request by the literal paths of the document.
func TestPathsWithParametersEndWithoutSlash(t *testing.T) {
	t.Parallel()
	for path := range served(t, testapi.New(t)).Paths.Map() {
		require.False(t, strings.Contains(path, "{") && strings.HasSuffix(path, "/"), "%s: a path with a parameter ends without a slash; the server accepts both", path)
	}
}

// isEvent reports whether CI systems send events to the operation.
func (o operation) isEvent() bool { return o.Tags[0] == "Events" }

// scheme returns the first security scheme of the operation, empty for a public operation.
func (o operation) scheme(t *testing.T) string {
	t.Helper()
	require.NotNil(t, o.Security, "%s must declare its own security", o.OperationID)
	var names []string
	for _, requirement := range *o.Security {
		require.Len(t, requirement, 1, "%s: each scheme is sufficient", o.OperationID)
		names = slices.AppendSeq(names, maps.Keys(requirement))
	}
	require.Contains(t, [][]string{nil, {keyScheme}, {jwtScheme, cookieScheme}, {jwtScheme, cookieScheme, keyScheme}, {feedScheme}}, names, o.OperationID)
	if names == nil {
		return ""
	}
	return names[0]
}

// textType returns the media type of a body that is a text, empty for JSON or no body.
func (o operation) textType() string {
	if o.RequestBody != nil {
		for media := range o.RequestBody.Value.Content {
			if media != "application/json" {
				return media
			}
		}
	}
	return ""
}

// exampleBody returns a copy of the first example of a request body, nil for an operation without one or whose body is a text.
func (o operation) exampleBody(t *testing.T) map[string]any {
	t.Helper()
	if o.RequestBody == nil || o.textType() != "" {
		return nil
	}
	media := o.RequestBody.Value.Content.Get("application/json")
	require.NotNil(t, media, "%s: a body is JSON", o.OperationID)
	require.True(t, o.RequestBody.Value.Required, "%s: a body is required", o.OperationID)
	example := media.Example
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		example = media.Examples[name].Value.Value
		break
	}
	body, ok := clone(example).(map[string]any)
	require.True(t, ok, "%s: no example", o.OperationID)
	return body
}

// paramsIn returns the parameters at a location (path, query or header), with their references.
func (o operation) paramsIn(place string) []*openapi3.ParameterRef {
	return slices.DeleteFunc(slices.Clone(o.params), func(param *openapi3.ParameterRef) bool { return param.Value.In != place })
}

// takes reports whether the operation has a parameter of that name.
func (o operation) takes(name string) bool {
	return slices.ContainsFunc(o.params, func(param *openapi3.ParameterRef) bool { return param.Value.Name == name })
}

// success returns the status of the successful response, of which there must be one. A browser navigates to operations that redirect.
func (o operation) success(t *testing.T) int {
	t.Helper()
	var found []int
	for status := range o.Responses.Map() {
		if strings.HasPrefix(status, "2") || status == "302" {
			code, err := strconv.Atoi(status)
			require.NoError(t, err)
			found = append(found, code)
		}
	}
	require.Len(t, found, 1, "%s: one successful response", o.OperationID)
	return found[0]
}

// isList reports whether the operation returns pages of a list.
func (o operation) isList() bool { return o.method == http.MethodGet && o.takes("cursor") }

// component returns the name of a referenced component.
func component(reference string) string {
	return reference[strings.LastIndex(reference, "/")+1:]
}
