package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestEventLog records events with every effect and reads them back: of deployments and of builds, by the same rules.
func TestEventLog(t *testing.T) {
	t.Parallel()
	for kind, paths := range map[string]struct{ post, list string }{
		"Deployments": {deploymentEvents, "/deployments/"},
		"Builds":      {builds, "/builds/"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			clock := newTestClock()
			api := testapi.New(t, testapi.WithClock(clock.Now))
			type logged struct {
				ID         string          `json:"id"`
				ReceivedAt time.Time       `json:"received_at"`
				Status     string          `json:"status"`
				Effect     string          `json:"effect"`
				Body       json.RawMessage `json:"body"`
			}
			var want []logged // oldest first
			var subject string
			post := func(status, canonical, effect, members string) testapi.Answer {
				at := clock.advance(time.Second)
				body := fmt.Sprintf(`{"product_name": "p", "version": "1", "environment_name": "e", "invoke_id": "7", "status": %q, %s}`, status, members)
				answer := api.Post(t, paths.post, body)
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
				id := answer.Field(t, "id").(string)
				if subject == "" {
					subject = id
				}
				if id == subject && effect != "" {
					want = append(want, logged{ID: answer.Field(t, "event_id").(string), ReceivedAt: at, Status: canonical, Effect: effect, Body: json.RawMessage(body)})
				}
				return answer
			}
			const attempt1, attempt2 = `"extra_metadata": {"vi_gh_run_attempt": 1}`, `"extra_metadata": {"vi_gh_run_attempt": 2}`
			post("queued", "pending", "created", `"zzz": 1.50, `+attempt1)
			post("deploying", "started", "progressed", `"unknown": {"b": 1, "a": [null]}, `+attempt1)
			post("deploying", "started", "", attempt1) // a repeat
			post("scheduled", "pending", "", attempt1) // another one: it has seen both
			post("error", "failed", "terminated", attempt1)
			rerun := post("started", "started", "created", attempt2)
			require.NotEqual(t, subject, rerun.Field(t, "id"), "another attempt")
			late := post("success", "completed", "conflicting", attempt1)
			require.Equal(t, subject, late.Field(t, "id"))
			require.Equal(t, "failed", late.Field(t, "status"), "it changes nothing")

			get := func(path string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, path, "") }
			page := func(query string) (got []logged, next string) {
				answer := get(paths.list + subject + "/events" + query)
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
				var list struct {
					Items []logged `json:"items"`
				}
				require.NoError(t, json.Unmarshal(answer.Body, &list))
				return list.Items, nextCursor(t, answer)
			}
			all, next := page("")
			require.Empty(t, next)
			require.Len(t, all, len(want))
			for i, got := range all {
				expected := want[len(want)-1-i]
				require.Equal(t, compact(t, expected.Body), string(got.Body), "as received, but for white space")
				got.Body, expected.Body = nil, nil
				require.Equal(t, expected, got, "newest first")
			}
			first, next := page("?limit=3")
			require.Equal(t, all[:3], first)
			require.NotEmpty(t, next)
			second, next := page("?limit=3&cursor=" + next)
			require.Equal(t, all[3:], second)
			require.Empty(t, next)

			rerunLog := items(t, get(paths.list+rerun.Field(t, "id").(string)+"/events"))
			require.Len(t, rerunLog, 1)
			require.Equal(t, rerun.Field(t, "event_id"), rerunLog[0]["id"])

			// A start that arrives after the end of its run.
			ended := api.Post(t, paths.post, `{"product_name":"p","version":"2","environment_name":"e","invoke_id":"8","status":"completed"}`)
			clock.advance(time.Second)
			started := api.Post(t, paths.post, `{"product_name":"p","version":"2","environment_name":"e","invoke_id":"8","status":"started"}`)
			require.Equal(t, ended.Field(t, "id"), started.Field(t, "id"))
			log := items(t, get(paths.list+ended.Field(t, "id").(string)+"/events"))
			require.Len(t, log, 2)
			require.Equal(t, []any{"out_of_order", "created"}, []any{log[0]["effect"], log[1]["effect"]})
			require.Equal(t, []any{"started", "completed"}, []any{log[0]["status"], log[1]["status"]})

			t.Run("IsRefused", func(t *testing.T) {
				log := paths.list + subject + "/events"
				require.Equal(t, http.StatusNotFound, get(paths.list+"01a208e8-3986-7451-9ae9-d54509e2ff24/events").Status)
				require.Equal(t, http.StatusNotFound, get(paths.list+want[0].ID+"/events").Status, "an event is no record")
				require.Equal(t, []string{`["path","id"]`}, locs(t, get(paths.list+"x/events")))
				require.Equal(t, []string{`["query","status"]`}, locs(t, get(log+"?status=failed")))
				_, cursor := page("?limit=1")
				require.Equal(t, []string{`["query","cursor"]`}, locs(t, get(paths.list+rerun.Field(t, "id").(string)+"/events?cursor="+cursor)), "a cursor of another record")
				request := api.Request(t, http.MethodGet, log, nil)
				request.Header.Set("Authorization", "Bearer "+api.Token(t, "other", "admin"))
				require.Equal(t, http.StatusNotFound, api.Do(t, request).Status, "another account's")
				request.Header.Set("Authorization", "Bearer "+api.Key)
				require.Equal(t, http.StatusForbidden, api.Do(t, request).Status, "an API key reads nothing")
				product := "/products/" + rerun.Field(t, "product_id").(string)
				require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, product, "").Status)
				require.Equal(t, http.StatusNotFound, get(log).Status, "a deleted product's")
				require.Equal(t, len(want)+3, api.Count(t, "events"), "the log keeps them")
			})
		})
	}
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var compacted bytes.Buffer
	require.NoError(t, json.Compact(&compacted, text))
	return compacted.String()
}
