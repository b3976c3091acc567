package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestCreatedObjectsAreAtTheirLocation creates an object by each operation of the specification that does, twice with the same
// Idempotency-Key, and gets it from the Location of both answers, with the same ETag.
func TestCreatedObjectsAreAtTheirLocation(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	channel := create(t, api, "/notification-channels/", `{"name":"c","channel_type":"webhook","config":{"url":"https://example.com/hook"}}`)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	key := create(t, api, "/api-keys/", `{"name":"k"}`)
	bodies := map[string]string{
		"createNotificationChannel":    `{"name":"other","channel_type":"webhook","config":{"url":"https://example.com/hook"}}`,
		"createNotificationPreference": `{"channel_id":"` + channel + `","event_type":"deployment.failed"}`,
		"createAPIKey":                 `{"name":"other"}`, "rotateAPIKey": `{}`,
		"createBreakGlassGrant":    grantBody(event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)),
		"createVariable":           `{"key":"k","value":"v"}`,
		"createDeploymentTemplate": templateBody(event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)),
		"createDeploymentRule":     scheduleRule("r", "other"),
		"createProduct":            `{"name":"p"}`, "createEnvironment": `{"name":"e"}`, "createRelease": `{"name":"r"}`,
		"createDeploymentRequest": `{"name":"r"}`, "createDeploymentRequestTemplate": `{"name":"t"}`,
	}
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	for _, op := range operations(t) {
		if document.Paths.Value(op.path).GetOperation(op.method).Responses.Status(http.StatusCreated) != nil {
			require.Contains(t, bodies, op.id, "an operation that answers 201: add a body")
			create(t, api, strings.ReplaceAll(op.path, "{id}", key), bodies[op.id])
		}
	}
}

// create returns the identifier of the new object.
func create(t *testing.T, api *testapi.API, path, body string) string {
	t.Helper()
	var id string
	for range 2 {
		request := api.Request(t, http.MethodPost, path, []byte(body))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", path+body)
		answer := api.Do(t, request)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		id = answer.Field(t, "id").(string)
		got := api.As(t, "admin", http.MethodGet, answer.Header.Get("Location"), "")
		require.Equal(t, http.StatusOK, got.Status, "%s: %s", path, answer.Header.Get("Location"))
		require.Equal(t, id, got.Field(t, "id"))
		require.NotEmpty(t, answer.Header.Get("ETag"), path)
		require.Equal(t, answer.Header.Get("ETag"), got.Header.Get("ETag"), path)
	}
	return id
}
