package spectest_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/testapi"
)

// unreachedLimit lets responses have the headers of rate limits without a test reaching one.
const unreachedLimit = 1_000_000

// fixture is a server with its document, and creates the objects that requests to an operation need.
type fixture struct {
	api      *testapi.API
	document *openapi3.T
	admin    string // a session token
	feed     string // the token of a calendar feed
	receiver string // the URL of a webhook receiver
	names    int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:1?tls=none", "versioner@example.com")
	require.NoError(t, err)
	api := testapi.New(t, testapi.WithMailer(mailer), testapi.WithLimits(httpapi.Limits{
		Limiter: ratelimit.NewLocal(), KeyPerMinute: unreachedLimit, AccountPerHour: unreachedLimit, UserPerMinute: unreachedLimit, FailuresPerMinute: unreachedLimit,
	}))
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	document := served(t, api)
	f := &fixture{api: api, document: document, admin: api.Token(t, testapi.Account, "admin"), receiver: receiver.URL}
	f.feed = f.doAsAdmin(t, http.MethodPost, "/calendar-feeds/", `{"name":"test"}`).Field(t, "token").(string) // the first request of a user creates the user
	return f
}

// doAsAdmin sends a request that is not the one under test, and requires success.
func (f *fixture) doAsAdmin(t *testing.T, method, path, body string) testapi.Answer {
	t.Helper()
	request := f.api.Request(t, method, path, []byte(body))
	request.Header.Set("Authorization", "Bearer "+f.admin)
	answer := f.api.Do(t, request)
	require.Less(t, answer.Status, http.StatusMultipleChoices, "%s %s %s: %s", method, path, body, answer.Body)
	return answer
}

func (f *fixture) create(t *testing.T, path string, body map[string]any) string {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return f.doAsAdmin(t, http.MethodPost, path, string(text)).Field(t, "id").(string)
}

// uniqueName returns a name that no object has.
func (f *fixture) uniqueName() string {
	f.names++
	return fmt.Sprintf("name-%d", f.names)
}

// deploy sends an event, which creates a product, a version, an environment and a deployment.
func (f *fixture) deploy(t *testing.T) testapi.Answer {
	t.Helper()
	return f.api.PostEvent(t, "/deployment-events/", map[string]any{
		"product_name": f.uniqueName(), "version": f.uniqueName(), "environment_name": f.uniqueName(), "status": "completed", "scm_sha": "9fceb02d0ae598e95dc970b74767f19372d61af8",
	})
}

// startAndComplete sends two events and returns the identifier of the deployment or build that they update.
func (f *fixture) startAndComplete(t *testing.T, path string, event map[string]any) string {
	t.Helper()
	event["status"] = "started"
	id := f.api.PostEvent(t, path, event).Field(t, "id").(string)
	event["status"] = "completed"
	require.Equal(t, id, f.api.PostEvent(t, path, event).Field(t, "id"))
	return id
}

// factories create the object that a path parameter identifies, by the component of the parameter, in a state that a body requires.
func (f *fixture) factories() map[string]func(t *testing.T, body map[string]any) string {
	ofEvent := func(member string) func(*testing.T, map[string]any) string {
		return func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.deploy(t).Field(t, member).(string)
		}
	}
	return map[string]func(*testing.T, map[string]any) string{
		"ProductID": ofEvent("product_id"), "EnvironmentID": ofEvent("environment_id"), "VersionID": ofEvent("version_id"),
		"DeploymentID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.startAndComplete(t, "/deployment-events/", map[string]any{"product_name": f.uniqueName(), "version": f.uniqueName(), "environment_name": f.uniqueName()})
		},
		"BuildID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.startAndComplete(t, "/build-events/", map[string]any{"product_name": f.uniqueName(), "version": f.uniqueName()})
		},
		"ReleaseID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			id := f.create(t, "/releases/", map[string]any{"name": f.uniqueName()})
			if body["status"] == "completed" { // a draft cannot become completed
				f.doAsAdmin(t, http.MethodPatch, "/releases/"+id, `{"status":"in_progress"}`)
			}
			return id
		},
		"ChannelID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			config, _ := body["config"].(map[string]any)
			return f.create(t, "/notification-channels/", f.channel(channelType(config)))
		},
		"EmailChannelID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/notification-channels/", f.channel("email"))
		},
		"PreferenceID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			channel := f.create(t, "/notification-channels/", f.channel("webhook"))
			return f.create(t, "/notification-preferences/", map[string]any{"channel_id": channel, "event_type": "deployment.started"})
		},
		"DeliveryID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			channel := f.create(t, "/notification-channels/", f.channel("webhook"))
			return f.doAsAdmin(t, http.MethodPost, "/notification-channels/"+channel+"/test", "").Field(t, "delivery_id").(string)
		},
		"APIKeyID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/api-keys/", map[string]any{"name": f.uniqueName()})
		},
		"DeploymentRuleID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/deployment-rules/", f.rule())
		},
		"CalendarFeedID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/calendar-feeds/", map[string]any{"name": f.uniqueName()})
		},
		"VariableID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/variables/", map[string]any{"key": f.uniqueKey(), "value": "deploy.yml"})
		},
		"DeploymentTemplateID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			return f.create(t, "/deployment-templates/", f.template(t, body))
		},
		"BreakGlassGrantID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			event := f.deploy(t)
			return f.create(t, "/break-glass-grants/", map[string]any{
				"product_id": event.Field(t, "product_id"), "environment_id": event.Field(t, "environment_id"), "version": "1", "reason": "Payments fail since 15:10",
			})
		},
		"DeploymentRequestID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.deploymentRequest(t, "draft")
		},
		"ActiveDeploymentRequestID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.deploymentRequest(t, "in_progress")
		},
		"ApprovedDeploymentRequestID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.deploymentRequest(t, "approved")
		},
		"RejectedDeploymentRequestID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.deploymentRequest(t, "rejected")
		},
		"DeploymentRequestTemplateID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.create(t, "/deployment-request-templates/", map[string]any{"name": f.uniqueName()})
		},
		"WaitingGrantID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.grantOfAnother(t, "awaiting_second")
		},
		"EndedGrantID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return f.grantOfAnother(t, "revoked")
		},
		"SessionID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			f.api.SignIn(t, testapi.Account, "admin")
			return f.list(t, "/auth/sessions/")[0]["id"].(string)
		},
		"UserID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			name := f.uniqueName()
			request := f.api.Request(t, http.MethodGet, "/products/", nil)
			request.Header.Set("Authorization", "Bearer "+f.api.TokenOf(t, testapi.Account, "developer", name))
			f.api.Do(t, request)
			var page struct{ Items []struct{ ID string } }
			require.NoError(t, json.Unmarshal(f.doAsAdmin(t, http.MethodGet, "/users/?q="+name, "").Body, &page))
			return page.Items[0].ID
		},
	}
}

// deploymentRequest creates a request of another user with a version, a slot, a step and a comment, and decides about the slot as the status requires.
func (f *fixture) deploymentRequest(t *testing.T, status string) string {
	t.Helper()
	event := f.deploy(t)
	id := f.create(t, "/deployment-requests/", map[string]any{
		"name": f.uniqueName(), "environment_ids": []any{event.Field(t, "environment_id")}, "approvals": []any{map[string]any{"approval_type": "qa"}},
		"steps": []any{map[string]any{"phase": "pre", "title": "Announce it"}},
	})
	path := "/deployment-requests/" + id
	f.doAsAdmin(t, http.MethodPost, path+"/versions", `{"version_id":"`+event.Field(t, "version_id").(string)+`"}`)
	f.doAsAdmin(t, http.MethodPost, path+"/comments", `{"text":"After the campaign"}`)
	if status != "draft" {
		f.doAsAdmin(t, http.MethodPost, path+"/activate", "")
	}
	f.api.Exec(t, "UPDATE deployment_requests SET created_by = gen_random_uuid(), activated_by = NULL WHERE id = '"+id+"'")
	switch slot := f.partOf(t, path+"/approvals"); status {
	case "approved":
		f.doAsAdmin(t, http.MethodPost, path+"/approvals/"+slot+"/approve", `{"activation":1}`)
	case "rejected":
		f.doAsAdmin(t, http.MethodPost, path+"/approvals/"+slot+"/reject", `{"activation":1,"comments":"It is broken"}`)
	}
	return id
}

// withUnknownIDs returns a path with an identifier of no object for each parameter.
func withUnknownIDs(path string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, uuid.NewString())
}

// partOf returns the identifier of the newest object of a list.
func (f *fixture) partOf(t *testing.T, path string) string {
	t.Helper()
	return f.list(t, path)[0]["id"].(string)
}

// rule returns a rule that applies to no deployment.
func (f *fixture) rule() map[string]any {
	return map[string]any{
		"name": f.uniqueName(), "rule_type": "schedule", "scope": map[string]any{"products": []string{"payments"}},
		"schedule": map[string]any{"timezone": "UTC", "windows": []any{map[string]any{"name": "w", "effect": "deny", "start": "2026-12-18T18:00", "end": "2027-01-04T06:00"}}},
	}
}

// uniqueKey returns a key that no variable has.
func (f *fixture) uniqueKey() string { return strings.ReplaceAll(f.uniqueName(), "-", "_") }

// template returns a template that can be rendered for the version and the environment that a body names, if it does.
func (f *fixture) template(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	event := f.deploy(t)
	template := map[string]any{
		"name": f.uniqueName(), "product_id": event.Field(t, "product_id"), "environment_ids": []any{event.Field(t, "environment_id")},
		"url_template": "https://ci.example.com/{{vi_version}}",
	}
	if version, ok := body["version_id"].(string); ok {
		template["product_id"] = f.doAsAdmin(t, http.MethodGet, "/versions/"+version, "").Field(t, "product_id")
		template["environment_ids"] = []any{body["environment_id"]}
	}
	return template
}

// grantOfAnother creates a break-glass grant that the admin may confirm or review.
func (f *fixture) grantOfAnother(t *testing.T, status string) string {
	t.Helper()
	var id string
	f.api.Scan(t, `INSERT INTO break_glass_grants (account_id, id, product_id, environment_id, version, reason, minutes, rule_types, status, created_by_name, created_at, confirm_until, updated_at)
		SELECT account_id, gen_random_uuid(), product_id, environment_id, '1', 'Payments fail since 15:10', 30, '{schedule}', '`+status+`', 'Grace Hopper', now(), now() + interval '15 min', now()
		FROM deployments WHERE id = '`+f.deploy(t).Field(t, "deployment_id").(string)+`' RETURNING id::text`, &id)
	return id
}

// approve creates an approval of a version.
func (f *fixture) approve(t *testing.T, version string) string {
	t.Helper()
	return f.create(t, "/versions/"+version+"/approvals", map[string]any{"approval_type": "qa", "decision": "approved"})
}

// violate records a violation of a rule by a deployment.
func (f *fixture) violate(t *testing.T) {
	t.Helper()
	f.api.Exec(t, `INSERT INTO rule_violations (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, certain, details, deployment_id, product_id, environment_id, version_id)
		SELECT d.account_id, gen_random_uuid(), now(), r.id, r.name, r.rule_type, 'reported', 'NO_DEPLOY_WINDOW', 'No deployments.', true, '{}', d.id, d.product_id, d.environment_id, d.version_id
		FROM deployments AS d JOIN deployment_rules AS r ON r.account_id = d.account_id LIMIT 1`)
}

func (f *fixture) channel(kind string) map[string]any {
	address := f.receiver + "/" + f.uniqueName()
	config := map[string]map[string]any{
		"slack_webhook": {"webhook_url": address}, "webhook": {"url": address, "secret": "a-secret-of-a-webhook"}, "email": {"to": "team@example.com"},
	}
	return map[string]any{"name": f.uniqueName(), "channel_type": kind, "config": config[kind]}
}

// channelType returns the type of channel with such a configuration.
func channelType(config map[string]any) string {
	switch {
	case config["url"] != nil:
		return "webhook"
	case config["webhook_url"] != nil:
		return "slack_webhook"
	case config["to"] != nil:
		return "email"
	default:
		return "webhook"
	}
}

// base is a valid request to an operation: the document's first example, with unique names and identifiers of objects that exist.
func (f *fixture) base(t *testing.T, op operation) requestCase {
	t.Helper()
	c := requestCase{}.with("the example")
	if body := op.exampleBody(t); body != nil {
		f.adapt(t, body)
		c.body = body
	}
	if media := op.textType(); media != "" {
		text, isText := op.RequestBody.Value.Content[media].Example.(string)
		require.True(t, isText, "%s: no example", op.OperationID)
		c.raw, c.isRaw = strings.ReplaceAll(text, "America/New_York", "UTC"), true // the time zone of rule()
	}
	return f.withFreshTargets(t, op, c)
}

// adapt makes an example valid for this server.
func (f *fixture) adapt(t *testing.T, body map[string]any) {
	t.Helper()
	for _, name := range []string{"name", "product_name", "version", "environment_name"} {
		if body[name] != nil {
			body[name] = f.uniqueName()
		}
	}
	if body["version_id"] != nil {
		body["version_id"] = f.factories()["VersionID"](t, nil)
	}
	if body["product_id"] != nil {
		body["product_id"] = f.factories()["ProductID"](t, nil)
	}
	if body["environment_id"] != nil {
		body["environment_id"] = f.factories()["EnvironmentID"](t, nil)
	}
	if body["environment_ids"] != nil {
		body["environment_ids"] = []any{f.factories()["EnvironmentID"](t, nil)}
	}
	if body["key"] != nil {
		body["key"] = f.uniqueKey()
	}
	if body["channel_id"] != nil {
		body["channel_id"] = f.factories()["ChannelID"](t, nil)
	}
	if config, ok := body["config"].(map[string]any); ok {
		body["config"] = f.channel(channelType(config))["config"]
	}
}

// withFreshTargets creates the objects that the path of the operation identifies.
func (f *fixture) withFreshTargets(t *testing.T, op operation, c requestCase) requestCase {
	t.Helper()
	c.path = make(map[string]string)
	object, _ := c.body.(map[string]any)
	for _, reference := range op.paramsIn(openapi3.ParameterInPath) {
		name := component(reference.Ref)
		switch name {
		case "VersionApprovalID":
			c.path[reference.Value.Name] = f.approve(t, c.path["id"])
		case "DeploymentRequestVersionID":
			c.path[reference.Value.Name] = f.partOf(t, "/deployment-requests/"+c.path["id"]+"/versions")
		case "DeploymentRequestSlotID":
			c.path[reference.Value.Name] = f.partOf(t, "/deployment-requests/"+c.path["id"]+"/approvals")
		case "DeploymentRequestStepID":
			c.path[reference.Value.Name] = f.partOf(t, "/deployment-requests/"+c.path["id"]+"/steps")
		case "ReleaseVersionID":
			version := f.factories()["VersionID"](t, nil)
			f.doAsAdmin(t, http.MethodPost, "/releases/"+c.path["id"]+"/versions", `{"version_id":"`+version+`"}`)
			c.path[reference.Value.Name] = version
		default:
			factory := f.factories()[name]
			require.NotNil(t, factory, "%s: no factory creates objects for %q: add one to factories", op.OperationID, name)
			c.path[reference.Value.Name] = factory(t, object)
		}
	}
	return c
}

// cursor returns the cursor of the second page of a list.
func (f *fixture) cursor(t *testing.T, op operation, c requestCase) string {
	t.Helper()
	query := url.Values{"limit": {"1"}}
	c = c.with("the first page")
	c.query = query
	answer := f.send(t, op, c)
	next, ok := answer.Field(t, "next_cursor").(string)
	require.True(t, ok, "%s: the list needs two objects: add a factory for its identifier, or create them in populate or populateChildren: %s", op.OperationID, answer.Body)
	return next
}

// populate creates two objects for each list.
func (f *fixture) populate(t *testing.T) {
	t.Helper()
	factories := f.factories()
	for range 2 {
		for _, name := range slices.Sorted(maps.Keys(factories)) {
			factories[name](t, nil)
		}
		f.violate(t)
	}
}

// populateChildren creates two objects in a list that is a part of what the path names.
func (f *fixture) populateChildren(t *testing.T, op operation, c requestCase) {
	t.Helper()
	if op.path == "/versions/{id}/approvals" {
		f.approve(t, c.path["id"])
		f.approve(t, c.path["id"])
	}
	if part, isPart := strings.CutPrefix(op.path, "/deployment-requests/{id}"); isPart {
		for _, body := range map[string][]string{
			"/versions":  {`{"version_id":"` + f.factories()["VersionID"](t, nil) + `"}`},
			"/approvals": {`{"approval_type":"uat"}`, `{"approval_type":"compliance"}`},
			"/steps":     {`{"phase":"pre","title":"Announce it again"}`},
			"/comments":  {`{"text":"After the holidays"}`},
		}[part] {
			f.doAsAdmin(t, http.MethodPost, "/deployment-requests/"+c.path["id"]+part, body)
		}
	}
	if strings.HasPrefix(op.path, "/releases/{id}/") {
		for range 2 {
			f.doAsAdmin(t, http.MethodPost, "/releases/"+c.path["id"]+"/versions", `{"version_id":"`+f.factories()["VersionID"](t, nil)+`"}`)
		}
	}
}

// snapshot returns a hash of the rows of each table with data of accounts. It ignores last_used_at and last_seen_at, which every
// request may update.
func (f *fixture) snapshot(t *testing.T) map[string]string {
	t.Helper()
	var tables []string
	f.api.Scan(t, `SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
		AND (a.attname = 'account_id' OR c.relname IN ('accounts', 'river_job') AND a.attnum = 1)`, &tables)
	require.Greater(t, len(tables), 15)
	stored := make(map[string]string)
	parts := make([]string, 0, len(tables))
	for _, table := range tables {
		parts = append(parts, fmt.Sprintf(`SELECT '%s' AS name, coalesce(string_agg(row, E'\n' ORDER BY row), '') AS rows
			FROM (SELECT (to_jsonb(t) - 'last_used_at' - 'last_seen_at')::text AS row FROM %s t) AS texts`, table, table))
	}
	var names, rows []string
	f.api.Scan(t, "SELECT array_agg(name), array_agg(rows) FROM ("+strings.Join(parts, " UNION ALL ")+") AS snapshot", &names, &rows)
	for i, name := range names {
		stored[name] = fmt.Sprintf("%d rows, %x", strings.Count(rows[i], "\n"), sha256.Sum256([]byte(rows[i])))
	}
	return stored
}
