package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	versioner "github.com/versioner-io/versioner/clients/go"
	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	deploymentEvents = "/deployment-events/"
	builds           = "/build-events/"
)

// deployment is an event of a CI run, changed by what a test is about.
func deployment(changes map[string]any) map[string]any {
	event := map[string]any{
		"product_name": "checkout", "version": "1.4.2", "environment_name": "production", "status": "started", "invoke_id": "run-1",
	}
	maps.Copy(event, changes)
	maps.DeleteFunc(event, func(_ string, value any) bool { return value == nil })
	return event
}

func TestDeploymentEvent(t *testing.T) {
	t.Parallel()

	t.Run("AnswersWithTheUnionThatClientsRead", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		answer := api.PostEvent(t, deploymentEvents, deployment(map[string]any{
			"status": "Succeeded ", "source_system": "github", "build_number": "17", "scm_sha": "abc1234", "scm_branch": "origin/main",
			"scm_repository": "github.com/acme/checkout", "deploy_url": "vstfs:///Build/Build/7", "deployed_by": "mona",
			"deployed_by_email": "mona@example.com", "deployed_by_name": "Mona", "completed_at": "2026-11-21T18:00:00+02:00",
			"skip_preflight_checks": true, "unknown": map[string]any{"kept": true},
			"extra_metadata": map[string]any{"vi_gh_run_attempt": "2", "preflight_status": "passed", "big": json.Number("12345678901234567890")},
		}))
		var got map[string]any
		require.NoError(t, json.Unmarshal(answer.Body, &got))
		require.Equal(t, got["id"], got["deployment_id"])
		for _, name := range []string{"event_id", "product_id", "version_id", "environment_id", "created_at"} {
			require.NotEmpty(t, got[name], name)
		}
		for name, want := range map[string]any{
			"product_name": "checkout", "version": "1.4.2", "environment_name": "production", "status": "completed", "invoke_id": "run-1",
			"source_system": "github", "build_number": "17", "scm_sha": "abc1234", "scm_branch": "origin/main",
			"scm_repository": "github.com/acme/checkout", "deploy_url": "vstfs:///Build/Build/7", "deployed_by": "mona",
			"deployed_by_email": "mona@example.com", "deployed_by_name": "Mona",
			"completed_at": "2026-11-21T16:00:00Z", "deployed_at": "2026-11-21T16:00:00Z", "started_at": nil, "soak_time_hours": nil,
		} {
			require.Equal(t, want, got[name], name)
		}
		require.NotContains(t, string(answer.Body), "preflight_status")
		require.Contains(t, string(answer.Body), "12345678901234567890")
	})

	t.Run("KeepsTheBodyAsReceived", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		body := `{ "status":"done?", "product_name":"p","version":"1",  "environment_name":"e","zzz":1.50 }`
		require.Equal(t, http.StatusUnprocessableEntity, api.Post(t, deploymentEvents, body).Status)
		body = `{ "status":"completed", "product_name":"p","version":"1",  "environment_name":"e","zzz":1.50 }`
		require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, body).Status)
		var kept string
		api.Scan(t, "SELECT body::text FROM events", &kept)
		require.Equal(t, body, kept)
	})

	t.Run("AcceptsTheOldNamesOfFields", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		old := deployment(map[string]any{"environment_name": nil, "environment": "qa-smoke", "build_url": "https://ci.example.com/7"})
		answer := api.PostEvent(t, deploymentEvents, old)
		require.Equal(t, "qa-smoke", answer.Field(t, "environment_name"))
		require.Equal(t, "https://ci.example.com/7", answer.Field(t, "deploy_url"))

		null := api.Post(t, deploymentEvents, `{"product_name":"p","version":"1","environment_name":null,"environment":"x","status":"completed"}`)
		require.Equal(t, http.StatusOK, null.Status, "%s", null.Body)

		both := deployment(map[string]any{"environment": "no", "deploy_url": "https://new.example.com", "build_url": "https://old.example.com"})
		answer = api.PostEvent(t, deploymentEvents, both)
		require.Equal(t, "production", answer.Field(t, "environment_name"))
		require.Equal(t, "https://new.example.com", answer.Field(t, "deploy_url"))
	})

	t.Run("TakesEmptyAndNullForAbsent", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		build := api.Post(t, builds, `{"product_name":"p","version":"1","status":"","started_at":"","completed_at":"","scm_sha":""}`)
		require.Equal(t, "completed", build.Field(t, "status"), "%s", build.Body)
		long := api.Post(t, deploymentEvents, sent("product_name", `"`+strings.Repeat(" ", 10)+strings.Repeat("x", 255)+`\n"`))
		require.Equal(t, http.StatusOK, long.Status, "a name is measured without the white space around it")
		answer := api.Post(t, deploymentEvents, `{"product_name":" p ","version":"1","environment_name":"e","status":"started",
			"scm_sha":"","invoke_id":null,"completed_at":"","extra_metadata":null,"deploy_url":"  ","skip_preflight_checks":null}`)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, "p", answer.Field(t, "product_name"))
		for _, name := range []string{"scm_sha", "invoke_id", "completed_at", "deploy_url"} {
			require.Nil(t, answer.Field(t, name), name)
		}
	})

	t.Run("IgnoresCompletedAtUntilItEnds", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		answer := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"completed_at": "2020-01-01T00:00:00Z"}))
		require.Nil(t, answer.Field(t, "completed_at"))
		require.NotNil(t, answer.Field(t, "started_at"))
		require.Equal(t, answer.Field(t, "started_at"), answer.Field(t, "deployed_at"))
	})

	t.Run("MergesMetadata", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"extra_metadata": map[string]any{"a": 1, "b": 1}}))
		answer := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed", "extra_metadata": map[string]any{"b": 2}}))
		require.Equal(t, map[string]any{"a": 1.0, "b": 2.0}, answer.Field(t, "extra_metadata"))
	})

	t.Run("ReturnsTheSoakTimeOfTheVersion", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for environment, hours := range map[string]int{"dev": 50, "qa": 30} {
			api.PostEvent(t, deploymentEvents, deployment(map[string]any{
				"environment_name": environment, "status": "completed", "completed_at": time.Now().Add(-time.Duration(hours) * time.Hour),
			}))
		}
		answer := api.PostEvent(t, deploymentEvents, deployment(nil))
		require.InDelta(t, 30, answer.Field(t, "soak_time_hours"), 0.1, "counted from the nearest lower type")
		answer = api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "dev", "invoke_id": "run-2"}))
		require.Nil(t, answer.Field(t, "soak_time_hours"))
	})

	t.Run("WorksThroughTheGeneratedClient", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		response, err := api.Client(t, api.Key).CreateDeploymentEvent(t.Context(), nil, versioner.DeploymentEvent{
			ProductName: "checkout", Version: "1", EnvironmentName: new("production"), Status: "completed",
		})
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		var recorded versioner.RecordedDeployment
		require.NoError(t, json.NewDecoder(response.Body).Decode(&recorded))
		require.Equal(t, versioner.StatusCompleted, recorded.Status)
	})
}

func TestIdenticalEvents(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]map[string]any{
		"WithInvokeID":    deployment(map[string]any{"status": "completed"}),
		"WithoutInvokeID": deployment(map[string]any{"status": "completed", "invoke_id": nil}),
		"Started":         deployment(nil),
	} {
		t.Run(name+"InParallelAreOne", func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			answers := make([]testapi.Answer, 64)
			var group sync.WaitGroup
			for i := range answers {
				group.Go(func() { answers[i] = api.PostEvent(t, deploymentEvents, event) })
			}
			group.Wait()
			for _, answer := range answers {
				require.Equal(t, string(answers[0].Body), string(answer.Body))
			}
			require.Equal(t, 1, api.Count(t, "deployments"))
			require.Equal(t, 1, api.Count(t, "events"))
		})
	}

	t.Run("BuildsInParallelAreOne", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		var group sync.WaitGroup
		for range 64 {
			group.Go(func() {
				api.PostEvent(t, builds, map[string]any{"product_name": "p", "version": "1", "scm_sha": "abcdef1"})
			})
		}
		group.Wait()
		require.Equal(t, 1, api.Count(t, "builds"))
		require.Equal(t, 1, api.Count(t, "events"))
		require.Equal(t, 1, api.Count(t, "products"))
		require.Equal(t, 1, api.Count(t, "versions"))
	})

	t.Run("WithoutInvokeIDAreEqualByteForByte", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		const body = `{"product_name":"p","version":"1","environment_name":"e","status":"completed","extra_metadata":{"a":1,"b":2}}`
		first := api.Post(t, deploymentEvents, body)
		require.Equal(t, string(first.Body), string(api.Post(t, deploymentEvents, body).Body))
		require.Equal(t, 1, api.Count(t, "events"))
		other := api.Post(t, deploymentEvents, strings.Replace(body, `"a":1,"b":2`, `"b":2, "a":1`, 1))
		require.NotEqual(t, first.Field(t, "id"), other.Field(t, "id"), "another body is a redeployment")
		require.Equal(t, 2, api.Count(t, "events"))
	})

	t.Run("AreRecognisedAfterALostAnswer", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		body, err := json.Marshal(deployment(map[string]any{"status": "completed", "invoke_id": nil}))
		require.NoError(t, err)
		ctx, hangUp := context.WithCancel(t.Context())
		request := api.Request(t, http.MethodPost, deploymentEvents, body).WithContext(ctx)
		request.Header.Set("Authorization", "Bearer "+api.Key)
		time.AfterFunc(5*time.Millisecond, hangUp)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
		api.Post(t, deploymentEvents, string(body))
		api.Post(t, deploymentEvents, string(body))
		require.Equal(t, 1, api.Count(t, "deployments"))
		require.Equal(t, 1, api.Count(t, "events"))
	})
}

func TestBuildEvent(t *testing.T) {
	t.Parallel()

	t.Run("AnswersAtTheOldAddressToo", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		event := map[string]any{"product_name": "p", "version": "1", "scm_sha": "abcdef1", "build_url": "https://ci/1", "built_by": "mona"}
		answer := api.PostEvent(t, "/version-events/", event)
		require.Equal(t, answer.Field(t, "id"), answer.Field(t, "build_id"))
		require.Equal(t, "completed", answer.Field(t, "status"), "the default")
		require.Equal(t, "https://ci/1", answer.Field(t, "build_url"))
		require.Equal(t, string(answer.Body), string(api.PostEvent(t, builds, event).Body))
	})

	t.Run("KeepsTheEarliestStart", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		build := func(status, startedAt string) testapi.Answer {
			return api.PostEvent(t, builds, map[string]any{"product_name": "p", "version": "1", "invoke_id": "7", "status": status, "started_at": startedAt})
		}
		build("started", "2026-11-21T10:00:00Z")
		answer := build("completed", "2026-11-21T10:05:00Z")
		require.Equal(t, "2026-11-21T10:00:00Z", answer.Field(t, "started_at"))
	})

	t.Run("RefusesAnotherCommit", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		build := func(sha string, n int) testapi.Answer {
			body, err := json.Marshal(map[string]any{"product_name": "p", "version": "1.2.3", "scm_sha": sha, "build_number": strconv.Itoa(n)})
			require.NoError(t, err)
			return api.Post(t, builds, string(body))
		}
		require.Equal(t, http.StatusOK, build("", 1).Status, "none yet")
		require.Equal(t, http.StatusOK, build("abc123", 2).Status, "fills it")
		require.Equal(t, http.StatusOK, build("ABC123def456", 3).Status, "the long one of the same")
		require.Equal(t, http.StatusOK, build("abc123d", 4).Status, "a short one of the same")
		require.Equal(t, http.StatusOK, build("", 5).Status, "without a SHA")
		refused := build("abc123e", 6)
		require.Equal(t, http.StatusConflict, refused.Status)
		require.Equal(t, "Version 1.2.3 already exists with different SHA", refused.Field(t, "detail"))
		require.Equal(t, "version_conflict", refused.Field(t, "error"))
		require.Equal(t, http.StatusOK, build("", 5).Status, "a repeat")
		require.Equal(t, 5, api.Count(t, "events"))
		require.Equal(t, http.StatusOK, build("abc123", 2).Status, "an old event sent again never conflicts")
		require.Equal(t, 6, api.Count(t, "events"), "it is a build of its own, as it is not the latest any more")
	})

	t.Run("LeavesTheCommitOfDeploymentsAlone", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		api.PostEvent(t, builds, map[string]any{"product_name": "checkout", "version": "1.4.2", "scm_sha": "aaaaaaa"})
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"scm_sha": "bbbbbbb"}))
		api.PostEvent(t, builds, map[string]any{"product_name": "checkout", "version": "1.4.2", "scm_sha": "aaaaaaa1"})
	})
}

// TestFirstMentionsInParallel has many sides mention the same new names in different orders: none may be in another's way.
func TestFirstMentionsInParallel(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	var group sync.WaitGroup
	for side := range 16 {
		group.Go(func() {
			for step := range 25 {
				at := (step + side*7) % 25
				if side%2 == 1 {
					at = 24 - at
				}
				api.PostEvent(t, deploymentEvents, map[string]any{
					"product_name": strconv.Itoa(at % 5), "environment_name": strconv.Itoa(at / 5), "version": strconv.Itoa(side % 3),
					"status": "started", "invoke_id": strconv.Itoa(side),
				})
			}
		})
	}
	group.Wait()
	require.Equal(t, 5, api.Count(t, "products"))
	require.Equal(t, 5, api.Count(t, "environments"))
	require.Equal(t, 25, api.Count(t, "environment_state"))
	require.Equal(t, 15, api.Count(t, "versions"))
	require.Equal(t, 400, api.Count(t, "deployments"))
	require.Equal(t, 400, api.Count(t, "events"))
	require.NotContains(t, api.Logs.String(), "ERROR")
}
