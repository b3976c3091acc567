package spectest_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestDeclaredStatusesAreWhatOperationsCanAnswer derives from what an operation takes which errors it may answer with, and
// wants just these to be declared: the other tests provoke each of them. 404 of what a body names and 409 are provoked here.
func TestDeclaredStatusesAreWhatOperationsCanAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, op := range operations(w.document) {
		want := map[string]bool{}
		if op.scheme(t) != "" {
			for _, status := range []string{"401", "403", "429", "500", "503"} {
				want[status] = true
			}
		}
		if op.RequestBody != nil {
			want["400"], want["415"], want["422"] = true, true, true
		}
		want["422"] = want["422"] || len(op.params) > 0
		want["412"] = op.takes("If-Match")
		want["404"] = len(op.paramsIn(openapi3.ParameterInPath)) > 0 || namesAnother(op.OperationID)
		_, want["409"] = conflicts()[op.OperationID]
		want["503"] = want["503"] || op.OperationID == "getReadiness" // it says whether the database is there
		maps.DeleteFunc(want, func(_ string, declared bool) bool { return !declared })
		declared := slices.DeleteFunc(slices.Collect(maps.Keys(op.Responses.Map())), func(status string) bool { return status[0] == '2' })
		require.ElementsMatch(t, slices.Collect(maps.Keys(want)), declared, op.OperationID)
	}
}

// namesAnother tells whether the operation's body names an object that there must be.
func namesAnother(operation string) bool {
	return operation == "createNotificationPreference" || operation == "addReleaseVersion"
}

// TestWhatIsNotThereIs404 names objects that never were: in paths and in bodies.
func TestWhatIsNotThereIs404(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tried := 0
	for _, op := range operations(w.document) {
		base := w.base(t, op)
		var missing []given
		for name := range base.path {
			nobody := base.with(name + " of nobody")
			nobody.path[name] = uuid.NewString()
			missing = append(missing, nobody)
		}
		for _, name := range []string{"channel_id", "version_id"} {
			if body, ok := base.body.(map[string]any); ok && body[name] != nil {
				require.True(t, namesAnother(op.OperationID), op.OperationID)
				nobody := base.with(name + " of nobody")
				nobody.body.(map[string]any)[name] = uuid.NewString()
				missing = append(missing, nobody)
			}
		}
		before := w.snapshot(t)
		for _, nobody := range missing {
			tried++
			answer := w.send(t, op, nobody)
			require.Equal(t, http.StatusNotFound, answer.Status, "%s\n%s", nobody.show(op), answer.Body)
			require.JSONEq(t, `{"detail":"Not found"}`, string(answer.Body))
		}
		require.Equal(t, before, w.snapshot(t), "nothing is written")
	}
	require.NotZero(t, tried)
}

// conflicts bring each operation that declares 409 into one: they change what is there, or what is asked for.
func conflicts() map[string]func(*testing.T, *world, *given) {
	taken := func(path string) func(*testing.T, *world, *given) {
		return func(t *testing.T, w *world, g *given) {
			t.Helper()
			name := w.name()
			w.create(t, path, map[string]any{"name": name})
			g.body.(map[string]any)["name"] = name
		}
	}
	closedRelease := func(t *testing.T, w *world, g *given) {
		t.Helper()
		w.as(t, http.MethodPatch, "/releases/"+g.path["id"], `{"status":"cancelled"}`)
	}
	otherCommit := func(t *testing.T, w *world, g *given) {
		t.Helper()
		body := clone(g.body).(map[string]any)
		w.api.PostEvent(t, "/build-events/", map[string]any{"product_name": body["product_name"], "version": body["version"], "scm_sha": "abcdef1"})
	}
	return map[string]func(*testing.T, *world, *given){
		"createProduct": taken("/products/"), "updateProduct": taken("/products/"),
		"createEnvironment": taken("/environments/"), "updateEnvironment": taken("/environments/"),
		"createBuildEvent": otherCommit, "createVersionEvent": otherCommit,
		"addReleaseVersion": closedRelease, "removeReleaseVersion": closedRelease,
		"rotateAPIKey": func(t *testing.T, w *world, g *given) {
			t.Helper()
			w.as(t, http.MethodDelete, "/api-keys/"+g.path["id"], "")
		},
		"redeliverNotification": func(t *testing.T, w *world, _ *given) {
			t.Helper()
			for _, channel := range w.list(t, "/notification-channels/") {
				w.as(t, http.MethodDelete, "/notification-channels/"+channel["id"].(string), "")
			}
		},
		"updateUser": func(t *testing.T, w *world, g *given) {
			t.Helper()
			for _, user := range w.list(t, "/users/") {
				if user["name"] == "admin" { // who is asking
					g.path["id"] = user["id"].(string)
				}
			}
		},
	}
}

// TestConflictsAreToldAndChangeNothing provokes every 409 that is declared.
func TestConflictsAreToldAndChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, op := range operations(w.document) {
		provoke, can := conflicts()[op.OperationID]
		if !can {
			require.Nil(t, op.Responses.Status(http.StatusConflict), "%s: how does it come to a conflict?", op.OperationID)
			continue
		}
		g := w.base(t, op)
		provoke(t, w, &g)
		before := w.snapshot(t)
		answer := w.send(t, op, g)
		require.Equal(t, http.StatusConflict, answer.Status, "%s\n%s", g.show(op), answer.Body)
		require.NotEmpty(t, detailOf(t, answer))
		require.Equal(t, before, w.snapshot(t), "%s writes nothing", op.OperationID)
	}
}

func detailOf(t *testing.T, answer testapi.Answer) string {
	t.Helper()
	detail, ok := answer.Field(t, "detail").(string)
	require.True(t, ok, "a sentence: %s", answer.Body)
	return detail
}
