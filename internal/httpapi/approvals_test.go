package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/testapi"
)

// approve records a decision about a version and returns its identifier.
func approve(t *testing.T, api *testapi.API, role, version, body string) string {
	t.Helper()
	answer := api.As(t, role, http.MethodPost, "/versions/"+version+"/approvals", body)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	return answer.Field(t, "id").(string)
}

// grantBody returns the body of a break-glass grant.
func grantBody(product, environment string) string {
	return fmt.Sprintf(`{"product_id":%q,"environment_id":%q,"version":"1.4.3","reason":"Payments fail since 15:10"}`, product, environment)
}

func TestVersionApprovals(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	version, environment := event.Field(t, "version_id").(string), event.Field(t, "environment_id").(string)
	path := "/versions/" + version + "/approvals"
	counting := func() (ids []string) {
		for _, item := range items(t, api.As(t, "viewer", http.MethodGet, path, "")) {
			if item["counts"] == true {
				ids = append(ids, item["id"].(string))
			}
		}
		return ids
	}

	first := approve(t, api, "qa", version, `{"approval_type":"qa_engineer","decision":"approved"}`)
	rejection := approve(t, api, "admin", version, `{"approval_type":"qa","decision":"rejected","comments":" broken "}`)
	require.Equal(t, []string{rejection}, counting(), "the latest of a type counts")
	here := approve(t, api, "qa", version, `{"approval_type":"qa","decision":"approved","environment_id":"`+environment+`"}`)
	require.Equal(t, []string{here, rejection}, counting(), "each environment has its own")
	require.Equal(t, http.StatusNoContent, api.As(t, "release_manager", http.MethodDelete, path+"/"+rejection, "").Status)
	require.Equal(t, []string{here, first}, counting(), "the former one counts again")
	require.Equal(t, http.StatusForbidden, api.As(t, "security", http.MethodDelete, path+"/"+here, "").Status, "of another user")
	require.Equal(t, http.StatusNoContent, api.As(t, "qa", http.MethodDelete, path+"/"+here, "").Status, "one's own")
	require.Equal(t, http.StatusNoContent, api.As(t, "qa", http.MethodDelete, path+"/"+here, "").Status, "again")
	require.Equal(t, 5, api.Count(t, "audit_log WHERE action LIKE 'version_approval.%'"))
	list := items(t, api.As(t, "viewer", http.MethodGet, path, ""))
	require.Len(t, list, 3, "revoked ones stay")
	require.Equal(t, "broken", list[1]["comments"])
	require.Equal(t, "release_manager", list[1]["revoked_by_name"])
	require.Equal(t, "production", list[0]["environment_name"])

	for body, want := range map[string]string{
		`{"approval_type":"qa","decision":"rejected"}`:                                                   "comments",
		`{"approval_type":"qa","decision":"rejected","comments":"  "}`:                                   "comments",
		`{"approval_type":"qa","decision":"maybe"}`:                                                      "decision",
		`{"approval_type":"chef","decision":"approved"}`:                                                 "approval_type",
		`{"approval_type":"qa","decision":"approved","comments":"` + strings.Repeat("x", 4001) + `"}`:    "comments",
		`{"approval_type":"qa","decision":"approved","comments":"a\u0000"}`:                              "comments",
		`{"approval_type":"qa","decision":"approved","environment_id":"production"}`:                     "environment_id",
		`{"approval_type":"qa","decision":"approved","given_by":"01a208e8-398d-77cf-869d-63489d46d0e3"}`: "given_by",
	} {
		answer := api.As(t, "admin", http.MethodPost, path, body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%.100s: %s", body, answer.Body)
		require.Equal(t, []string{`["body","` + want + `"]`}, locs(t, answer), body)
	}
}

// TestApproversByType gives each type of approval as a user of each role.
func TestApproversByType(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	version := api.PostEvent(t, deploymentEvents, deployment(nil)).Field(t, "version_id").(string)
	for approvalType, roles := range map[string]string{
		"uat": "product", "qa": "qa", "performance": "qa sre", "security": "security", "code_review": "", "compliance": "compliance", "release_manager": "",
	} {
		for _, role := range authz.Roles() {
			want := http.StatusForbidden
			if slices.Contains(append(strings.Fields(roles), "admin", "release_manager"), role) {
				want = http.StatusOK
			}
			answer := api.As(t, role, http.MethodPost, "/versions/"+version+"/approvals", `{"approval_type":"`+approvalType+`","decision":"approved"}`)
			require.Equal(t, want, answer.Status, "%s by %s: %s", approvalType, role, answer.Body)
		}
	}
}

func TestBreakGlassGrants(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	product, environment := event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)
	post := func(role, path, body string, want int) testapi.Answer {
		t.Helper()
		answer := api.As(t, role, http.MethodPost, "/break-glass-grants/"+path, body)
		require.Equal(t, want, answer.Status, "%s", answer.Body)
		return answer
	}

	active := post("sre", "", grantBody(product, environment), http.StatusCreated)
	id := active.Field(t, "id").(string)
	require.Equal(t, "active", active.Field(t, "status"))
	require.Equal(t, []any{"schedule", "flow", "deployment_request_required", "version_approval_required"}, active.Field(t, "rule_types"))
	require.InEpsilon(t, 30.0, active.Field(t, "minutes"), 0)
	require.Equal(t, http.StatusConflict, post("admin", id+"/confirm", "", http.StatusConflict).Status)
	post("admin", id+"/review", "{}", http.StatusConflict)
	require.Equal(t, "revoked", post("admin", id+"/revoke", "", http.StatusOK).Field(t, "status"))
	post("admin", id+"/revoke", "", http.StatusConflict)
	post("sre", id+"/review", "{}", http.StatusConflict)
	require.Equal(t, "fine", post("admin", id+"/review", `{"comments":" fine "}`, http.StatusOK).Field(t, "review_comments"))
	post("release_manager", id+"/review", "{}", http.StatusConflict)
	require.Equal(t, 3, api.Count(t, "audit_log WHERE action LIKE 'break_glass_grant.%'"))

	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/governance-settings", `{"break_glass_second_person":true,"break_glass_max_minutes":20}`).Status)
	waiting := post("sre", "", grantBody(product, environment), http.StatusCreated)
	id = waiting.Field(t, "id").(string)
	require.Equal(t, "awaiting_second", waiting.Field(t, "status"))
	require.Nil(t, waiting.Field(t, "expires_at"))
	require.InEpsilon(t, 20.0, waiting.Field(t, "minutes"), 0, "the default is not above the maximum")
	post("sre", id+"/confirm", "", http.StatusConflict)
	require.Equal(t, "active", post("release_manager", id+"/confirm", "", http.StatusOK).Field(t, "status"))
	get := func(id string) any {
		return api.As(t, "viewer", http.MethodGet, "/break-glass-grants/"+id, "").Field(t, "status")
	}
	api.Exec(t, "UPDATE break_glass_grants SET expires_at = now() WHERE id = '"+id+"'")
	require.Equal(t, "expired", get(id))
	post("admin", id+"/revoke", "", http.StatusConflict)
	require.Equal(t, "expired", post("admin", id+"/review", "{}", http.StatusOK).Field(t, "status"))

	late := post("sre", "", grantBody(product, environment), http.StatusCreated).Field(t, "id").(string)
	api.Exec(t, "UPDATE break_glass_grants SET confirm_until = now() WHERE id = '"+late+"'")
	require.Equal(t, "expired", get(late))
	post("admin", late+"/confirm", "", http.StatusConflict)

	for member, want := range map[string]string{
		`"reason":"` + strings.Repeat(" ", 20) + `"`: `["body","reason"]`, `"reason":"too short"`: `["body","reason"]`, `"reason":"a\u0000bcdefghijklmnopqrstuvwxyz"`: `["body","reason"]`,
		`"minutes":0`: `["body","minutes"]`, `"minutes":21`: `["body","minutes"]`, `"minutes":241`: `["body","minutes"]`, `"minutes":1.5`: `["body","minutes"]`,
		`"rule_types":["flow","flow"]`: `["body","rule_types",1]`, `"rule_types":["all"]`: `["body","rule_types",0]`,
		`"rule_types":["flow","concurrency"]`: `["body","rule_types",1]`, `"version":" "`: `["body","version"]`, `"status":"active"`: `["body","status"]`,
	} {
		body := strings.TrimSuffix(grantBody(product, environment), "}") + "," + member + "}"
		name, _, _ := strings.Cut(member, ":")
		for _, replaced := range []string{`"version":"1.4.3",`, `,"reason":"Payments fail since 15:10"`} {
			if strings.Contains(replaced, name) {
				body = strings.Replace(body, replaced, "", 1)
			}
		}
		require.Equal(t, []string{want}, locs(t, post("admin", "", body, http.StatusUnprocessableEntity)), body)
	}
}

// TestGrantsOutliveTheirProduct deletes the product and the environment of grants, and of what a rule has found.
func TestGrantsOutliveTheirProduct(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	product, environment := event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)
	send := func(role, method, path, body string) testapi.Answer {
		t.Helper()
		answer := api.As(t, role, method, path, body)
		require.Less(t, answer.Status, 300, "%s", answer.Body)
		return answer
	}
	violate(t, api, send("admin", http.MethodPost, rulesPath, scheduleRule("Freeze", "x")).Field(t, "id").(string), event.Field(t, "deployment_id").(string))
	send("admin", http.MethodPatch, "/governance-settings", `{"break_glass_second_person":true}`)
	id := send("sre", http.MethodPost, "/break-glass-grants/", grantBody(product, environment)).Field(t, "id").(string)
	grants, violations := send("viewer", http.MethodGet, "/break-glass-grants/", ""), send("viewer", http.MethodGet, "/deployment-rules/violations", "")
	require.Len(t, items(t, grants), 1)
	require.Len(t, items(t, violations), 1)

	send("admin", http.MethodDelete, "/products/"+product, "")
	send("admin", http.MethodDelete, "/environments/"+environment, "")
	require.JSONEq(t, string(grants.Body), string(send("viewer", http.MethodGet, "/break-glass-grants/", "").Body))
	require.JSONEq(t, string(violations.Body), string(send("viewer", http.MethodGet, "/deployment-rules/violations", "").Body))
	for _, action := range []string{"confirm", "revoke", "review"} {
		answer := send("admin", http.MethodPost, "/break-glass-grants/"+id+"/"+action, "{}")
		require.Equal(t, []any{"checkout", "production"}, []any{answer.Field(t, "product_name"), answer.Field(t, "environment_name")})
	}
	require.NotNil(t, send("viewer", http.MethodGet, "/break-glass-grants/"+id, "").Field(t, "reviewed_at"))
}

// TestBreakGlassEmail creates a grant in an account whose admins have e-mail.
func TestBreakGlassEmail(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	event := api.PostEvent(t, deploymentEvents, deployment(nil))
	api.Token(t, testapi.Account, "admin")
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodGet, "/users/", "").Status)
	api.Exec(t, "UPDATE users SET email = 'admin@example.com'") // which the next request of the admin may change
	answer := api.As(t, "release_manager", http.MethodPost, "/break-glass-grants/", grantBody(event.Field(t, "product_id").(string), event.Field(t, "environment_id").(string)))
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Equal(t, 1, api.Count(t, "river_job WHERE kind = 'send_admin_email' AND args ->> 'details' LIKE '%Payments fail%'"))
}

// TestAPIKeyScopes uses keys of each scope: one that may not report events is answered with 403.
func TestAPIKeyScopes(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	key := func(scopes string) testapi.Answer {
		return api.As(t, "admin", http.MethodPost, "/api-keys/", `{"name":"k"`+scopes+`}`)
	}
	send := func(token string) testapi.Answer {
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte(`{"product_name":"p","version":"1","environment_name":"e","status":"completed"}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token)
		return api.Do(t, request)
	}
	for scopes, c := range map[string]struct {
		stored []any
		status int
	}{
		"":             {[]any{"events"}, http.StatusOK},
		`,"scopes":[]`: {[]any{"events"}, http.StatusOK},
		`,"scopes":["events","preflight","events"]`: {[]any{"events", "preflight"}, http.StatusOK},
		`,"scopes":["preflight"]`:                   {[]any{"preflight"}, http.StatusForbidden},
		`,"scopes":["skip_preflight","preflight"]`:  {[]any{"preflight", "skip_preflight"}, http.StatusForbidden},
	} {
		created := key(scopes)
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		require.Equal(t, c.stored, created.Field(t, "scopes"))
		answer := send(created.Field(t, "key").(string))
		require.Equal(t, c.status, answer.Status, "%s: %s", scopes, answer.Body)
		if c.status == http.StatusForbidden {
			require.JSONEq(t, `{"detail":"You do not have permission to perform this action"}`, string(answer.Body))
		}
		rotated := api.As(t, "admin", http.MethodPost, "/api-keys/"+created.Field(t, "id").(string)+"/rotate", `{}`)
		require.Equal(t, c.stored, rotated.Field(t, "scopes"), "a new key has the scopes of the old one")
		require.Equal(t, c.stored, items(t, api.As(t, "admin", http.MethodGet, "/api-keys/", ""))[0]["scopes"])
	}
	require.Equal(t, []string{`["body","scopes",0]`}, locs(t, key(`,"scopes":["admin"]`)))
	require.Equal(t, http.StatusUnprocessableEntity, key(`,"scopes":["events","events","events","events"]`).Status)
}
