package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func TestReleases(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	version := func(product, name string) string {
		return api.PostEvent(t, builds, map[string]any{"product_name": product, "version": name}).Field(t, "version_id").(string)
	}
	cart1, cart2, shop := version("cart", "1"), version("cart", "2"), version("shop", "7")
	release := created(t, api, "/releases/", `{"name":"Winter","extra_metadata":{"a":1}}`)
	require.Equal(t, "draft", api.As(t, "viewer", http.MethodGet, release, "").Field(t, "status"))

	add := func(id string) int {
		return api.As(t, "developer", http.MethodPost, release+"/versions", `{"version_id":"`+id+`"}`).Status
	}
	require.Equal(t, http.StatusOK, add(cart1))
	require.Equal(t, http.StatusOK, add(shop))
	require.Equal(t, http.StatusOK, add(cart1), "again")
	require.Equal(t, http.StatusOK, add(cart2), "in the place of the other version of the product")
	require.Equal(t, http.StatusNotFound, add("01a208e8-3986-7451-9ae9-d54509e2ff24"))
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, release+"/versions", "")), 2)
	require.InDelta(t, 2, api.As(t, "viewer", http.MethodGet, release, "").Field(t, "version_count"), 0)
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodDelete, release+"/versions/"+cart1, "").Status)

	deploy := func(product, name, environment, status string) {
		api.PostEvent(t, deploymentEvents, map[string]any{"product_name": product, "version": name, "environment_name": environment, "status": status, "invoke_id": status})
	}
	deploy("cart", "2", "qa", "failed")
	deploy("cart", "2", "qa", "completed")
	deploy("cart", "2", "production", "started")
	deploy("shop", "7", "qa", "failed")
	deploy("shop", "7", "production", "aborted")
	progress := api.As(t, "viewer", http.MethodGet, release+"/deployments", "")
	got := make(map[string]any)
	for _, cell := range progress.Field(t, "environments").([]any) {
		row := cell.(map[string]any)
		got[row["product_name"].(string)+" "+row["environment_name"].(string)] = row["status"]
	}
	require.Equal(t, map[string]any{"cart qa": "success", "cart production": "in_progress", "shop qa": "failed", "shop production": "not_deployed"}, got)

	step := func(status string) int {
		return api.As(t, "product", http.MethodPatch, release, `{"status":"`+status+`"}`).Status
	}
	require.Equal(t, http.StatusUnprocessableEntity, step("completed"), "not from a draft")
	require.Equal(t, http.StatusOK, step("in_progress"))
	require.Equal(t, http.StatusUnprocessableEntity, step("draft"), "never back")
	require.Equal(t, http.StatusOK, step("completed"))
	require.Equal(t, http.StatusUnprocessableEntity, step("cancelled"), "it is closed")
	require.Equal(t, http.StatusConflict, add(cart1), "and so is what it was composed of")
	require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodDelete, release+"/versions/"+shop, "").Status)
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/releases/?status=completed&q=wint", "")), 1)

	require.Equal(t, http.StatusNoContent, api.As(t, "release_manager", http.MethodDelete, release, "").Status)
	require.Equal(t, http.StatusNotFound, api.As(t, "viewer", http.MethodGet, release+"/deployments", "").Status)
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/versions/", "")), 3, "its versions stay")
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	admin := func(method, path, body string) testapi.Answer { return api.As(t, "admin", method, path, body) }
	status := func(key string) int {
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte(`{}`))
		request.Header.Set("Authorization", "Bearer "+key)
		return api.Do(t, request).Status
	}
	const works, refused = http.StatusUnprocessableEntity, http.StatusUnauthorized

	made := admin(http.MethodPost, "/api-keys/", `{"name":" ci ","description":"d","expires_at":null}`)
	require.Equal(t, http.StatusCreated, made.Status, "%s", made.Body)
	key := made.Field(t, "key").(string)
	path := "/api-keys/" + made.Field(t, "id").(string)
	require.Equal(t, works, status(key))
	require.Equal(t, "ci", made.Field(t, "name"))
	require.Equal(t, "admin", made.Field(t, "created_by"))
	require.True(t, strings.HasPrefix(key, made.Field(t, "prefix").(string)))

	listed := items(t, api.As(t, "developer", http.MethodGet, "/api-keys/", ""))
	require.Len(t, listed, 2)
	require.NotContains(t, string(api.As(t, "developer", http.MethodGet, path, "").Body), key[len(key)-20:], "the secret is not shown again")
	require.Equal(t, "active", listed[0]["state"])
	require.Nil(t, listed[1]["created_by"], "a command made it")

	require.Equal(t, "renamed", admin(http.MethodPatch, path, `{"name":"renamed"}`).Field(t, "name"))
	for _, body := range []string{`{"name":"x","expires_at":"2020-01-01T00:00:00Z"}`, `{"name":"x","expires_at":"tomorrow"}`, `{}`, `{"name":"x","state":"active"}`} {
		require.Equal(t, http.StatusUnprocessableEntity, admin(http.MethodPost, "/api-keys/", body).Status, body)
	}

	rotated := admin(http.MethodPost, path+"/rotate", `{"grace_period_hours":1}`)
	require.Equal(t, http.StatusCreated, rotated.Status, "%s", rotated.Body)
	require.Equal(t, "renamed", rotated.Field(t, "name"))
	require.Equal(t, works, status(key), "both work during the grace period")
	require.Equal(t, works, status(rotated.Field(t, "key").(string)))
	expires, err := time.Parse(time.RFC3339, admin(http.MethodGet, path, "").Field(t, "expires_at").(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), expires, time.Minute)

	require.Equal(t, http.StatusNoContent, admin(http.MethodDelete, path, "").Status)
	require.Equal(t, http.StatusNoContent, admin(http.MethodDelete, path, "").Status, "again is no harm")
	require.Eventually(t, func() bool { return status(key) == refused }, time.Second, 5*time.Millisecond)
	require.Equal(t, http.StatusConflict, admin(http.MethodPost, path+"/rotate", `{}`).Status, "a dead key has no successor")
	require.Equal(t, "revoked", admin(http.MethodGet, path, "").Field(t, "state"))

	at := admin(http.MethodPost, "/api-keys/"+rotated.Field(t, "id").(string)+"/rotate", `{"grace_period_hours":0}`)
	require.Equal(t, http.StatusCreated, at.Status)
	require.Eventually(t, func() bool { return status(rotated.Field(t, "key").(string)) == refused }, time.Second, 5*time.Millisecond)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, role := range []string{"admin", "developer", "nonsense"} {
		require.Equal(t, http.StatusOK, api.As(t, role, http.MethodGet, "/users/", "").Status)
	}
	users := items(t, api.As(t, "viewer", http.MethodGet, "/users/", ""))
	require.Len(t, users, 4, "users appear with their first token, the caller included")
	byName := make(map[string]map[string]any)
	for _, user := range users {
		byName[user["name"].(string)] = user
	}
	require.Equal(t, "viewer", byName["nonsense"]["role"], "an unknown role is viewer")
	require.Equal(t, "admin", byName["admin"]["role"])

	developer := "/users/" + byName["developer"]["id"].(string)
	require.Equal(t, http.StatusForbidden, api.As(t, "developer", http.MethodPost, "/products/", `{"name":"p"}`).Status)
	assigned := api.As(t, "admin", http.MethodPatch, developer, `{"role":"release_manager"}`)
	require.Equal(t, "release_manager", assigned.Field(t, "role"))
	require.Equal(t, true, assigned.Field(t, "assigned"))
	require.Equal(t, http.StatusCreated, api.As(t, "developer", http.MethodPost, "/products/", `{"name":"p"}`).Status, "immediately")
	require.Equal(t, "developer", api.As(t, "admin", http.MethodPatch, developer, `{"role":null}`).Field(t, "role"))
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPatch, developer, `{"role":"emperor"}`).Status)
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "admin", http.MethodPatch, developer, `{}`).Status)
	self := api.As(t, "admin", http.MethodPatch, "/users/"+byName["admin"]["id"].(string), `{"role":"viewer"}`)
	require.Equal(t, http.StatusConflict, self.Status)
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/users/?q=DEVEL", "")), 1)
}

func TestCurrentUser(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	current := func(role string) testapi.Answer { return api.As(t, role, http.MethodGet, "/users/me", "") }
	first := current("sre")
	require.Equal(t, http.StatusOK, first.Status)
	require.Equal(t, testapi.Account, first.Field(t, "account").(map[string]any)["slug"])
	require.Subset(t, first.Field(t, "permissions"), []any{"environments.write", "integrations.write", "view"})
	require.NotContains(t, first.Field(t, "permissions"), "products.write")
	require.Equal(t, []any{"view"}, current("viewer").Field(t, "permissions"))
	user := first.Field(t, "user").(map[string]any)
	require.Equal(t, "sre", user["role"])
	require.Equal(t, user["name"], api.As(t, "viewer", http.MethodGet, "/users/"+user["id"].(string), "").Field(t, "name"))

	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/users/"+user["id"].(string), `{"role":"viewer"}`).Status)
	require.Equal(t, []any{"view"}, current("sre").Field(t, "permissions"), "the assigned role")
	require.Equal(t, []any{"view"}, current("nonsense").Field(t, "permissions"), "an unknown role")

	withKey := api.Request(t, http.MethodGet, "/users/me", nil)
	withKey.Header.Set("Authorization", "Bearer "+api.Key)
	require.Equal(t, http.StatusForbidden, api.Do(t, withKey).Status, "an API key is not a user")
}
