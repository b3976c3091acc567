package seed_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/seed"
	"github.com/versioner-io/versioner/internal/testapi"
)

// reader reads the lists of an account.
type reader struct {
	api   *testapi.API
	token string
}

func (r reader) all(t *testing.T, path string) []map[string]any {
	t.Helper()
	var items []map[string]any
	query := url.Values{"limit": {"100"}}
	for {
		request := r.api.Request(t, http.MethodGet, path+"?"+query.Encode(), nil)
		request.Header.Set("Authorization", "Bearer "+r.token)
		answer := r.api.Do(t, request)
		require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
		var page struct {
			Items []map[string]any `json:"items"`
			Next  *string          `json:"next_cursor"`
		}
		require.NoError(t, json.Unmarshal(answer.Body, &page))
		items = append(items, page.Items...)
		if page.Next == nil {
			return items
		}
		query.Set("cursor", *page.Next)
	}
}

func timeOf(t *testing.T, item map[string]any, name string) time.Time {
	t.Helper()
	text, _ := item[name].(string)
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err, "%s of %v", name, item)
	return at
}

// counts returns the number of items for each value of a member.
func counts(items []map[string]any, name string) map[any]int {
	found := make(map[any]int)
	for _, item := range items {
		found[item[name]]++
	}
	return found
}

// TestLists reads every list of an account with a month of data.
func TestLists(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithClock(theEnd)) // later, deployments in progress are stale
	history := seed.New(1, 30, theEnd())
	require.NoError(t, seed.Fill(t.Context(), api.Pool, api.Keys, api.Channels, seed.Account, history, func(int) {}))
	r := reader{api: api, token: api.Token(t, seed.Account, "admin")}

	require.Len(t, r.all(t, "/products/"), 20)
	types := counts(r.all(t, "/environments/"), "type")
	require.Greater(t, types["dev"], 3, "and review environments")
	delete(types, "dev")
	require.Equal(t, map[any]int{"test": 1, "staging": 1, "production": 1}, types)
	require.Greater(t, len(r.all(t, "/versions/")), 200)
	require.Len(t, r.all(t, "/users/"), 12+1, "the users of the history and the caller")
	require.Equal(t, map[any]int{"active": 3, "revoked": 1}, counts(r.all(t, "/api-keys/"), "state"))
	require.Equal(t, map[any]int{true: 2, false: 1}, counts(r.all(t, "/notification-channels/"), "enabled"))
	require.Len(t, r.all(t, "/notification-preferences/"), 5)
	require.Len(t, counts(r.all(t, "/notification-history/"), "status"), 2, "delivered and failed")

	deployments := r.all(t, "/deployments/")
	require.Subset(t, slices.Collect(maps.Keys(counts(deployments, "status"))), []any{"started", "completed", "failed", "aborted"})
	for i, deployment := range deployments {
		require.False(t, timeOf(t, deployment, "deployed_at").After(time.Now()))
		require.NotEmpty(t, deployment["deployed_by_name"])
		if i > 0 {
			require.False(t, timeOf(t, deployment, "created_at").After(timeOf(t, deployments[i-1], "created_at")), "newest first")
		}
		if deployment["environment_type"] != "dev" {
			require.Positive(t, deployment["soak_time_hours"])
		}
	}

	state := r.all(t, "/environment-state/")
	require.Greater(t, len(state), 70)
	behind := make(map[any]float64)
	inProgress := 0
	for _, one := range state {
		if number, ok := one["versions_behind"].(float64); ok {
			require.Less(t, number, 60.0)
			behind[one["environment_name"]] += number
			require.False(t, timeOf(t, one, "since").After(time.Now()))
		}
		if one["in_progress_deployment_id"] != nil {
			inProgress++
		}
	}
	require.Less(t, behind["dev"], behind["qa"])
	require.Less(t, behind["qa"], behind["staging"])
	require.Less(t, behind["staging"], behind["production"])
	require.Positive(t, inProgress)
	require.Positive(t, counts(state, "latest_status")["failed"], "the newest version has not reached some environment")
	require.Positive(t, counts(state, "latest_is_stale")[true])
	require.Len(t, counts(state, "has_drift"), 2, "some products have drift, others do not")

	releases := r.all(t, "/releases/")
	require.Len(t, counts(releases, "status"), 4)
	for _, release := range releases {
		require.False(t, timeOf(t, release, "updated_at").Before(timeOf(t, release, "created_at")))
		id, ok := release["id"].(string)
		require.True(t, ok)
		progress := r.progress(t, id)
		require.Positive(t, progress["success"], "%v", release["name"])
		if release["status"] == "draft" {
			require.Positive(t, progress["not_deployed"])
		}
	}

	require.Equal(t, map[any]int{"schedule": 2, "flow": 1, "concurrency": 1, "version_approval_required": 1, "deployment_request_required": 1}, counts(r.all(t, "/deployment-rules/"), "rule_type"))
	require.Len(t, counts(r.all(t, "/deployment-requests/"), "status"), 5, "draft, in progress, approved, rejected and completed")
	require.Len(t, r.all(t, "/break-glass-grants/"), 1)
	require.Len(t, r.all(t, "/deployment-request-templates/"), 1)
	require.Len(t, r.all(t, "/deployment-templates/"), 1)
	require.Len(t, r.all(t, "/variables/"), 1)

	changes := r.all(t, "/audit-log/")
	require.Greater(t, len(changes), 60)
	require.Subset(t, slices.Collect(maps.Keys(counts(changes, "action"))), []any{"product.create", "product.update", "environment.create", "release.create", "release.update", "release.add_version", "api_key.create", "api_key.revoke", "notification_channel.create"})
	require.Greater(t, len(counts(changes, "actor_name")), 5)
	for _, change := range changes {
		require.False(t, timeOf(t, change, "at").After(time.Now()))
	}
}

// TestEventsAreWhatCISystemsSend sends events over HTTP.
func TestEventsAreWhatCISystemsSend(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, event := range seed.New(1, 7, theEnd()).Events[:40] {
		path := "/deployment-events/"
		if event.Kind == ingest.Build {
			path = "/build-events/"
		}
		answer := api.Post(t, path, string(event.Body))
		require.Equal(t, http.StatusOK, answer.Status, "%s: %s", event.Body, answer.Body)
		require.Equal(t, string(event.Status), answer.Field(t, "status"))
		require.Equal(t, event.SHA, answer.Field(t, "scm_sha"))
		require.Contains(t, string(answer.Body), "@example.com")
	}
}

// progress counts the statuses of a release over products and environments.
func (r reader) progress(t *testing.T, release string) map[string]int {
	t.Helper()
	request := r.api.Request(t, http.MethodGet, "/releases/"+release+"/deployments", nil)
	request.Header.Set("Authorization", "Bearer "+r.token)
	answer := r.api.Do(t, request)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	found := make(map[string]int)
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, one := range node {
				walk(one)
			}
		case map[string]any:
			if status, ok := node["status"].(string); ok {
				found[status]++
			}
			for _, one := range node {
				walk(one)
			}
		}
	}
	var grid any
	require.NoError(t, json.Unmarshal(answer.Body, &grid))
	walk(grid)
	return found
}
