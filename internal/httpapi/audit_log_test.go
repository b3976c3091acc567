package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// changed is a member of the changes of an audit entry.
func changed(field string, before, after any) map[string]any {
	return map[string]any{"field": field, "before": before, "after": after, "truncated": false}
}

// trail returns the audit entries of an object, newest first.
func trail(t *testing.T, api *testapi.API, path string) []any {
	t.Helper()
	list := items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?object_id="+path[strings.LastIndex(path, "/")+1:], ""))
	entries := make([]any, len(list))
	for i, entry := range list {
		entries[i] = []any{entry["action"], entry["object_name"], entry["changes"]}
	}
	return entries
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	product := created(t, api, "/products/", `{"name":"p"}`)
	request := api.Request(t, http.MethodPatch, product, []byte(`{"name":"q","description":"a text"}`))
	request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "release_manager"))
	request.Header.Set("X-Request-ID", "quote-me")
	api.Do(t, request)
	api.As(t, "admin", http.MethodPatch, product, `{}`)
	api.As(t, "viewer", http.MethodPatch, product, `{"name":"refused"}`)

	trail := items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?object_id="+strings.TrimPrefix(product, "/products/"), ""))
	require.Len(t, trail, 2, "no change, no entry")
	last := trail[0]
	require.Equal(t, "product.update", last["action"])
	require.Equal(t, "q", last["object_name"])
	require.Equal(t, []any{"name", "description"}, last["fields"])
	require.Equal(t, []any{changed("name", "p", "q"), changed("description", nil, "a text")}, last["changes"])
	require.Equal(t, "user", last["actor_type"])
	require.Equal(t, "release_manager", last["actor_name"])
	require.Equal(t, "session dev", last["credential"])
	require.Equal(t, "127.0.0.1", last["remote_ip"])
	require.Equal(t, "quote-me", last["request_id"])
	require.Len(t, items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?actor_id="+last["actor_id"].(string), "")), 1)
	require.Len(t, items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?action=api_key.create", "")), 1, "commands leave a trail too")
	require.Empty(t, items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?since=2100-01-01T00:00:00Z", "")))

	for _, change := range []string{"UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"} {
		require.ErrorContains(t, api.TryExec(t, change), "append-only", change)
	}
	for _, change := range []string{"UPDATE events SET status = 'x'", "DELETE FROM events"} {
		api.PostEvent(t, deploymentEvents, deployment(nil))
		require.ErrorContains(t, api.TryExec(t, change), "append-only", change)
	}
}

// TestAuditLogHasValues creates, changes and deletes one object of each kind.
func TestAuditLogHasValues(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	do := func(method, path, body string) {
		answer := api.As(t, "admin", method, path, body)
		require.Less(t, answer.Status, 300, "%s %s: %s", method, path, answer.Body)
	}
	t.Run("Product", func(t *testing.T) {
		t.Parallel()
		path := created(t, api, "/products/", `{"name":"shop","extra_metadata":{"team":"a","tier":1}}`)
		do(http.MethodPatch, path, `{"extra_metadata":{"team":"b","password":"hunter2"}}`)
		do(http.MethodPatch, path, `{"name":"store","description":"sells"}`)
		do(http.MethodDelete, path, "")
		require.Equal(t, []any{
			[]any{"product.delete", "store", []any{changed("name", "store", nil), changed("description", "sells", nil), changed("extra_metadata", `{"password":"****","team":"b","tier":1}`, nil)}},
			[]any{"product.update", "store", []any{changed("name", "shop", "store"), changed("description", nil, "sells")}},
			[]any{"product.update", "shop", []any{changed("extra_metadata", `{"team":"a"}`, `{"password":"****","team":"b"}`)}},
			[]any{"product.create", "shop", []any{changed("name", nil, "shop"), changed("extra_metadata", nil, `{"team":"a","tier":1}`)}},
		}, trail(t, api, path))
	})
	t.Run("Environment", func(t *testing.T) {
		t.Parallel()
		path := created(t, api, "/environments/", `{"name":"staging"}`)
		do(http.MethodPatch, path, `{"type":"production"}`)
		do(http.MethodDelete, path, "")
		require.Equal(t, []any{
			[]any{"environment.delete", "staging", []any{changed("name", "staging", nil), changed("type", "production", nil)}},
			[]any{"environment.update", "staging", []any{changed("type", "staging", "production")}},
			[]any{"environment.create", "staging", []any{changed("name", nil, "staging"), changed("type", nil, "staging")}},
		}, trail(t, api, path))
	})
	t.Run("Release", func(t *testing.T) {
		t.Parallel()
		one := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "r", "version": "1"})).Field(t, "version_id").(string)
		other := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "r", "version": "2"})).Field(t, "version_id").(string)
		path := created(t, api, "/releases/", `{"name":"spring"}`)
		do(http.MethodPost, path+"/versions", `{"version_id":"`+one+`"}`)
		do(http.MethodPost, path+"/versions", `{"version_id":"`+one+`"}`)
		do(http.MethodPost, path+"/versions", `{"version_id":"`+other+`"}`)
		do(http.MethodDelete, path+"/versions/"+other, "")
		do(http.MethodPatch, path, `{"status":"in_progress"}`)
		do(http.MethodDelete, path, "")
		require.Equal(t, []any{
			[]any{"release.delete", "spring", []any{changed("name", "spring", nil), changed("status", "in_progress", nil)}},
			[]any{"release.update", "spring", []any{changed("status", "draft", "in_progress")}},
			[]any{"release.remove_version", "spring", []any{changed("versions", "r 2", nil)}},
			[]any{"release.add_version", "spring", []any{changed("versions", "r 1", "r 2")}},
			[]any{"release.add_version", "spring", []any{changed("versions", nil, "r 1")}},
			[]any{"release.create", "spring", []any{changed("name", nil, "spring"), changed("status", nil, "draft")}},
		}, trail(t, api, path))
	})
	t.Run("APIKey", func(t *testing.T) {
		t.Parallel()
		path := created(t, api, "/api-keys/", `{"name":"ci","description":"of the pipeline"}`)
		do(http.MethodPatch, path, `{"description":"like `+api.Key+`"}`)
		do(http.MethodDelete, path, "")
		revoked := api.As(t, "admin", http.MethodGet, path, "").Field(t, "revoked_at")
		require.Equal(t, []any{
			[]any{"api_key.revoke", "ci", []any{changed("revoked_at", nil, revoked)}},
			[]any{"api_key.update", "ci", []any{changed("description", "of the pipeline", "like ****")}},
			[]any{"api_key.create", "ci", []any{changed("name", nil, "ci"), changed("description", nil, "of the pipeline"), changed("scopes", nil, `["events"]`)}},
		}, trail(t, api, path))
	})
	t.Run("Role", func(t *testing.T) {
		t.Parallel()
		user := "/users/" + api.As(t, "viewer", http.MethodGet, "/users/me", "").Field(t, "user").(map[string]any)["id"].(string)
		do(http.MethodPatch, user, `{"role":"developer"}`)
		do(http.MethodPatch, user, `{"role":null}`)
		require.Equal(t, []any{
			[]any{"user.assign_role", "viewer", []any{changed("role", "developer", "viewer"), changed("assigned", "true", "false")}},
			[]any{"user.assign_role", "viewer", []any{changed("role", "viewer", "developer"), changed("assigned", "false", "true")}},
		}, trail(t, api, user))
	})
	t.Run("Notifications", func(t *testing.T) {
		t.Parallel()
		channel := created(t, api, "/notification-channels/", `{"name":"hook","channel_type":"webhook","config":{"url":"http://127.0.0.1/hooks/first-secret-path","secret":"first secret"}}`)
		do(http.MethodPatch, channel, `{"enabled":false,"config":{"url":"http://127.0.0.1/hooks/other-secret-path","secret":"another secret"}}`)
		id := strings.TrimPrefix(channel, "/notification-channels/")
		preference := created(t, api, "/notification-preferences/", `{"channel_id":"`+id+`","event_type":"deployment.failed","filters":{"environments":["production"],"products":["a"]}}`)
		do(http.MethodPatch, preference, `{"filters":{"products":["b"]}}`)
		do(http.MethodDelete, channel, "")
		require.Equal(t, []any{
			[]any{"notification_channel.delete", "hook", []any{
				changed("name", "hook", nil), changed("channel_type", "webhook", nil), changed("enabled", "false", nil), changed("config.url", "http://127.0.0.1/****path", nil), changed("config.secret", "****", nil),
			}},
			[]any{"notification_channel.update", "hook", []any{
				changed("enabled", "true", "false"), changed("config.url", "http://127.0.0.1/****path", "http://127.0.0.1/****path"), changed("config.secret", "****", "****"),
			}},
			[]any{"notification_channel.create", "hook", []any{
				changed("name", nil, "hook"), changed("channel_type", nil, "webhook"), changed("enabled", nil, "true"), changed("config.url", nil, "http://127.0.0.1/****path"), changed("config.secret", nil, "****"),
			}},
		}, trail(t, api, channel))
		require.Equal(t, []any{
			[]any{"notification_preference.update", "deployment.failed", []any{changed("filters", `{"products":["a"]}`, `{"products":["b"]}`)}},
			[]any{"notification_preference.create", "deployment.failed", []any{
				changed("channel_id", nil, id), changed("event_type", nil, "deployment.failed"), changed("filters", nil, `{"environments":["production"],"products":["a"]}`),
			}},
		}, trail(t, api, preference))
		log := string(api.As(t, "admin", http.MethodGet, "/audit-log/", "").Body)
		for _, secret := range []string{"secret-path", "first secret", "another secret"} {
			require.NotContains(t, log, secret)
		}
	})
}

// TestAuditLogOfConcurrentUpdates changes one product concurrently: the entries form a chain of values.
func TestAuditLogOfConcurrentUpdates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	path := created(t, api, "/products/", `{"name":"p","description":"0"}`)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			api.As(t, "admin", http.MethodPatch, path, fmt.Sprintf(`{"description":"change %d"}`, i))
		})
	}
	group.Wait()
	after := make(map[any]any) // the value of a change by the one before
	for _, entry := range items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?action=product.update", "")) {
		change := entry["changes"].([]any)[0].(map[string]any)
		after[change["before"]] = change["after"]
	}
	require.Len(t, after, 8, "each value was changed once")
	value := any("0")
	for range 8 {
		require.Contains(t, after, value)
		value = after[value]
	}
	require.Equal(t, api.As(t, "admin", http.MethodGet, path, "").Field(t, "description"), value)
}

// TestAuditEntriesAreBounded changes metadata of the maximum size.
func TestAuditEntriesAreBounded(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	long := strings.Repeat("x", 60<<10)
	path := created(t, api, "/products/", `{"name":"p","extra_metadata":{"a":"`+long+`"}}`)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, path, `{"extra_metadata":{"a":"y`+long+`"}}`).Status)
	var size int
	api.Scan(t, "SELECT max(octet_length(changed_values::text)) FROM audit_log", &size)
	require.LessOrEqual(t, size, 16<<10)
	for _, entry := range items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?action=product.update", "")) {
		change := entry["changes"].([]any)[0].(map[string]any)
		require.Equal(t, true, change["truncated"])
		require.Len(t, change["after"], 2<<10)
	}
}
