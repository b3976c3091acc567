package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// transfer sends a request as an admin, and returns the response as it is transferred.
func transfer(t *testing.T, api *testapi.API, token, method, path, body string, header ...string) testapi.Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, api.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return testapi.Answer{Status: response.StatusCode, Header: response.Header, Body: read}
}

func decompressed(t *testing.T, answer testapi.Answer) string {
	t.Helper()
	require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
	reader, err := gzip.NewReader(bytes.NewReader(answer.Body))
	require.NoError(t, err)
	plain, err := io.ReadAll(reader)
	require.NoError(t, err)
	return string(plain)
}

// TestListsAreCompressed reads lists with and without compression: those that requests share, and others.
func TestListsAreCompressed(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, withLists())
	for i := range 10 {
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": fmt.Sprint("environment ", i), "invoke_id": strconv.Itoa(i), "status": "completed"}))
		api.PostEvent(t, builds, map[string]any{"product_name": fmt.Sprint("product ", i), "version": "1.4.2", "status": "completed"})
	}
	token := api.Token(t, testapi.Account, "admin")
	for path, isShared := range map[string]bool{state: true, "/deployments/": true, "/builds/": true, "/products/": false, "/environments/": false, "/versions/": false, "/audit-log/": false} {
		plain := transfer(t, api, token, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, plain.Status, path)
		if len(plain.Body) < 1400 {
			require.Equal(t, "/audit-log/", path)
			require.Empty(t, transfer(t, api, token, http.MethodGet, path, "", "Accept-Encoding", "gzip").Header.Get("Content-Encoding"), "a small one is not compressed")
			continue
		}
		compressed := transfer(t, api, token, http.MethodGet, path, "", "Accept-Encoding", "gzip, deflate, br")
		require.Equal(t, string(plain.Body), decompressed(t, compressed), path)
		require.Less(t, 2*len(compressed.Body), len(plain.Body), path)
		require.Equal(t, plain.Header.Get("Content-Type"), compressed.Header.Get("Content-Type"))
		for _, excluded := range []string{"gzip;q=0", "br", "x-gzip"} {
			require.Equal(t, plain.Body, transfer(t, api, token, http.MethodGet, path, "", "Accept-Encoding", excluded).Body, "%s, %s", path, excluded)
		}
		answers := []testapi.Answer{plain, compressed}
		head := transfer(t, api, token, http.MethodHead, path, "", "Accept-Encoding", "gzip")
		require.Empty(t, head.Body)
		answers = append(answers, head)
		if isShared {
			require.Equal(t, strconv.Itoa(len(compressed.Body)), compressed.Header.Get("Content-Length"))
			require.Equal(t, compressed.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
			for _, coding := range []string{"gzip", "identity"} {
				unchanged := transfer(t, api, token, http.MethodGet, path, "", "Accept-Encoding", coding, "If-None-Match", compressed.Header.Get("ETag"))
				require.Equal(t, http.StatusNotModified, unchanged.Status)
				require.Empty(t, unchanged.Header.Get("Content-Encoding"))
				answers = append(answers, unchanged)
			}
			require.Regexp(t, `^W/"`, plain.Header.Get("ETag"), "both forms have one tag, so it is weak")
		}
		for _, answer := range answers {
			require.Contains(t, answer.Header.Values("Vary"), "Accept-Encoding", path)
			require.Equal(t, plain.Header.Get("ETag"), answer.Header.Get("ETag"), path)
		}
	}
	refused := transfer(t, api, token, http.MethodGet, "/products/?cursor=x", "", "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusUnprocessableEntity, refused.Status)
	require.Contains(t, string(refused.Body), "invalid cursor")
}

// TestSecretsAreNotCompressed creates a key beside a long text of the client: the size of the response must not depend on whether both
// are alike (BREACH).
func TestSecretsAreNotCompressed(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, withLists())
	token := api.Token(t, testapi.Account, "admin")
	body := `{"name":"ci","description":"` + strings.Repeat("sk_acme_k1_", 180) + `"}`
	for range 2 { // the second time from the idempotency record
		created := transfer(t, api, token, http.MethodPost, "/api-keys/", body, "Accept-Encoding", "gzip", "Idempotency-Key", "one")
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		require.Greater(t, len(created.Body), 1400)
		require.Empty(t, created.Header.Get("Content-Encoding"))
		rotated := transfer(t, api, token, http.MethodPost, "/api-keys/"+created.Field(t, "id").(string)+"/rotate", `{}`, "Accept-Encoding", "gzip", "Idempotency-Key", "two")
		require.Equal(t, http.StatusCreated, rotated.Status, "%s", rotated.Body)
		require.Empty(t, rotated.Header.Get("Content-Encoding"))
	}
}

// TestMatrixIsSmall reads 500 products in 8 environments in pages of 1,000 cells, plain and compressed. Each page is computed for the
// request, so that the log compares the cost of compression with that of the list (go test -v).
func TestMatrixIsSmall(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for i := range 8 {
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": fmt.Sprint("environment ", i), "invoke_id": strconv.Itoa(i), "status": "completed"}))
	}
	api.Exec(t, `
		INSERT INTO products (account_id, id, name, created_at, updated_at)
			SELECT id, gen_random_uuid(), 'product ' || n, now(), now() FROM accounts, generate_series(1, 499) n;
		INSERT INTO versions (account_id, id, product_id, version, scm_sha, occurred_at, created_at)
			SELECT account_id, gen_random_uuid(), id, '1.' || row_number() OVER () || '.0', md5(id::text), now(), now() FROM products WHERE name LIKE 'product %';
		INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, scm_sha, deploy_url, deployed_by, deployed_by_email, deployed_by_name,
				occurred_at, completed_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
			SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{}', v.scm_sha, 'https://ci.example.com/runs/' || md5(v.id::text || e.id), 'ada', 'ada@example.com', 'Ada Lovelace',
				at, at, at, false, false, '{}', at
			FROM versions v, environments e, LATERAL (SELECT now() - random() * interval '30 days' AS at) t WHERE v.scm_sha = md5(v.product_id::text);
		INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id)
			SELECT account_id, product_id, environment_id, id, occurred_at, id FROM deployments d
			WHERE NOT EXISTS (SELECT FROM environment_state s WHERE s.product_id = d.product_id AND s.environment_id = d.environment_id);
		ANALYZE`)
	token := api.Token(t, testapi.Account, "viewer")
	read := func(coding string) (size int, took time.Duration) {
		cells := 0
		for path := state + "?limit=1000"; path != ""; {
			start := time.Now()
			answer := transfer(t, api, token, http.MethodGet, path, "", "Accept-Encoding", coding)
			took += time.Since(start)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			size += len(answer.Body)
			if coding == "gzip" {
				answer.Body = []byte(decompressed(t, answer))
			}
			cells += len(items(t, answer))
			path = ""
			if cursor := nextCursor(t, answer); cursor != "" {
				path = state + "?limit=1000&cursor=" + cursor
			}
		}
		require.Equal(t, 4000, cells)
		return size, took
	}
	var plain, compressed int
	var ratios []float64
	rounds := 7
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		var plainTook, compressedTook time.Duration
		plain, plainTook = read("identity")
		compressed, compressedTook = read("gzip")
		ratios = append(ratios, compressedTook.Seconds()/plainTook.Seconds())
	}
	slices.Sort(ratios)
	t.Logf("4,000 cells: %d bytes plain, %d compressed, %.1f to 1; time compressed / plain: median %.2f, from %.2f to %.2f",
		plain, compressed, float64(plain)/float64(compressed), ratios[rounds/2], ratios[0], ratios[rounds-1])
	require.Greater(t, plain, 8*compressed)
}
