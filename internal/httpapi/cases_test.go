package httpapi_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/testapi"
)

// runCase is a sequence of events of a pair, and the state afterwards.
type runCase struct {
	Name   string `yaml:"name"`
	Events []struct {
		Version string            `yaml:"v"`
		Status  string            `yaml:"status"`
		Run     string            `yaml:"run"`
		At      float64           `yaml:"at"`
		End     *float64          `yaml:"end"`
		Meta    map[string]string `yaml:"meta"`
	} `yaml:"events"`
	ReadAt *float64       `yaml:"read_at"`
	Expect map[string]any `yaml:"expect"`
}

// TestRunCases replays the cases of internal/ingest/testdata/runs.yaml over HTTP. The pure rules have the same test.
func TestRunCases(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../ingest/testdata/runs.yaml")
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var cases []runCase
	require.NoError(t, decoder.Decode(&cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, c.Events)
			require.NotEmpty(t, c.Expect)
			clock := newTestClock()
			api := testapi.New(t, testapi.WithClock(clock.Now))
			c.send(t, api, clock)
			for key, want := range c.Expect {
				require.Equal(t, want, c.read(t, api, key), key)
			}
			for _, one := range items(t, api.As(t, "viewer", "GET", "/deployments/", "")) {
				if one["started_at"] != nil && one["completed_at"] != nil {
					require.False(t, timeOf(t, one["completed_at"]).Before(timeOf(t, one["started_at"])), "no negative duration")
				}
			}
		})
	}
}

func (c runCase) send(t *testing.T, api *testapi.API, clock *testClock) {
	t.Helper()
	seconds := func(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }
	begin := clock.Now()
	for _, e := range c.Events {
		now := clock.advance(time.Millisecond)
		if at := begin.Add(seconds(e.At)); at.After(now) {
			now = at
			clock.set(now)
		}
		event := map[string]any{"product_name": "shop", "environment_name": "production", "version": e.Version, "status": e.Status}
		if e.Run != "" {
			event["invoke_id"] = e.Run
		}
		if e.End != nil {
			event["completed_at"] = now.Add(seconds(*e.End)).Format(time.RFC3339Nano)
		}
		if e.Meta != nil {
			event["extra_metadata"] = e.Meta
		}
		api.PostEvent(t, deploymentEvents, event)
	}
	if c.ReadAt != nil {
		clock.set(begin.Add(seconds(*c.ReadAt)))
	}
}

// read returns what the API answers for an expectation.
func (c runCase) read(t *testing.T, api *testapi.API, key string) any {
	t.Helper()
	state := func(member string) any {
		rows := items(t, api.As(t, "viewer", "GET", "/environment-state/", ""))
		require.Len(t, rows, 1)
		require.Contains(t, rows[0], member)
		return rows[0][member]
	}
	switch key {
	case "live":
		return state("version")
	case "running":
		return state("in_progress_version")
	case "versions_behind":
		count, ok := state("versions_behind").(float64)
		require.True(t, ok)
		return int(count)
	case "statuses": // by creation
		all := items(t, api.As(t, "viewer", "GET", "/deployments/", ""))
		slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
		return statusesOf(all)
	case "statuses_by_occurred":
		all := items(t, api.As(t, "viewer", "GET", "/deployments/", ""))
		slices.Reverse(all) // the list is newest first
		require.True(t, slices.IsSortedFunc(all, func(a, b map[string]any) int {
			return timeOf(t, a["occurred_at"]).Compare(timeOf(t, b["occurred_at"]))
		}))
		return statusesOf(all)
	default:
		require.Fail(t, "unknown expectation", key)
		return nil
	}
}

func statusesOf(deployments []map[string]any) []any {
	statuses := make([]any, len(deployments))
	for i, one := range deployments {
		statuses[i] = one["status"]
	}
	return statuses
}

// timeOf parses a timestamp of an answer.
func timeOf(t *testing.T, value any) time.Time {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var parsed time.Time
	require.NoError(t, json.Unmarshal(text, &parsed))
	return parsed
}
