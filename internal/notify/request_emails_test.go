package notify_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

// withAddresses gives each role a user with an address of its name.
func (r requested) withAddresses(t *testing.T, roles ...string) {
	t.Helper()
	for _, role := range roles {
		r.as(t, role, http.MethodGet, "/deployment-requests/", "")
	}
	r.api.Exec(t, "UPDATE users SET email = replace(claimed_role, '_', '-') || '@example.com'")
}

// recipients returns the roles of the users who have an e-mail of the kind enqueued, and removes these jobs.
func (r requested) recipients(t *testing.T) []string {
	t.Helper()
	var roles string
	r.api.Scan(t, `WITH gone AS (DELETE FROM river_job WHERE kind = 'send_user_email' RETURNING args)
		SELECT coalesce(string_agg(coalesce(u.assigned_role, u.claimed_role), ' ' ORDER BY u.claimed_role), '')
		FROM gone JOIN users AS u ON u.id = (gone.args -> 'email' ->> 'user_id')::uuid`, &roles)
	return strings.Fields(roles)
}

// noMailServer sends e-mails to a server that does not exist.
func noMailServer(t *testing.T) *notify.Mailer {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:9?tls=none", "versioner@example.com")
	require.NoError(t, err)
	return mailer
}

// TestApprovalRecipients asks the users who may decide, by the type of the slot, the role of the requester, and the setting. It has no mail server:
// the jobs are read.
func TestApprovalRecipients(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{ // governance.md §7
		"uat": {"admin", "product", "release_manager"}, "qa": {"admin", "qa", "release_manager"}, "performance": {"admin", "qa", "release_manager", "sre"},
		"security": {"admin", "release_manager", "security"}, "code_review": {"admin", "developer", "release_manager"},
		"compliance": {"admin", "compliance", "release_manager"}, "release_manager": {"admin", "release_manager"},
	}
	api := testapi.New(t, testapi.WithMailer(noMailServer(t)))
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	r.withAddresses(t, "admin", "release_manager", "product", "developer", "sre", "qa", "security", "compliance", "billing", "viewer")
	activateOf := func(role, activator, types string) {
		t.Helper()
		var slots []string
		for approvalType := range strings.FieldsSeq(types) {
			slots = append(slots, fmt.Sprintf(`{"approval_type":%q,"required":%t}`, strings.TrimPrefix(approvalType, "?"), !strings.HasPrefix(approvalType, "?")))
		}
		path := "/deployment-requests/" + r.as(t, role, http.MethodPost, "/deployment-requests/", fmt.Sprintf(`{"name":"r","environment_ids":[%q],"approvals":[%s]}`,
			r.environment, strings.Join(slots, ","))).Field(t, "id").(string)
		r.as(t, role, http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, r.version))
		require.Empty(t, r.recipients(t), "drafts ask for nothing")
		r.as(t, activator, http.MethodPost, path+"/activate", "")
		r.as(t, role, http.MethodPost, path+"/cancel", "")
	}
	activate := func(role, types string) {
		t.Helper()
		activateOf(role, role, types)
	}
	without := func(roles []string, role string) []string {
		return slices.DeleteFunc(slices.Clone(roles), func(one string) bool { return one == role })
	}
	for _, mayApprove := range []bool{false, true} {
		r.as(t, "admin", http.MethodPatch, "/governance-settings", fmt.Sprintf(`{"requester_may_approve":%t}`, mayApprove))
		for approvalType, want := range allowed {
			for _, role := range []string{"admin", "release_manager", "product", "developer"} {
				activate(role, approvalType)
				if !mayApprove {
					require.Equal(t, without(want, role), r.recipients(t), "%s of %s", approvalType, role)
				} else {
					require.Equal(t, want, r.recipients(t), "%s of %s, who may approve", approvalType, role)
				}
			}
		}
	}
	r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"requester_may_approve":false}`)
	activateOf("product", "release_manager", "uat")
	require.Equal(t, []string{"admin"}, r.recipients(t), "neither who created it nor who activated it")
	r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"requester_may_approve":true}`)
	activate("product", "qa ?security")
	require.Equal(t, []string{"admin", "qa", "release_manager", "security"}, r.recipients(t), "optional slots too")
	activate("product", "")
	require.Empty(t, r.recipients(t))
	activate("product", "qa ?security ?performance")
	var subjects string
	api.Scan(t, `SELECT string_agg(DISTINCT u.claimed_role || ': ' || (j.args -> 'email' ->> 'subject'), '; ')
		FROM river_job AS j JOIN users AS u ON u.id = (j.args -> 'email' ->> 'user_id')::uuid WHERE u.claimed_role IN ('qa', 'security', 'sre')`, &subjects)
	require.Equal(t, `qa: Deployment request "r" waits for your approval; security: You may approve deployment request "r"; sre: You may approve deployment request "r"`, subjects)
	r.recipients(t)
	r.api.Exec(t, "UPDATE users SET assigned_role = 'viewer' WHERE claimed_role = 'qa'; UPDATE users SET email = '' WHERE claimed_role = 'admin'")
	activate("product", "qa")
	require.Equal(t, []string{"release_manager"}, r.recipients(t), "by the assigned role, with an address")
	r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"approval_mails":false}`)
	activate("product", "qa")
	require.Empty(t, r.recipients(t), "turned off")
}

// TestApproverEmailsAreBounded activates a request that more than 50 users may approve: of each role those are asked who were seen last.
func TestApproverEmailsAreBounded(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithMailer(noMailServer(t)))
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	r.withAddresses(t, "product", "security")
	r.api.Exec(t, `INSERT INTO users (account_id, id, subject, name, email, claimed_role, created_at, last_seen_at)
		SELECT account_id, gen_random_uuid(), 'qa ' || n, 'qa ' || n, 'qa' || n || '@example.com', 'qa', now(), now() + n * interval '1 minute'
		FROM users, generate_series(1, 70) AS n WHERE claimed_role = 'security'`)
	path, _ := r.request(t, "r", "qa security")
	r.activate(t, path)
	require.Equal(t, 50, r.api.Count(t, "river_job WHERE kind = 'send_user_email'"))
	const asked = `users AS u JOIN river_job AS j ON j.kind = 'send_user_email' AND j.args -> 'email' ->> 'user_id' = u.id::text WHERE `
	require.Equal(t, 1, r.api.Count(t, asked+"u.claimed_role = 'security'"), "a role with one user, who was seen before the others")
	var first int
	r.api.Scan(t, "SELECT min(substr(u.name, 4)::int) FROM "+asked+"u.claimed_role = 'qa'", &first)
	require.Equal(t, 22, first)
}

// TestRepeatedActivationsAskThreeTimesAnHour activates a request in a loop.
func TestRepeatedActivationsAskThreeTimesAnHour(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithMailer(noMailServer(t)))
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	r.withAddresses(t, "product", "qa")
	path, _ := r.request(t, "r", "qa")
	other, _ := r.request(t, "other", "qa")
	r.activate(t, path)
	for range 5 {
		r.as(t, "product", http.MethodPost, path+"/deactivate", "")
		r.as(t, "product", http.MethodPost, path+"/activate", "")
	}
	require.Equal(t, []string{"qa", "qa", "qa"}, r.recipients(t))
	r.activate(t, other)
	require.Equal(t, []string{"qa"}, r.recipients(t), "each request for itself")
	r.api.Exec(t, "UPDATE deployment_request_activity SET occurred_at = occurred_at - interval '1 hour'")
	r.as(t, "product", http.MethodPost, path+"/deactivate", "")
	r.as(t, "product", http.MethodPost, path+"/activate", "")
	require.Equal(t, []string{"qa"}, r.recipients(t), "an hour later")
}

// TestRequestEmails receives the e-mails about a request.
func TestRequestEmails(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	r := newRequested(t, testapi.WithMailer(mails.mailer(t)))
	r.withAddresses(t, "product", "qa", "security")
	path, id := r.request(t, "Checkout <2>", "qa security")
	r.activate(t, path)
	asked := mails.wait(t, 2)
	slices.SortFunc(asked, func(a, b receivedEmail) int { return strings.Compare(a.to[0], b.to[0]) })
	for i, role := range []string{"qa", "security"} {
		require.Equal(t, []string{role + "@example.com"}, asked[i].to)
		require.Equal(t, `Deployment request "Checkout <2>" waits for your approval`, asked[i].subject(t))
		require.Equal(t, "Deployment request \"Checkout <2>\" waits for your approval\r\n\r\nRequest: Checkout <2>\r\nStatus: in progress\r\n"+
			"Versions: checkout 1.4.2\r\nEnvironments: production\r\nOpen approvals: QA, security\r\nBy: product\r\nYou may approve: "+[]string{"QA", "security"}[i]+"\r\n\r\n"+
			"https://versioner.example.com/app/deployment-requests/"+id+"\r\n\r\n"+
			"-- \r\nVersioner sends this because your role may approve the deployment request.\r\n", asked[i].text(t))
		require.Contains(t, asked[i].part(t, "text/html"), `<a href="https://versioner.example.com/app/deployment-requests/`+id+`"`)
		require.Contains(t, asked[i].part(t, "text/html"), "Checkout &lt;2&gt;")
	}

	r.as(t, "qa", http.MethodPost, r.slot(t, path, "qa")+"/approve", `{"activation":1}`)
	r.as(t, "qa", http.MethodPost, r.slot(t, path, "qa")+"/approve", `{"activation":1,"comments":"again"}`)
	approved := mails.wait(t, 3)[2]
	require.Equal(t, []string{"product@example.com"}, approved.to)
	require.Equal(t, `Deployment request "Checkout <2>": QA approved`, approved.subject(t))
	require.Contains(t, approved.text(t), "Open approvals: security\r\nBy: qa\r\n")
	require.Contains(t, approved.text(t), "because you created the deployment request")
	r.as(t, "security", http.MethodPost, r.slot(t, path, "security")+"/reject", `{"activation":1,"comments":"CVE & more"}`)
	rejected := mails.wait(t, 4)[3]
	require.Equal(t, []string{"product@example.com"}, rejected.to)
	require.Equal(t, `Deployment request "Checkout <2>": security rejected`, rejected.subject(t))
	require.Contains(t, rejected.text(t), "Status: rejected\r\n")
	require.Contains(t, rejected.text(t), "Comments: CVE & more\r\n")
	require.Equal(t, 4, r.api.Count(t, "river_job WHERE kind = 'send_user_email'"))

	t.Run("NotOfOwnDecisions", func(t *testing.T) {
		r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"requester_may_approve":true}`)
		own, _ := r.request(t, "own", "uat")
		r.activate(t, own)
		require.Equal(t, []string{"product@example.com"}, mails.wait(t, 5)[4].to, "the requester may decide")
		r.as(t, "product", http.MethodPost, r.slot(t, own, "uat")+"/approve", `{"activation":1}`)
		require.Equal(t, 5, r.api.Count(t, "river_job WHERE kind = 'send_user_email'"))
	})
	t.Run("TurnedOff", func(t *testing.T) {
		r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"approval_mails":false,"requester_may_approve":false}`)
		quiet, _ := r.request(t, "quiet", "qa")
		r.activate(t, quiet)
		r.as(t, "qa", http.MethodPost, r.slot(t, quiet, "qa")+"/approve", `{"activation":1}`)
		require.Equal(t, 5, r.api.Count(t, "river_job WHERE kind = 'send_user_email'"))
	})
	t.Run("RejectedAddressesAreNotRetried", func(t *testing.T) {
		r.as(t, "admin", http.MethodPatch, "/governance-settings", `{"approval_mails":true}`)
		mails.mu.Lock()
		mails.rejectRecipient = func(string) error { return &smtp.SMTPError{Code: 550, Message: "no such user"} }
		mails.mu.Unlock()
		last, _ := r.request(t, "last", "qa")
		r.activate(t, last)
		require.Eventually(t, func() bool {
			return r.api.Count(t, "river_job WHERE kind = 'send_user_email' AND state = 'cancelled' AND attempt = 1") == 1
		}, soon, soon/1000)
	})
}

// TestRequestEmailsWithinQuota sends two of three e-mails on a day whose quota is two.
func TestRequestEmailsWithinQuota(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	api := testapi.New(t, testapi.WithMailer(mails.mailer(t)), testapi.WithWork(), testapi.WithDeliveriesPerDay(2))
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	r.withAddresses(t, "product", "qa", "security", "sre")
	path, _ := r.request(t, "r", "performance security")
	r.activate(t, path)
	require.Eventually(t, func() bool {
		return r.api.Count(t, "river_job WHERE kind = 'send_user_email' AND state IN ('completed', 'cancelled')") == 3
	}, soon, soon/1000)
	require.Len(t, mails.wait(t, 2), 2)
	require.Equal(t, 1, r.api.Count(t, "river_job WHERE kind = 'send_user_email' AND state = 'cancelled'"))
	require.Eventually(t, func() bool {
		return strings.Count(api.Logs.String(), "account reached its daily quota of notifications") == 1
	}, soon, soon/1000)
}

// TestUnsentRequestEmailsDoNotCount neither enqueues e-mails on a server that sends none, nor counts one to a user without an address.
func TestUnsentRequestEmailsDoNotCount(t *testing.T) {
	t.Parallel()
	silent := newRequested(t)
	silent.withAddresses(t, "qa")
	path, _ := silent.request(t, "r", "qa")
	silent.activate(t, path)
	require.Zero(t, silent.api.Count(t, "river_job WHERE kind = 'send_user_email'"))

	api := testapi.New(t, testapi.WithMailer(noMailServer(t)), testapi.WithWork())
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	path, _ = r.request(t, "r", "qa")
	r.activate(t, path)
	r.as(t, "qa", http.MethodPost, r.slot(t, path, "qa")+"/approve", `{"activation":1}`)
	require.Eventually(t, func() bool {
		return api.Count(t, "river_job WHERE kind = 'send_user_email' AND state = 'cancelled'") == 1
	}, soon, soon/1000)
	require.Zero(t, api.Count(t, "notification_usage WHERE kind = 'delivery'"))
}

// TestFailedCountOfRequestEmail sends an e-mail after it is counted, also if that fails at first.
func TestFailedCountOfRequestEmail(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	api := testapi.New(t, testapi.WithMailer(mails.mailer(t)), testapi.WithWork())
	event := deploy(t, api, nil)
	r := requested{governed: governed{api: api, version: event.Field(t, "version_id").(string)}, environment: event.Field(t, "environment_id").(string)}
	r.withAddresses(t, "qa")
	api.Exec(t, "ALTER TABLE notification_usage ADD CONSTRAINT broken CHECK (false)")
	path, _ := r.request(t, "r", "qa")
	r.activate(t, path)
	require.Eventually(t, func() bool { return strings.Contains(api.Logs.String(), "failed to prepare an e-mail") }, soon, soon/1000)
	api.Exec(t, "ALTER TABLE notification_usage DROP CONSTRAINT broken")
	mails.wait(t, 1)
	require.Equal(t, 1, api.Count(t, "notification_usage WHERE kind = 'delivery' AND used = 1"))
}

// TestRequestEmailsSurviveAnOutage lets the 13th attempt fail, after hours without the mail server: the next one is due as late as that of a channel.
func TestRequestEmailsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	r := newRequested(t, testapi.WithMailer(noMailServer(t)))
	r.withAddresses(t, "qa")
	r.api.Exec(t, `CREATE FUNCTION age() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.attempt := 12; RETURN NEW; END $$;
		CREATE TRIGGER age BEFORE INSERT ON river_job FOR EACH ROW WHEN (NEW.kind = 'send_user_email') EXECUTE FUNCTION age()`)
	path, _ := r.request(t, "r", "qa")
	r.activate(t, path)
	require.Eventually(t, func() bool {
		return r.api.Count(t, "river_job WHERE kind = 'send_user_email' AND errors IS NOT NULL") == 1
	}, soon, soon/1000)
	require.Equal(t, 1, r.api.Count(t, `river_job WHERE kind = 'send_user_email' AND state = 'retryable' AND attempt = 13 AND max_attempts = 17
		AND scheduled_at BETWEEN now() + interval '11 hours' AND now() + interval '13 hours'`))
}

// TestRequestEmailsAreSentAFewAtATime activates a request of 20 approvers on a slow mail server.
func TestRequestEmailsAreSentAFewAtATime(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	answer := make(chan struct{})
	defer close(answer)
	mails.rejectRecipient = func(string) error {
		<-answer
		return nil
	}
	r := newRequested(t, testapi.WithMailer(mails.mailer(t)))
	r.withAddresses(t, "qa")
	r.api.Exec(t, `INSERT INTO users (account_id, id, subject, name, email, claimed_role, created_at, last_seen_at)
		SELECT account_id, gen_random_uuid(), 'qa ' || n, 'qa ' || n, 'qa' || n || '@example.com', 'qa', now(), now()
		FROM users, generate_series(1, 19) AS n WHERE claimed_role = 'qa'`)
	path, _ := r.request(t, "r", "qa")
	r.activate(t, path)
	const running = "river_job WHERE kind = 'send_user_email' AND state = 'running'"
	require.Eventually(t, func() bool { return r.api.Count(t, running) >= 4 }, soon, soon/1000)
	require.Equal(t, 4, r.api.Count(t, running))
	require.Equal(t, 16, r.api.Count(t, "river_job WHERE kind = 'send_user_email' AND state = 'available'"))
}
