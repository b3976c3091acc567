package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// governedServers are servers that share a database, with an API key and the token of an admin for the first one.
type governedServers struct {
	envs       [][]string
	servers    []*program
	dsn        string
	key, token string
}

func startGoverned(t *testing.T, n int, settings ...string) *governedServers {
	t.Helper()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	g := &governedServers{dsn: database.DSN()}
	for range n {
		env := environment(newDataDir(t), "DATABASE_URL="+g.dsn, "VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789",
			"VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=", "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0",
			"VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0", "VERSIONER_RATE_LIMIT_USER_PER_MINUTE=0")
		env = append(env, settings...)
		g.envs = append(g.envs, env)
		g.servers = append(g.servers, launch(t, env, "dev"))
	}
	g.key = keyPattern.FindString(g.servers[0].stdout.String())
	g.token = g.tokenOf(t, "admin")
	return g
}

// tokenOf returns a token for the first server.
func (g *governedServers) tokenOf(t *testing.T, role string) string {
	t.Helper()
	token, stderr, err := call(t, g.envs[0], "token", "--account", demoAccount, "--role", role)
	require.NoError(t, err, stderr)
	return strings.TrimSpace(token)
}

// create creates an object on the first server.
func (g *governedServers) create(t *testing.T, path string, object map[string]any) (id string) {
	t.Helper()
	return g.createAs(t, g.token, path, object)
}

func (g *governedServers) createAs(t *testing.T, token, path string, object map[string]any) (id string) {
	t.Helper()
	status, answer := postTo(g.servers[0].url+path, token, object)
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	var made struct{ ID string }
	require.NoError(t, json.Unmarshal(answer, &made))
	return made.ID
}

// setMode changes the mode of a rule on the first server.
func (g *governedServers) setMode(t *testing.T, rule, mode string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, g.servers[0].url+"/deployment-rules/"+rule, bytes.NewReader([]byte(`{"mode":"`+mode+`"}`)))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+g.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// begin reports the start of a deployment of a version to production.
func (g *governedServers) begin(server int, version string) (int, []byte) {
	return post(g.servers[server].url, g.key, map[string]any{
		"product_name": "shop", "version": version, "environment_name": "production", "status": "started", "invoke_id": "run " + version,
	})
}

// frozen is a rule that denies deployments to production for two hours from an hour ago on.
func frozen(mode string) map[string]any {
	local := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04") }
	return map[string]any{
		"name": "Freeze", "rule_type": "schedule", "mode": mode, "rollback": "enforce", "scope": map[string]any{"environments": []string{"production"}},
		"schedule": map[string]any{"timezone": "UTC", "windows": []map[string]any{
			{"name": "w", "effect": "deny", "start": local(time.Now().Add(-time.Hour)), "end": local(time.Now().Add(time.Hour))},
		}},
	}
}

// TestRuleChangesBindOnEveryServer changes a rule on one server and starts a deployment on another one at once, time after time.
// VERSIONER_TEST_RULE_CHANGES is the number of changes.
func TestRuleChangesBindOnEveryServer(t *testing.T) {
	t.Parallel()
	changes := 40
	if text := os.Getenv("VERSIONER_TEST_RULE_CHANGES"); text != "" {
		var err error
		changes, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	g := startGoverned(t, 2)
	for deadline, i := time.Now().Add(2*time.Second), 0; time.Now().Before(deadline); i++ { // until the other server has cached that there are no rules
		status, answer := g.begin(1, fmt.Sprintf("before %d", i))
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}

	rule := g.create(t, "/deployment-rules/", frozen("enabled"))
	created := time.Now()
	for i := 0; ; i++ {
		sent := time.Now()
		status, answer := g.begin(1, fmt.Sprintf("first %d", i))
		if status == http.StatusLocked {
			t.Logf("the first rule of the account binds on the other server after %v", sent.Sub(created).Round(time.Millisecond))
			break
		}
		require.Equal(t, http.StatusOK, status, "%s", answer)
		require.Less(t, sent.Sub(created), time.Second, "the first rule does not bind")
	}

	for i := range changes {
		mode, want := "report_only", http.StatusOK
		if i%2 == 1 {
			mode, want = "enabled", http.StatusLocked
		}
		g.setMode(t, rule, mode)
		status, answer := g.begin(1, strconv.Itoa(i))
		require.Equal(t, want, status, "change %d to %s does not bind: %s", i, mode, answer)
	}
	t.Logf("%d changes on one server, each of which binds the next start on the other one", changes)
	for _, server := range g.servers {
		server.stop(t)
	}
}

// TestKilledBeforeTheAnswerOfARejection kills the server after PostgreSQL has written the commit of a rejection and before it confirms it. The
// repeated request is the same attempt, with one notice.
func TestKilledBeforeTheAnswerOfARejection(t *testing.T) {
	t.Parallel()
	g := startGoverned(t, 1)
	hooks := newHooks(t)
	channel := g.create(t, "/notification-channels/", map[string]any{"name": "c", "channel_type": "webhook", "config": map[string]any{"url": hooks.url}})
	g.create(t, "/notification-preferences/", map[string]any{"channel_id": channel, "event_type": "deployment.preflight_failed", "filters": map[string]any{"products": []string{"shop"}}})
	g.create(t, "/deployment-rules/", frozen("enabled"))
	require.Eventually(t, func() bool {
		status, _ := post(g.servers[0].url, g.key, map[string]any{"product_name": "probe", "version": time.Now().String(), "environment_name": "production", "status": "started"})
		return status == http.StatusLocked
	}, 5*time.Second, 10*time.Millisecond)

	conn := g.connect(t)
	count := conn.count
	const unfinished = "SELECT count(*) FROM river_job WHERE kind = 'fan_out_events' AND state NOT IN ('completed', 'cancelled', 'discarded')"
	// Jobs that are killed are repeated after minutes.
	require.Eventually(t, func() bool { return count(unfinished) == 0 }, time.Minute, 10*time.Millisecond)
	conn.holdCommits()
	answered := make(chan int, 1)
	go func() {
		status, _ := g.begin(0, "1")
		answered <- status
	}()
	conn.awaitHeldCommit("rule_violations")
	g.kill(t)
	require.Zero(t, <-answered, "the client has an answer")
	conn.releaseCommits()
	require.Eventually(t, func() bool { return count("SELECT count(*) FROM deployment_details WHERE product_name = 'shop'") == 1 }, 20*time.Second, 10*time.Millisecond,
		"the rejection was committed")

	g.servers[0] = launch(t, g.envs[0], "dev")
	for range 2 { // clients repeat what they have no answer to
		status, answer := g.begin(0, "1")
		require.Equal(t, http.StatusLocked, status, "%s", answer)
	}
	require.Equal(t, 1, count("SELECT count(*) FROM deployment_details WHERE product_name = 'shop'"), "attempts")
	require.Equal(t, 1, count("SELECT rejections FROM deployment_details WHERE product_name = 'shop'"))
	require.Equal(t, 1, count("SELECT count(*) FROM events WHERE body ->> 'product_name' = 'shop'"))
	require.Eventually(t, func() bool {
		return count("SELECT count(*) FROM notification_deliveries WHERE status = 'delivered'") == 1 &&
			count(unfinished) == 0
	}, 3*time.Minute, 50*time.Millisecond, "the notice is not delivered")
	require.Equal(t, 1, count("SELECT count(*) FROM notification_deliveries"), "notices")
	hooks.mu.Lock()
	defer hooks.mu.Unlock()
	require.Len(t, hooks.times, 1)
	g.servers[0].stop(t)
}

// TestStartsAtOnceOnTwoServers starts deployments at once on two servers under a rule that permits one, round after round, whatever the rule
// counts. VERSIONER_TEST_START_ROUNDS is the number of rounds.
func TestStartsAtOnceOnTwoServers(t *testing.T) {
	t.Parallel()
	const starts = 50
	rounds := 3
	if text := os.Getenv("VERSIONER_TEST_START_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	g := startGoverned(t, 2)
	for _, per := range []string{"product_environment", "product", "environment", "scope"} {
		product := "of " + per
		rule := g.create(t, "/deployment-rules/", map[string]any{
			"name": per, "rule_type": "concurrency", "scope": map[string]any{"environments": []string{per}},
			"concurrency": map[string]any{"max_in_progress": 1, "per": per, "stale_after_minutes": 60},
		})
		for server := range g.servers { // until the rule binds
			require.Eventually(t, func() bool {
				send := func(status string) []byte {
					_, answer := post(g.servers[server].url, g.key, map[string]any{"product_name": "probe", "version": "1", "environment_name": per, "status": status})
					return answer
				}
				answer := send("started")
				send("failed")
				return bytes.Contains(answer, []byte(`"preflight_status":{`))
			}, 5*time.Second, 10*time.Millisecond)
		}
		for round := range rounds {
			begin := func(i int, status string) int {
				name := product
				if per == "environment" || per == "scope" {
					name = fmt.Sprintf("%s %d", product, i%5) // of different pairs
				}
				answered, _ := post(g.servers[i%2].url, g.key, map[string]any{
					"product_name": name, "version": strconv.Itoa(i), "environment_name": per, "status": status, "invoke_id": fmt.Sprintf("%d.%d", round, i),
				})
				return answered
			}
			var mu sync.Mutex
			statuses := make(map[int]int)
			admitted := -1
			var group sync.WaitGroup
			for i := range starts {
				group.Go(func() {
					status := begin(i, "started")
					mu.Lock()
					defer mu.Unlock()
					statuses[status]++
					if status == http.StatusOK {
						admitted = i
					}
				})
			}
			group.Wait()
			require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: starts - 1}, statuses, "round %d per %s", round, per)
			require.Equal(t, http.StatusOK, begin(admitted, "completed"))
		}
		g.setMode(t, rule, "disabled")
	}
	for _, server := range g.servers {
		server.stop(t)
	}
}

// TestOneGrantOnTwoServers starts a version that a grant permits 20 times at once on two servers, in a freeze: the grant is used once.
func TestOneGrantOnTwoServers(t *testing.T) {
	t.Parallel()
	g := startGoverned(t, 2)
	status, answer := g.begin(0, "0")
	require.Equal(t, http.StatusOK, status, "%s", answer)
	var first struct {
		Product     string `json:"product_id"`
		Environment string `json:"environment_id"`
	}
	require.NoError(t, json.Unmarshal(answer, &first))
	g.create(t, "/deployment-rules/", frozen("enabled"))
	for server := range g.servers {
		require.Eventually(t, func() bool { status, _ := g.begin(server, time.Now().String()); return status == http.StatusLocked }, 5*time.Second, 10*time.Millisecond)
	}
	g.create(t, "/break-glass-grants/", map[string]any{
		"product_id": first.Product, "environment_id": first.Environment, "version": "1", "reason": "The payment page is down since 15:10.", "minutes": 30,
	})
	var mu sync.Mutex
	statuses := make(map[int]int)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			status, _ := post(g.servers[i%2].url, g.key, map[string]any{
				"product_name": "shop", "version": "1", "environment_name": "production", "status": "started", "invoke_id": strconv.Itoa(i),
			})
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	group.Wait()
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusLocked: 19}, statuses)
	for _, server := range g.servers {
		server.stop(t)
	}
}
