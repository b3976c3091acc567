package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// userOperations returns the operations of the specification that users call.
func userOperations(t *testing.T) []operation {
	t.Helper()
	return slices.DeleteFunc(operations(t), func(op operation) bool { return !slices.Contains(apigen.OperationSchemes[op.id], "JWTAuth") })
}

// tenant is what an account has, one of each.
type tenant struct {
	ids     map[string]string // by the kind of object
	deleted map[string]string
}

func newTenant(t *testing.T, api *testapi.API, account string) tenant {
	t.Helper()
	made := tenant{ids: make(map[string]string), deleted: make(map[string]string)}
	key := api.Key
	api.Key = api.NewKey(t, account)
	defer func() { api.Key = key }()
	as := func(method, path, body string) testapi.Answer {
		request := api.Request(t, method, path, []byte(body))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, account, "admin"))
		return api.Do(t, request)
	}
	id := func(answer testapi.Answer, name string) string { return answer.Field(t, name).(string) }

	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"scm_sha": "abcdef1"}))
	for _, kind := range []string{"product", "environment", "version", "deployment"} {
		made.ids[kind] = id(event, kind+"_id")
	}
	made.ids["build"] = id(api.PostEvent(t, builds, map[string]any{"product_name": "checkout", "version": "1.4.2", "scm_sha": "abcdef1"}), "build_id")
	made.ids["release"] = id(as(http.MethodPost, "/releases/", `{"name":"r"}`), "id")
	as(http.MethodPost, "/releases/"+made.ids["release"]+"/versions", `{"version_id":"`+made.ids["version"]+`"}`)
	made.ids["api_key"] = id(as(http.MethodPost, "/api-keys/", `{"name":"k"}`), "id")
	made.ids["user"] = items(t, as(http.MethodGet, "/users/", ""))[0]["id"].(string)

	api.SignIn(t, account, "admin")
	made.ids["session"] = items(t, as(http.MethodGet, "/auth/sessions/", ""))[0]["id"].(string)

	channel := func(name string) string {
		return id(as(http.MethodPost, "/notification-channels/", `{"name":"`+name+`","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`), "id")
	}
	preference := func(channel string) string {
		return id(as(http.MethodPost, "/notification-preferences/", `{"channel_id":"`+channel+`","event_type":"build.failed"}`), "id")
	}
	made.ids["channel"] = channel("c")
	made.ids["preference"] = preference(made.ids["channel"])
	made.ids["delivery"] = id(as(http.MethodPost, "/notification-channels/"+made.ids["channel"]+"/test", ""), "delivery_id")
	made.deleted["channel"] = channel("gone")
	made.deleted["preference"] = preference(made.ids["channel"])

	rule := func(name string) string {
		return id(as(http.MethodPost, "/deployment-rules/", scheduleRule(name, "other")), "id")
	}
	made.ids["rule"], made.deleted["rule"] = rule("rule"), rule("gone")
	violate(t, api, made.ids["rule"], made.ids["deployment"])

	as(http.MethodPost, "/deployment-rules/", `{"name":"daily","rule_type":"schedule","mode":"report_only","scope":{"products":["checkout"],"environments":["production"]},
		"schedule":{"timezone":"UTC","windows":[{"name":"w","effect":"allow","start":"2026-01-01T08:00","end":"2026-01-01T18:00","rrule":"FREQ=DAILY"}]}}`)
	made.ids["feed"] = id(as(http.MethodPost, "/calendar-feeds/", `{"name":"f"}`), "id")
	made.ids["approval"] = id(as(http.MethodPost, "/versions/"+made.ids["version"]+"/approvals", `{"approval_type":"qa","decision":"approved"}`), "id")
	made.ids["grant"] = id(as(http.MethodPost, "/break-glass-grants/", grantBody(made.ids["product"], made.ids["environment"])), "id")

	variable := func(key string) string {
		return id(as(http.MethodPost, "/variables/", `{"key":"`+key+`","value":"v"}`), "id")
	}
	made.ids["variable"], made.deleted["variable"] = variable("kept"), variable("gone")
	template := func(product, environment string) string {
		return id(as(http.MethodPost, "/deployment-templates/", templateBody(product, environment)), "id")
	}
	made.ids["template"] = template(made.ids["product"], made.ids["environment"])
	request := func(name string) string {
		return id(as(http.MethodPost, "/deployment-requests/", `{"name":"`+name+`","environment_ids":["`+made.ids["environment"]+`"],"approvals":[{"approval_type":"qa"}],"steps":[{"phase":"pre","title":"Announce it"}]}`), "id")
	}
	made.ids["request"], made.deleted["request"] = request("request"), request("gone")
	as(http.MethodPost, "/deployment-requests/"+made.ids["request"]+"/versions", `{"version_id":"`+made.ids["version"]+`"}`)
	as(http.MethodPost, "/deployment-requests/"+made.ids["request"]+"/comments", `{"text":"After the campaign"}`)
	for kind, list := range map[string]string{"slot": "approvals", "step": "steps"} {
		made.ids[kind] = items(t, as(http.MethodGet, "/deployment-requests/"+made.ids["request"]+"/"+list, ""))[0]["id"].(string)
	}
	requestTemplate := func(name string) string {
		return id(as(http.MethodPost, "/deployment-request-templates/", `{"name":"`+name+`"}`), "id")
	}
	made.ids["request_template"], made.deleted["request_template"] = requestTemplate("template"), requestTemplate("gone")

	gone := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "gone", "environment_name": "gone"}))
	for _, kind := range []string{"product", "environment", "version", "deployment"} {
		made.deleted[kind] = id(gone, kind+"_id")
	}
	made.deleted["template"] = template(made.deleted["product"], made.deleted["environment"])
	require.Equal(t, http.StatusNoContent, as(http.MethodDelete, "/deployment-templates/"+made.deleted["template"], "").Status)
	made.deleted["build"] = id(api.PostEvent(t, builds, map[string]any{"product_name": "gone", "version": "1.4.2"}), "build_id")
	made.deleted["release"] = id(as(http.MethodPost, "/releases/", `{"name":"gone"}`), "id")
	for kind, path := range map[string]string{"product": "/products/", "environment": "/environments/", "release": "/releases/", "preference": "/notification-preferences/", "channel": "/notification-channels/", "rule": "/deployment-rules/", "request": "/deployment-requests/", "request_template": "/deployment-request-templates/", "variable": "/variables/"} {
		require.Equal(t, http.StatusNoContent, as(http.MethodDelete, path+made.deleted[kind], "").Status)
	}
	return made
}

// path returns the path of an operation with the identifiers of the objects of the account.
func (made tenant) path(t *testing.T, op operation) string {
	t.Helper()
	path := op.path
	for name, kind := range idLocations()[op.id] {
		path = strings.ReplaceAll(path, "{"+name+"}", made.ids[kind])
	}
	require.NotContains(t, path, "{", "%s: add its identifiers to idLocations", op.id)
	return path
}

// idLocations lists the kind of object that each identifier of an operation names, in its path, its query and its body.
func idLocations() map[string]map[string]string {
	return map[string]map[string]string{
		"getProduct": {"id": "product"}, "updateProduct": {"id": "product"}, "deleteProduct": {"id": "product"},
		"getEnvironment": {"id": "environment"}, "updateEnvironment": {"id": "environment"}, "deleteEnvironment": {"id": "environment"},
		"getVersion": {"id": "version"}, "getDeployment": {"id": "deployment"}, "getDeploymentNeighbours": {"id": "deployment"}, "listDeploymentEvents": {"id": "deployment"},
		"getBuild": {"id": "build"}, "listBuildEvents": {"id": "build"}, "listBuilds": {"query product": "product", "query version": "version"},
		"listReleases": {"query version_id": "version"}, "getRelease": {"id": "release"}, "updateRelease": {"id": "release"}, "deleteRelease": {"id": "release"},
		"listReleaseVersions": {"id": "release"}, "getReleaseProgress": {"id": "release"},
		"addReleaseVersion": {"id": "release", "body version_id": "version"}, "removeReleaseVersion": {"id": "release", "version_id": "version"},
		"getNotificationChannel": {"id": "channel"}, "updateNotificationChannel": {"id": "channel"}, "deleteNotificationChannel": {"id": "channel"},
		"testNotificationChannel": {"id": "channel"}, "resendRecipientConfirmations": {"id": "channel"}, "listNotificationPreferences": {"query channel_id": "channel"},
		"getNotificationPreference": {"id": "preference"}, "updateNotificationPreference": {"id": "preference"}, "deleteNotificationPreference": {"id": "preference"},
		"createNotificationPreference": {"body channel_id": "channel"},
		"listNotificationHistory":      {"query channel_id": "channel"}, "redeliverNotification": {"id": "delivery"},
		"getAPIKey": {"id": "api_key"}, "updateAPIKey": {"id": "api_key"}, "revokeAPIKey": {"id": "api_key"}, "rotateAPIKey": {"id": "api_key"},
		"getUser": {"id": "user"}, "updateUser": {"id": "user"}, "endSession": {"id": "session"},
		"listVersions":         {"query product": "product"},
		"listDeployments":      {"query product": "product", "query environment": "environment", "query version": "version"},
		"listEnvironmentState": {"query product": "product", "query environment": "environment"},
		"listVersionApprovals": {"id": "version"}, "createVersionApproval": {"id": "version", "body environment_id": "environment"},
		"revokeVersionApproval": {"id": "version", "approval_id": "approval"}, "createBreakGlassGrant": {"body product_id": "product", "body environment_id": "environment"},
		"getBreakGlassGrant": {"id": "grant"}, "confirmBreakGlassGrant": {"id": "grant"}, "revokeBreakGlassGrant": {"id": "grant"}, "reviewBreakGlassGrant": {"id": "grant"},
		"listDeploymentRequests": {"query version_id": "version", "query environment_id": "environment"}, "createDeploymentRequest": {"body template_id": "request_template"},
		"getDeploymentRequest": {"id": "request"}, "updateDeploymentRequest": {"id": "request"}, "deleteDeploymentRequest": {"id": "request"},
		"activateDeploymentRequest": {"id": "request"}, "deactivateDeploymentRequest": {"id": "request"}, "cancelDeploymentRequest": {"id": "request"}, "completeDeploymentRequest": {"id": "request"},
		"listDeploymentRequestVersions": {"id": "request"}, "addDeploymentRequestVersion": {"id": "request", "body version_id": "version"},
		"removeDeploymentRequestVersion": {"id": "request", "version_id": "version"}, "listDeploymentRequestApprovals": {"id": "request"}, "addDeploymentRequestApproval": {"id": "request"},
		"removeDeploymentRequestApproval": {"id": "request", "slot_id": "slot"}, "approveDeploymentRequest": {"id": "request", "slot_id": "slot"},
		"rejectDeploymentRequest": {"id": "request", "slot_id": "slot"}, "resetDeploymentRequestApproval": {"id": "request", "slot_id": "slot"},
		"listDeploymentRequestSteps": {"id": "request"}, "addDeploymentRequestStep": {"id": "request"}, "removeDeploymentRequestStep": {"id": "request", "step_id": "step"},
		"completeDeploymentRequestStep": {"id": "request", "step_id": "step"}, "reopenDeploymentRequestStep": {"id": "request", "step_id": "step"},
		"listDeploymentRequestComments": {"id": "request"}, "createDeploymentRequestComment": {"id": "request"}, "listDeploymentRequestActivity": {"id": "request"},
		"getDeploymentRequestTemplate": {"id": "request_template"}, "updateDeploymentRequestTemplate": {"id": "request_template"}, "deleteDeploymentRequestTemplate": {"id": "request_template"},
		"listRuleViolations":     {"query product": "product", "query environment": "environment", "query rule": "rule"},
		"preflight":              {"body product_id": "product", "body version_id": "version", "body environment_id": "environment"},
		"backtestDeploymentRule": {"id": "rule"}, "listDeploymentCalendar": {"query product": "product", "query environment": "environment", "query rule_id": "rule"},
		"getDeploymentRule": {"id": "rule"}, "updateDeploymentRule": {"id": "rule"}, "deleteDeploymentRule": {"id": "rule"},
		"revokeCalendarFeed": {"id": "feed"}, "importDeploymentRuleCalendar": {"id": "rule"},
		"createVariable": {"body product_id": "product"}, "getVariable": {"id": "variable"}, "updateVariable": {"id": "variable"}, "deleteVariable": {"id": "variable"},
		"createDeploymentTemplate": {"body product_id": "product"}, "listDeploymentTemplates": {"query product": "product", "query environment": "environment"},
		"getDeploymentTemplate": {"id": "template"}, "updateDeploymentTemplate": {"id": "template"}, "deleteDeploymentTemplate": {"id": "template"},
		"renderDeploymentTemplate": {"id": "template", "body version_id": "version", "body environment_id": "environment"},
		"listAuditLog":             {"query actor_id": "user", "query object_id": "product"},
	}
}

// bodyOf is a body that the operation accepts; it may name an object.
func bodyOf(op, id string, named map[string]string) string {
	switch op {
	case "createVersionApproval":
		return `{"approval_type":"qa","decision":"approved","environment_id":"` + named["environment_id"] + `"}`
	case "createVariable":
		return `{"key":"k","value":"v","product_id":"` + named["product_id"] + `"}`
	case "createDeploymentTemplate":
		return templateBody(named["product_id"], uuid.NewString())
	case "renderDeploymentTemplate":
		return `{"version_id":"` + named["version_id"] + `","environment_id":"` + named["environment_id"] + `"}`
	case "preflight":
		return `{"product_id":"` + named["product_id"] + `","version_id":"` + named["version_id"] + `","environment_id":"` + named["environment_id"] + `"}`
	case "createBreakGlassGrant":
		return grantBody(named["product_id"], named["environment_id"])
	case "createDeploymentRequest":
		return `{"name":"r","template_id":"` + named["template_id"] + `"}`
	case "addDeploymentRequestApproval":
		return `{"approval_type":"uat"}`
	case "approveDeploymentRequest", "rejectDeploymentRequest", "resetDeploymentRequestApproval":
		return `{"activation":1,"comments":"Seen on staging"}`
	case "addDeploymentRequestStep":
		return `{"phase":"post","title":"Watch it"}`
	case "createDeploymentRequestComment":
		return `{"text":"After the holidays"}`
	case "addReleaseVersion", "addDeploymentRequestVersion":
		return `{"version_id":"` + id + `"}`
	case "createNotificationPreference":
		return `{"channel_id":"` + id + `","event_type":"build.failed"}`
	case "updateUser":
		return `{"role":"qa"}`
	default:
		return `{}`
	}
}

// TestTenantsAndOperations passes every identifier of every operation to an account without the object: the answer for an object of
// another account, or a deleted one, equals the answer for an unknown identifier byte for byte.
func TestTenantsAndOperations(t *testing.T) {
	t.Parallel()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	api := testapi.New(t)
	mine, theirs := newTenant(t, api, testapi.Account), newTenant(t, api, "other")
	places := idLocations()
	rows := 0
	for _, op := range userOperations(t) {
		require.ElementsMatch(t, identifiers(document, op), parameterNames(places[op.id]), "%s: add its identifiers, and the objects that they name, to idLocations", op.id)
		for place, kind := range places[op.id] {
			require.NotEmpty(t, mine.ids[kind], "%s: add an object of the kind %s to newTenant", op.id, kind)
			call := func(id string) testapi.Answer {
				rows++
				path, query, named := op.path, "", mine.ids["version"]
				members := make(map[string]string)
				for other, otherKind := range places[op.id] {
					value := mine.ids[otherKind]
					if other == place {
						value = id
					}
					switch {
					case strings.HasPrefix(other, "query ") && other == place:
						query = "?" + strings.TrimPrefix(other, "query ") + "=" + value
					case strings.HasPrefix(other, "body "):
						named = value
						members[strings.TrimPrefix(other, "body ")] = value
					default:
						path = strings.ReplaceAll(path, "{"+other+"}", value)
					}
				}
				if op.id == "importDeploymentRuleCalendar" {
					return importCalendar(t, api, "admin", strings.TrimSuffix(path, "/calendar")+query, icsOf("UID:a|DTSTART:20261218|SUMMARY:w"))
				}
				return api.As(t, "admin", op.method, path+query, bodyOf(op.id, named, members))
			}
			unknown := call(uuid.NewString())
			require.Contains(t, []int{http.StatusNotFound, http.StatusOK}, unknown.Status, "%s %s", op.id, place)
			for what, id := range map[string]string{"theirs": theirs.ids[kind], "deleted": mine.deleted[kind], "deleted and theirs": theirs.deleted[kind]} {
				// The audit log keeps the entries of deleted objects.
				if id == "" || what == "deleted" && op.id == "listAuditLog" {
					continue
				}
				got := call(id)
				require.Equal(t, unknown.Status, got.Status, "%s %s: %s", op.id, place, what)
				require.Equal(t, string(unknown.Body), string(got.Body), "%s %s: %s", op.id, place, what)
			}
			if op.method == http.MethodGet {
				own := call(mine.ids[kind])
				require.Equal(t, http.StatusOK, own.Status, "%s %s: own", op.id, place)
				require.True(t, op.id == "listAuditLog" || string(own.Body) != string(unknown.Body), "%s %s: one's own is shown", op.id, place)
			}
			malformed := call("01a208e8-398d-77cf-869d-63489d46d0eX")
			if strings.HasPrefix(place, "query ") && !strings.HasSuffix(place, "_id") {
				require.Equal(t, string(unknown.Body), string(malformed.Body), "it may be a name")
			} else {
				require.Equal(t, http.StatusUnprocessableEntity, malformed.Status, "%s %s", op.id, place)
				require.Contains(t, string(malformed.Body), `"type_error.uuid"`)
			}
		}
	}
	require.Greater(t, rows, 100)

	// Nothing of theirs has changed, and none of it is in any list of mine.
	request := api.Request(t, http.MethodGet, "/audit-log/", nil)
	request.Header.Set("Authorization", "Bearer "+api.Token(t, "other", "admin"))
	require.NotContains(t, string(api.Do(t, request).Body), `"api_key.revoke"`)
	for _, op := range userOperations(t) {
		if op.method == http.MethodGet && !strings.Contains(op.path, "{") {
			body := string(api.As(t, "admin", op.method, op.path+"?limit=200", "").Body)
			for kind, id := range theirs.ids {
				require.NotContains(t, body, id, "%s shows their %s", op.id, kind)
			}
		}
	}
}

// identifiers are the places of an operation that take one, read from the specification.
func identifiers(document *openapi3.T, op operation) []string {
	item := document.Paths.Value(op.path)
	operation := item.GetOperation(op.method)
	var found []string
	for _, reference := range append(append(openapi3.Parameters{}, item.Parameters...), operation.Parameters...) {
		param := reference.Value
		switch isID := param.Schema.Value.Format == "uuid"; {
		case param.In == openapi3.ParameterInPath && isID:
			found = append(found, param.Name)
		case param.In == openapi3.ParameterInQuery && (isID || slices.Contains([]string{"product", "environment", "version", "rule"}, param.Name)):
			found = append(found, "query "+param.Name)
		}
	}
	if operation.RequestBody != nil && operation.RequestBody.Value.Content.Get("application/json") != nil {
		for name, property := range operation.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
			if property.Value.Format == "uuid" {
				found = append(found, "body "+name)
			}
		}
	}
	return found
}

func parameterNames(places map[string]string) []string {
	var keys []string
	for key := range places {
		keys = append(keys, key)
	}
	return keys
}

// TestMassAssignment sends what is the server's own to say.
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	mine := newTenant(t, api, testapi.Account)
	own := []string{"id", "account_id", "created_at", "updated_at", "last_used_at", "last_seen_at", "revision", "deleted_at", "key_id", "token_hmac", "state", "prefix", "assigned", "created_by"}
	tried := 0
	for _, op := range userOperations(t) {
		if op.method != http.MethodPost && op.method != http.MethodPatch || slices.Contains([]string{
			"testNotificationChannel", "redeliverNotification", "resendRecipientConfirmations", "signOut", "confirmBreakGlassGrant", "revokeBreakGlassGrant",
			"activateDeploymentRequest", "deactivateDeploymentRequest", "cancelDeploymentRequest", "completeDeploymentRequest", "completeDeploymentRequestStep", "reopenDeploymentRequestStep",
		}, op.id) {
			continue // they take no body
		}
		path := mine.path(t, op)
		for _, member := range own {
			tried++
			body := bodyOf(op.id, mine.ids["channel"], map[string]string{"product_id": mine.ids["product"], "environment_id": mine.ids["environment"], "template_id": mine.ids["request_template"]})
			switch op.id {
			case "createProduct", "createEnvironment", "createRelease", "createAPIKey", "createDeploymentRequestTemplate":
				body = `{"name":"x"}`
			case "createNotificationChannel":
				body = `{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`
			}
			body = strings.Replace(strings.TrimSuffix(body, "}")+`,"`+member+`":"01a208e8-398d-77cf-869d-63489d46d0e3"}`, "{,", "{", 1)
			answer := api.As(t, "admin", op.method, path, body)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s accepts %s: %s", op.id, member, answer.Body)
			require.Contains(t, string(answer.Body), `"loc":["body","`+member+`"]`, "%s rejects a body with %s for another reason", op.id, member)
			require.Contains(t, string(answer.Body), `"value_error.extra"`, "%s rejects %s for another reason", op.id, member)
		}
	}
	require.GreaterOrEqual(t, tried, 15*len(own))

	answer := api.PostEvent(t, deploymentEvents, deployment(map[string]any{
		"invoke_id": "another", "id": "01a208e8-398d-77cf-869d-63489d46d0e3", "account_id": "x", "created_at": "2000-01-01T00:00:00Z", "soak_time_hours": 7,
	}))
	require.NotContains(t, string(answer.Body), "01a208e8-398d-77cf-869d-63489d46d0e3")
	require.NotContains(t, string(answer.Body), "2000-01-01")
	require.Nil(t, answer.Field(t, "soak_time_hours"))
}
