package spectest_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// The security schemes of the document.
const (
	keys   = "ApiKeyAuth"
	people = "JWTAuth"
)

// operation is one of the document's.
type operation struct {
	*openapi3.Operation

	method, path string
	params       openapi3.Parameters // of the path, too
}

// served is the document as the server shows it.
func served(t *testing.T, api *testapi.API) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Get(t, "/openapi.json").Body)
	require.NoError(t, err)
	return document
}

// operations are all of the document, in the same order every time.
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

// isEvent reports whether CI systems send events to the operation.
func (o operation) isEvent() bool { return o.Tags[0] == "Events" }

// scheme is how callers of the operation authenticate; empty when they need not.
func (o operation) scheme(t *testing.T) string {
	t.Helper()
	require.NotNil(t, o.Security, "%s must say its own security", o.OperationID)
	for _, requirement := range *o.Security {
		require.Len(t, *o.Security, 1, "%s: the tests know operations with one scheme", o.OperationID)
		for name := range requirement {
			require.Contains(t, []string{keys, people}, name)
			return name
		}
	}
	return ""
}

// body is the schema of what the operation takes, nil when it takes nothing.
func (o operation) body(t *testing.T) *openapi3.SchemaRef {
	t.Helper()
	if o.RequestBody == nil {
		return nil
	}
	media := o.RequestBody.Value.Content.Get("application/json")
	require.NotNil(t, media, "%s: a body is JSON", o.OperationID)
	require.True(t, o.RequestBody.Value.Required, "%s: a body is required", o.OperationID)
	return media.Schema
}

// paramsIn are the parameters in one place, with the names that they have among the document's components.
func (o operation) paramsIn(place string) []*openapi3.ParameterRef {
	return slices.DeleteFunc(slices.Clone(o.params), func(param *openapi3.ParameterRef) bool { return param.Value.In != place })
}

// takes tells whether there is a parameter of that name.
func (o operation) takes(name string) bool {
	return slices.ContainsFunc(o.params, func(param *openapi3.ParameterRef) bool { return param.Value.Name == name })
}

// success is the one status that says that all is well.
func (o operation) success(t *testing.T) int {
	t.Helper()
	var found []int
	for status := range o.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			code, err := strconv.Atoi(status)
			require.NoError(t, err)
			found = append(found, code)
		}
	}
	require.Len(t, found, 1, "%s: one way to succeed", o.OperationID)
	return found[0]
}

// isList tells whether the operation answers with pages of a list.
func (o operation) isList() bool { return o.method == http.MethodGet && o.takes("cursor") }

// component is the name of what a reference leads to among the document's components.
func component(reference string) string {
	return reference[strings.LastIndex(reference, "/")+1:]
}

// TestRulesOfSchemasAreKnown fails for a schema with a rule that the tests neither keep to nor break: they would pass
// without trying it.
func TestRulesOfSchemasAreKnown(t *testing.T) {
	t.Parallel()
	for _, op := range operations(served(t, testapi.New(t))) {
		for _, reference := range op.params {
			requireKnown(t, op.OperationID+" "+reference.Value.Name, reference.Value.Schema.Value)
		}
		if reference := op.body(t); reference != nil {
			requireKnownBelow(t, op.OperationID, reference)
		}
	}
}

func requireKnownBelow(t *testing.T, key string, reference *openapi3.SchemaRef) {
	t.Helper()
	requireKnown(t, key, reference.Value)
	for name, property := range reference.Value.Properties {
		requireKnownBelow(t, key+" "+name, property)
	}
	if reference.Value.Items != nil {
		requireKnownBelow(t, key+"[]", reference.Value.Items)
	}
}

func requireKnown(t *testing.T, key string, schema *openapi3.Schema) {
	t.Helper()
	known := openapi3.Schema{
		Extensions: schema.Extensions, Origin: schema.Origin, Type: schema.Type, Title: schema.Title, Format: schema.Format, Description: schema.Description,
		Enum: schema.Enum, Default: schema.Default, Example: schema.Example, ExternalDocs: schema.ExternalDocs, Nullable: schema.Nullable, Deprecated: schema.Deprecated,
		Min: schema.Min, Max: schema.Max, MinLength: schema.MinLength, MaxLength: schema.MaxLength, Pattern: schema.Pattern, MaxItems: schema.MaxItems,
		Items: schema.Items, Required: schema.Required, Properties: schema.Properties, AdditionalProperties: schema.AdditionalProperties, AnyOf: schema.AnyOf,
	}
	require.Nil(t, schema.AdditionalProperties.Schema, "%s: members of a schema of their own", key)
	for _, alternative := range schema.AnyOf {
		require.Equal(t, openapi3.Schema{Required: alternative.Value.Required, Origin: alternative.Value.Origin}, *alternative.Value, "%s: alternatives are members that are required", key)
	}
	for extension := range schema.Extensions {
		require.Contains(t, []string{"x-max-bytes", "x-empty-as-null"}, extension, key)
	}
	mine, err := json.Marshal(known)
	require.NoError(t, err)
	all, err := json.Marshal(schema)
	require.NoError(t, err)
	require.JSONEq(t, string(mine), string(all), "%s: a rule that the tests do not know", key)
}
