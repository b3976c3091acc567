package spectest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// requireEchoed wants the answer to a change to show what was sent, member by member, where it has a member of that name.
// Texts may have been trimmed, and times are kept to the microsecond.
func requireEchoed(t *testing.T, op operation, g given, answer testapi.Answer) {
	t.Helper()
	sent, ok := g.body.(map[string]any)
	if !ok || answer.Status == http.StatusNoContent {
		return
	}
	var shown map[string]any
	require.NoError(t, json.Unmarshal(answer.Body, &shown))
	for name, value := range sent {
		got, there := shown[name]
		if !there || interpreted(op, name) {
			continue
		}
		switch value := value.(type) {
		case string:
			text, _ := got.(string)
			if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
				kept, err := time.Parse(time.RFC3339Nano, text)
				require.NoError(t, err, "%s\n%s: %v", g.show(op), name, got)
				require.WithinDuration(t, at, kept, time.Microsecond, "%s: %s", op.OperationID, name)
				continue
			}
			if text != value {
				require.Equal(t, strings.TrimSpace(value), text, "%s\n%s", g.show(op), name)
			}
		case bool:
			require.Equal(t, value, got, "%s\n%s", g.show(op), name)
		case map[string]any:
			if text := marshalled(t, value); !strings.Contains(text, "null") {
				require.JSONEq(t, text, marshalled(t, got), "%s\n%s", g.show(op), name)
			}
		}
	}
}

// interpreted are members that the description lets the server read in its own way: status words, times that are believed
// for a final status alone, secrets that are masked, and filters that are written in one way.
func interpreted(op operation, name string) bool {
	return op.isEvent() && (name == "status" || name == "completed_at" || name == "started_at") || name == "config" || name == "filters" || name == "event_type"
}

func marshalled(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// requireKept reads an object that was created or changed: it is as the answer showed it, its tag included.
func (w *world) requireKept(t *testing.T, op operation, g given, answer testapi.Answer) {
	t.Helper()
	address := ""
	switch {
	case op.method == http.MethodPatch:
		address = g.target(op)
	case answer.Status == http.StatusCreated && strings.HasSuffix(op.path, "/"):
		address = op.path + answer.Field(t, "id").(string)
	default:
		return
	}
	read := w.as(t, http.MethodGet, address, "")
	var shown, kept map[string]any
	require.NoError(t, json.Unmarshal(answer.Body, &shown))
	require.NoError(t, json.Unmarshal(read.Body, &kept))
	for name := range kept {
		require.Contains(t, shown, name, op.OperationID)
		require.Equal(t, shown[name], kept[name], "%s\n%s", g.show(op), name)
	}
	require.Equal(t, answer.Header.Get("ETag"), read.Header.Get("ETag"), op.OperationID)
}
