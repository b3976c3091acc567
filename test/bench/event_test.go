package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	d := newTenant("acme", "").deploy(3, 3, 16_421_337_843)
	body := d.appendEvent(nil, "started", time.Date(2026, 11, 23, 12, 0, 0, 5_000_000, time.UTC))
	require.InDelta(t, 900, len(body), 50, "as long as those in the field")
	var event map[string]any
	require.NoError(t, json.Unmarshal(body, &event), string(body))
	metadata, isObject := event["extra_metadata"].(map[string]any)
	require.True(t, isObject)
	require.Len(t, metadata, 10)
	require.Equal(t, "1", metadata["vi_gh_run_attempt"])
	require.Equal(t, "started", event["status"])
	require.Equal(t, "production", event["environment_name"])
	require.Equal(t, "16421337843", event["invoke_id"])
	require.Equal(t, "2026-11-23T12:00:00.005Z", event["completed_at"])
	require.Regexp(t, `^[0-9a-f]{40}$`, event["scm_sha"])
	for _, name := range []string{
		"product_name", "version", "source_system", "build_number", "scm_branch", "scm_repository", "deploy_url", "deployed_by", "deployed_by_email", "deployed_by_name",
	} {
		require.NotEmpty(t, event[name], name)
	}
}

func TestVersionChangesEveryTwentyDeploymentsOfAProduct(t *testing.T) {
	t.Parallel()
	acme := newTenant("acme", "")
	const changes = 5
	var versions []int64
	for range changes * eventsOfVersion {
		versions = append(versions, acme.deploy(7, 0, 1).version)
	}
	seen := map[int64]int{}
	for _, version := range versions {
		seen[version]++
	}
	require.Len(t, seen, changes+1, "the first and the last one are partly used")
	for version := versions[0] + 1; version < versions[len(versions)-1]; version++ {
		require.Equal(t, eventsOfVersion, seen[version])
	}
}

func TestSeedStreamsDeployEveryPairOnce(t *testing.T) {
	t.Parallel()
	tenants := []*tenant{newTenant("a", ""), newTenant("b", "")}
	type pair struct {
		slug                 string
		product, environment int
	}
	seen := map[pair]int{}
	for _, s := range seedStreams(3, tenants, newRunIDs()) {
		for {
			d, ok := s.next()
			if !ok {
				break
			}
			seen[pair{d.tenant.slug, d.product, d.environment}]++
		}
	}
	require.Len(t, seen, 2*pairs)
	for p, count := range seen {
		require.Equal(t, 1, count, p)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, s *stream) (status, runID string) {
		t.Helper()
		text, ok := s.request(time.Now())
		require.True(t, ok)
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, "/deployment-events/", request.URL.Path)
		require.Equal(t, "127.0.0.1:80", request.Host)
		require.Equal(t, "Bearer sk_a_k1_x", request.Header.Get("Authorization"))
		body, err := io.ReadAll(request.Body)
		require.NoError(t, err)
		var event struct {
			Status   string `json:"status"`
			InvokeID string `json:"invoke_id"`
		}
		require.NoError(t, json.Unmarshal(body, &event))
		return event.Status, event.InvokeID
	}
	acme := newTenant("acme", "")
	acme.useKey("127.0.0.1:80", "sk_a_k1_x")

	t.Run("EndReportsCompletedDeployments", func(t *testing.T) {
		t.Parallel()
		s := randomStreams(1, []*tenant{acme}, mixEnd, newRunIDs())[0]
		first, firstRun := read(t, s)
		second, secondRun := read(t, s)
		require.Equal(t, []string{"completed", "completed"}, []string{first, second})
		require.NotEqual(t, firstRun, secondRun)
	})
	t.Run("PairReportsTheStartAndTheEndOfARun", func(t *testing.T) {
		t.Parallel()
		s := randomStreams(1, []*tenant{acme}, mixPair, newRunIDs())[0]
		var statuses, runs []string
		for range 4 {
			status, runID := read(t, s)
			statuses, runs = append(statuses, status), append(runs, runID)
		}
		require.Equal(t, []string{"started", "completed", "started", "completed"}, statuses)
		require.Equal(t, runs[0], runs[1])
		require.Equal(t, runs[2], runs[3])
		require.NotEqual(t, runs[0], runs[2])
	})
}
