package spectest_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/testapi"
)

// plenty is a rate that no test reaches, so that limits are told and never met.
const plenty = 1_000_000

// world is a server, its document, and how to make what an operation needs.
type world struct {
	api      *testapi.API
	document *openapi3.T
	make     *generator
	admin    string // a token
	receiver string // where webhooks go
}

func newWorld(t *testing.T) *world {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:1?tls=none", "versioner@example.com")
	require.NoError(t, err)
	api := testapi.New(t, testapi.WithMailer(mailer), testapi.WithLimits(httpapi.Limits{
		Limiter: ratelimit.NewLocal(), KeyPerMinute: plenty, AccountPerHour: plenty, UserPerMinute: plenty, FailuresPerMinute: plenty,
	}))
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	document := served(t, api)
	w := &world{api: api, document: document, make: newGenerator(t, document), admin: api.Token(t, testapi.Account, "admin"), receiver: receiver.URL}
	w.as(t, http.MethodGet, "/users/", "") // the first request of an admin makes them known
	return w
}

// as sends a request of an admin that is not what is tested, and requires that all is well.
func (w *world) as(t *testing.T, method, path, body string) testapi.Answer {
	t.Helper()
	request := w.api.Request(t, method, path, []byte(body))
	request.Header.Set("Authorization", "Bearer "+w.admin)
	answer := w.api.Do(t, request)
	require.Less(t, answer.Status, http.StatusMultipleChoices, "%s %s %s: %s", method, path, body, answer.Body)
	return answer
}

func (w *world) create(t *testing.T, path string, body map[string]any) string {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return w.as(t, http.MethodPost, path, string(text)).Field(t, "id").(string)
}

func (w *world) name() string { return w.make.unique(12, 'w') }

// deploy sends an event, which makes a product, a version, an environment and a deployment.
func (w *world) deploy(t *testing.T) testapi.Answer {
	t.Helper()
	return w.api.PostEvent(t, "/deployment-events/", map[string]any{
		"product_name": w.name(), "version": w.name(), "environment_name": w.name(), "status": "completed", "scm_sha": "9fceb02d0ae598e95dc970b74767f19372d61af8",
	})
}

// startAndComplete sends two events and returns the identifier of the deployment or build that they update.
func (w *world) startAndComplete(t *testing.T, path string, event map[string]any) string {
	t.Helper()
	event["status"] = "started"
	id := w.api.PostEvent(t, path, event).Field(t, "id").(string)
	event["status"] = "completed"
	require.Equal(t, id, w.api.PostEvent(t, path, event).Field(t, "id"))
	return id
}

// makers make an object that an identifier in a path names, by the component that describes it there; so that a body can
// be carried out, where it needs an object in some state.
func (w *world) makers() map[string]func(t *testing.T, body map[string]any) string {
	ofEvent := func(member string) func(*testing.T, map[string]any) string {
		return func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return w.deploy(t).Field(t, member).(string)
		}
	}
	return map[string]func(*testing.T, map[string]any) string{
		"ProductID": ofEvent("product_id"), "EnvironmentID": ofEvent("environment_id"), "VersionID": ofEvent("version_id"),
		"DeploymentID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return w.startAndComplete(t, "/deployment-events/", map[string]any{"product_name": w.name(), "version": w.name(), "environment_name": w.name()})
		},
		"BuildID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return w.startAndComplete(t, "/build-events/", map[string]any{"product_name": w.name(), "version": w.name()})
		},
		"ReleaseID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			id := w.create(t, "/releases/", map[string]any{"name": w.name()})
			if body["status"] == "completed" { // a draft must be in progress first
				w.as(t, http.MethodPatch, "/releases/"+id, `{"status":"in_progress"}`)
			}
			return id
		},
		"ChannelID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			config, _ := body["config"].(map[string]any)
			return w.create(t, "/notification-channels/", w.channel(channelOf(config)))
		},
		"PreferenceID": func(t *testing.T, body map[string]any) string {
			t.Helper()
			event := "deployment.preflight_failed" // it fits every filter
			if _, told := body["event_type"]; told {
				event = "deployment.started"
			}
			channel := w.create(t, "/notification-channels/", w.channel("webhook"))
			return w.create(t, "/notification-preferences/", map[string]any{"channel_id": channel, "event_type": event})
		},
		"DeliveryID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			channel := w.create(t, "/notification-channels/", w.channel("webhook"))
			return w.as(t, http.MethodPost, "/notification-channels/"+channel+"/test", "").Field(t, "delivery_id").(string)
		},
		"APIKeyID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			return w.create(t, "/api-keys/", map[string]any{"name": w.name()})
		},
		"UserID": func(t *testing.T, _ map[string]any) string {
			t.Helper()
			name := w.name()
			request := w.api.Request(t, http.MethodGet, "/products/", nil)
			request.Header.Set("Authorization", "Bearer "+w.api.TokenOf(t, testapi.Account, "developer", name))
			w.api.Do(t, request)
			var page struct{ Items []struct{ ID string } }
			require.NoError(t, json.Unmarshal(w.as(t, http.MethodGet, "/users/?q="+name, "").Body, &page))
			return page.Items[0].ID
		},
	}
}

func (w *world) channel(kind string) map[string]any {
	address := w.receiver + "/" + w.name()
	config := map[string]map[string]any{
		"slack_webhook": {"webhook_url": address}, "webhook": {"url": address, "secret": "a secret that is masked"}, "email": {"to": "team@example.com"},
	}
	return map[string]any{"name": w.name(), "channel_type": kind, "config": config[kind]}
}

// channelOf is the type of channel that has such a configuration.
func channelOf(config map[string]any) string {
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

// rules are about members of which the schema does not say all: what their descriptions ask for.
func rules() map[string]func(*generator) []sample {
	address := func(g *generator) []sample {
		begin := "http://127.0.0.1:9/"
		return []sample{{"an address", begin + g.unique(20, 'a')}, {"longest", begin + g.unique(2048-len(begin), 'a')}, {"with a query", begin + "?a=%20&b"}}
	}
	secret := func(g *generator) []sample {
		return []sample{{"a secret", g.unique(20, 's')}, {"shortest", g.unique(8, 's')}, {"longest", g.unique(255, 's')}, {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}
	}
	recipients := func(g *generator) []sample {
		long := strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + ".example"
		many := make([]string, 20)
		for i := range many {
			many[i] = g.unique(60, 'l') + "@" + long
		}
		return []sample{{"one address", "team@example.com"}, {"two", "a@example.com ,b@example.com"}, {"many", strings.Join(many, ",")}}
	}
	events := func(g *generator) []sample {
		found := []sample{{"a status", "completed"}, {"upper case", "FAILED"}}
		for _, word := range g.words {
			found = append(found, sample{"a word", word})
		}
		return found
	}
	// A version that must be there is put in by complete; this one shows that it was not.
	nobody := func(*generator) []sample { return []sample{{"an object", "00000000-0000-4000-8000-000000000000"}} }
	return map[string]func(*generator) []sample{
		"ChannelConfigCreate.webhook_url": address, "ChannelConfigPatch.webhook_url": address,
		"ChannelConfigCreate.url": address, "ChannelConfigPatch.url": address,
		"ChannelConfigCreate.secret": secret,
		"ChannelConfigPatch.secret":  func(g *generator) []sample { return append(secret(g), sample{"masked", "****"}) },
		"ChannelConfigCreate.to":     recipients, "ChannelConfigPatch.to": recipients,
		"NotificationFiltersInput.statuses[]": events,
		"NotificationFiltersInput.environments[]": func(g *generator) []sample {
			return []sample{{"a name", g.unique(9, 'e')}, {"longest", g.unique(255, 'e')}, {"one character", "é"}}
		},
		"NotificationFiltersInput.products[]": func(g *generator) []sample {
			return []sample{{"a name", g.unique(9, 'p')}, {"longest", g.unique(255, '\U0001f600')}, {"one character", "é"}}
		},
		"APIKeyCreate.expires_at": func(*generator) []sample { // in the future
			return []sample{{"a time", "2199-01-01T00:00:00Z"}, {"with an offset", "2199-01-01T00:00:00.5-11:00"}, {"the last", "9999-12-31T23:59:59.999999Z"}}
		},
		"NotificationPreferenceCreate.channel_id": nobody, "ReleaseVersionAdd.version_id": nobody,
	}
}

// complete makes of a body that its schema allows one that can be carried out: it names objects that there are, and members
// fit each other as the descriptions say.
func (w *world) complete(t *testing.T, schema string, body map[string]any) {
	t.Helper()
	if _, named := body["version_id"]; named && schema == "ReleaseVersionAdd" {
		body["version_id"] = w.makers()["VersionID"](t, nil)
	}
	if _, named := body["channel_id"]; named && schema == "NotificationPreferenceCreate" {
		body["channel_id"] = w.makers()["ChannelID"](t, nil)
	}
	switch schema {
	case "NotificationChannelCreate", "NotificationChannelPatch":
		w.completeChannel(schema, body)
	case "NotificationPreferenceCreate", "NotificationPreferencePatch":
		completeFilters(body)
	}
}

// completeChannel: each type of channel has its own members.
func (w *world) completeChannel(schema string, body map[string]any) {
	config, ok := body["config"].(map[string]any)
	if !ok {
		return
	}
	kind, _ := body["channel_type"].(string)
	if schema == "NotificationChannelPatch" || len(config) == 1 {
		kind = channelOf(config)
	}
	own := map[string][]string{"webhook": {"url", "secret"}, "slack_webhook": {"webhook_url"}, "email": {"to"}}[kind]
	maps.DeleteFunc(config, func(name string, _ any) bool { return !slices.Contains(own, name) })
	if schema == "NotificationChannelCreate" {
		body["channel_type"] = kind
		if _, there := config[own[0]]; !there {
			config[own[0]] = w.channel(kind)["config"].(map[string]any)[own[0]]
		}
	}
}

// completeFilters: builds have no environment, and an event has the status that its type says.
func completeFilters(body map[string]any) {
	filters, _ := body["filters"].(map[string]any)
	event, _ := body["event_type"].(string)
	kind, status, _ := strings.Cut(event, ".")
	if kind == "build" || kind == "version" {
		delete(filters, "environments")
	}
	if statuses, _ := filters["statuses"].([]any); len(statuses) > 0 && status != "" && status != "preflight_failed" {
		statuses[len(statuses)-1] = status
	}
}

// fill gives an operation the objects that its path names.
func (w *world) fill(t *testing.T, op operation, g given) given {
	t.Helper()
	g.path = make(map[string]string)
	object, _ := g.body.(map[string]any)
	for _, reference := range op.paramsIn(openapi3.ParameterInPath) {
		if name := component(reference.Ref); name == "ReleaseVersionID" {
			version := w.makers()["VersionID"](t, nil)
			w.as(t, http.MethodPost, "/releases/"+g.path["id"]+"/versions", `{"version_id":"`+version+`"}`)
			g.path[reference.Value.Name] = version
		} else {
			maker := w.makers()[name]
			require.NotNil(t, maker, "%s: how is an object made that %q names?", op.OperationID, name)
			g.path[reference.Value.Name] = maker(t, object)
		}
	}
	return g
}

// cursor is that of the second page of the list.
func (w *world) cursor(t *testing.T, op operation, g given) string {
	t.Helper()
	query := url.Values{"limit": {"1"}}
	g = g.with("the first page")
	g.query = query
	answer := w.send(t, op, g)
	next, ok := answer.Field(t, "next_cursor").(string)
	require.True(t, ok, "%s: the list needs two objects at least: %s", op.OperationID, answer.Body)
	return next
}

// populate has two objects in each list.
func (w *world) populate(t *testing.T) {
	t.Helper()
	makers := w.makers()
	for range 2 {
		for _, name := range slices.Sorted(maps.Keys(makers)) { // in the same order every time
			makers[name](t, nil)
		}
	}
}

// populateBelow has two objects in a list that is a part of what the path names.
func (w *world) populateBelow(t *testing.T, op operation, g given) {
	t.Helper()
	if strings.HasPrefix(op.path, "/releases/{id}/") {
		for range 2 {
			w.as(t, http.MethodPost, "/releases/"+g.path["id"]+"/versions", `{"version_id":"`+w.makers()["VersionID"](t, nil)+`"}`)
		}
	}
}

// snapshot is what is stored of all accounts, by table. What is noted of callers beside their requests is left out.
func (w *world) snapshot(t *testing.T) map[string]string {
	t.Helper()
	var tables []string
	w.api.Scan(t, `SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
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
	w.api.Scan(t, "SELECT array_agg(name), array_agg(rows) FROM ("+strings.Join(parts, " UNION ALL ")+") AS everything", &names, &rows)
	for i, name := range names {
		stored[name] = fmt.Sprintf("%d rows, %x", strings.Count(rows[i], "\n"), sha256.Sum256([]byte(rows[i])))
	}
	return stored
}
