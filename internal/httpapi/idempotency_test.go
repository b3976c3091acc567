package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// postWithKey sends a POST with an Idempotency-Key.
func postWithKey(t *testing.T, api *testapi.API, credential, path, key, body string) testapi.Answer {
	t.Helper()
	request := api.Request(t, http.MethodPost, path, []byte(body))
	request.Header.Set("Authorization", "Bearer "+credential)
	request.Header.Set("Idempotency-Key", key)
	return api.Do(t, request)
}

// TestEveryPOSTIsCarriedOutOnce sends each POST of the specification eight times at once with the same key.
func TestEveryPOSTIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	mine := newTenant(t, api, testapi.Account)
	bodies := map[string]string{
		"createDeploymentEvent": `{"product_name":"p","version":"1","environment_name":"e","status":"completed"}`,
		"createBuildEvent":      `{"product_name":"p","version":"1"}`, "createVersionEvent": `{"product_name":"p","version":"2"}`,
		"createProduct": `{"name":"once"}`, "createEnvironment": `{"name":"once"}`, "createRelease": `{"name":"once"}`, "createAPIKey": `{"name":"once"}`,
		"createNotificationChannel":    `{"name":"once","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`,
		"createNotificationPreference": `{"channel_id":"` + mine.ids["channel"] + `","event_type":"build.failed"}`,
		"addReleaseVersion":            `{"version_id":"` + mine.ids["version"] + `"}`, "rotateAPIKey": `{}`,
		"createVersionApproval":  `{"approval_type":"qa","decision":"approved"}`,
		"createBreakGlassGrant":  grantBody(mine.ids["product"], mine.ids["environment"]),
		"confirmBreakGlassGrant": ``, "revokeBreakGlassGrant": ``, "reviewBreakGlassGrant": `{}`,
		"createDeploymentRequest": `{"name":"once"}`, "createDeploymentRequestTemplate": `{"name":"once"}`, "createDeploymentRequestComment": `{"text":"once"}`,
		"addDeploymentRequestVersion": `{"version_id":"` + mine.ids["version"] + `"}`, "addDeploymentRequestApproval": `{"approval_type":"uat"}`,
		"addDeploymentRequestStep": `{"phase":"post","title":"once"}`, "completeDeploymentRequestStep": ``, "reopenDeploymentRequestStep": ``,
		"activateDeploymentRequest": ``, "deactivateDeploymentRequest": ``, "cancelDeploymentRequest": ``, "completeDeploymentRequest": ``,
		"approveDeploymentRequest": `{"activation":1}`, "rejectDeploymentRequest": `{"activation":1,"comments":"It is broken"}`, "resetDeploymentRequestApproval": `{"activation":1}`,
		"createDeploymentRule": scheduleRule("once", "other"), "createCalendarFeed": `{"name":"once"}`,
		"createVariable":           `{"key":"once","value":"v"}`,
		"createDeploymentTemplate": templateBody(mine.ids["product"], api.PostEvent(t, deploymentEvents, deployment(map[string]any{"environment_name": "once more"})).Field(t, "environment_id").(string)),
		"redeliverNotification":    ``, "resendRecipientConfirmations": ``,
	}
	for _, op := range operations(t) {
		// A test message is sent each time; after signing out the credential is not valid any more; questions change nothing.
		if op.method != http.MethodPost || slices.Contains([]string{"testNotificationChannel", "signOut", "backtestDeploymentRule", "preflight", "renderDeploymentTemplate"}, op.id) {
			continue
		}
		require.Contains(t, bodies, op.id, "a POST: add its body")
		t.Run(op.id, func(t *testing.T) {
			credential := api.Key
			if apigen.OperationSchemes[op.id][0] == "JWTAuth" {
				credential = api.Token(t, testapi.Account, "admin")
			}
			path := strings.ReplaceAll(op.path, "{id}", mine.ids[idLocations()[op.id]["id"]])
			path = strings.NewReplacer("{slot_id}", mine.ids["slot"], "{step_id}", mine.ids["step"]).Replace(path)
			prepareRequest(t, api, op.id)
			switch op.id {
			case "confirmBreakGlassGrant":
				api.Exec(t, "UPDATE break_glass_grants SET status = 'awaiting_second', created_by = NULL, confirm_until = now() + interval '1 hour'")
			case "reviewBreakGlassGrant":
				api.Exec(t, "UPDATE break_glass_grants SET status = 'revoked', created_by = NULL")
			case "revokeBreakGlassGrant":
				api.Exec(t, "UPDATE break_glass_grants SET status = 'active', expires_at = now() + interval '1 hour'")
			}
			audited := api.Count(t, "audit_log")
			answers := make([]testapi.Answer, 8)
			var group sync.WaitGroup
			for i := range answers {
				group.Go(func() { answers[i] = postWithKey(t, api, credential, path, "key of "+op.id, bodies[op.id]) })
			}
			group.Wait()
			replayed := 0
			for _, answer := range answers {
				require.Less(t, answer.Status, 300, "%s", answer.Body)
				require.Equal(t, answers[0].Status, answer.Status)
				require.Equal(t, string(answers[0].Body), string(answer.Body))
				require.Equal(t, answers[0].Header.Get("ETag"), answer.Header.Get("ETag"))
				if answer.Header.Get("Idempotent-Replayed") == "true" {
					replayed++
				}
			}
			require.Equal(t, 7, replayed)
			changes, special := map[string]int{
				"createDeploymentEvent": 0, "createBuildEvent": 0, "createVersionEvent": 0,
				"addReleaseVersion": 0, "addDeploymentRequestVersion": 0, // it has that version
				"rotateAPIKey": 2, // the old key and the new one
			}[op.id]
			if !special {
				changes = 1
			}
			if strings.HasSuffix(op.id, "APIKey") || op.id == "createCalendarFeed" {
				changes += 7 // each replay shows the key again
				require.Equal(t, 7, api.Count(t, "audit_log WHERE action IN ('api_key.replay', 'calendar_feed.replay') AND object_id = '"+answers[0].Field(t, "id").(string)+"'"))
			}
			require.Equal(t, audited+changes, api.Count(t, "audit_log"), "executed once")
			if bodies[op.id] != "" {
				other := postWithKey(t, api, credential, path, "key of "+op.id, strings.TrimSuffix(bodies[op.id], "}")+" }")
				require.Equal(t, http.StatusUnprocessableEntity, other.Status, "%s", other.Body)
				require.Contains(t, string(other.Body), `["header","Idempotency-Key"]`)
			}
		})
	}
	require.Equal(t, 3, api.Count(t, "events WHERE body::text LIKE '%\"p\"%'"))
	var operations []string
	api.Scan(t, "SELECT array_agg(operation ORDER BY operation) FROM idempotency_keys WHERE is_encrypted", &operations)
	require.Equal(t, []string{"createAPIKey", "createCalendarFeed", "rotateAPIKey"}, operations)
	require.Zero(t, api.Count(t, "idempotency_keys WHERE position(convert_to('sk_acme', 'UTF8') IN response) > 0"))
}

// prepareRequest gives the deployment requests the status that an operation requires.
func prepareRequest(t *testing.T, api *testapi.API, operation string) {
	t.Helper()
	status, isSpecial := map[string]string{
		"deactivateDeploymentRequest": "approved", "completeDeploymentRequest": "approved", "approveDeploymentRequest": "in_progress",
		"rejectDeploymentRequest": "in_progress", "resetDeploymentRequestApproval": "rejected",
	}[operation]
	if !isSpecial {
		status = "draft"
	}
	slot := "status = 'pending', decided_at = NULL, decided_by = NULL"
	if status == "rejected" {
		slot = "status = 'rejected', decided_at = now(), decided_by = gen_random_uuid()"
	}
	api.Exec(t, "UPDATE deployment_requests SET activation = 1, created_by = gen_random_uuid(), activated_by = NULL, status = '"+status+"'")
	api.Exec(t, "UPDATE deployment_request_approvals SET "+slot)
	if operation == "reopenDeploymentRequestStep" {
		api.Exec(t, "UPDATE deployment_request_steps SET completed_at = now(), completed_by = gen_random_uuid()")
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()

	t.Run("BelongToAnAccountAndAnOperation", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		mine, theirs := api.Token(t, testapi.Account, "admin"), api.Token(t, "other", "admin")
		for _, answer := range []testapi.Answer{
			postWithKey(t, api, mine, "/products/", "k", `{"name":"x"}`), postWithKey(t, api, theirs, "/products/", "k", `{"name":"x"}`),
			postWithKey(t, api, mine, "/releases/", "k", `{"name":"x"}`),
		} {
			require.Equal(t, http.StatusCreated, answer.Status)
			require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
		}
	})

	t.Run("BelongToAUser", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		users := []string{api.TokenOf(t, testapi.Account, "admin", "ada"), api.TokenOf(t, testapi.Account, "admin", "mona")}
		var answers []testapi.Answer
		for _, user := range users {
			answer := postWithKey(t, api, user, "/api-keys/", "k", `{"name":"ci"}`)
			require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
			require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
			answers = append(answers, answer)
		}
		require.NotEqual(t, answers[0].Field(t, "id"), answers[1].Field(t, "id"))
		require.Equal(t, 2, api.Count(t, "api_keys WHERE name = 'ci'"))
		for i, user := range users {
			replay := postWithKey(t, api, user, "/api-keys/", "k", `{"name":"ci"}`)
			require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"))
			require.Equal(t, string(answers[i].Body), string(replay.Body), "each user is shown their own key")
			require.NotContains(t, string(replay.Body), answers[1-i].Field(t, "key"))
		}
		require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, users[0], "/api-keys/", "k", `{"name":"other"}`).Status)
		require.Equal(t, 2, api.Count(t, "idempotency_keys"))
	})

	t.Run("ErrorsAreNotKept", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		admin := api.Token(t, testapi.Account, "admin")
		require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/products/", "a", `{"name":"taken"}`).Status)
		require.Equal(t, http.StatusConflict, postWithKey(t, api, admin, "/products/", "b", `{"name":"taken"}`).Status)
		require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, admin, "/products/", "c", `{"name":""}`).Status)
		require.Equal(t, http.StatusForbidden, postWithKey(t, api, api.Token(t, testapi.Account, "viewer"), "/products/", "a", `{"name":"taken"}`).Status, "a replay needs the permission")
		require.Equal(t, 1, api.Count(t, "idempotency_keys"))
		require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/products/", "b", `{"name":"free"}`).Status)
	})

	t.Run("AreForgottenAfterADay", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		admin := api.Token(t, testapi.Account, "admin")
		postWithKey(t, api, admin, "/products/", "k", `{"name":"x"}`)
		api.Exec(t, "UPDATE idempotency_keys SET created_at = created_at - interval '23 hours 59 minutes'")
		require.Equal(t, "true", postWithKey(t, api, admin, "/products/", "k", `{"name":"x"}`).Header.Get("Idempotent-Replayed"))
		api.Exec(t, "UPDATE idempotency_keys SET created_at = created_at - interval '1 minute'")
		require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/products/", "k", `{"name":"y"}`).Status)
	})

	t.Run("AreChecked", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for _, key := range []string{" ", "ünïcödé", strings.Repeat("x", 256), "a\tb"} {
			request := api.Request(t, http.MethodPost, deploymentEvents, []byte(`{"product_name":"p","version":"1","environment_name":"e","status":"completed"}`))
			request.Header.Set("Authorization", "Bearer "+api.Key)
			request.Header["Idempotency-Key"] = []string{key}
			require.Equal(t, http.StatusUnprocessableEntity, api.Do(t, request).Status, "%q", key)
		}
	})

	t.Run("AnswersAreBoundToTheirRequests", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		admin := api.Token(t, testapi.Account, "admin")
		postWithKey(t, api, admin, "/api-keys/", "k", `{"name":"x"}`)
		api.Exec(t, "UPDATE idempotency_keys SET key = 'other'")
		require.Equal(t, http.StatusInternalServerError, postWithKey(t, api, admin, "/api-keys/", "other", `{"name":"x"}`).Status)
	})

	t.Run("ManyDuplicatesDoNotExhaustTheConnections", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		admin := api.Token(t, testapi.Account, "admin")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var group sync.WaitGroup
		for i := range 128 {
			group.Go(func() {
				answer := postWithKey(t, api, admin, "/products/", strconv.Itoa(i%2), fmt.Sprintf(`{"name":"%d"}`, i%2))
				require.Equal(t, http.StatusCreated, answer.Status)
			})
		}
		group.Wait()
		require.NoError(t, ctx.Err())
		require.Equal(t, 2, api.Count(t, "products"))
	})
}

func TestAPanicIsAnsweredAndLeavesTheNameFree(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	admin := api.Token(t, testapi.Account, "admin")
	const channel = `{"name":"c","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`
	client := api.Channels.Sender.HTTP
	api.Channels.Sender.HTTP = nil // a call with it panics
	answer := postWithKey(t, api, admin, "/notification-channels/", "k", channel)
	require.Equal(t, http.StatusInternalServerError, answer.Status, "%s", answer.Body)
	require.Zero(t, api.Count(t, "idempotency_keys"))
	api.Channels.Sender.HTTP = client
	require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/notification-channels/", "k", channel).Status)
}

const aDeployment = `{"product_name":"p","version":"1","environment_name":"e","status":"completed"}`

// lock runs a statement that locks something until the test calls unlock.
func lock(t *testing.T, api *testapi.API, sql string) (unlock func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, api.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	tx, err := conn.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, sql)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(ctx)) }
}

// waitForBlocked returns when something waits for a lock.
func waitForBlocked(t *testing.T, api *testapi.API) {
	t.Helper()
	require.Eventually(t, func() bool {
		return api.Count(t, "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
	}, time.Minute, time.Millisecond)
}

func TestAnAddressIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)

	t.Run("ForAnIdempotencyKey", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, http.StatusOK, postWithKey(t, api, api.Key, "/deployment-events/", "k", aDeployment).Status)
		for _, path := range []string{"/deployment-events", "//deployment-events/", "//deployment-events"} {
			answer := postWithKey(t, api, api.Key, path, "k", aDeployment)
			require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
			require.Equal(t, "true", answer.Header.Get("Idempotent-Replayed"))
		}
		require.Equal(t, http.StatusUnprocessableEntity, postWithKey(t, api, api.Key, "/deployment-events/?another=1", "k", aDeployment).Status)
	})

	t.Run("ForACursor", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"a", "b"} {
			require.Equal(t, http.StatusCreated, api.As(t, "admin", http.MethodPost, "/releases/", `{"name":"`+name+`"}`).Status)
		}
		first := api.As(t, "admin", http.MethodGet, "/releases?limit=1", "")
		cursor, _ := first.Field(t, "next_cursor").(string)
		require.NotEmpty(t, cursor)
		second := api.As(t, "admin", http.MethodGet, "//releases/?limit=1&cursor="+cursor, "")
		require.Equal(t, http.StatusOK, second.Status, "%s", second.Body)
	})
}
