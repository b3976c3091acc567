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

	"github.com/versioner-io/versioner/internal/testapi"
)

// items returns the objects of a list.
func items(t *testing.T, answer testapi.Answer) []map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	var list struct {
		Items []map[string]any `json:"items"`
	}
	require.NoError(t, json.Unmarshal(answer.Body, &list))
	return list.Items
}

// created makes an object as an admin and returns its address.
func created(t *testing.T, api *testapi.API, path, body string) string {
	t.Helper()
	answer := api.As(t, "admin", http.MethodPost, path, body)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	return path + answer.Field(t, "id").(string)
}

// TestNamedObjects tests the behaviour that products and environments share.
func TestNamedObjects(t *testing.T) {
	t.Parallel()
	for path, member := range map[string]string{"/products/": "product_name", "/environments/": "environment_name"} {
		t.Run(strings.Trim(path, "/"), func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			require.Empty(t, items(t, api.As(t, "viewer", http.MethodGet, path, "")), "at first there are none")
			first := created(t, api, path, `{"name":" alpha ","description":"the first"}`)

			read := api.As(t, "viewer", http.MethodGet, first, "")
			require.Equal(t, "alpha", read.Field(t, "name"))
			require.Equal(t, "the first", read.Field(t, "description"))
			require.Equal(t, `"1"`, read.Header.Get("ETag"))

			taken := api.As(t, "admin", http.MethodPost, path, `{"name":"alpha"}`)
			require.Equal(t, http.StatusConflict, taken.Status)
			require.Equal(t, `{"detail":"Name already in use"}`, string(taken.Body))

			// An event that mentions the name means the same object.
			event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{member: "alpha"}))
			require.Equal(t, strings.TrimPrefix(first, path), event.Field(t, strings.TrimSuffix(member, "_name")+"_id"))

			// A rename keeps the former name as an alias.
			renamed := api.As(t, "admin", http.MethodPatch, first, `{"name":"beta"}`)
			require.Equal(t, "beta", renamed.Field(t, "name"))
			require.Equal(t, `"2"`, renamed.Header.Get("ETag"))
			event = api.PostEvent(t, deploymentEvents, deployment(map[string]any{member: "alpha", "invoke_id": "run-2"}))
			require.Equal(t, "beta", event.Field(t, member))
			require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPost, path, `{"name":"alpha"}`).Status, "an alias is taken too")
			require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, first, `{"name":"alpha"}`).Status, "one may take one's former name back")

			other := created(t, api, path, `{"name":"gamma"}`)
			require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPatch, other, `{"name":"beta"}`).Status)
			require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, path+"?q=GAM", "")), 1)
		})
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	product := created(t, api, "/products/", `{"name":"p","description":"d","extra_metadata":{"a":{"b":1,"c":2},"d":3}}`)
	patch := func(body string) testapi.Answer { return api.As(t, "admin", http.MethodPatch, product, body) }

	require.Equal(t, `"1"`, patch(`{}`).Header.Get("ETag"), "nothing changes")
	require.Equal(t, `"1"`, patch(`{"description":"d","extra_metadata":{"a":{"b":1}}}`).Header.Get("ETag"), "what is the same already is no change")
	merged := patch(`{"extra_metadata":{"a":{"b":null,"x":9},"d":null,"e":5}}`)
	require.Equal(t, map[string]any{"a": map[string]any{"c": 2.0, "x": 9.0}, "e": 5.0}, merged.Field(t, "extra_metadata"))
	require.Equal(t, map[string]any{}, patch(`{"extra_metadata":null}`).Field(t, "extra_metadata"))
	require.Empty(t, patch(`{"description":null}`).Field(t, "description"))
	for _, body := range []string{`{"name":null}`, `{"name":""}`, `{"name":" "}`, `{"name":7}`, `{"description":7}`, `{"extra_metadata":[]}`, `{"id":"x"}`, `{"Name":"x"}`} {
		require.Equal(t, http.StatusUnprocessableEntity, patch(body).Status, body)
	}
	big := fmt.Sprintf(`{"extra_metadata":{"%%s":"%s"}}`, strings.Repeat("x", 40<<10))
	require.Equal(t, http.StatusOK, patch(fmt.Sprintf(big, "one")).Status)
	require.Equal(t, http.StatusUnprocessableEntity, patch(fmt.Sprintf(big, "two")).Status, "too large once merged")

	t.Run("TakesItsProperContentType", func(t *testing.T) {
		request := api.Request(t, http.MethodPatch, product, []byte(`{"description":"merge patch"}`))
		request.Header.Set("Content-Type", "application/merge-patch+json")
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		require.Equal(t, http.StatusOK, api.Do(t, request).Status)
	})
}

func TestConcurrentEdits(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	product := created(t, api, "/products/", `{"name":"p"}`)
	change := func(method, tag, body string) testapi.Answer {
		request := api.Request(t, method, product, []byte(body))
		request.Header.Set("If-Match", tag)
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		return api.Do(t, request)
	}

	var group sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		group.Go(func() { statuses[i] = change(http.MethodPatch, `"1"`, fmt.Sprintf(`{"description":"%d"}`, i)).Status })
	}
	group.Wait()
	won := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			won++
		} else {
			require.Equal(t, http.StatusPreconditionFailed, status)
		}
	}
	require.Equal(t, 1, won, "of those that had seen the same revision, one wins")

	stale := change(http.MethodDelete, `"1"`, "")
	require.Equal(t, http.StatusPreconditionFailed, stale.Status)
	require.Equal(t, `{"detail":"The object has changed since you read it"}`, string(stale.Body))
	require.Equal(t, http.StatusPreconditionFailed, change(http.MethodPatch, "nonsense", `{}`).Status)
	require.Equal(t, http.StatusOK, change(http.MethodPatch, `"7", "2"`, `{}`).Status, "one of several")
	require.Equal(t, http.StatusOK, change(http.MethodPatch, `*`, `{}`).Status)
	require.Equal(t, http.StatusNoContent, change(http.MethodDelete, `"2"`, "").Status)
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	before := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	api.PostEvent(t, builds, map[string]any{"product_name": "checkout", "version": "1.4.2"})
	product := "/products/" + before.Field(t, "product_id").(string)
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, product, "").Status)

	for _, path := range []string{product, "/versions/" + before.Field(t, "version_id").(string), "/deployments/" + before.Field(t, "id").(string)} {
		require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodGet, path, "").Status, path)
	}
	for _, path := range []string{"/products/", "/versions/", "/deployments/", "/builds/", "/environment-state/", "/deployments/?product=checkout", "/builds/?version=1.4.2"} {
		require.Empty(t, items(t, api.As(t, "admin", http.MethodGet, path, "")), path)
	}
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodDelete, product, "").Status, "once")
	require.Equal(t, 2, api.Count(t, "events"), "the log keeps what was received")

	// The very same event makes a new product, though the old one's is fresh in the memory.
	after := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	require.NotEqual(t, before.Field(t, "product_id"), after.Field(t, "product_id"))
	require.Len(t, items(t, api.As(t, "admin", http.MethodGet, "/deployments/", "")), 1)

	environment := "/environments/" + after.Field(t, "environment_id").(string)
	require.Equal(t, http.StatusNoContent, api.As(t, "sre", http.MethodDelete, environment, "").Status)
	require.Empty(t, items(t, api.As(t, "admin", http.MethodGet, "/deployments/", "")))
	require.Len(t, items(t, api.As(t, "admin", http.MethodGet, "/products/", "")), 1)
	trail := items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?action=product.delete", ""))
	require.Len(t, trail, 1)
	require.Equal(t, before.Field(t, "product_id"), trail[0]["object_id"])
}

// TestDeletionWhileEventsArrive loses no event: each that is answered is shown, or was there before the deletion.
func TestDeletionWhileEventsArrive(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	product := api.PostEvent(t, deploymentEvents, deployment(nil)).Field(t, "product_id").(string)
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			api.PostEvent(t, deploymentEvents, deployment(map[string]any{"invoke_id": fmt.Sprint("run ", i), "version": strconv.Itoa(i)}))
		})
	}
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/products/"+product, "").Status)
	group.Wait()
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"invoke_id": "last"}))
	require.NotEmpty(t, items(t, api.As(t, "admin", http.MethodGet, "/deployments/", "")))
	require.Equal(t, 42, api.Count(t, "events"))
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	inferred := api.As(t, "sre", http.MethodPost, "/environments/", `{"name":"pre-prod","metadata":{"a":1}}`)
	require.Equal(t, "staging", inferred.Field(t, "type"))
	require.Equal(t, inferred.Field(t, "metadata"), inferred.Field(t, "extra_metadata"))
	require.Equal(t, "dev", api.As(t, "sre", http.MethodPost, "/environments/", `{"name":"mine","type":"dev"}`).Field(t, "type"))
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "sre", http.MethodPost, "/environments/", `{"name":"x","type":"prod"}`).Status)
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/environments/?type=dev", "")), 1)
	changed := api.As(t, "sre", http.MethodPatch, "/environments/"+inferred.Field(t, "id").(string), `{"type":"production","metadata":{"b":2}}`)
	require.Equal(t, "production", changed.Field(t, "type"))
	require.Equal(t, map[string]any{"a": 1.0, "b": 2.0}, changed.Field(t, "metadata"))
}

func TestVersions(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for i, sha := range []string{"abcdef123456", "ABCDEF999999", "123456abcdef"} {
		api.PostEvent(t, builds, map[string]any{"product_name": fmt.Sprint("p", i%2), "version": fmt.Sprint("1.", i), "scm_sha": sha})
	}
	count := func(query string) int {
		return len(items(t, api.As(t, "viewer", http.MethodGet, "/versions/"+query, "")))
	}
	require.Equal(t, 3, count(""))
	require.Equal(t, 2, count("?product=p0"))
	require.Equal(t, 2, count("?scm_sha=abcdef"))
	require.Equal(t, 1, count("?scm_sha=ABCDEF1"))
	require.Equal(t, 0, count("?scm_sha=abc%25f"))
	require.Equal(t, 1, count("?q=1.1"))
	require.Equal(t, 3, count("?q=1."))
	require.Equal(t, 1, count("?q=1.&product=p1"))
	require.Equal(t, 2, count("?q=1.&scm_sha=abcdef"))
	require.Equal(t, 0, count("?q=.1"), "only their beginning is found")
	require.Equal(t, 0, count("?q=1%25"), "there are no wildcards")
	var found []any
	for next := "?limit=1&q=1."; next != ""; {
		page := api.As(t, "viewer", http.MethodGet, "/versions/"+next, "")
		found = append(found, items(t, page)[0]["version"])
		next = ""
		if cursor, ok := page.Field(t, "next_cursor").(string); ok {
			next = "?limit=1&q=1.&cursor=" + cursor
		}
	}
	require.Equal(t, []any{"1.2", "1.1", "1.0"}, found, "by name, backwards")
	require.Equal(t, 0, count("?product=nothing"))
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	first := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"scm_sha": "abcdef12", "status": "completed"}))
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "qa", "version": "2", "product_name": "cart"}))
	count := func(query string) int {
		return len(items(t, api.As(t, "viewer", http.MethodGet, "/deployments/"+query, "")))
	}
	created := first.Field(t, "created_at").(string)
	for query, want := range map[string]int{
		"": 2, "?product=checkout": 1, "?product=" + first.Field(t, "product_id").(string): 1, "?environment=qa": 1, "?version=2": 1,
		"?version=" + first.Field(t, "version_id").(string): 1, "?status=completed": 1, "?status=failed": 0, "?scm_sha=abcdef": 1,
		"?since=" + created: 2, "?until=" + created: 0, "?product=checkout&environment=qa": 0, "?limit=1": 1,
	} {
		require.Equal(t, want, count(query), query)
	}
	one := api.As(t, "viewer", http.MethodGet, "/deployments/"+first.Field(t, "id").(string), "")
	require.Equal(t, "production", one.Field(t, "environment_type"))
	require.Equal(t, first.Field(t, "deployed_at"), one.Field(t, "deployed_at"))
}

func TestEnvironmentState(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	deploy := func(environment, version, status string) {
		api.PostEvent(t, deploymentEvents, map[string]any{
			"product_name": "p", "version": version, "environment_name": environment, "status": status, "deployed_by": "mona", "invoke_id": version,
		})
	}
	state := func(query string) map[string]map[string]any {
		found := make(map[string]map[string]any)
		for _, row := range items(t, api.As(t, "viewer", http.MethodGet, "/environment-state/"+query, "")) {
			found[row["environment_name"].(string)] = row
		}
		return found
	}
	deploy("qa", "1.0", "completed")
	deploy("production", "1.0", "completed")
	require.Equal(t, false, state("")["qa"]["has_drift"])
	require.Zero(t, state("")["production"]["versions_behind"])

	deploy("qa", "1.1", "completed")
	deploy("qa", "1.2", "completed")
	deploy("production", "1.1", "started")
	deploy("qa", "1.3", "failed")
	deploy("staging", "1.2", "pending")
	now := state("")
	require.Equal(t, "1.2", now["qa"]["version"], "a failure replaces nothing")
	require.Equal(t, "1.0", now["production"]["version"])
	require.Equal(t, "1.1", now["production"]["in_progress_version"])
	require.Equal(t, "mona", now["production"]["deployed_by"])
	require.NotNil(t, now["production"]["since"])
	require.Equal(t, true, now["production"]["has_drift"])
	require.Equal(t, true, now["qa"]["has_drift"])
	require.InDelta(t, 2, now["production"]["versions_behind"], 0)
	require.InDelta(t, 0, now["qa"]["versions_behind"], 0)
	require.Nil(t, now["staging"]["version"])
	require.Nil(t, now["staging"]["versions_behind"])
	require.Equal(t, false, now["staging"]["has_drift"])
	require.Len(t, state("?type=production"), 1)
	require.Len(t, state("?environment=qa&product=p"), 1)
	require.Empty(t, state("?product=nothing"))

	deploy("production", "1.1", "completed")
	require.Nil(t, state("")["production"]["in_progress_version"])
	deploy("production", "1.0", "completed")
	require.Equal(t, "1.1", state("")["production"]["version"], "the same run's end again is no deployment")
}
