package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestCreatedObjectsAreAtTheirLocation creates an object of each kind, twice with the same Idempotency-Key, and gets it from the
// Location of both answers.
func TestCreatedObjectsAreAtTheirLocation(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	requested := []string{
		"/notification-channels/", "/api-keys/", "/api-keys/{id}/rotate", "/products/", "/environments/", "/releases/", "/notification-preferences/",
	}
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	for path, item := range document.Paths.Map() {
		if item.Post != nil && item.Post.Responses.Status(http.StatusCreated) != nil {
			require.Contains(t, requested, path, "a POST that answers 201: request it below")
		}
	}
	channel := create(t, api, "/notification-channels/", `{"name":"c","channel_type":"webhook","config":{"url":"https://example.com/hook"}}`)
	key := create(t, api, "/api-keys/", `{"name":"k"}`)
	create(t, api, "/api-keys/"+key+"/rotate", `{}`)
	create(t, api, "/products/", `{"name":"p"}`)
	create(t, api, "/environments/", `{"name":"e"}`)
	create(t, api, "/releases/", `{"name":"r"}`)
	create(t, api, "/notification-preferences/", `{"channel_id":"`+channel+`","event_type":"deployment.failed"}`)
}

// create returns the identifier of the new object.
func create(t *testing.T, api *testapi.API, path, body string) string {
	t.Helper()
	var id string
	for range 2 {
		request := api.Request(t, http.MethodPost, path, []byte(body))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", "k")
		answer := api.Do(t, request)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		id = answer.Field(t, "id").(string)
		got := api.As(t, "admin", http.MethodGet, answer.Header.Get("Location"), "")
		require.Equal(t, http.StatusOK, got.Status, "%s: %s", path, answer.Header.Get("Location"))
		require.Equal(t, id, got.Field(t, "id"))
	}
	return id
}
