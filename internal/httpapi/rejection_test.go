package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// freezeNow returns the body of a rule that denies deployments to production for two hours from an hour ago on.
func freezeNow() string {
	now := time.Now().UTC()
	return fmt.Sprintf(`{"name":"Freeze","rule_type":"schedule","rollback":"enforce","scope":{"environment_types":["production"]},"schedule":{"timezone":"UTC",
		"windows":[{"name":"w","effect":"deny","start":%q,"end":%q,"reason":"Peak season"}]}}`, now.Add(-time.Hour).Format("2006-01-02T15:04"), now.Add(time.Hour).Format("2006-01-02T15:04"))
}

// govern creates a rule and waits until starts are evaluated.
func govern(t *testing.T, api *testapi.API, rule string) {
	t.Helper()
	created := api.As(t, "sre", http.MethodPost, rulesPath, rule)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	require.Eventually(t, func() bool {
		return api.Post(t, "/deployment-events/", `{"product_name":"probe","version":"1","environment_name":"production","status":"started","invoke_id":"`+time.Now().String()+`"}`).Status != http.StatusOK
	}, 5*time.Second, 20*time.Millisecond)
}

// start reports the start of a deployment of a product to production.
func start(t *testing.T, api *testapi.API, version string, more map[string]any) testapi.Answer {
	t.Helper()
	event := map[string]any{"product_name": "shop", "version": version, "environment_name": "production", "status": "started", "invoke_id": "run " + version}
	maps.Copy(event, more)
	body, err := json.Marshal(event)
	require.NoError(t, err)
	return api.Post(t, "/deployment-events/", string(body))
}

func TestRejectedStart(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	govern(t, api, freezeNow())
	answer := start(t, api, "1", map[string]any{"skip_preflight_checks": true})
	require.Equal(t, http.StatusLocked, answer.Status, "%s", answer.Body)
	var body map[string]any
	require.NoError(t, json.Unmarshal(answer.Body, &body))
	detail := body["detail"]
	delete(body, "detail")
	require.Equal(t, detail, any(body), "both levels are equal")
	require.Equal(t, "deployment_blocked", body["error"])
	require.Equal(t, "NO_DEPLOY_WINDOW", body["code"])
	require.Contains(t, body["message"], "skip_preflight_checks was ignored")
	retry, err := time.Parse("2006-01-02T15:04:05Z", body["retry_after"].(string))
	require.NoError(t, err, "whole seconds")
	require.Greater(t, retry, time.Now().UTC())
	details := body["details"].(map[string]any)
	require.Equal(t, "Freeze", details["rule_name"])
	require.InDelta(t, 1, details["violations_total"], 0)
	attempt := details["attempt_id"].(string)

	t.Run("AttemptsAreListedWhenAskedFor", func(t *testing.T) {
		list := func(query string) (ids []string) {
			answer := api.As(t, "viewer", http.MethodGet, "/deployments/?product=shop"+query, "")
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			var page struct{ Items []struct{ ID string } }
			require.NoError(t, json.Unmarshal(answer.Body, &page))
			for _, item := range page.Items {
				ids = append(ids, item.ID)
			}
			return ids
		}
		require.Empty(t, list(""))
		require.Empty(t, list("&status=started"))
		require.Empty(t, list("&status=failed"))
		require.Equal(t, []string{attempt}, list("&status=preflight_failed"))
	})
	t.Run("TheAttemptHasItsEvent", func(t *testing.T) {
		one := api.As(t, "viewer", http.MethodGet, "/deployments/"+attempt, "")
		require.Equal(t, "preflight_failed", one.Field(t, "status"))
		require.InDelta(t, 1, one.Field(t, "rejections"), 0)
		require.Nil(t, one.Field(t, "started_at"))
		require.Equal(t, false, one.Field(t, "is_stale"))
		events := api.As(t, "viewer", http.MethodGet, "/deployments/"+attempt+"/events", "")
		require.Contains(t, string(events.Body), `"effect":"rejected"`)
	})
	t.Run("StateIgnoresAttempts", func(t *testing.T) {
		state := api.As(t, "viewer", http.MethodGet, "/environment-state/?product=shop", "")
		require.NotContains(t, string(state.Body), attempt)
	})
	t.Run("KeysWithTheScopeSkip", func(t *testing.T) {
		key := api.NewKey(t, testapi.Account)
		api.Exec(t, "UPDATE api_keys SET scopes = '{events, skip_preflight}'")
		request := api.Request(t, http.MethodPost, "/deployment-events/", []byte(`{"product_name":"shop","version":"1","environment_name":"production","status":"started","invoke_id":"run 1","skip_preflight_checks":true}`))
		request.Header.Set("Authorization", "Bearer "+key)
		admitted := api.Do(t, request)
		require.Equal(t, http.StatusOK, admitted.Status, "%s", admitted.Body)
		require.Equal(t, "skipped", admitted.Field(t, "extra_metadata").(map[string]any)["preflight_status"].(map[string]any)["status"])
		one := api.As(t, "viewer", http.MethodGet, "/deployments/"+admitted.Field(t, "id").(string), "")
		require.Equal(t, attempt, one.Field(t, "previous_attempt_id"))
	})
	t.Run("EndsAreFacts", func(t *testing.T) {
		ended := start(t, api, "2", map[string]any{"status": "completed"})
		require.Equal(t, http.StatusOK, ended.Status, "%s", ended.Body)
	})
}
