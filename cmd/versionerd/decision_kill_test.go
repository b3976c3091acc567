package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKilledBetweenDecisionAndMail kills the server when PostgreSQL has written the commit of an approval, and before anything about it is
// delivered: the decision stands, and after the restart the creator has the e-mail and the subscriber the webhook. Of
// VERSIONER_TEST_DECISION_KILLS rounds, every other one kills it right after its answer, which may be in the middle of a delivery.
func TestKilledBetweenDecisionAndMail(t *testing.T) {
	t.Parallel()
	rounds := 1
	if text := os.Getenv("VERSIONER_TEST_DECISION_KILLS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	mails, hooks := newMailbox(t), newHooks(t)
	g := startGoverned(t, 1, "VERSIONER_SMTP_URL="+mails.url, "VERSIONER_MAIL_FROM=versioner@example.com", "VERSIONER_PUBLIC_URL=https://versioner.example.com")
	conn := g.connect(t)
	channel := g.create(t, "/notification-channels/", map[string]any{"name": "c", "channel_type": "webhook", "config": map[string]any{"url": hooks.url}})
	g.create(t, "/notification-preferences/", map[string]any{"channel_id": channel, "event_type": "dr.approved"})
	status, answer := post(g.servers[0].url, g.key, map[string]any{"product_name": "shop", "version": "1", "environment_name": "production", "status": "completed"})
	require.Equal(t, http.StatusOK, status, "%s", answer)
	var deployed struct {
		Version     string `json:"version_id"`
		Environment string `json:"environment_id"`
	}
	require.NoError(t, json.Unmarshal(answer, &deployed))
	requester := g.tokenOf(t, "product")
	for round := range rounds {
		name := fmt.Sprintf("Release %d", round)
		request := g.createAs(t, requester, "/deployment-requests/", map[string]any{
			"name": name, "environment_ids": []string{deployed.Environment}, "approvals": []map[string]any{{"approval_type": "qa"}},
		})
		path := g.servers[0].url + "/deployment-requests/" + request
		for _, step := range []string{"/versions", "/activate"} {
			status, answer := postTo(path+step, requester, map[string]any{"version_id": deployed.Version})
			require.Less(t, status, 300, "%s", answer)
		}
		conn.exec("UPDATE users SET email = 'requester@example.com' WHERE claimed_role = 'product'")
		var slot string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT id::text FROM deployment_request_approvals WHERE request_id = $1", request).Scan(&slot))
		approve := func() int {
			status, _ := postTo(path+"/approvals/"+slot+"/approve", g.token, map[string]any{"activation": 1})
			return status
		}
		isHeld := round%2 == 0
		if isHeld {
			answered := conn.holdDecision(approve)
			g.kill(t)
			require.Zero(t, <-answered, "the client has an answer")
			conn.releaseCommits()
		} else {
			require.Equal(t, http.StatusOK, approve())
			g.kill(t)
		}
		require.Eventually(t, func() bool {
			return conn.count("SELECT count(*) FROM deployment_requests WHERE status = 'approved' AND id = '"+request+"'") == 1
		}, 20*time.Second, 10*time.Millisecond, "the decision is not committed")
		subject := fmt.Sprintf("Deployment request %q: QA approved", name)
		if isHeld {
			require.Zero(t, mails.count("requester@example.com", subject), "an e-mail about a decision that others do not see")
		}

		g.servers[0] = launch(t, g.envs[0], "dev")
		require.Eventually(t, func() bool {
			return mails.count("requester@example.com", subject) > 0 &&
				conn.count("SELECT count(*) FROM notification_deliveries WHERE status = 'delivered'") == round+1
		}, 3*time.Minute, 20*time.Millisecond, "round %d: the decision is not delivered", round)
		require.Equal(t, 1, conn.count("SELECT count(*) FROM deployment_request_activity WHERE action = 'approve' AND request_id = '"+request+"'"))
		require.Equal(t, 1, conn.count("SELECT count(*) FROM river_job WHERE kind = 'send_user_email' AND args -> 'email' ->> 'url' LIKE '%"+request+"'"))
	}
	hooks.mu.Lock()
	defer hooks.mu.Unlock()
	require.Len(t, hooks.times, rounds, "a message each, however often it is sent")
	g.servers[0].stop(t)
}

// holdDecision holds the commit of a decision, and returns where its answer goes. Where a notification of the queue was held before, the decision waits
// for PostgreSQL's lock of notifications and is answered with 503: it is made again, once the other commit is released.
func (i inspector) holdDecision(decide func() int) <-chan int {
	i.t.Helper()
	for range 5 {
		i.holdCommits()
		answered := make(chan int, 1)
		go func() { answered <- decide() }()
		for len(answered) == 0 {
			if i.holdsCommitOf("deployment_request_approvals") {
				return answered
			}
			time.Sleep(5 * time.Millisecond)
		}
		require.Equal(i.t, http.StatusServiceUnavailable, <-answered)
		i.releaseCommits()
	}
	require.Fail(i.t, "the commit of no decision is held")
	return nil
}
