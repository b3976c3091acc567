package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

// requireRecordedOnce sends aDeployment with the key k again, an hour later, when its body alone would make it a redeployment:
// there is one deployment, whatever happened to the first request. It returns the first of the answers.
func requireRecordedOnce(t *testing.T, api *testapi.API, clock *testClock) testapi.Answer {
	t.Helper()
	clock.advance(time.Hour)
	answer := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	replay := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
	require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"))
	require.Equal(t, string(answer.Body), string(replay.Body))
	require.Equal(t, 1, api.Count(t, "deployments"))
	require.Equal(t, 1, api.Count(t, "events WHERE status = 'completed'"))
	return answer
}

// TestEventsWithAnIdempotencyKey: an event with a key is recorded once, whatever happens to its request.
func TestEventsWithAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	started := strings.Replace(aDeployment, "completed", "started", 1)
	newAPI := func(t *testing.T, options ...testapi.Option) (*testapi.API, *testClock) {
		t.Helper()
		clock := newTestClock()
		return testapi.New(t, append(options, testapi.WithClock(clock.Now))...), clock
	}

	t.Run("WhenTheClientDisconnects", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, started).Status)
		unlock := lock(t, api, "SELECT FROM environment_state FOR UPDATE") // blocks the event
		ctx, disconnect := context.WithCancel(t.Context())
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte(aDeployment)).WithContext(ctx)
		request.Header.Set("Authorization", "Bearer "+api.Key)
		request.Header.Set("Idempotency-Key", "k")
		disconnected := make(chan error)
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			disconnected <- err
		}()
		waitForBlocked(t, api)
		disconnect()
		require.ErrorIs(t, <-disconnected, context.Canceled)
		unlock()
		requireRecordedOnce(t, api, clock)
	})

	t.Run("WhenItsConnectionToTheDatabaseIsTerminated", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, started).Status)
		unlock := lock(t, api, "SELECT FROM environment_state FOR UPDATE")
		var answer testapi.Answer
		var group sync.WaitGroup
		group.Go(func() { answer = postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment) })
		waitForBlocked(t, api)
		api.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		unlock()
		group.Wait()
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
		require.Equal(t, string(answer.Body), string(requireRecordedOnce(t, api, clock).Body))
	})

	t.Run("WhenTheAnswerToTheCommitIsLost", func(t *testing.T) {
		t.Parallel()
		proxy := newLossyProxy(t, testdb.New(t), `(stmtcache_[0-9a-f]+)\x00-- name: InsertEvents`)
		api, clock := newAPI(t, testapi.WithDatabase(proxy.dsn))
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, deploymentEvents, "another", started).Status)
		proxy.loseNext()
		answer := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, 1, proxy.lost())
		require.Equal(t, string(answer.Body), string(requireRecordedOnce(t, api, clock).Body))
	})

	t.Run("WhenTheServerIsKilledAfterTheCommit", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		first := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
		require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
		another := testapi.New(t, testapi.WithDatabase(api.DSN), testapi.WithClock(clock.Now)) // shares nothing but the database
		require.Equal(t, string(first.Body), string(requireRecordedOnce(t, another, clock).Body))
	})

	t.Run("WhenTheServerIsKilledBeforeTheCommit", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, started).Status)
		api.Exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full' USING ERRCODE = 'P0001'; END $$;
			CREATE TRIGGER fail BEFORE INSERT ON event_fingerprints FOR EACH ROW EXECUTE FUNCTION fail()`) // the last write
		require.Equal(t, http.StatusInternalServerError, postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment).Status)
		require.Zero(t, api.Count(t, "events WHERE status = 'completed'"))
		require.Zero(t, api.Count(t, "deployments WHERE status = 'completed'"))
		api.Exec(t, "DROP TRIGGER fail ON event_fingerprints")
		requireRecordedOnce(t, api, clock)
	})

	t.Run("WhileTheDatabaseIsReadOnly", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		failStatements(t, api, "INSERT ON event_fingerprints")
		answer := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, string(answer.Body), string(requireRecordedOnce(t, api, clock).Body))
	})

	t.Run("WaitsForTheDatabaseNoLongerThanOthers", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		unlock := lock(t, api, "LOCK TABLE events, event_fingerprints")
		var withKey, without time.Time
		var group sync.WaitGroup
		group.Go(func() {
			require.Equal(t, http.StatusServiceUnavailable, postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment).Status)
			withKey = time.Now()
		})
		group.Go(func() {
			for range 2 {
				require.Equal(t, http.StatusServiceUnavailable, api.Post(t, deploymentEvents, sent("product_name", `"other"`)).Status)
			}
			without = time.Now()
		})
		group.Wait()
		require.True(t, withKey.Before(without), "one event with a key waits less than two without")
		unlock()
		begin := time.Now()
		answer := requireRecordedOnce(t, api, clock)
		require.Empty(t, answer.Header.Get("Idempotent-Replayed"), "nothing was recorded before")
		require.Less(t, time.Since(begin), 5*time.Second, "no lock of the first request has to expire")
	})

	t.Run("InParallel", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		var replayed, refused int
		var mu sync.Mutex
		var group sync.WaitGroup
		ids := make(map[any]bool)
		for i := range 64 {
			group.Go(func() {
				key, body := "k", aDeployment
				if i%2 == 1 { // and another one, with either of two bodies
					key, body = "two bodies", sent("product_name", `"q"`)
					if i%4 == 1 {
						body = sent("product_name", `"r"`)
					}
				}
				answer := postWithKey(t, api, api.Key, deploymentEvents, key, body)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case answer.Status == http.StatusUnprocessableEntity && key != "k":
					refused++
				case answer.Status != http.StatusOK:
					t.Errorf("%d: %s", answer.Status, answer.Body)
				default:
					ids[answer.Field(t, "id")] = true
					if answer.Header.Get("Idempotent-Replayed") == "true" {
						replayed++
					}
				}
			})
		}
		group.Wait()
		require.Len(t, ids, 2)
		require.Equal(t, 16, refused, "the body that came second")
		require.Equal(t, 64-16-2, replayed)
		require.Equal(t, 2, api.Count(t, "deployments"))
		require.Equal(t, 2, api.Count(t, "events"))
		require.Equal(t, 2, api.Count(t, "products"), "p, and either q or r")
		clock.advance(time.Hour)
		require.Equal(t, "true", postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment).Header.Get("Idempotent-Replayed"))
	})

	t.Run("OfBuilds", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		const build = `{"product_name":"p","version":"1"}`
		recorded := postWithKey(t, api, api.Key, builds, "k", build)
		require.Equal(t, http.StatusOK, recorded.Status, "%s", recorded.Body)
		clock.advance(time.Hour)
		for _, path := range []string{builds, "/version-events/"} {
			replay := postWithKey(t, api, api.Key, path, "k", build)
			require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"), path)
			require.Equal(t, string(recorded.Body), string(replay.Body), path)
		}
		require.Equal(t, 1, api.Count(t, "builds"))
		deployed := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
		require.Equal(t, http.StatusOK, deployed.Status, "a key belongs to an operation")
		require.Empty(t, deployed.Header.Get("Idempotent-Replayed"))
	})

	t.Run("AnswersWithTheRecordAsItIsNow", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		begun := postWithKey(t, api, api.Key, deploymentEvents, "start", started)
		clock.advance(time.Minute)
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, deploymentEvents, "end", aDeployment).Status)
		replay := postWithKey(t, api, api.Key, deploymentEvents, "start", started)
		require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"), "without the key it would be another deployment")
		require.Equal(t, begun.Field(t, "id"), replay.Field(t, "id"))
		require.Equal(t, begun.Field(t, "event_id"), replay.Field(t, "event_id"))
		require.Equal(t, "completed", replay.Field(t, "status"))
		require.Equal(t, 2, api.Count(t, "events"))
	})

	t.Run("AreRefusedWithAnotherBody", func(t *testing.T) {
		t.Parallel()
		api, _ := newAPI(t)
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment).Status)
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, builds, "k", `{"product_name":"p","version":"1"}`).Status)
		tables := []string{"products", "product_names", "environments", "environment_names", "environment_state", "versions", "deployments", "builds", "events", "event_fingerprints"}
		before := make(map[string]int)
		for _, table := range tables {
			before[table] = api.Count(t, table)
		}
		for _, request := range []struct{ path, body string }{
			{deploymentEvents, sent("status", `"started"`)},
			{deploymentEvents, sent("version", `"2"`)},
			{deploymentEvents, sent("product_name", `"new"`)},
			{deploymentEvents, sent("environment_name", `"new"`)},
			{deploymentEvents, aDeployment + " "},
			{builds, `{"product_name":"new","version":"1"}`},
			{"/version-events/", `{"product_name":"p","version":"new"}`},
		} {
			answer := postWithKey(t, api, api.Key, request.path, "k", request.body)
			require.Equal(t, []string{`["header","Idempotency-Key"]`}, locs(t, answer), request.body)
		}
		for _, table := range tables {
			require.Equal(t, before[table], api.Count(t, table), table)
		}
	})

	t.Run("BelongToAnAccount", func(t *testing.T) {
		t.Parallel()
		api, _ := newAPI(t)
		theirs := api.NewKey(t, "other")
		for _, key := range []string{api.Key, theirs} {
			answer := postWithKey(t, api, key, deploymentEvents, "k", aDeployment)
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
		}
		mine := api.NewKey(t, testapi.Account) // such as after a rotation
		require.Equal(t, "true", postWithKey(t, api, mine, deploymentEvents, "k", aDeployment).Header.Get("Idempotent-Replayed"))
		require.Equal(t, 2, api.Count(t, "deployments"))
	})

	t.Run("AreGoodForADay", func(t *testing.T) {
		t.Parallel()
		api, clock := newAPI(t)
		first := postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment)
		require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
		without := api.Post(t, deploymentEvents, sent("product_name", `"q"`))
		clock.advance(4 * time.Minute)
		require.NotEqual(t, without.Field(t, "id"), api.Post(t, deploymentEvents, sent("product_name", `"q"`)).Field(t, "id"), "a body is not")
		clock.advance(23*time.Hour + 55*time.Minute)
		require.Equal(t, string(first.Body), string(postWithKey(t, api, api.Key, deploymentEvents, "k", aDeployment).Body))
		require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, api.Key, deploymentEvents, "k", sent("version", `"2"`)).Status)
		clock.advance(time.Minute)
		answer := postWithKey(t, api, api.Key, deploymentEvents, "k", sent("version", `"2"`))
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
		require.Equal(t, "2", answer.Field(t, "version"))
	})

	t.Run("OfRepeats", func(t *testing.T) {
		t.Parallel()
		for name, event := range map[string]struct{ path, body string }{
			"Terminal": {deploymentEvents, aDeployment}, "Started": {deploymentEvents, started}, "Build": {builds, `{"product_name":"p","version":"1"}`},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				api, clock := newAPI(t)
				first := api.Post(t, event.path, event.body)
				repeat := postWithKey(t, api, api.Key, event.path, "k", event.body)
				require.Equal(t, string(first.Body), string(repeat.Body))
				require.Empty(t, repeat.Header.Get("Idempotent-Replayed"), "the key is new")
				require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, strings.Replace(started, "started", "failed", 1)).Status)
				clock.advance(time.Hour) // the body alone would be another record
				replay := postWithKey(t, api, api.Key, event.path, "k", event.body)
				require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"))
				require.Equal(t, first.Field(t, "id"), replay.Field(t, "id"))
				require.Equal(t, first.Field(t, "event_id"), replay.Field(t, "event_id"))
				require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, api.Key, event.path, "k", event.body+" ").Status)
			})
		}
	})

	t.Run("AreFreeAfterARefusal", func(t *testing.T) {
		t.Parallel()
		api, _ := newAPI(t)
		require.Equal(t, http.StatusOK, api.Post(t, builds, `{"product_name":"p","version":"1","scm_sha":"abcdef1"}`).Status)
		require.Equal(t, http.StatusConflict, postWithKey(t, api, api.Key, builds, "k", `{"product_name":"p","version":"1","scm_sha":"1234567"}`).Status)
		require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, api.Key, builds, "k", `{"product_name":"p","version":""}`).Status)
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, builds, "k", `{"product_name":"p","version":"2","scm_sha":"1234567"}`).Status)
	})
}
