package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/testapi"
)

// requireExceeded requires a 422 that names the cap at the location.
func requireExceeded(t *testing.T, answer testapi.Answer, loc, kind string) {
	t.Helper()
	require.Equal(t, []string{loc}, locs(t, answer))
	require.Contains(t, string(answer.Body), "maximum of 3 "+kind)
}

// TestQuotas creates more objects than the cap concurrently.
func TestQuotas(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithQuotas(quota.Limits{Products: 3, Environments: 3, Channels: 3, Preferences: 3, APIKeys: 3, CalendarFeeds: 3, OpenReleases: 3, Variables: 3}))
	channel := created(t, api, "/notification-channels/", `{"name":"c","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`)
	for path, test := range map[string]struct{ body, kind, table string }{
		"/products/":              {`{"name":"%d"}`, "products", "products"},
		"/environments/":          {`{"name":"%d"}`, "environments", "environments"},
		"/notification-channels/": {`{"name":"%d","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`, "notification channels", "notification_channels"},
		"/notification-preferences/": {
			`{"channel_id":"` + channel[strings.LastIndex(channel, "/")+1:] + `","event_type":"deployment.completed","filters":{"products":["%d"]}}`,
			"notification preferences", "notification_preferences",
		},
		"/api-keys/":       {`{"name":"%d"}`, "active API keys", "api_keys"},
		"/calendar-feeds/": {`{"name":"%d"}`, "calendar feeds", "calendar_feeds"},
		"/releases/":       {`{"name":"%d"}`, "open releases", "releases"},
		"/variables/":      {`{"key":"k%d","value":""}`, "variables", "variables"},
	} {
		answers := concurrently(8, func(i int) testapi.Answer {
			return api.As(t, "admin", http.MethodPost, path, fmt.Sprintf(test.body, i))
		})
		for _, answer := range answers {
			if answer.Status >= http.StatusBadRequest {
				requireExceeded(t, answer, `["body"]`, test.kind)
			}
		}
		require.Equal(t, 3, api.Count(t, test.table), path)
	}

	t.Run("CountOnlyWhatExists", func(t *testing.T) {
		product := items(t, api.As(t, "viewer", http.MethodGet, "/products/", ""))[0]["id"].(string)
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/products/"+product, "").Status)
		created(t, api, "/products/", `{"name":"new"}`)
		release := items(t, api.As(t, "viewer", http.MethodGet, "/releases/", ""))[0]["id"].(string)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/releases/"+release, `{"status":"cancelled"}`).Status)
		created(t, api, "/releases/", `{"name":"new"}`)
		key := items(t, api.As(t, "admin", http.MethodGet, "/api-keys/", ""))[0]["id"].(string)
		requireExceeded(t, api.As(t, "admin", http.MethodPost, "/api-keys/"+key+"/rotate", `{}`), `["body"]`, "active API keys")
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/api-keys/"+key, "").Status)
		created(t, api, "/api-keys/", `{"name":"new"}`)
		feed := items(t, api.As(t, "admin", http.MethodGet, "/calendar-feeds/", ""))[0]["id"].(string)
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/calendar-feeds/"+feed, "").Status)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, "/calendar-feeds/", `{"name":"new"}`).Status)
	})
}

// TestQuotaOfNames renames objects repeatedly, and concurrently at the end.
func TestQuotaOfNames(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithQuotas(quota.Limits{Names: 3}))
	for path, object := range map[string]string{"/products/": "product", "/environments/": "environment"} {
		target := created(t, api, path, `{"name":"1"}`)
		created(t, api, path, `{"name":"other"}`)
		rename := func(name string) testapi.Answer {
			return api.As(t, "admin", http.MethodPatch, target, fmt.Sprintf(`{"name":%q}`, name))
		}
		require.Equal(t, http.StatusOK, rename("2").Status)
		accepted := 0
		for _, answer := range concurrently(8, func(i int) testapi.Answer { return rename("new " + strconv.Itoa(i)) }) {
			if answer.Status == http.StatusOK {
				accepted++
				continue
			}
			requireExceeded(t, answer, `["body","name"]`, "names, former ones included")
			require.Contains(t, string(answer.Body), "the "+object+" has")
		}
		require.Equal(t, 1, accepted, path)
		require.Equal(t, 4, api.Count(t, object+"_names"), "a rejected name stays free")
		require.Equal(t, http.StatusOK, rename("1").Status, "a former name")
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, target, `{"description":"d"}`).Status)
	}
}

// TestQuotasOfEvents sends events that create products and environments implicitly, in batches with events that do not.
func TestQuotasOfEvents(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithQuotas(quota.Limits{Products: 3, Environments: 3}))
	api.PostEvent(t, deploymentEvents, deployment(nil))
	for path, test := range map[string]struct{ member, kind string }{
		deploymentEvents: {"environment_name", "environments"}, builds: {"product_name", "products"},
	} {
		answers := concurrently(40, func(i int) testapi.Answer {
			event := deployment(map[string]any{"version": strconv.Itoa(i), "invoke_id": strconv.Itoa(i)})
			if i%2 == 1 {
				event[test.member] = "new" + strconv.Itoa(i)
			}
			body, _ := json.Marshal(event)
			return api.Post(t, path, string(body))
		})
		for i, answer := range answers {
			if i%2 == 0 {
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			} else if answer.Status != http.StatusOK {
				requireExceeded(t, answer, `["body","`+test.member+`"]`, test.kind)
			}
		}
		require.Equal(t, 3, api.Count(t, test.kind))
		names := strings.TrimSuffix(test.kind, "s") + "_names"
		require.Equal(t, 3, api.Count(t, names), "a rejected event reserves no name")
	}
	require.Equal(t, 1+2*20+4, api.Count(t, "events"))
	requireExceeded(t, api.As(t, "admin", http.MethodPost, "/products/", `{"name":"another"}`), `["body"]`, "products")
}

// concurrently sends n requests concurrently and returns their answers.
func concurrently(n int, send func(i int) testapi.Answer) []testapi.Answer {
	answers := make([]testapi.Answer, n)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = send(i) })
	}
	group.Wait()
	return answers
}
