package spectest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// visibility lists where an object stays visible after its deletion.
type visibility struct {
	after map[string]int // status by operation, where it is not 404
	lists []string       // operations that still list it
}

// visibleAfter returns the specified exceptions by deleting operation.
func visibleAfter() map[string]visibility {
	history := []string{"listAuditLog"} // "The audit log keeps who deleted it", and so with every change
	return map[string]visibility{
		"deleteProduct":     {lists: []string{"listAuditLog", "listRuleViolations", "listBreakGlassGrants"}}, // "Its break-glass grants and rule violations stay"
		"deleteEnvironment": {lists: []string{"listAuditLog", "listRuleViolations", "listBreakGlassGrants"}},
		"deleteRelease":     {lists: history},
		"removeReleaseVersion": {
			lists: []string{"listVersions", "listDeployments", "listEnvironmentState", "listAuditLog"}, // "the version itself and its deployments stay"
		},
		"removeDeploymentRequestVersion": {
			lists: []string{"listVersions", "listDeployments", "listEnvironmentState", "listAuditLog"}, // "The version itself and its deployments stay"
		},
		"deleteDeploymentRequest": {lists: history}, "removeDeploymentRequestApproval": {lists: history}, "removeDeploymentRequestStep": {lists: history},
		"deleteDeploymentRequestTemplate": {lists: history},
		"deleteNotificationPreference":    {lists: history},
		"deleteNotificationChannel":       {lists: []string{"listAuditLog", "listNotificationHistory"}}, // "its history stays"
		"deleteDeploymentRule":            {lists: []string{"listAuditLog", "listRuleViolations"}},      // "Its violations stay"
		// "it stays in the list. Revoking it again changes nothing"
		"revokeVersionApproval":    {after: map[string]int{"revokeVersionApproval": http.StatusNoContent}, lists: history},
		"endSession":               {lists: history},
		"revokeCalendarFeed":       {lists: history},
		"deleteVariable":           {lists: history},
		"deleteDeploymentTemplate": {lists: history},
		// The list itself stays, and a new session is not affected.
		"endSessions": {
			after: map[string]int{"listSessions": http.StatusOK, "endSessions": http.StatusNoContent, "endSession": http.StatusNoContent},
			lists: history,
		},
		// A revoked key stays visible, "revoked and expired ones too", "Revoking it again changes nothing", and "a
		// key that is revoked or expired cannot be rotated".
		"revokeAPIKey": {
			after: map[string]int{"getAPIKey": http.StatusOK, "updateAPIKey": http.StatusOK, "revokeAPIKey": http.StatusNoContent, "rotateAPIKey": http.StatusConflict},
			lists: []string{"listAPIKeys", "listAuditLog"},
		},
	}
}

// TestDeletedResourcesReturn404 deletes an object with each DELETE operation. Its path and all paths below then return 404, also to a
// second DELETE, and no list contains it.
func TestDeletedResourcesReturn404(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	all := operations(f.document)
	deleted := 0
	for _, op := range all {
		if op.method != http.MethodDelete {
			continue
		}
		deleted++
		t.Run(op.OperationID, func(t *testing.T) {
			except, known := visibleAfter()[op.OperationID]
			require.True(t, known, "visibleAfter has no entry")
			c := f.withFreshTargets(t, op, requestCase{}.with("delete"))
			id := f.deletedID(t, op, c)
			children := f.children(t, op, c)
			require.Equal(t, http.StatusNoContent, f.send(t, op, c).Status)

			for _, other := range all {
				if other.path != op.path && !strings.HasPrefix(other.path, op.path+"/") {
					continue
				}
				after := f.base(t, other)
				maps.Copy(after.path, c.path)
				before := f.snapshot(t)
				want := http.StatusNotFound
				if status, isException := except.after[other.OperationID]; isException {
					want = status
				}
				answer := f.send(t, other, after)
				require.Equal(t, want, answer.Status, "%s\n%s", after.describe(other), answer.Body)
				if want == http.StatusNotFound {
					require.JSONEq(t, `{"detail":"Not found"}`, string(answer.Body))
				}
				if want >= http.StatusBadRequest {
					require.Equal(t, before, f.snapshot(t), "%s changes nothing", other.OperationID)
				}
			}
			for path, status := range children {
				request := f.api.Request(t, http.MethodGet, path, nil)
				request.Header.Set("Authorization", "Bearer "+f.admin)
				require.Equal(t, status, f.api.Do(t, request).Status, "child: %s", path)
			}
			f.requireUnlisted(t, id, except.lists)
		})
	}
	require.Len(t, visibleAfter(), deleted)
}

// deletedID returns the object that the operation deletes: that of the last path parameter, or one of the collection.
func (f *fixture) deletedID(t *testing.T, op operation, c requestCase) string {
	t.Helper()
	if op.OperationID == "endSessions" {
		return f.factories()["SessionID"](t, nil)
	}
	return c.path[strings.Trim(op.path[strings.LastIndex(op.path, "{"):], "{}")]
}

// children returns the paths of the objects that belong to an object, with their status after its deletion.
func (f *fixture) children(t *testing.T, op operation, c requestCase) map[string]int {
	t.Helper()
	found := make(map[string]int)
	of := func(list, member string) {
		for _, item := range f.list(t, list) {
			if item[member] == c.path["id"] {
				found[list+item["id"].(string)] = http.StatusNotFound
			}
		}
		require.NotEmpty(t, found, "no children")
	}
	switch op.OperationID {
	case "deleteProduct": // "Takes the product, its versions and its deployments out of every view"
		of("/versions/", "product_id")
		of("/deployments/", "product_id")
	case "deleteEnvironment": // "Takes the environment and its deployments out of every view"
		of("/deployments/", "environment_id")
	case "deleteNotificationChannel": // "Deletes the channel, its preferences and its configuration"
		f.create(t, "/notification-preferences/", map[string]any{"channel_id": c.path["id"], "event_type": "build.failed"})
		of("/notification-preferences/", "channel_id")
	case "deleteRelease": // "Its versions and their deployments stay"
		version := f.factories()["VersionID"](t, nil)
		f.doAsAdmin(t, http.MethodPost, "/releases/"+c.path["id"]+"/versions", `{"version_id":"`+version+`"}`)
		found["/versions/"+version] = http.StatusOK
	case "removeDeploymentRequestVersion":
		found["/versions/"+c.path["version_id"]] = http.StatusOK
		found["/deployment-requests/"+c.path["id"]] = http.StatusOK
	case "removeReleaseVersion":
		found["/versions/"+c.path["version_id"]] = http.StatusOK
		found["/releases/"+c.path["id"]] = http.StatusOK
	case "revokeAPIKey", "deleteNotificationPreference", "deleteDeploymentRule", "revokeVersionApproval", "revokeCalendarFeed", "endSession", "endSessions",
		"deleteDeploymentRequest", "removeDeploymentRequestApproval", "removeDeploymentRequestStep", "deleteDeploymentRequestTemplate",
		"deleteVariable", "deleteDeploymentTemplate": // without children
	default:
		require.Fail(t, "no children defined", op.OperationID)
	}
	return found
}

// list returns the items of all pages of a list.
func (f *fixture) list(t *testing.T, path string) []map[string]any {
	t.Helper()
	var all []map[string]any
	query := url.Values{"limit": {"200"}}
	for {
		var page struct {
			Items []map[string]any
			Next  string `json:"next_cursor"`
		}
		require.NoError(t, json.Unmarshal(f.doAsAdmin(t, http.MethodGet, path+"?"+query.Encode(), "").Body, &page))
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		query["cursor"] = []string{page.Next}
	}
}

// requireUnlisted requires that only the given lists contain the identifier.
func (f *fixture) requireUnlisted(t *testing.T, id string, except []string) {
	t.Helper()
	showing := []string{}
	for _, op := range operations(f.document) {
		if !op.isList() || strings.Contains(op.path, "{") {
			continue
		}
		text, err := json.Marshal(f.list(t, op.path))
		require.NoError(t, err)
		if strings.Contains(string(text), id) {
			showing = append(showing, op.OperationID)
		}
	}
	require.Subset(t, except, showing)
}
