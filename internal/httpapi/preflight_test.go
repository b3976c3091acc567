package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "staging", "status": "completed"}))
	ask := func(credential, body string) testapi.Answer {
		request := api.Request(t, http.MethodPost, "/preflight/", []byte(body))
		request.Header.Set("Authorization", "Bearer "+credential)
		request.Header.Set("Content-Type", "application/json")
		return api.Do(t, request)
	}
	viewer := api.Token(t, testapi.Account, "viewer")
	const question = `{"product_name":"checkout","version":"1.4.2","environment_name":"production"}`
	require.Equal(t, true, ask(viewer, question).Field(t, "would_allow"), "without rules")

	created(t, api, rulesPath, `{"name":"QA","rule_type":"version_approval_required","scope":{"environments":["production"]},"version_approval_required":{"required_approvals":["qa"]}}`)
	created(t, api, rulesPath, `{"name":"Reported","rule_type":"flow","mode":"report_only","scope":{"environments":["production"]},"flow":{"prerequisites":["test"]}}`)
	before := api.Count(t, "environments")
	answer := ask(viewer, question)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, false, answer.Field(t, "would_allow"))
	require.Nil(t, answer.Field(t, "next_allowed_at"), "waiting does not suffice")
	require.NotNil(t, answer.Field(t, "earliest_after_approvals"))
	require.Equal(t, "QA", answer.Field(t, "binding_rule").(map[string]any)["name"])
	violation := answer.Field(t, "violations").([]any)[0].(map[string]any)
	require.Equal(t, "QUALITY_APPROVAL_REQUIRED", violation["code"])
	require.Len(t, answer.Field(t, "reports"), 1)
	missing := answer.Field(t, "missing_approvals").([]any)[0].(map[string]any)
	require.Equal(t, "qa", missing["approval_type"])
	require.Equal(t, []any{"admin", "release_manager", "qa"}, missing["roles"])
	require.Equal(t, "unknown_environment", answer.Field(t, "warnings").([]any)[0].(map[string]any)["code"])
	require.Equal(t, before, api.Count(t, "environments"), "nothing is created")

	approve(t, api, "qa", event.Field(t, "version_id").(string), `{"approval_type":"qa","decision":"approved"}`)
	require.Equal(t, true, ask(viewer, `{"version_id":"`+event.Field(t, "version_id").(string)+`","environment_name":"production"}`).Field(t, "would_allow"))

	key := func(scopes string) string {
		return api.As(t, "admin", http.MethodPost, "/api-keys/", `{"name":"k","scopes":[`+scopes+`]}`).Field(t, "key").(string)
	}
	require.Equal(t, http.StatusOK, ask(key(`"preflight"`), question).Status)
	require.Equal(t, http.StatusForbidden, ask(key(`"events","skip_preflight"`), question).Status)
	require.Equal(t, http.StatusUnauthorized, ask("sk_acme_k1_x", question).Status)

	for body, want := range map[string]string{
		`{"version":"1","environment_name":"e"}`: "product_name", `{"product_name":"p","environment_name":"e"}`: "version", `{"product_name":"p","version":"1"}`: "environment_name",
		`{"product_name":" ","version":"1","environment_name":"e"}`:                             "product_name",
		`{"product_name":"p","version":"1","environment_name":"e","at":"2001-01-01T00:00:00Z"}`: "at",
		`{"product_name":"p","version":"1","environment_name":"e","at":"9999-01-01T00:00:00Z"}`: "at",
		`{"product_name":"p","version":"1","environment_name":"e","at":"tomorrow"}`:             "at",
		`{"product_id":"p","version":"1","environment_name":"e"}`:                               "product_id",
		`{"product_name":"p","version":"1","environment_name":"e","status":"started"}`:          "status",
	} {
		answer := ask(viewer, body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.Contains(t, locs(t, answer), `["body","`+want+`"]`, body)
	}
	api.Exec(t, "UPDATE products SET name = 'till'")
	api.Exec(t, "INSERT INTO product_names (account_id, name, product_id) SELECT account_id, 'till', id FROM products WHERE name = 'till'")
	other := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "other", "environment_name": "sandbox"}))
	id := func(answer testapi.Answer, member string) string { return `"` + answer.Field(t, member).(string) + `"` }
	for body, want := range map[string]string{
		`{"product_name":"other","version_id":` + id(event, "version_id") + `,"environment_name":"e"}`:                                                    "version_id",
		`{"product_name":"unknown","version_id":` + id(event, "version_id") + `,"environment_name":"e"}`:                                                  "version_id",
		`{"product_id":` + id(other, "product_id") + `,"version_id":` + id(event, "version_id") + `,"environment_name":"e"}`:                              "version_id",
		`{"version_id":` + id(event, "version_id") + `,"version":"1.4.3","environment_name":"e"}`:                                                         "version",
		`{"product_name":"other","product_id":` + id(event, "product_id") + `,"version":"1","environment_name":"e"}`:                                      "product_name",
		`{"product_name":"p","version":"1","environment_name":"staging","environment_id":` + id(other, "environment_id") + `}`:                            "environment_name",
		`{"product_name":"checkout","version":"1.4.2","version_id":` + id(event, "version_id") + `,"environment_id":` + id(event, "environment_id") + `}`: "",
	} {
		answer := ask(viewer, body)
		if want == "" {
			require.Equal(t, http.StatusOK, answer.Status, "a former name is no contradiction: %s", answer.Body)
			continue
		}
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.Equal(t, []string{`["body","` + want + `"]`}, locs(t, answer), body)
	}
	later := time.Now().Add(300 * 24 * time.Hour).UTC().Format(time.RFC3339)
	require.Equal(t, http.StatusOK, ask(viewer, `{"product_name":"p","version":"1","environment_name":"e","at":"`+later+`"}`).Status)
}
