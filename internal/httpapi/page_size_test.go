package httpapi_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestPagesAreBounded reads lists whose rows are as large as they can be: pages end early, memory does not grow with the limit,
// and the pages together hold every row once.
//
//nolint:paralleltest // it measures what the whole process allocates
func TestPagesAreBounded(t *testing.T) {
	api := testapi.New(t)
	event := map[string]any{"product_name": "p", "version": "1", "environment_name": "e", "status": "completed"}
	deploymentID := api.PostEvent(t, deploymentEvents, event).Field(t, "id").(string)
	buildID := api.PostEvent(t, builds, event).Field(t, "id").(string)
	created(t, api, "/releases/", `{"name":"r"}`)
	for _, test := range []struct {
		path, table, column, where string
		rows, size                 int
		character                  string
	}{
		{"/deployments/", "deployments", "extra_metadata", "true", 17, 1_000_000, "x"},
		{"/builds/", "builds", "extra_metadata", "true", 3, 1_000_000, "<"}, // six bytes in JSON
		{"/deployments/" + deploymentID + "/events", "events", "body", "deployment_id IS NOT NULL", 17, 1_000_000, "x"},
		{"/builds/" + buildID + "/events", "events", "body", "build_id IS NOT NULL", 17, 1_000_000, "x"},
		{"/products/", "products", "extra_metadata", "true", 150, 60_000, "x"},
		{"/environments/", "environments", "metadata", "true", 25, 60_000, "<"},
		{"/releases/", "releases", "extra_metadata", "true", 150, 60_000, "x"},
	} {
		t.Run(strings.ReplaceAll(test.path, "/", ""), func(t *testing.T) {
			copyRow(t, api, test.table, test.where, test.rows, fmt.Sprintf("'%s', jsonb_build_object('a', repeat('%s', %d))", test.column, test.character, test.size))
			var ids []string
			for path := test.path + "?limit=200"; ; {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				answer := api.As(t, "viewer", http.MethodGet, path, "")
				runtime.ReadMemStats(&after)
				require.LessOrEqual(t, len(answer.Body), 8<<20+1<<10)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(300<<20))
				t.Logf("%d bytes, %d MiB allocated", len(answer.Body), (after.TotalAlloc-before.TotalAlloc)>>20)
				page := items(t, answer)
				require.NotEmpty(t, page)
				for _, item := range page {
					ids = append(ids, item["id"].(string))
				}
				cursor := nextCursor(t, answer)
				if cursor == "" {
					break
				}
				path = test.path + "?limit=200&cursor=" + cursor
			}
			require.Len(t, ids, test.rows+1)
			seen := make(map[string]bool)
			for _, id := range ids {
				require.False(t, seen[id], "twice")
				seen[id] = true
			}
		})
	}
}

// TestPagesOfStatesAreBounded reads lists whose rows are large only in the database.
func TestPagesOfStatesAreBounded(t *testing.T) {
	t.Parallel()
	const pairs, ids = 5, 120_000 // 2.4 MB of identifiers in each row
	api := testapi.New(t)
	var version string
	for i := range pairs {
		event := map[string]any{"product_name": "p", "version": "1", "environment_name": fmt.Sprintf("e%d", i), "status": "completed"}
		version = api.PostEvent(t, deploymentEvents, event).Field(t, "version_id").(string)
	}
	release := created(t, api, "/releases/", `{"name":"r"}`)
	added := api.As(t, "admin", http.MethodPost, release+"/versions", fmt.Sprintf(`{"version_id":%q}`, version))
	require.Equal(t, http.StatusOK, added.Status, "%s", added.Body)
	api.Exec(t, fmt.Sprintf("UPDATE environment_state SET open_deployment_ids = array_fill(gen_random_uuid(), ARRAY[%d])", ids))
	for path, member := range map[string]string{"/environment-state/": "items", release + "/deployments": "environments"} {
		var sizes []int
		for cursor := "?limit=200"; cursor != ""; {
			answer := api.As(t, "viewer", http.MethodGet, path+cursor, "")
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			sizes = append(sizes, len(answer.Field(t, member).([]any)))
			if cursor = nextCursor(t, answer); cursor != "" {
				cursor = "?limit=200&cursor=" + cursor
			}
		}
		require.Equal(t, []int{3, 2}, sizes, path)
	}
}

// copyRow inserts copies of a row with other identifiers and the changes.
func copyRow(t *testing.T, api *testapi.API, table, where string, count int, changes string) {
	t.Helper()
	var columns string
	api.Scan(t, fmt.Sprintf(`SELECT string_agg(attname, ', ') FROM pg_attribute
		WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, table), &columns)
	api.Exec(t, fmt.Sprintf(`INSERT INTO %[1]s (%[2]s)
		SELECT %[2]s FROM (SELECT r.* FROM (SELECT to_jsonb(t) AS row FROM %[1]s AS t WHERE %[3]s LIMIT 1) AS one, generate_series(1, %[4]d) AS n,
			jsonb_populate_record(NULL::%[1]s, one.row || jsonb_build_object('id', md5('%[3]s' || n)::uuid, %[5]s)) AS r) AS copies`,
		table, columns, where, count, changes))
}
