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

// stays is what the document says of objects that are not gone when they are deleted.
type stays struct {
	// after are operations on the object that do not answer 404, and what they answer.
	after map[string]int
	// lists are those that go on showing it.
	lists []string
}

// exceptions are by the operation that deletes.
func exceptions() map[string]stays {
	history := []string{"listAuditLog"} // "The audit log keeps who deleted it", and so with every change
	return map[string]stays{
		"deleteProduct":     {lists: history},
		"deleteEnvironment": {lists: history},
		"deleteRelease":     {lists: history},
		"removeReleaseVersion": {
			lists: []string{"listVersions", "listDeployments", "listEnvironmentState", "listAuditLog"}, // "the version itself and its deployments stay"
		},
		"deleteNotificationPreference": {lists: history},
		"deleteNotificationChannel":    {lists: []string{"listAuditLog", "listNotificationHistory"}}, // "its history stays"
		// "Ends the key for good." It stays visible, "revoked and expired ones too", "Revoking it again changes nothing", and "a
		// key that is revoked or expired cannot be rotated".
		"revokeAPIKey": {
			after: map[string]int{"getAPIKey": http.StatusOK, "updateAPIKey": http.StatusOK, "revokeAPIKey": http.StatusNoContent, "rotateAPIKey": http.StatusConflict},
			lists: []string{"listAPIKeys", "listAuditLog"},
		},
	}
}

// TestWhatIsDeletedIsGone deletes an object by every operation that does, and then asks for it in every way: at its address
// and all below, in every list, and again to delete it.
func TestWhatIsDeletedIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	all := operations(w.document)
	deleted := 0
	for _, op := range all {
		if op.method != http.MethodDelete {
			continue
		}
		deleted++
		t.Run(op.OperationID, func(t *testing.T) {
			except, known := exceptions()[op.OperationID]
			require.True(t, known, "what goes on telling of it?")
			g := w.fill(t, op, given{}.with("delete"))
			children := w.children(t, op, g)
			require.Equal(t, http.StatusNoContent, w.send(t, op, g).Status)

			for _, other := range all {
				if other.path != op.path && !strings.HasPrefix(other.path, op.path+"/") {
					continue
				}
				after := w.base(t, other)
				maps.Copy(after.path, g.path)
				before := w.snapshot(t)
				want := http.StatusNotFound
				if status, told := except.after[other.OperationID]; told {
					want = status
				}
				answer := w.send(t, other, after)
				require.Equal(t, want, answer.Status, "%s\n%s", after.show(other), answer.Body)
				if want == http.StatusNotFound {
					require.JSONEq(t, `{"detail":"Not found"}`, string(answer.Body))
				}
				if want >= http.StatusBadRequest {
					require.Equal(t, before, w.snapshot(t), "%s changes nothing", other.OperationID)
				}
			}
			for address, status := range children {
				request := w.api.Request(t, http.MethodGet, address, nil)
				request.Header.Set("Authorization", "Bearer "+w.admin)
				require.Equal(t, status, w.api.Do(t, request).Status, "what belonged to it: %s", address)
			}
			w.requireUnlisted(t, g.path[lastParam(op)], except.lists)
		})
	}
	require.Len(t, exceptions(), deleted)
}

// lastParam names the object of an operation on one: the last of the identifiers in its path.
func lastParam(op operation) string {
	return strings.Trim(op.path[strings.LastIndex(op.path, "{"):], "{}")
}

// children are the addresses of what belongs to an object, and what they answer when it is gone.
func (w *world) children(t *testing.T, op operation, g given) map[string]int {
	t.Helper()
	found := make(map[string]int)
	of := func(list, member string) {
		for _, item := range w.list(t, list) {
			if item[member] == g.path["id"] {
				found[list+item["id"].(string)] = http.StatusNotFound
			}
		}
		require.NotEmpty(t, found, "there are children")
	}
	switch op.OperationID {
	case "deleteProduct": // "Takes the product, its versions and its deployments out of every view"
		of("/versions/", "product_id")
		of("/deployments/", "product_id")
	case "deleteEnvironment": // "Takes the environment and its deployments out of every view"
		of("/deployments/", "environment_id")
	case "deleteNotificationChannel": // "Deletes the channel, its preferences and its configuration"
		w.create(t, "/notification-preferences/", map[string]any{"channel_id": g.path["id"], "event_type": "build.failed"})
		of("/notification-preferences/", "channel_id")
	case "deleteRelease": // "Its versions and their deployments stay"
		version := w.makers()["VersionID"](t, nil)
		w.as(t, http.MethodPost, "/releases/"+g.path["id"]+"/versions", `{"version_id":"`+version+`"}`)
		found["/versions/"+version] = http.StatusOK
	case "removeReleaseVersion":
		found["/versions/"+g.path["version_id"]] = http.StatusOK
		found["/releases/"+g.path["id"]] = http.StatusOK
	case "revokeAPIKey", "deleteNotificationPreference": // nothing belongs to them
	default:
		require.Fail(t, "what belongs to it?", op.OperationID)
	}
	return found
}

// list reads all pages of a list.
func (w *world) list(t *testing.T, path string) []map[string]any {
	t.Helper()
	var all []map[string]any
	query := url.Values{"limit": {"200"}}
	for {
		var page struct {
			Items []map[string]any
			Next  string `json:"next_cursor"`
		}
		require.NoError(t, json.Unmarshal(w.as(t, http.MethodGet, path+"?"+query.Encode(), "").Body, &page))
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		query["cursor"] = []string{page.Next}
	}
}

// requireUnlisted looks for the identifier in every list, but for those that may go on telling of it.
func (w *world) requireUnlisted(t *testing.T, id string, but []string) {
	t.Helper()
	showing := []string{}
	for _, op := range operations(w.document) {
		if !op.isList() || strings.Contains(op.path, "{") {
			continue
		}
		text, err := json.Marshal(w.list(t, op.path))
		require.NoError(t, err)
		if strings.Contains(string(text), id) {
			showing = append(showing, op.OperationID)
		}
	}
	require.Subset(t, but, showing)
}
