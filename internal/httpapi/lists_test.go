package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// nextCursor is where the next page begins; empty on the last one.
func nextCursor(t *testing.T, answer testapi.Answer) string {
	t.Helper()
	cursor, _ := answer.Field(t, "next_cursor").(string)
	return cursor
}

// lists returns the operations of the specification that return pages.
func lists(t *testing.T) []operation {
	t.Helper()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	return slices.DeleteFunc(operations(t), func(op operation) bool {
		specified := document.Paths.Value(op.path).GetOperation(op.method)
		return op.method != http.MethodGet || specified.Parameters.GetByInAndName(openapi3.ParameterInQuery, "cursor") == nil
	})
}

// readPage reads a page of a list: the identifiers on it, and the cursor of the next.
func readPage(t *testing.T, api *testapi.API, path, cursor string) (ids []string, next string) {
	t.Helper()
	if cursor != "" {
		path += "&cursor=" + url.QueryEscape(cursor)
	}
	answer := api.As(t, "admin", http.MethodGet, path, "")
	var page struct{ Items, Environments []map[string]any }
	require.NoError(t, json.Unmarshal(answer.Body, &page))
	for _, item := range append(page.Items, page.Environments...) {
		id, ok := item["id"].(string)
		if !ok {
			id = fmt.Sprint(item["product_id"], item["environment_id"])
		}
		ids = append(ids, id)
	}
	return ids, nextCursor(t, answer)
}

// walk reads all pages of a list.
func walk(t *testing.T, api *testapi.API, path string) []string {
	t.Helper()
	ids, cursor := readPage(t, api, path, "")
	return append(ids, walkOn(t, api, path, cursor)...)
}

// walkOn reads the pages of a list from a cursor to the end.
func walkOn(t *testing.T, api *testapi.API, path, cursor string) (ids []string) {
	t.Helper()
	for pages := 0; cursor != ""; pages++ {
		require.Less(t, pages, 500, "the list does not end")
		var page []string
		page, cursor = readPage(t, api, path, cursor)
		ids = append(ids, page...)
	}
	return ids
}

// TestPagesHoldEverythingOnce reads every list of the specification by pages, also while objects are added.
func TestPagesHoldEverythingOnce(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	release := created(t, api, "/releases/", `{"name":"all"}`)
	channel := created(t, api, "/notification-channels/", `{"name":"all","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`)
	busy := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "started", "invoke_id": "busy"}))
	busyBuild := api.PostEvent(t, builds, map[string]any{"product_name": "checkout", "version": "1.4.2", "status": "started", "invoke_id": "busy"})
	progress := created(t, api, "/releases/", `{"name":"one version"}`)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPost, progress+"/versions", `{"version_id":"`+busy.Field(t, "version_id").(string)+`"}`).Status)
	request := created(t, api, "/deployment-requests/", `{"name":"all"}`)
	parents := strings.NewReplacer("/deployment-requests/{id}", request, "/versions/{id}", "/versions/"+busy.Field(t, "version_id").(string), "/releases/{id}/deployments", progress+"/deployments", "/deployments/{id}", "/deployments/"+busy.Field(t, "deployment_id").(string), "/builds/{id}", "/builds/"+busyBuild.Field(t, "build_id").(string), "/releases/{id}", release)
	number := 0
	add := func() { // an object to each list
		number++
		event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{
			"product_name": fmt.Sprint("p", number), "environment_name": fmt.Sprint("e", number), "invoke_id": strconv.Itoa(number), "status": "completed",
		}))
		api.PostEvent(t, builds, map[string]any{"product_name": fmt.Sprint("p", number), "version": "1.4.2"})
		api.Exec(t, fmt.Sprintf(`INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, build_id, body)
			SELECT account_id, gen_random_uuid(), received_at + make_interval(secs => %d), api_key_id, status, 'out_of_order', deployment_id, build_id, body
			FROM events WHERE effect = 'created' AND body ->> 'invoke_id' = 'busy'`, number))
		created(t, api, "/releases/", `{"name":"r"}`)
		created(t, api, "/deployment-requests/", `{"name":"r"}`)
		created(t, api, "/deployment-request-templates/", fmt.Sprintf(`{"name":"t%d"}`, number))
		created(t, api, "/api-keys/", `{"name":"k"}`)
		created(t, api, "/notification-channels/", fmt.Sprintf(`{"name":"c%d","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`, number))
		created(t, api, "/notification-preferences/", `{"channel_id":"`+path.Base(channel)+`","event_type":"build.failed"}`)
		for _, post := range [][2]string{
			{channel + "/test", ""},
			{release + "/versions", `{"version_id":"` + event.Field(t, "version_id").(string) + `"}`},
			{request + "/versions", `{"version_id":"` + event.Field(t, "version_id").(string) + `"}`},
			{request + "/steps", `{"phase":"pre","title":"s"}`},
			{request + "/comments", `{"text":"c"}`},
		} {
			require.Less(t, api.As(t, "admin", http.MethodPost, post[0], post[1]).Status, 300, post[0])
		}
		created(t, api, "/break-glass-grants/", grantBody(event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)))
		feed(t, api, testapi.Account, "admin")
		created(t, api, "/variables/", fmt.Sprintf(`{"key":"k%d","value":"v"}`, number))
		created(t, api, "/deployment-templates/", templateBody(event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)))
		approve(t, api, "admin", busy.Field(t, "version_id").(string), `{"approval_type":"qa","decision":"approved"}`)
		violate(t, api, path.Base(created(t, api, "/deployment-rules/", scheduleRule(fmt.Sprint("r", number), "other"))), event.Field(t, "deployment_id").(string))
		api.SignIn(t, testapi.Account, "admin")
		api.SignInAs(t, testapi.Account, "viewer", fmt.Sprint("user ", number))
	}
	for range 6 {
		add()
	}
	for _, table := range []string{"deployments", "builds"} {
		api.Exec(t, fmt.Sprintf("UPDATE %[1]s SET occurred_at = (SELECT min(occurred_at) FROM %[1]s) WHERE id IN (SELECT id FROM %[1]s ORDER BY occurred_at LIMIT 4)", table))
	}
	// Sorted by identifiers or oldest first: what is new may lie ahead.
	unsorted := []string{"listEnvironmentState", "listReleaseVersions", "listDeploymentRequestVersions", "getReleaseProgress", "listDeploymentEvents", "listBuildEvents"}
	type iteration struct {
		id, path, cursor string
		before, got      []string
	}
	var iterations []iteration
	for _, op := range lists(t) {
		if op.id == "listDeploymentRequestApprovals" {
			continue // one slot of each type at most
		}
		list := parents.Replace(op.path)
		require.NotContains(t, list, "{", "%s: add the object whose list it is", op.id)
		before := walk(t, api, list+"?limit=200")
		require.GreaterOrEqual(t, len(before), 6, "%s: add objects of this list", op.id)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(before))), len(before), op.id)
		for _, limit := range []int{1, 2, 3} { // six objects: on the last page too, exactly
			require.Equal(t, before, walk(t, api, fmt.Sprintf("%s?limit=%d", list, limit)), "%s by %d", op.id, limit)
		}
		begun := iteration{id: op.id, path: list, before: before}
		begun.got, begun.cursor = readPage(t, api, list+"?limit=2", "")
		iterations = append(iterations, begun)
	}
	add()
	for _, i := range iterations {
		got := slices.Concat(i.got, walkOn(t, api, i.path+"?limit=2", i.cursor))
		require.Greater(t, len(walk(t, api, i.path+"?limit=200")), len(i.before), "%s: add an object of this list", i.id)
		if slices.Contains(unsorted, i.id) {
			require.Subset(t, got, i.before, i.id)
			continue
		}
		require.Equal(t, i.before, got, "%s: objects added during the iteration are on the first page", i.id)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for range 51 {
		created(t, api, "/releases/", `{"name":"r"}`)
	}
	get := func(query string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, "/releases/"+query, "") }
	require.Len(t, items(t, get("")), 50)
	require.NotEmpty(t, nextCursor(t, get("")))
	require.Len(t, items(t, get("?limit=200")), 51)
	require.Empty(t, nextCursor(t, get("?limit=51")))
	require.Len(t, items(t, get("?limit=1")), 1)
	for _, limit := range []string{"0", "-1", "201", "x", "", "1.5", "1e2", "99999999999999999999"} {
		answer := get("?limit=" + limit)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, limit)
		require.Contains(t, string(answer.Body), `"loc":["query","limit"]`, limit)
	}
}

func TestCursorsCannotBeForged(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for i := range 3 {
		created(t, api, "/releases/", `{"name":"r"}`)
		created(t, api, "/products/", fmt.Sprintf(`{"name":"p%d"}`, i))
	}
	get := func(path string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, path, "") }
	cursor := nextCursor(t, get("/releases/?limit=1"))
	require.Equal(t, http.StatusOK, get("/releases/?limit=2&cursor="+cursor).Status, "another size of page is no other list")

	refused := []string{
		"/releases/?cursor=" + nextCursor(t, get("/products/?limit=1")), "/products/?cursor=" + cursor, "/releases/?q=r&cursor=" + cursor,
		"/releases/?cursor=", "/releases/?cursor=x", "/releases/?cursor=" + cursor + "A", "/releases/?cursor=" + cursor[1:], "/releases/?cursor=%00", "/releases/?cursor=%ff",
		"/releases/?cursor=" + cursor + "&cursor=" + cursor,
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	for i := range raw {
		flipped := append([]byte(nil), raw...)
		flipped[i] ^= 1
		refused = append(refused, "/releases/?cursor="+base64.RawURLEncoding.EncodeToString(flipped))
	}
	for _, path := range refused {
		answer := get(path)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, path)
		require.Contains(t, string(answer.Body), `"loc":["query","cursor"]`, path)
	}
	request := api.Request(t, http.MethodGet, "/releases/?cursor="+cursor, nil)
	request.Header.Set("Authorization", "Bearer "+api.Token(t, "other", "admin"))
	require.Equal(t, http.StatusUnprocessableEntity, api.Do(t, request).Status, "another account's")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "50%_off", "environment_name": "qa"}))
	path := "/products/" + event.Field(t, "product_id").(string)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, path, `{"name":"Half price"}`).Status)
	get := func(path string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, path, "") }
	for _, product := range []string{"Half+price", "50%25_off", event.Field(t, "product_id").(string)} {
		require.Len(t, items(t, get("/deployments/?product="+product)), 1, product)
	}
	require.Empty(t, items(t, get("/deployments/?product=50%25_OFF")), "names are case-sensitive")
	require.Len(t, items(t, get("/products/?q=F%20P")), 1, "a search is not")
	require.Empty(t, items(t, get("/products/?q=%25")), "and has no wildcards")
	for _, query := range []string{
		"/deployments/?status=done", "/deployments/?since=yesterday", "/deployments/?until=2026-11-21T18:00:00", "/deployments/?scm_sha=abc",
		"/environments/?type=prod", "/releases/?status=open", "/products/?q=", "/products/?q=a&q=b", "/products/?q=%ff", "/products/?q=%00",
		"/audit-log/?actor_id=me", "/versions/?product=" + fmt.Sprintf("%0256d", 7),
	} {
		answer := api.As(t, "admin", http.MethodGet, query, "")
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, query)
		require.Contains(t, string(answer.Body), `"loc":["query",`, query)
	}
}

// TestSortByName reads products and environments by name, by pages: by code points, names of the largest size too.
func TestSortByName(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	rocket, kanji := strings.Repeat("\U0001F680", 255), strings.Repeat("\u6f22", 255)
	sorted := []string{"Zeta", "alpha", "alpha-10", "alpha-2", "beta", kanji, rocket}
	for _, list := range []string{"/products/", "/environments/"} {
		var inOrderOfCreation []string
		for _, i := range []int{3, 6, 0, 5, 1, 4, 2} {
			created(t, api, list, fmt.Sprintf(`{"name":%q}`, sorted[i]))
			inOrderOfCreation = append(inOrderOfCreation, sorted[i])
		}
		get := func(query string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, list+query, "") }
		names := func(query string) (names []string) {
			for cursor, pages := "", 0; pages < 20; pages++ {
				answer := get(query + cursor)
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
				for _, item := range items(t, answer) {
					names = append(names, item["name"].(string))
				}
				next := nextCursor(t, answer)
				if next == "" {
					break
				}
				cursor = "&cursor=" + next
			}
			return names
		}
		for _, limit := range []int{1, 2, 6, 7, 200} {
			require.Equal(t, sorted, names(fmt.Sprintf("?sort=name&limit=%d", limit)), "%s by %d", list, limit)
		}
		require.Equal(t, []string{"alpha", "alpha-10", "alpha-2"}, names("?sort=name&limit=1&q=ALPHA"))
		slices.Reverse(inOrderOfCreation)
		require.Equal(t, inOrderOfCreation, names("?limit=2"))
		require.Equal(t, inOrderOfCreation, names("?limit=2&sort=newest"))
		require.Equal(t, []string{`["query","cursor"]`}, locs(t, get("?cursor="+nextCursor(t, get("?sort=name&limit=1")))), "a cursor of another order")
		require.Equal(t, []string{`["query","sort"]`}, locs(t, get("?sort=-name")))

		// The position is a name, not an object: renaming or deleting the last object of a page changes no later page.
		first := get("?sort=name&limit=2")
		last := strings.TrimSuffix(list, "/") + "/" + items(t, first)[1]["id"].(string)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, last, `{"name":"zz"}`).Status)
		require.Equal(t, "alpha-10", items(t, get("?sort=name&limit=2&cursor="+nextCursor(t, first)))[0]["name"])
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, last, "").Status)
		require.Equal(t, "alpha-10", items(t, get("?sort=name&limit=2&cursor="+nextCursor(t, first)))[0]["name"])
	}
}

// TestCursorsOfConditionalRequests continues a list whose first page was read with If-None-Match.
func TestCursorsOfConditionalRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, version := range []string{"1", "2"} {
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"version": version}))
	}
	request := api.Request(t, http.MethodGet, "/deployments/?limit=1", nil)
	request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "viewer"))
	request.Header.Set("If-None-Match", `"other"`)
	cursor := nextCursor(t, api.Do(t, request))
	require.NotEmpty(t, cursor)
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/deployments/?cursor="+cursor, "")), 1)
}
