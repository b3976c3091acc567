package spectest_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestDeclaredStatuses derives the possible error statuses of each operation from its parameters and body, and requires exactly these
// to be declared. The other tests provoke each of them.
func TestDeclaredStatuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, op := range operations(f.document) {
		want := map[string]bool{}
		if op.scheme(t) != "" {
			for _, status := range []string{"401", "403", "429", "500", "503"} {
				want[status] = true
			}
		}
		if op.RequestBody != nil {
			want["400"], want["415"], want["422"] = op.textType() == "", true, true
		}
		want["422"] = want["422"] || len(op.params) > 0 || op.scheme(t) != "" // an unknown query parameter
		want["304"] = op.takes("If-None-Match")
		want["412"] = op.takes("If-Match") || isDecision(op)
		want["404"] = len(op.paramsIn(openapi3.ParameterInPath)) > 0 || hasReference(op.OperationID)
		_, want["409"] = conflicts()[op.OperationID]
		if op.OperationID == starts {
			want["409"], want["423"], want["428"] = true, true, true
		}
		want["503"] = want["503"] || op.OperationID == "getReadiness" // while the database is unavailable
		maps.DeleteFunc(want, func(_ string, declared bool) bool { return !declared })
		declared := slices.DeleteFunc(slices.Collect(maps.Keys(op.Responses.Map())), func(status string) bool { return status[0] == '2' || status == "302" })
		require.ElementsMatch(t, slices.Collect(maps.Keys(want)), declared, op.OperationID)
	}
}

// starts is the operation that deployment rules may reject. Such an answer has a body of its own, and is recorded: internal/httpapi tests it.
const starts = "createDeploymentEvent"

// hasReference reports whether the body has the identifier of another object.
func hasReference(operation string) bool {
	return slices.Contains([]string{
		"createNotificationPreference", "addReleaseVersion", "createVersionApproval", "createBreakGlassGrant", "preflight", "createVariable", "createDeploymentTemplate", "renderDeploymentTemplate",
		"addDeploymentRequestVersion", "createDeploymentRequest", "createDeploymentRequestTemplate",
	}, operation)
}

// isDecision reports whether an operation decides about a slot of a deployment request, and names the activation that the user has seen.
func isDecision(op operation) bool { return strings.Contains(op.path, "/{slot_id}/") }

// TestUnknownIDsReturn404 sends unknown identifiers in paths and in bodies.
func TestUnknownIDsReturn404(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sent := 0
	for _, op := range operations(f.document) {
		base := f.base(t, op)
		var missing []requestCase
		for name := range base.path {
			unknown := base.with("unknown " + name)
			unknown.path[name] = uuid.NewString()
			missing = append(missing, unknown)
		}
		for _, name := range []string{"channel_id", "version_id", "product_id", "environment_id"} {
			if body, ok := base.body.(map[string]any); ok && body[name] != nil {
				require.True(t, hasReference(op.OperationID), op.OperationID)
				unknown := base.with("unknown " + name)
				unknown.body.(map[string]any)[name] = uuid.NewString()
				missing = append(missing, unknown)
			}
		}
		before := f.snapshot(t)
		for _, unknown := range missing {
			sent++
			answer := f.send(t, op, unknown)
			require.Equal(t, http.StatusNotFound, answer.Status, "%s\n%s", unknown.describe(op), answer.Body)
			require.JSONEq(t, `{"detail":"Not found"}`, string(answer.Body))
		}
		require.Equal(t, before, f.snapshot(t), "nothing is written")
	}
	require.NotZero(t, sent)
}

// conflicts prepare a conflict for each operation that declares 409: they change the stored state or the request.
func conflicts() map[string]func(*testing.T, *fixture, *requestCase) {
	// nameInUse creates objects of which only the name is required; others need a function of their own.
	nameInUse := func(path string) func(*testing.T, *fixture, *requestCase) {
		return func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			name := f.uniqueName()
			f.create(t, path, map[string]any{"name": name})
			c.body.(map[string]any)["name"] = name
		}
	}
	closedRelease := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		f.doAsAdmin(t, http.MethodPatch, "/releases/"+c.path["id"], `{"status":"cancelled"}`)
	}
	otherCommit := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		body := clone(c.body).(map[string]any)
		f.api.PostEvent(t, "/build-events/", map[string]any{"product_name": body["product_name"], "version": body["version"], "scm_sha": "abcdef1"})
	}
	ruleNameInUse := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		other := f.rule()
		f.create(t, "/deployment-rules/", other)
		c.body.(map[string]any)["name"] = strings.ToUpper(other["name"].(string))
	}
	endedGrant := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		f.doAsAdmin(t, http.MethodPost, "/break-glass-grants/"+c.path["id"]+"/revoke", "")
	}
	environmentTaken := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		body := c.body.(map[string]any)
		other := f.template(t, nil)
		if id := c.path["id"]; id != "" {
			other["product_id"] = f.doAsAdmin(t, http.MethodGet, "/deployment-templates/"+id, "").Field(t, "product_id")
		} else {
			other["product_id"] = body["product_id"]
		}
		f.create(t, "/deployment-templates/", other)
		body["environment_ids"] = other["environment_ids"]
	}
	closedRequest := func(t *testing.T, f *fixture, c *requestCase) {
		t.Helper()
		f.api.Exec(t, "UPDATE deployment_requests SET status = 'completed' WHERE id = '"+c.path["id"]+"'")
	}
	return map[string]func(*testing.T, *fixture, *requestCase){
		"createVariable": func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			f.create(t, "/variables/", c.body.(map[string]any))
		},
		"createDeploymentTemplate": environmentTaken, "updateDeploymentTemplate": environmentTaken,
		"updateDeploymentRequest": closedRequest, "deleteDeploymentRequest": closedRequest, "activateDeploymentRequest": closedRequest, "deactivateDeploymentRequest": closedRequest,
		"cancelDeploymentRequest": closedRequest, "completeDeploymentRequest": closedRequest, "addDeploymentRequestVersion": closedRequest, "removeDeploymentRequestVersion": closedRequest,
		"addDeploymentRequestApproval": closedRequest, "removeDeploymentRequestApproval": closedRequest, "approveDeploymentRequest": closedRequest, "rejectDeploymentRequest": closedRequest,
		"resetDeploymentRequestApproval": closedRequest, "addDeploymentRequestStep": closedRequest, "removeDeploymentRequestStep": closedRequest,
		"completeDeploymentRequestStep": closedRequest, "reopenDeploymentRequestStep": closedRequest,
		"createDeploymentRequestTemplate": nameInUse("/deployment-request-templates/"), "updateDeploymentRequestTemplate": func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			name := f.uniqueName()
			f.create(t, "/deployment-request-templates/", map[string]any{"name": name})
			c.body.(map[string]any)["name"] = strings.ToUpper(name)
		},
		"confirmBreakGlassGrant": endedGrant, "revokeBreakGlassGrant": endedGrant,
		"reviewBreakGlassGrant": func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			f.doAsAdmin(t, http.MethodPost, "/break-glass-grants/"+c.path["id"]+"/review", "{}")
		},
		"createDeploymentRule": ruleNameInUse, "updateDeploymentRule": ruleNameInUse,
		"createProduct": nameInUse("/products/"), "updateProduct": nameInUse("/products/"),
		"createEnvironment": nameInUse("/environments/"), "updateEnvironment": nameInUse("/environments/"),
		"createBuildEvent": otherCommit, "createVersionEvent": otherCommit,
		"addReleaseVersion": closedRelease, "removeReleaseVersion": closedRelease,
		"rotateAPIKey": func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			f.doAsAdmin(t, http.MethodDelete, "/api-keys/"+c.path["id"], "")
		},
		"redeliverNotification": func(t *testing.T, f *fixture, _ *requestCase) {
			t.Helper()
			for _, channel := range f.list(t, "/notification-channels/") {
				f.doAsAdmin(t, http.MethodDelete, "/notification-channels/"+channel["id"].(string), "")
			}
		},
		"updateUser": func(t *testing.T, f *fixture, c *requestCase) {
			t.Helper()
			for _, user := range f.list(t, "/users/") {
				if user["name"] == "admin" { // the caller
					c.path["id"] = user["id"].(string)
				}
			}
		},
	}
}

// TestConflicts provokes every declared 409. It changes nothing.
func TestConflicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, op := range operations(f.document) {
		provoke, can := conflicts()[op.OperationID]
		if op.OperationID == starts {
			continue
		}
		if !can {
			require.Nil(t, op.Responses.Status(http.StatusConflict), "%s: add a conflict to conflicts()", op.OperationID)
			continue
		}
		c := f.base(t, op)
		provoke(t, f, &c)
		before := f.snapshot(t)
		answer := f.send(t, op, c)
		require.Equal(t, http.StatusConflict, answer.Status, "%s\n%s", c.describe(op), answer.Body)
		require.NotEmpty(t, detailOf(t, answer))
		require.Equal(t, before, f.snapshot(t), "%s writes nothing", op.OperationID)
	}
}

func detailOf(t *testing.T, answer testapi.Answer) string {
	t.Helper()
	detail, ok := answer.Field(t, "detail").(string)
	require.True(t, ok, "detail is a text: %s", answer.Body)
	return detail
}
