package notify_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// governed has a version that a rule blocks, and a webhook that is notified of changes of rules, grants and approvals.
type governed struct {
	api     *testapi.API
	hooks   *receiver
	version string
	rule    string
	grant   string // the body of a grant for the version
}

func newGoverned(t *testing.T, options ...testapi.Option) governed {
	t.Helper()
	api := testapi.New(t, append(options, testapi.WithWork())...)
	event := deploy(t, api, nil)
	g := governed{api: api, hooks: newReceiver(t, nil), version: event.Field(t, "version_id").(string)}
	g.grant = `{"product_id":"` + event.Field(t, "product_id").(string) + `","environment_id":"` + event.Field(t, "environment_id").(string) +
		`","version":"2","reason":"Payments fail since 15:10"}`
	var preferences []map[string]any
	for eventType := range strings.FieldsSeq(`breakglass.created breakglass.confirmed breakglass.used breakglass.expired breakglass.revoked
		version.approved version.rejected version.approval_revoked rule.changed`) {
		preferences = append(preferences, on(eventType))
	}
	channel(t, api, "webhook", map[string]any{"url": g.hooks.URL}, preferences...)
	g.rule = g.send(t, http.MethodPost, "/deployment-rules/", `{"name":"QA approves","rule_type":"version_approval_required",
		"scope":{"products":["checkout"],"environments":["production"]},"version_approval_required":{"required_approvals":["qa"]}}`).Field(t, "id").(string)
	return g
}

func (g governed) send(t *testing.T, method, path, body string) testapi.Answer {
	t.Helper()
	answer := g.api.As(t, "admin", method, path, body)
	require.Less(t, answer.Status, 300, "%s", answer.Body)
	return answer
}

// next returns the bodies of the messages from the first one on, each of which the specification describes.
func (g governed) next(t *testing.T, first, count int) (bodies []map[string]any) {
	t.Helper()
	for _, got := range g.hooks.wait(t, first+count)[first:] {
		testapi.RequireWebhookBody(t, got.object(t))
		bodies = append(bodies, got.object(t))
		at, err := time.Parse(time.RFC3339Nano, got.object(t)["occurred_at"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		require.Equal(t, at, at.Truncate(time.Microsecond), "the precision of the API")
		delete(bodies[len(bodies)-1], "occurred_at")
	}
	return bodies
}

func TestGovernanceWebhooks(t *testing.T) {
	t.Parallel()
	g := newGoverned(t)
	requireRule := func(number int, name string, isWeakened bool) {
		t.Helper()
		require.Equal(t, map[string]any{
			"event_type": "rule.changed", "rule_id": g.rule, "name": name, "actor": "admin", "reason": nil, "environment_names": []any{"production"},
			"product_names": []any{"checkout"}, "weakened": isWeakened,
		}, g.next(t, number, 1)[0])
	}
	requireRule(0, "QA approves", false)
	g.send(t, http.MethodPatch, "/deployment-rules/"+g.rule, `{"name":"QA signs off"}`)
	requireRule(1, "QA signs off", false)
	g.send(t, http.MethodPatch, "/deployment-rules/"+g.rule, `{"mode":"report_only"}`)
	requireRule(2, "QA signs off", true)
	g.send(t, http.MethodDelete, "/deployment-rules/"+g.rule, "")
	requireRule(3, "QA signs off", false)

	approval := g.send(t, http.MethodPost, "/versions/"+g.version+"/approvals", `{"approval_type":"qa","decision":"rejected","comments":"<broken>"}`).Field(t, "id").(string)
	want := map[string]any{
		"event_type": "version.rejected", "version_id": g.version, "product_name": "checkout", "version": "1.4.2", "approval_type": "qa", "approver_role": "admin",
		"environment_name": nil, "comments": "<broken>", "actor": "admin",
	}
	require.Equal(t, want, g.next(t, 4, 1)[0])
	g.send(t, http.MethodDelete, "/versions/"+g.version+"/approvals/"+approval, "")
	g.send(t, http.MethodDelete, "/versions/"+g.version+"/approvals/"+approval, "")
	want["event_type"] = "version.approval_revoked"
	require.Equal(t, want, g.next(t, 5, 1)[0])
	g.send(t, http.MethodPost, "/versions/"+g.version+"/approvals", `{"approval_type":"qa","decision":"approved"}`)
	require.Equal(t, "version.approved", g.next(t, 6, 1)[0]["event_type"])
	require.Len(t, g.hooks.requests(), 7)
}

// TestGrantIsReported uses and revokes grants: each is in the audit log once, and all admins have an e-mail.
func TestGrantIsReported(t *testing.T) {
	t.Parallel()
	server := newMailServer(t)
	g := newGoverned(t, testapi.WithMailer(server.mailer(t)))
	g.next(t, 0, 1)
	g.api.Exec(t, "UPDATE users SET email = 'admin@example.com' WHERE claimed_role = 'admin'")
	grant := g.send(t, http.MethodPost, "/break-glass-grants/", g.grant).Field(t, "id").(string)
	require.Equal(t, map[string]any{
		"event_type": "breakglass.created", "grant_id": grant, "name": "2", "actor": "admin", "reason": "Payments fail since 15:10",
		"environment_names": []any{"production"}, "product_names": []any{"checkout"},
	}, g.next(t, 1, 1)[0])
	require.Contains(t, server.wait(t, 1)[0].subject(t), "Break-glass grant for checkout 2 in production by admin")
	deploy(t, g.api, map[string]any{"version": "2", "status": "started", "deployed_by_name": "Ada"})
	used := g.next(t, 2, 1)[0]
	require.Equal(t, []any{"breakglass.used", "Ada", grant}, []any{used["event_type"], used["actor"], used["grant_id"]})
	mail := server.wait(t, 2)[1]
	require.Equal(t, "Break-glass grant for checkout 2 in production was used", mail.subject(t))
	require.Contains(t, mail.text(t), "Deployed by: Ada")
	require.Equal(t, 1, g.api.Count(t, `audit_log WHERE action = 'break_glass_grant.use' AND fields = '{status}' AND credential LIKE 'API key %'`))
	g.api.Exec(t, "UPDATE river_job SET state = 'available', finalized_at = NULL WHERE kind = 'report_used_grant'")
	require.Eventually(t, func() bool {
		return g.api.Count(t, "river_job WHERE kind = 'report_used_grant' AND state = 'completed' AND attempt = 2") == 1
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, 1, g.api.Count(t, "audit_log WHERE action = 'break_glass_grant.use'"), "a job that runs again reports nothing twice")
	require.Equal(t, 2, g.api.Count(t, "river_job WHERE kind = 'send_admin_email'"))

	g.send(t, http.MethodPatch, "/governance-settings", `{"break_glass_second_person":true}`)
	confirmed := func() string {
		id := g.send(t, http.MethodPost, "/break-glass-grants/", g.grant).Field(t, "id").(string)
		require.Less(t, g.api.As(t, "sre", http.MethodPost, "/break-glass-grants/"+id+"/confirm", "").Status, 300)
		return id
	}
	g.send(t, http.MethodPost, "/break-glass-grants/"+confirmed()+"/revoke", "")
	confirmed()
	deploy(t, g.api, map[string]any{"version": "2", "status": "failed"})
	deploy(t, g.api, map[string]any{"version": "2", "status": "started", "invoke_id": "second"})
	got := make(map[any]any)
	for _, body := range g.next(t, 3, 6) {
		got[body["event_type"]] = body["actor"]
	}
	require.Equal(t, map[any]any{
		"breakglass.created": "admin", "breakglass.confirmed": "sre", "breakglass.revoked": "admin",
		"breakglass.used": nil, // the deployment has no initiator
	}, got)
}

func TestGrantExpires(t *testing.T) {
	t.Parallel()
	g := newGoverned(t)
	grant := g.send(t, http.MethodPost, "/break-glass-grants/", g.grant).Field(t, "id").(string)
	g.next(t, 1, 1)
	g.api.Exec(t, `UPDATE break_glass_grants SET expires_at = now();
		UPDATE river_job SET scheduled_at = now(), state = 'available' WHERE kind = 'expire_break_glass_grant'`)
	expired := g.next(t, 2, 1)[0]
	require.Equal(t, []any{"breakglass.expired", nil, grant}, []any{expired["event_type"], expired["actor"], expired["grant_id"]})
	require.Equal(t, 1, g.api.Count(t, "break_glass_grants WHERE status = 'expired'"))
	require.Equal(t, 1, g.api.Count(t, "audit_log WHERE action = 'break_glass_grant.expire'"))

	answer := g.send(t, http.MethodPost, "/break-glass-grants/", g.grant)
	g.next(t, 3, 1)
	g.send(t, http.MethodDelete, "/products/"+answer.Field(t, "product_id").(string), "")
	g.send(t, http.MethodDelete, "/environments/"+answer.Field(t, "environment_id").(string), "")
	g.api.Exec(t, `UPDATE break_glass_grants SET expires_at = now() WHERE status = 'active';
		UPDATE river_job SET scheduled_at = now(), state = 'available' WHERE kind = 'expire_break_glass_grant' AND finalized_at IS NULL`)
	expired = g.next(t, 4, 1)[0]
	require.Equal(t, []any{"breakglass.expired", answer.Field(t, "id"), []any{"checkout"}, []any{"production"}},
		[]any{expired["event_type"], expired["grant_id"], expired["product_names"], expired["environment_names"]})
}

// TestEndsAreObserved reports deployments at their end only: nothing is blocked, and what rules would have blocked is recorded once.
func TestEndsAreObserved(t *testing.T) {
	t.Parallel()
	g := newGoverned(t)
	g.send(t, http.MethodPost, "/deployment-rules/", `{"name":"One","rule_type":"concurrency","concurrency":{"max_in_progress":1}}`)
	g.send(t, http.MethodPost, "/deployment-rules/", `{"name":"Staging first","rule_type":"flow","mode":"report_only","flow":{"prerequisites":["staging"]},
		"scope":{"environments":["production"]}}`)
	event := deploy(t, g.api, map[string]any{"version": "2"})
	require.Equal(t, "completed", event.Field(t, "status"))
	observed := "rule_violations WHERE action = 'observed' AND deployment_id = '" + event.Field(t, "id").(string) + "'"
	require.Eventually(t, func() bool { return g.api.Count(t, observed) == 2 }, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, 1, g.api.Count(t, observed+" AND code = 'QUALITY_APPROVAL_REQUIRED' AND api_key_id IS NOT NULL"))
	require.Equal(t, 1, g.api.Count(t, observed+" AND code = 'FLOW_VIOLATION'"), "also by rules that only report")

	g.api.Exec(t, "UPDATE river_job SET state = 'available', finalized_at = NULL WHERE kind = 'observe_deployments'")
	deploy(t, g.api, map[string]any{"environment_name": "staging", "version": "3"})
	deploy(t, g.api, map[string]any{"environment_name": "qa", "version": "3", "completed_at": time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)})
	deploy(t, g.api, map[string]any{"version": "3", "status": "pending", "invoke_id": "planned"})
	deploy(t, g.api, map[string]any{"version": "3", "status": "failed", "invoke_id": "planned"})
	third := deploy(t, g.api, map[string]any{"version": "3"})
	require.Eventually(t, func() bool {
		return g.api.Count(t, "rule_violations WHERE action = 'observed' AND deployment_id = '"+third.Field(t, "id").(string)+"'") == 1
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, 3, g.api.Count(t, "rule_violations WHERE action = 'observed'"),
		"once; not in an environment without rules, of long ago, or of a deployment that had begun")
}
