package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	state        = "/environment-state/"
	listLifetime = 2 * time.Second
)

func withLists() testapi.Option {
	return testapi.WithLists(httpapi.ListCache{Bytes: 1 << 20, Lifetime: listLifetime})
}

// poll reads a list as a user of an account.
func poll(t *testing.T, api *testapi.API, account, role, path string, header ...string) testapi.Answer {
	t.Helper()
	request := api.Request(t, http.MethodGet, path, nil)
	request.Header.Set("Authorization", "Bearer "+api.Token(t, account, role))
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return api.Do(t, request)
}

// TestViewersShareAQuery lets many users read the same list while the database is slow: one query waits. The result is shared until
// its lifetime ends, after which If-None-Match reports whether it is the same.
func TestViewersShareAQuery(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, withLists(), testapi.WithClock(clock.Now))
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	blocker, err := pgx.Connect(t.Context(), api.DSN)
	require.NoError(t, err)
	defer func() { _ = blocker.Close(context.WithoutCancel(t.Context())) }()
	tx, err := blocker.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE environment_state IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)

	const viewers = 40
	answers := make([]testapi.Answer, viewers)
	var viewing sync.WaitGroup
	for i := range viewers {
		viewing.Go(func() { answers[i] = poll(t, api, testapi.Account, "viewer", state) })
	}
	queries := func() (waiting int) {
		api.Scan(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", &waiting)
		return waiting
	}
	require.Eventually(t, func() bool { return queries() == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	viewing.Wait()
	tag := answers[0].Header.Get("ETag")
	for _, answer := range answers {
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, answers[0].Body, answer.Body)
		require.Equal(t, tag, answer.Header.Get("ETag"))
	}

	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"version": "2.0.0", "invoke_id": "2", "status": "completed"}))
	require.Equal(t, http.StatusNotModified, poll(t, api, testapi.Account, "admin", state, "If-None-Match", tag).Status, "within the lifetime")
	require.Equal(t, http.StatusOK, poll(t, api, testapi.Account, "admin", state+"?limit=49", "If-None-Match", tag).Status, "another query")
	fresh := poll(t, api, testapi.Account, "admin", state, "If-None-Match", tag, "Cache-Control", "no-transform, Max-Age=0")
	require.Equal(t, http.StatusOK, fresh.Status)
	require.Contains(t, string(fresh.Body), `"2.0.0"`)
	require.Equal(t, fresh.Body, poll(t, api, testapi.Account, "admin", state).Body, "and the others see it too")

	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"version": "3.0.0", "invoke_id": "3", "status": "completed"}))
	for range 2 { // browsers add it to requests with If-None-Match
		require.Equal(t, fresh.Body, poll(t, api, testapi.Account, "admin", state, "Cache-Control", "no-cache").Body)
	}
	clock.advance(listLifetime)
	require.Contains(t, string(poll(t, api, testapi.Account, "viewer", state).Body), `"3.0.0"`)
}

// TestAViewerMayLeave ends the request that has started a query: the others get its result.
func TestAViewerMayLeave(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, withLists())
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	blocker, err := pgx.Connect(t.Context(), api.DSN)
	require.NoError(t, err)
	defer func() { _ = blocker.Close(context.WithoutCancel(t.Context())) }()
	tx, err := blocker.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE environment_state IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	queries := func() (waiting int) {
		api.Scan(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", &waiting)
		return waiting
	}

	ctx, leave := context.WithCancel(t.Context())
	request := api.Request(t, http.MethodGet, state, nil).WithContext(ctx)
	request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "viewer"))
	left := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		left <- err
	}()
	require.Eventually(t, func() bool { return queries() == 1 }, 10*time.Second, 5*time.Millisecond)
	stayed := make(chan testapi.Answer, 1)
	go func() { stayed <- poll(t, api, testapi.Account, "admin", state) }()
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	require.Equal(t, 1, queries(), "the query goes on, and it is the only one")
	require.NoError(t, tx.Commit(t.Context()))
	answer := <-stayed
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Len(t, items(t, answer), 1)
}

// TestOwnChangesAreVisible renames what lists show: its author sees it at once.
func TestOwnChangesAreVisible(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, withLists(), testapi.WithClock(newTestClock().Now))
	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	for _, path := range []string{state, "/deployments/"} {
		before := poll(t, api, testapi.Account, "viewer", path)
		for i := range 3 {
			name := fmt.Sprintf("Renamed %d of %s", i, path)
			require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/products/"+event.Field(t, "product_id").(string), `{"name":"`+name+`"}`).Status)
			after := poll(t, api, testapi.Account, "viewer", path, "If-None-Match", before.Header.Get("ETag"))
			require.Equal(t, http.StatusOK, after.Status)
			require.Contains(t, string(after.Body), name)
		}
	}
}

// TestChangesOnAnotherServerAreVisible renames what the list of another server shows: it is visible there once the lifetime of the list ends,
// or for a request that requires the present list.
func TestChangesOnAnotherServerAreVisible(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	one := testapi.New(t, withLists(), testapi.WithClock(clock.Now))
	other := testapi.New(t, withLists(), testapi.WithClock(clock.Now), testapi.WithDatabase(one.DSN))
	event := one.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	product := "/products/" + event.Field(t, "product_id").(string)
	for _, path := range []string{state, "/deployments/"} {
		shown := poll(t, other, testapi.Account, "viewer", path)
		name := "renamed for " + path
		require.Equal(t, http.StatusOK, one.As(t, "admin", http.MethodPatch, product, `{"name":"`+name+`"}`).Status)
		require.Contains(t, string(poll(t, one, testapi.Account, "viewer", path).Body), name, "the server of the change")

		clock.advance(listLifetime - time.Nanosecond)
		require.Equal(t, shown.Body, poll(t, other, testapi.Account, "viewer", path).Body, "within the lifetime")
		clock.advance(time.Nanosecond)
		after := poll(t, other, testapi.Account, "viewer", path, "If-None-Match", shown.Header.Get("ETag"))
		require.Equal(t, http.StatusOK, after.Status)
		require.Contains(t, string(after.Body), name)

		require.Equal(t, http.StatusOK, one.As(t, "admin", http.MethodPatch, product, `{"name":"again `+name+`"}`).Status)
		require.Contains(t, string(poll(t, other, testapi.Account, "viewer", path, "Cache-Control", "max-age=0").Body), "again "+name)
	}
}

// TestSharedListsKeepAccountsAndPermissions reads a list that another account, and a user with a permission, have just read.
func TestSharedListsKeepAccountsAndPermissions(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, withLists(), testapi.WithClock(newTestClock().Now))
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	for _, path := range []string{state, "/deployments/", "/deployments/?product=checkout", "/builds/", "/notification-history/"} {
		own := poll(t, api, testapi.Account, "admin", path)
		require.Equal(t, http.StatusOK, own.Status)
		foreign := poll(t, api, "other", "admin", path)
		require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(foreign.Body), path)
		require.Equal(t, own.Body, poll(t, api, testapi.Account, "viewer", path).Body)

		require.Equal(t, http.StatusUnauthorized, api.Get(t, path).Status)
		request := api.Request(t, http.MethodGet, path, nil)
		request.Header.Set("Authorization", "Bearer "+api.Key)
		request.Header.Set("If-None-Match", own.Header.Get("ETag"))
		require.Equal(t, http.StatusForbidden, api.Do(t, request).Status, "an API key")
		require.Equal(t, http.StatusUnprocessableEntity, poll(t, api, testapi.Account, "admin", path, "If-None-Match", fmt.Sprintf(`"%01024d"`, 7)).Status)
	}
	for i := range 3 {
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": strconv.Itoa(i), "invoke_id": strconv.Itoa(i), "status": "completed"}))
	}
	cursor := nextCursor(t, poll(t, api, testapi.Account, "admin", state+"?limit=2", "If-None-Match", `"x"`))
	require.Len(t, items(t, poll(t, api, testapi.Account, "viewer", state+"?limit=2&cursor="+cursor)), 2, "a cursor does not depend on the tag")
	progress := created(t, api, "/releases/", `{"name":"r"}`) + "/deployments"
	require.Equal(t, http.StatusOK, poll(t, api, testapi.Account, "admin", progress).Status)
	require.Equal(t, http.StatusNotFound, poll(t, api, "other", "admin", progress, "If-None-Match", "*").Status)
}

// TestEnvironmentStateOfManyPairs reads as many as a page has, and pages of rows that are as large as they can be.
func TestEnvironmentStateOfManyPairs(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"}))
	api.Exec(t, fmt.Sprintf(`
		UPDATE deployments SET deployed_by = repeat('<', 1024), deployed_by_name = repeat('<', 1024);
		UPDATE versions SET version = repeat('<', 255);
		INSERT INTO products (account_id, id, name, created_at, updated_at)
			SELECT account_id, gen_random_uuid(), rpad(n::text, 255, '<'), now(), now() FROM environments, generate_series(1, 1200) n;
		INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id)
			SELECT p.account_id, p.id, s.environment_id, s.current_deployment_id, s.current_since, s.latest_deployment_id
			FROM environment_state s, products p WHERE p.id <> '%s'`, event.Field(t, "product_id")))
	seen := 0
	for path := state + "?limit=1000"; path != ""; {
		answer := api.As(t, "viewer", http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.LessOrEqual(t, len(answer.Body), 8<<20+1<<10)
		seen += len(items(t, answer))
		path = ""
		if cursor := nextCursor(t, answer); cursor != "" {
			require.Greater(t, len(answer.Body), 7<<20, "a page ends early because it is large")
			path = state + "?limit=1000&cursor=" + cursor
		}
	}
	require.Equal(t, 1201, seen)
	api.Exec(t, "UPDATE deployments SET deployed_by = NULL, deployed_by_name = NULL; UPDATE versions SET version = '1'")
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, state+"?limit=1000", "")), 1000)
	require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "viewer", http.MethodGet, state+"?limit=1001", "").Status)
}

// TestEnvironmentStateOfTheNewestDeployment follows what a cell shows beside the current version.
func TestEnvironmentStateOfTheNewestDeployment(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, testapi.WithClock(clock.Now))
	post := func(version, run, status string) string {
		clock.advance(time.Minute)
		return api.PostEvent(t, deploymentEvents, deployment(map[string]any{"version": version, "invoke_id": run, "status": status})).Field(t, "id").(string)
	}
	requireCell := func(want map[string]any) {
		t.Helper()
		cells := items(t, api.As(t, "viewer", http.MethodGet, state, ""))
		require.Len(t, cells, 1)
		for name, value := range want {
			require.Equal(t, value, cells[0][name], name)
		}
	}
	first := post("1.0.0", "1", "started")
	requireCell(map[string]any{
		"deployment_id": nil, "in_progress_deployment_id": first, "latest_deployment_id": first, "latest_version": "1.0.0", "latest_status": "started",
		"latest_is_stale": false, "latest_at": clock.Now().Format(time.RFC3339),
	})
	post("1.0.0", "1", "completed")
	requireCell(map[string]any{"deployment_id": first, "latest_deployment_id": first, "latest_status": "completed", "latest_at": clock.Now().Format(time.RFC3339)})
	second := post("2.0.0", "2", "failed")
	requireCell(map[string]any{
		"deployment_id": first, "version": "1.0.0", "latest_deployment_id": second, "latest_version": "2.0.0", "latest_status": "failed", "in_progress_deployment_id": nil,
	})
	third := post("3.0.0", "3", "started")
	clock.advance(25 * time.Hour)
	requireCell(map[string]any{"deployment_id": first, "latest_deployment_id": third, "latest_status": "started", "latest_is_stale": true, "in_progress_deployment_id": nil})
}

// TestEnvironmentStateHasTheInitiatorOfEachDeployment deploys as one user after another.
func TestEnvironmentStateHasTheInitiatorOfEachDeployment(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	post := func(version, status, login, name string) {
		t.Helper()
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{
			"version": version, "invoke_id": version, "status": status, "deployed_by": login, "deployed_by_name": name,
		}))
	}
	requireInitiators := func(current, latest, inProgress any) {
		t.Helper()
		cell := items(t, api.As(t, "viewer", http.MethodGet, state, ""))[0]
		got := func(prefix string) any {
			login, name := cell[prefix+"deployed_by"], cell[prefix+"deployed_by_name"]
			if login == nil && name == nil {
				return nil
			}
			return fmt.Sprint(login, " ", name)
		}
		require.Equal(t, current, got(""))
		require.Equal(t, latest, got("latest_"))
		require.Equal(t, inProgress, got("in_progress_"))
	}
	post("1.0.0", "completed", "ada", "Ada")
	requireInitiators("ada Ada", "ada Ada", nil)
	post("2.0.0", "failed", "bo", "Bo")
	requireInitiators("ada Ada", "bo Bo", nil)
	post("3.0.0", "started", "cy", "Cy")
	requireInitiators("ada Ada", "cy Cy", "cy Cy")
}
