package notify_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/testapi"
)

const requestEvents = "dr.created dr.activated dr.deactivated dr.approved dr.rejected dr.completed dr.cancelled"

// requested has a version that is deployed, and a webhook that is notified of all events of deployment requests.
type requested struct {
	governed

	environment string
}

func newRequested(t *testing.T, options ...testapi.Option) requested {
	t.Helper()
	api := testapi.New(t, append(options, testapi.WithWork())...)
	event := deploy(t, api, nil)
	r := requested{
		governed:    governed{api: api, hooks: newReceiver(t, nil), version: event.Field(t, "version_id").(string)},
		environment: event.Field(t, "environment_id").(string),
	}
	var preferences []map[string]any
	for eventType := range strings.FieldsSeq(requestEvents) {
		preferences = append(preferences, on(eventType))
	}
	channel(t, api, "webhook", map[string]any{"url": r.hooks.URL}, preferences...)
	return r
}

// as sends a request that has to succeed.
func (r requested) as(t *testing.T, role, method, path, body string) testapi.Answer {
	t.Helper()
	answer := r.api.As(t, role, method, path, body)
	require.Less(t, answer.Status, 300, "%s %s %s: %s", role, method, path, answer.Body)
	return answer
}

// request creates a request of the product owner, with a slot for each type. Optional ones begin with a question mark.
func (r requested) request(t *testing.T, name, types string) (path, id string) {
	t.Helper()
	var slots []string
	for approvalType := range strings.FieldsSeq(types) {
		required, isOptional := strings.CutPrefix(approvalType, "?")
		slots = append(slots, fmt.Sprintf(`{"approval_type":%q,"required":%t}`, required, !isOptional))
	}
	id = r.as(t, "product", http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":%q,"environment_ids":[%q],"approvals":[%s]}`,
		name, r.environment, strings.Join(slots, ","))).Field(t, "id").(string)
	return "/deployment-requests/" + id, id
}

// activate adds the version to a request and activates it.
func (r requested) activate(t *testing.T, path string) {
	t.Helper()
	r.as(t, "product", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, r.version))
	r.as(t, "product", http.MethodPost, path+"/activate", "")
}

// slot returns the path of a slot of a request.
func (r requested) slot(t *testing.T, path, approvalType string) string {
	t.Helper()
	for _, item := range r.as(t, "viewer", http.MethodGet, path+"/approvals", "").Field(t, "items").([]any) {
		if item := item.(map[string]any); item["approval_type"] == approvalType {
			return path + "/approvals/" + item["id"].(string)
		}
	}
	require.Fail(t, "no slot", approvalType)
	return ""
}

// TestDeploymentRequestWebhooks receives the exact body of each event, once, in the order of what happens to three requests.
func TestDeploymentRequestWebhooks(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	path, id := r.request(t, `<Release> "2"`, "qa security")
	count := 0
	requireEvent := func(eventType, status string, actor any, more map[string]any) {
		t.Helper()
		want := map[string]any{
			"event_type": eventType, "dr_id": id, "dr_name": `<Release> "2"`, "dr_url": "https://versioner.example.com/app/deployment-requests/" + id,
			"status": status, "environment_names": []any{"production"}, "actor": actor,
		}
		maps.Copy(want, more)
		require.Equal(t, want, r.next(t, count, 1)[0])
		require.Equal(t, eventType, r.hooks.requests()[count].header.Get("X-Versioner-Event"))
		count++
	}
	decision := func(approvalType, role, status string, comments any) map[string]any {
		return map[string]any{"approval_type": approvalType, "approver_role": role, "slot_status": status, "comments": comments}
	}
	requireEvent("dr.created", "draft", "product", nil)
	r.activate(t, path)
	requireEvent("dr.activated", "in_progress", "product", nil)
	r.as(t, "qa", http.MethodPost, r.slot(t, path, "qa")+"/approve", `{"activation":1}`)
	requireEvent("dr.approved", "in_progress", "qa", decision("qa", "qa", "approved", nil))
	r.as(t, "admin", http.MethodPost, r.slot(t, path, "qa")+"/approve", `{"activation":1,"comments":"me too"}`)
	r.as(t, "security", http.MethodPost, r.slot(t, path, "security")+"/reject", `{"activation":1,"comments":"a & b"}`)
	requireEvent("dr.rejected", "rejected", "security", decision("security", "security", "rejected", "a & b"))
	r.as(t, "security", http.MethodPost, r.slot(t, path, "security")+"/reset", `{"activation":1}`)
	r.as(t, "security", http.MethodPost, r.slot(t, path, "security")+"/approve", `{"activation":1,"comments":"fixed"}`)
	requireEvent("dr.approved", "approved", "security", decision("security", "security", "approved", "fixed"))
	r.as(t, "product", http.MethodPost, path+"/deactivate", "")
	requireEvent("dr.deactivated", "draft", "product", nil)
	r.as(t, "product", http.MethodPost, path+"/activate", "")
	requireEvent("dr.activated", "in_progress", "product", nil)
	for _, role := range []string{"qa", "security"} {
		r.as(t, role, http.MethodPost, r.slot(t, path, role)+"/approve", `{"activation":2}`)
		count++
		r.hooks.wait(t, count)
	}
	deploy(t, r.api, map[string]any{"invoke_id": uuid.NewString()})
	job := requests.Requests{DB: r.api.Pool.DB, PublicURL: testapi.PublicURL}
	require.NoError(t, job.CompleteDeployed(t.Context(), time.Now()))
	require.NoError(t, job.CompleteDeployed(t.Context(), time.Now()))
	requireEvent("dr.completed", "completed", nil, nil)

	path, id = r.request(t, `<Release> "2"`, "")
	requireEvent("dr.created", "draft", "product", nil)
	r.as(t, "developer", http.MethodPost, path+"/cancel", "")
	r.as(t, "developer", http.MethodPost, path+"/cancel", "")
	requireEvent("dr.cancelled", "cancelled", "developer", nil)

	path, id = r.request(t, `<Release> "2"`, "")
	requireEvent("dr.created", "draft", "product", nil)
	r.as(t, "product", http.MethodPatch, path, `{"description":"changed"}`)
	r.activate(t, path)
	requireEvent("dr.activated", "approved", "product", nil)
	r.as(t, "product", http.MethodPost, path+"/complete", "")
	requireEvent("dr.completed", "completed", "product", nil)
	require.Len(t, r.hooks.requests(), count, "and nothing else")
	require.Equal(t, count, r.api.Count(t, "river_job WHERE kind = 'fan_out_events' AND args::text LIKE '%dr.%'"), "a job each")
}

// TestDeploymentRequestFilters notifies the subscribers of a product and an environment of the requests that have both, also by a former name.
func TestDeploymentRequestFilters(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	r.as(t, "admin", http.MethodPatch, "/environments/"+r.environment, `{"name":"live"}`)
	filtered := func(filters map[string]any) *receiver {
		hooks := newReceiver(t, nil)
		channel(t, r.api, "webhook", map[string]any{"url": hooks.URL}, map[string]any{"event_type": "dr.activated", "filters": filters})
		return hooks
	}
	both := filtered(map[string]any{"products": []string{"checkout"}, "environments": []string{"production"}})
	others := []*receiver{filtered(map[string]any{"products": []string{"other"}}), filtered(map[string]any{"environments": []string{"staging"}})}
	path, _ := r.request(t, "r", "qa")
	r.activate(t, path)
	require.Equal(t, []any{"live"}, both.wait(t, 1)[0].object(t)["environment_names"])
	r.hooks.wait(t, 2)
	for _, other := range others {
		require.Empty(t, other.requests())
	}
	require.Equal(t, 2, r.api.Count(t, "notification_deliveries WHERE event_type = 'dr.activated'"))
}

// TestDeploymentRequestFiltersAfterDeletion notifies of a request whose product and environment were deleted those who are notified of them only.
func TestDeploymentRequestFiltersAfterDeletion(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	filtered := func(filters map[string]any) *receiver {
		hooks := newReceiver(t, nil)
		channel(t, r.api, "webhook", map[string]any{"url": hooks.URL}, map[string]any{"event_type": "dr.cancelled", "filters": filters})
		return hooks
	}
	concerned := []*receiver{filtered(map[string]any{"products": []string{"checkout"}}), filtered(map[string]any{"environments": []string{r.environment}})}
	filtered(map[string]any{"products": []string{"other"}})
	filtered(map[string]any{"environments": []string{"staging"}})
	path, _ := r.request(t, "r", "")
	r.as(t, "product", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, r.version))
	product := r.as(t, "viewer", http.MethodGet, "/versions/"+r.version, "").Field(t, "product_id").(string)
	r.as(t, "admin", http.MethodDelete, "/products/"+product, "")
	r.as(t, "admin", http.MethodDelete, "/environments/"+r.environment, "")
	r.as(t, "product", http.MethodPost, path+"/cancel", "")
	r.hooks.wait(t, 2)
	for _, hooks := range concerned {
		hooks.wait(t, 1)
	}
	require.Equal(t, 3, r.api.Count(t, "notification_deliveries WHERE event_type = 'dr.cancelled'"))
}

// TestNoEventOfWhatIsRolledBack changes requests in transactions that fail at their end: neither webhooks nor e-mails are enqueued.
func TestNoEventOfWhatIsRolledBack(t *testing.T) {
	t.Parallel()
	r := newRequested(t, testapi.WithMailer(noMailServer(t)))
	r.withAddresses(t, "qa")
	path, _ := r.request(t, "r", "qa")
	r.as(t, "product", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, r.version))
	r.hooks.wait(t, 1)
	const enqueued = "river_job WHERE kind = 'send_user_email' OR args::text LIKE '%dr.activated%'"
	r.api.Exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no commit'; END $$;
		CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`)
	require.Equal(t, http.StatusInternalServerError, r.api.As(t, "product", http.MethodPost, path+"/activate", "").Status)
	require.Zero(t, r.api.Count(t, enqueued))
	r.api.Exec(t, "DROP TRIGGER fail ON audit_log")
	r.as(t, "product", http.MethodPost, path+"/activate", "")
	require.Equal(t, "dr.activated", r.next(t, 1, 1)[0]["event_type"])
	require.Equal(t, 2, r.api.Count(t, enqueued))
}

// TestSlackMessagesOfApprovals receives the blocks of messages about a request, a start that it blocks, and a decision about its version.
func TestSlackMessagesOfApprovals(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	hooks := newReceiver(t, nil)
	channel(t, r.api, "slack_webhook", map[string]any{"webhook_url": hooks.URL}, on("dr.activated"), on("dr.rejected"), on("deployment.preflight_failed"), on("version.rejected"),
		on("rule.changed"), on("breakglass.created"))
	count := 0
	requireMessage := func(header string, fields ...string) (more []any) {
		t.Helper()
		blocks := hooks.wait(t, count+1)[count].object(t)["blocks"].([]any)
		count++
		require.Equal(t, map[string]any{"type": "header", "text": map[string]any{"type": "plain_text", "text": header, "emoji": false}}, blocks[0])
		var got []string
		for _, field := range blocks[1].(map[string]any)["fields"].([]any) {
			got = append(got, field.(map[string]any)["text"].(string))
		}
		require.Equal(t, fields, got)
		return blocks[2:]
	}
	requireLink := func(blocks []any, id string) {
		t.Helper()
		require.Len(t, blocks, 1)
		button := blocks[0].(map[string]any)["elements"].([]any)[0].(map[string]any)
		require.Equal(t, "https://versioner.example.com/app/deployment-requests/"+id, button["url"])
		require.Equal(t, "Open the request", button["text"].(map[string]any)["text"])
	}
	path, id := r.request(t, "Checkout <2>", "qa security ?uat")
	r.activate(t, path)
	requireLink(requireMessage(`Deployment request "Checkout <2>" was activated`, "*Request*\nCheckout &lt;2&gt;", "*Status*\nin progress", "*Versions*\ncheckout 1.4.2",
		"*Environments*\nproduction", "*Open approvals*\nQA, security, user acceptance (optional)", "*By*\nproduct"), id)

	blocked := r.api.Post(t, "/deployment-events/", `{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"started"}`)
	require.Equal(t, http.StatusPreconditionRequired, blocked.Status)
	require.Empty(t, requireMessage("❌ Deploying checkout 1.4.2 to production was blocked by deployment rules", "*Product*\ncheckout", "*Version*\n1.4.2",
		"*Environment*\nproduction", "*Status*\nblocked", "*Reason*\nDeployment request \"Checkout &lt;2&gt;\" blocks version 1.4.2 in production until it is approved.", "*Open approvals*\nQA, security"))

	r.as(t, "qa", http.MethodPost, r.slot(t, path, "qa")+"/reject", `{"activation":1,"comments":"*broken*"}`)
	requireLink(requireMessage(`❌ Deployment request "Checkout <2>": QA rejected`, "*Request*\nCheckout &lt;2&gt;", "*Status*\nrejected", "*Versions*\ncheckout 1.4.2",
		"*Environments*\nproduction", "*Open approvals*\nsecurity, user acceptance (optional)", "*Comments*\n*broken*", "*By*\nqa"), id)

	r.as(t, "qa", http.MethodPost, "/versions/"+r.version+"/approvals", `{"approval_type":"qa","decision":"rejected","comments":"no"}`)
	require.Empty(t, requireMessage("❌ checkout 1.4.2: QA rejected", "*Product*\ncheckout", "*Version*\n1.4.2", "*Approval*\nQA", "*Comments*\nno", "*By*\nqa"))

	r.as(t, "admin", http.MethodPost, "/deployment-rules/", `{"name":"Requests","rule_type":"deployment_request_required","mode":"report_only","deployment_request_required":{}}`)
	require.Empty(t, requireMessage(`Deployment rule "Requests" was created`, "*Rule*\nRequests", "*Type*\ndeployment request", "*Mode*\nreports only", "*By*\nadmin"))
	product := r.as(t, "viewer", http.MethodGet, "/versions/"+r.version, "").Field(t, "product_id")
	r.as(t, "admin", http.MethodPost, "/break-glass-grants/", fmt.Sprintf(`{"product_id":%q,"environment_id":%q,"version":"2","reason":"Payments fail since 15:10",
		"rule_types":["version_approval_required","flow"]}`, product, r.environment))
	require.Empty(t, requireMessage("Break-glass grant for checkout 2 in production was created", "*Product*\ncheckout", "*Version*\n2", "*Environment*\nproduction",
		"*Reason*\nPayments fail since 15:10", "*Rules*\nversion approval, flow", "*By*\nadmin"))
}

// TestSlackMessagesOfCompletedRequests lists no open approvals of requests that are completed or cancelled.
func TestSlackMessagesOfCompletedRequests(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	hooks := newReceiver(t, nil)
	channel(t, r.api, "slack_webhook", map[string]any{"webhook_url": hooks.URL}, on("dr.created"), on("dr.cancelled"), on("dr.completed"))
	count := 0
	requireOpen := func(want bool) {
		t.Helper()
		message := string(hooks.wait(t, count+1)[count].body)
		count++
		require.Equal(t, want, strings.Contains(message, "Open approvals"), message)
	}
	path, _ := r.request(t, "r", "?qa")
	requireOpen(true)
	r.activate(t, path)
	r.as(t, "product", http.MethodPost, path+"/complete", "")
	requireOpen(false)
	path, _ = r.request(t, "r", "qa")
	requireOpen(true)
	r.as(t, "product", http.MethodPost, path+"/cancel", "")
	requireOpen(false)
}

// TestSlackHeadersOfLongNames shortens the names of requests, so that their headers say what has happened.
func TestSlackHeadersOfLongNames(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	hooks := newReceiver(t, nil)
	channel(t, r.api, "slack_webhook", map[string]any{"webhook_url": hooks.URL}, on("dr.created"), on("dr.deactivated"), on("dr.rejected"))
	count := 0
	requireHeader := func(want string) {
		t.Helper()
		blocks := hooks.wait(t, count+1)[count].object(t)["blocks"].([]any)
		count++
		require.Equal(t, want, blocks[0].(map[string]any)["text"].(map[string]any)["text"])
	}
	whole := strings.Repeat("x", 98)
	r.request(t, whole, "")
	requireHeader(`Deployment request "` + whole + `" was created`)
	path, _ := r.request(t, strings.Repeat("x", 255), "release_manager")
	requireHeader(`Deployment request "` + strings.Repeat("x", 97) + `…" was created`)
	r.activate(t, path)
	r.as(t, "admin", http.MethodPost, r.slot(t, path, "release_manager")+"/reject", `{"activation":1,"comments":"no"}`)
	requireHeader(`❌ Deployment request "` + strings.Repeat("x", 97) + `…": release management rejected`)
	r.as(t, "product", http.MethodPost, path+"/deactivate", "")
	requireHeader(`Deployment request "` + strings.Repeat("x", 97) + `…" was deactivated`)
	r.request(t, strings.Repeat(`"`, 255), "")
	requireHeader(`Deployment request "` + strings.Repeat(`\"`, 48) + `…" was created`)
}

// TestSlackMessagesOfApprovalsAndTime has a retry time as soon as waiting suffices: not while an approval is missing, too.
func TestSlackMessagesOfApprovalsAndTime(t *testing.T) {
	t.Parallel()
	r := newRequested(t)
	begin, end := time.Now().UTC().Add(-time.Hour), time.Now().UTC().Add(2*time.Hour).Truncate(time.Minute)
	r.as(t, "admin", http.MethodPost, "/deployment-rules/", fmt.Sprintf(`{"name":"Freeze","rule_type":"schedule","rollback":"enforce","schedule":{"timezone":"UTC","windows":[
		{"name":"w","effect":"deny","start":%q,"end":%q,"reason":"Peak season"}]}}`, begin.Format("2006-01-02T15:04"), end.Format("2006-01-02T15:04")))
	r.as(t, "admin", http.MethodPost, "/deployment-rules/",
		`{"name":"QA","rule_type":"version_approval_required","rollback":"enforce","version_approval_required":{"required_approvals":["qa"]}}`)
	attempt := func() int {
		return r.api.Post(t, "/deployment-events/", fmt.Sprintf(`{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"started","invoke_id":%q}`, uuid.NewString())).Status
	}
	require.Eventually(t, func() bool { return attempt() == http.StatusPreconditionRequired }, 5*time.Second, 20*time.Millisecond)
	hooks := newReceiver(t, nil)
	channel(t, r.api, "slack_webhook", map[string]any{"webhook_url": hooks.URL}, on("deployment.preflight_failed"))
	retry := `*Retry after*\n` + end.Format(time.RFC3339)

	require.Equal(t, http.StatusPreconditionRequired, attempt())
	both := string(hooks.wait(t, 1)[0].body)
	require.Contains(t, both, `*Open approvals*\nQA"`)
	require.Contains(t, both, "Peak season")
	require.NotContains(t, both, "Retry after", "waiting does not suffice")

	r.as(t, "qa", http.MethodPost, "/versions/"+r.version+"/approvals", `{"approval_type":"qa","decision":"approved"}`)
	require.Equal(t, http.StatusLocked, attempt())
	timed := string(hooks.wait(t, 2)[1].body)
	require.Contains(t, timed, retry)
	require.NotContains(t, timed, "Open approvals")
}
