package examples_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestEverythingIsDescribed requires a description for each part of the document.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	document := specification(t, testapi.New(t))
	seen := 0
	described := func(what, description string) {
		seen++
		require.Greater(t, len(strings.Fields(description)), 1, "%s has no description: %q", what, description)
	}
	grouped := make(map[string]bool)
	for _, group := range document.Extensions["x-tagGroups"].([]any) {
		for _, tag := range group.(map[string]any)["tags"].([]any) {
			grouped[tag.(string)] = true
		}
	}
	for _, tag := range document.Tags {
		described("the tag "+tag.Name, tag.Description)
		require.True(t, grouped[tag.Name], "ReDoc hides a tag without a group: %s", tag.Name)
	}
	require.Len(t, grouped, len(document.Tags))
	for name, scheme := range document.Components.SecuritySchemes {
		described(name, scheme.Value.Description)
		require.Contains(t, scheme.Value.Description, "How to get one", name)
	}
	for name, schema := range document.Components.Schemas {
		described(name, schema.Value.Description)
		members(name, schema.Value, described)
	}
	for name, header := range document.Components.Headers {
		described(name, header.Value.Description)
	}
	for name, response := range document.Components.Responses {
		described(name, *response.Value.Description)
	}
	for _, op := range operations(document) {
		described(op.OperationID, op.Description)
		require.NotEmpty(t, op.Summary, op.OperationID)
		require.Greater(t, len(op.Description), len(op.Summary), "%s: the description is longer than the summary", op.OperationID)
		for _, param := range op.params {
			described(op.OperationID+" "+param.Value.Name, param.Value.Description)
		}
	}
	require.Greater(t, seen, 500)
}

// members walks the members of a schema and of its inline objects. Referenced schemas are walked as components.
func members(at string, schema *openapi3.Schema, described func(what, description string)) {
	for name, member := range schema.Properties {
		described(at+"."+name, member.Value.Description)
		if member.Ref == "" {
			members(at+"."+name, member.Value, described)
		}
	}
	if schema.Items != nil && schema.Items.Ref == "" {
		members(at+"[]", schema.Items.Value, described)
	}
}
