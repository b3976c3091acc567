package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

const calendarPath = "/deployment-calendar.ics"

// feed creates a calendar feed as a user with that role, and returns its identifier and token.
func feed(t *testing.T, api *testapi.API, account, role string) (id, token string) {
	t.Helper()
	request := api.Request(t, http.MethodPost, "/calendar-feeds/", []byte(`{"name":" Outlook of `+role+` "}`))
	request.Header.Set("Authorization", "Bearer "+api.Token(t, account, role))
	created := api.Do(t, request)
	require.Equal(t, http.StatusOK, created.Status, "%s", created.Body)
	token = created.Field(t, "token").(string)
	require.Equal(t, testapi.PublicURL+calendarPath+"?token="+token, created.Field(t, "url"))
	require.Equal(t, "Outlook of "+role, created.Field(t, "name"))
	return created.Field(t, "id").(string), token
}

// readCalendar requests the calendar with a token, and other parameters in pairs.
func readCalendar(t *testing.T, api *testapi.API, token string, parameters ...string) testapi.Answer {
	t.Helper()
	query := url.Values{"token": {token}}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	return api.Get(t, calendarPath+"?"+query.Encode())
}

// eventsOf returns the properties of each event of a calendar, unfolded.
func eventsOf(calendar []byte) []map[string]string {
	var events []map[string]string
	for line := range strings.SplitSeq(strings.ReplaceAll(string(calendar), "\r\n ", ""), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if line == "BEGIN:VEVENT" {
			events = append(events, make(map[string]string))
		}
		if len(events) > 0 {
			events[len(events)-1][name] = value
		}
	}
	return events
}

// TestCalendarAsICalendar compares the calendar for calendar programs with the list.
func TestCalendarAsICalendar(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"status": "completed"})) // checkout, production
	rule := func(name, mode, scope, windows string) string {
		return created(t, api, "/deployment-rules/", `{"name":"`+name+`","rule_type":"schedule","mode":"`+mode+`","scope":`+scope+`,"schedule":{"timezone":"Europe/Berlin","windows":[`+windows+`]}}`)
	}
	rule("Nights, all of them", "enabled", `{"environments":["production"]}`, `{"name":"nicht; jetzt","effect":"deny","start":"2026-01-01T22:00","end":"2026-01-02T06:00","rrule":"FREQ=DAILY","reason":"Nur tagsüber,\nbitte `+strings.Repeat("ü", 60)+`"}`)
	rule("Hours", "report_only", `{"products":["checkout"]}`, `{"name":"open","effect":"allow","start":"2026-01-01T08:00","end":"2026-01-01T18:00","rrule":"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}`)
	off := path.Base(rule("Off", "disabled", `{}`, `{"name":"never","effect":"deny","start":"2026-01-01T08:00","end":"2026-12-31T18:00"}`))
	_, token := feed(t, api, testapi.Account, "qa")

	for _, parameters := range [][]string{
		nil,
		{"from", "2026-03-20T00:00:00Z", "until", "2026-04-10T12:00:00Z"},
		{"product", "checkout", "environment", "production"},
		{"product", "other"},
		{"rule_id", off},
		{"environment", "production", "from", "2026-10-20T00:00:00+02:00"},
	} {
		answer := readCalendar(t, api, token, parameters...)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, "text/calendar; charset=utf-8", answer.Header.Get("Content-Type"))
		require.Equal(t, "private, no-cache", answer.Header.Get("Cache-Control"))
		query := url.Values{}
		for i := 0; i < len(parameters); i += 2 {
			query.Set(parameters[i], parameters[i+1])
		}
		listed := items(t, api.As(t, "qa", http.MethodGet, "/deployment-calendar/?"+query.Encode(), ""))
		events := eventsOf(answer.Body)
		require.Len(t, events, len(listed), "%v", parameters)
		if slices.Contains(parameters, "other") {
			require.NotEmpty(t, events, "the rule without products")
		}
		seen := make(map[string]bool)
		for i, event := range events {
			item := listed[i]
			inUTC := func(member string) string {
				at, err := time.Parse(time.RFC3339, item[member].(string))
				require.NoError(t, err)
				return at.UTC().Format("20060102T150405Z")
			}
			require.Equal(t, inUTC("starts_at"), event["DTSTART"])
			require.Equal(t, inUTC("ends_at"), event["DTEND"])
			switch item["rule_name"] {
			case "Off":
				require.Equal(t, []string{"Off: never", "OPAQUE", "TENTATIVE"}, []string{event["SUMMARY"], event["TRANSP"], event["STATUS"]})
			case "Hours":
				require.Equal(t, []string{"Hours: open", "TRANSPARENT", "TENTATIVE", ""}, []string{event["SUMMARY"], event["TRANSP"], event["STATUS"], event["DESCRIPTION"]})
			default:
				require.Equal(t, []string{`Nights\, all of them: nicht\; jetzt`, "OPAQUE", "CONFIRMED"}, []string{event["SUMMARY"], event["TRANSP"], event["STATUS"]})
				require.Equal(t, `Nur tagsüber\,\nbitte `+strings.Repeat("ü", 60), event["DESCRIPTION"])
			}
			require.False(t, seen[event["UID"]])
			seen[event["UID"]] = true
		}
	}

	t.Run("NotModifiedUntilARuleChanges", func(t *testing.T) {
		read := func(tag string) testapi.Answer {
			request := api.Request(t, http.MethodGet, calendarPath+"?from=2026-03-20T00:00:00Z&token="+token, nil)
			if tag != "" {
				request.Header.Set("If-None-Match", tag)
			}
			return api.Do(t, request)
		}
		first := read("")
		require.Equal(t, http.StatusNotModified, read(first.Header.Get("ETag")).Status)
		time.Sleep(1100 * time.Millisecond) // a second is the resolution of DTSTAMP
		require.Equal(t, http.StatusNotModified, read(first.Header.Get("ETag")).Status, "it does not depend on the time of the request")
		rule("Another", "enabled", `{}`, `{"name":"w","effect":"deny","start":"2026-04-01T08:00","end":"2026-04-01T09:00"}`)
		changed := read(first.Header.Get("ETag"))
		require.Equal(t, http.StatusOK, changed.Status)
		require.Len(t, eventsOf(changed.Body), len(eventsOf(first.Body))+1)
		uids := func(answer testapi.Answer) (all []string) {
			for _, event := range eventsOf(answer.Body) {
				all = append(all, event["UID"])
			}
			return all
		}
		require.Subset(t, uids(changed), uids(first), "identifiers stay")
	})
	t.Run("AtMost2000", func(t *testing.T) {
		windows := strings.TrimSuffix(strings.Repeat(`{"name":"w","effect":"deny","start":"2027-01-01T22:00","end":"2027-01-02T06:00","rrule":"FREQ=DAILY"},`, 7), ",")
		rule("Many", "enabled", `{}`, windows)
		answer := readCalendar(t, api, token, "from", "2027-01-01T00:00:00Z", "until", "2028-01-20T00:00:00Z")
		require.Equal(t, http.StatusOK, answer.Status)
		require.Len(t, eventsOf(answer.Body), 2000)
	})
	t.Run("InvalidFilters", func(t *testing.T) {
		answer := readCalendar(t, api, token, "from", "2026-03-20T00:00:00Z", "until", "2026-03-20T00:00:00Z")
		require.Equal(t, []string{`["query","until"]`}, locs(t, answer))
		require.Equal(t, []string{`["query","x"]`}, locs(t, readCalendar(t, api, token, "x", "y")))
	})
}

// TestCalendarFeedsOfUsers has the feeds that users see and revoke: their own ones, an admin those of all users.
func TestCalendarFeedsOfUsers(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	ofQA, _ := feed(t, api, testapi.Account, "qa")
	ofSRE, token := feed(t, api, testapi.Account, "sre")
	feed(t, api, "other", "admin")
	ids := func(role string) (all []string) {
		for _, item := range items(t, api.As(t, role, http.MethodGet, "/calendar-feeds/", "")) {
			all = append(all, item["id"].(string))
			require.NotContains(t, item, "token")
		}
		return all
	}
	revoke := func(role, id string) int {
		return api.As(t, role, http.MethodDelete, "/calendar-feeds/"+id, "").Status
	}
	require.Equal(t, []string{ofQA}, ids("qa"))
	require.Equal(t, []string{ofSRE}, ids("sre"))
	require.Equal(t, []string{ofSRE, ofQA}, ids("admin"))
	require.Empty(t, ids("developer"))
	require.Equal(t, http.StatusNotFound, revoke("qa", ofSRE))
	require.Equal(t, http.StatusForbidden, api.As(t, "viewer", http.MethodPost, "/calendar-feeds/", `{"name":"x"}`).Status)
	require.Equal(t, http.StatusOK, readCalendar(t, api, token).Status)
	require.NotNil(t, items(t, api.As(t, "sre", http.MethodGet, "/calendar-feeds/", ""))[0]["last_used_at"])

	require.Equal(t, http.StatusNoContent, revoke("qa", ofQA))
	require.Equal(t, http.StatusNotFound, revoke("qa", ofQA), "it is revoked")
	require.Equal(t, http.StatusNoContent, revoke("admin", ofSRE))
	require.Empty(t, ids("admin"))
	require.Equal(t, http.StatusUnauthorized, readCalendar(t, api, token).Status)

	var entries []string
	for _, entry := range items(t, api.As(t, "admin", http.MethodGet, "/audit-log/", "")) {
		if entry["object_type"] == "calendar_feed" {
			entries = append(entries, entry["action"].(string)+" of "+entry["actor_name"].(string))
		}
	}
	require.Equal(t, []string{"calendar_feed.revoke of admin", "calendar_feed.revoke of qa", "calendar_feed.create of sre", "calendar_feed.create of qa"}, entries)
}

func TestRevokedCalendarFeedIsRejectedWithinASecond(t *testing.T) {
	t.Parallel()
	one := testapi.New(t)
	two := testapi.New(t, testapi.WithDatabase(one.DSN))
	id, token := feed(t, one, testapi.Account, "qa")
	for range 5 {
		require.Equal(t, http.StatusOK, readCalendar(t, one, token).Status)
		require.Equal(t, http.StatusOK, readCalendar(t, two, token).Status)
	}
	hits := two.Metric(t, `versioner_credential_cache_total{outcome="hit"}`)
	require.Eventually(t, func() bool {
		require.Equal(t, http.StatusOK, readCalendar(t, two, token).Status)
		return two.Metric(t, `versioner_credential_cache_total{outcome="hit"}`) > hits
	}, 10*time.Second, 10*time.Millisecond, "it is cached")
	require.Equal(t, http.StatusNoContent, one.As(t, "qa", http.MethodDelete, "/calendar-feeds/"+id, "").Status)
	require.Equal(t, http.StatusUnauthorized, readCalendar(t, one, token).Status)
	require.Eventually(t, func() bool { return readCalendar(t, two, token).Status == http.StatusUnauthorized }, time.Second, 5*time.Millisecond)
}

// TestCalendarFeedTokenIsAcceptedAlone sends the token to every operation, and other credentials to the calendar.
func TestCalendarFeedTokenIsAcceptedAlone(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	_, token := feed(t, api, testapi.Account, "admin")
	_, theirs := feed(t, api, "other", "admin")
	created(t, api, "/deployment-rules/", scheduleRule("mine", "any"))

	t.Run("NowhereElse", func(t *testing.T) {
		for _, op := range operations(t) {
			if len(apigen.OperationSchemes[op.id]) == 0 || op.path == calendarPath {
				continue
			}
			target := strings.NewReplacer("{id}", "01a20945-61f3-7a0c-8d2e-5b7f90c3e416", "{version_id}", "01a20945-61f3-7a0c-8d2e-5b7f90c3e416", "{approval_id}", "01a20945-61f3-7a0c-8d2e-5b7f90c3e416").Replace(op.path)
			require.Equal(t, http.StatusUnauthorized, api.Do(t, api.Request(t, op.method, target+"?token="+token, nil)).Status, op.id)
			request := api.Request(t, op.method, target, nil)
			request.Header.Set("Authorization", "Bearer "+token)
			require.Equal(t, http.StatusUnauthorized, api.Do(t, request).Status, op.id)
		}
		withToken := api.As(t, "viewer", http.MethodGet, "/products/?token="+token, "")
		require.Equal(t, []string{`["query","token"]`}, locs(t, withToken))
	})
	t.Run("OthersAreForbidden", func(t *testing.T) {
		for _, credential := range []string{api.Key, api.Token(t, testapi.Account, "admin")} {
			request := api.Request(t, http.MethodGet, calendarPath, nil)
			request.Header.Set("Authorization", "Bearer "+credential)
			require.Equal(t, http.StatusForbidden, api.Do(t, request).Status)
			require.Equal(t, http.StatusUnauthorized, readCalendar(t, api, credential).Status)
		}
		require.Equal(t, http.StatusForbidden, api.WithCookie(t, api.SignIn(t, testapi.Account, "viewer"), http.MethodGet, calendarPath, "").Status)
	})
	t.Run("InvalidTokens", func(t *testing.T) {
		changed := []byte(token)
		changed[10] ^= 1
		for _, query := range []string{
			"", "?", "?token", "?token=", "?token=x", "?token=" + string(changed), "?token=" + strings.ToUpper(token), "?token=" + token + "&token=" + token, "?Token=" + token,
			"?token=" + token + "%zz", "?token=" + token + ";", "?token=" + strings.Repeat("cal_", 10_000), "?token=%00" + token,
		} {
			request := api.Request(t, http.MethodGet, calendarPath, nil)
			request.URL.RawQuery = strings.TrimPrefix(query, "?")
			answer := api.Do(t, request)
			require.Equal(t, http.StatusUnauthorized, answer.Status, "%.80s", query)
			require.NotContains(t, string(answer.Body), "cal_")
		}
	})
	t.Run("OwnAccount", func(t *testing.T) {
		read := func(token string) []map[string]string {
			return eventsOf(readCalendar(t, api, token, "from", "2026-01-01T00:00:00Z", "until", "2027-01-31T00:00:00Z").Body)
		}
		require.NotEmpty(t, read(token))
		require.Empty(t, read(theirs))
	})
	t.Run("AnyFormOfTheAddress", func(t *testing.T) {
		for _, address := range []string{calendarPath + "/?token=", "/" + calendarPath + "?from=2026-01-01T00:00:00Z&token=", calendarPath + "?%74oken="} {
			require.Equal(t, http.StatusOK, api.Get(t, address+token).Status, address)
		}
	})
	t.Run("RateLimits", func(t *testing.T) {
		limited := testapi.New(t, testapi.WithDatabase(api.DSN), testapi.WithLimits(httpapi.Limits{KeyPerMinute: 2, AccountPerHour: 100}))
		for range 2 {
			require.Equal(t, http.StatusOK, readCalendar(t, limited, token).Status)
		}
		require.Equal(t, http.StatusTooManyRequests, readCalendar(t, limited, token).Status)
		require.Equal(t, http.StatusOK, readCalendar(t, limited, theirs).Status, "another feed")
	})
}

// TestCalendarFeedTokenIsNotRecorded looks for the token in the logs, traces, metrics and tables after every kind of request.
func TestCalendarFeedTokenIsNotRecorded(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	api := testapi.New(t, testapi.WithTracing(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))), testapi.WithLimits(httpapi.Limits{FailuresPerMinute: 3}))
	id, token := feed(t, api, testapi.Account, "admin")
	require.Equal(t, http.StatusOK, readCalendar(t, api, token).Status)
	require.Equal(t, http.StatusUnprocessableEntity, readCalendar(t, api, token, "x", "y").Status)
	for _, address := range []string{calendarPath + "/?token=", "//deployment-calendar.ics?%74oken=", "/products/?token=", "/nothing?token=", calendarPath + "/x?token=", "/health?token=", "/?token="} {
		api.Get(t, address+token)
	}
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodOptions} {
		api.Do(t, api.Request(t, method, calendarPath+"?token="+token, nil))
	}
	api.Exec(t, "ALTER TABLE deployment_rules RENAME TO gone")
	require.Equal(t, http.StatusInternalServerError, readCalendar(t, api, token).Status)
	api.Exec(t, "ALTER TABLE gone RENAME TO deployment_rules")
	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/calendar-feeds/"+id, "").Status)
	for range 5 {
		readCalendar(t, api, token)
	}

	secret := token[4:20]
	logs := api.Logs.String()
	require.Contains(t, logs, `"path":"`+calendarPath+`"`)
	require.Contains(t, logs, `"calendar_feed_id":"`+id+`"`)
	require.NotContains(t, logs, secret)
	spanNamed(t, spans, "subscribeDeploymentCalendar")
	for _, span := range spans.Ended() {
		text, err := json.Marshal(tracetest.SpanStubFromReadOnlySpan(span))
		require.NoError(t, err)
		require.NotContains(t, string(text), secret, span.Name())
	}
	require.Positive(t, api.Metric(t, `versioner_auth_total{outcome="accepted",scheme="CalendarFeedToken"}`))
	require.Positive(t, api.Metric(t, `versioner_auth_total{outcome="rejected",scheme="CalendarFeedToken"}`))
	require.NotContains(t, api.MetricsText(t), secret)
	for _, table := range []string{"audit_log", "calendar_feeds", "events", "idempotency_keys"} {
		require.Zero(t, api.Count(t, "(SELECT to_jsonb(r)::text AS row FROM "+table+" AS r) AS rows WHERE row LIKE '%"+secret+"%'"), table)
	}
	var stored int
	api.Scan(t, "SELECT count(*) FROM calendar_feeds WHERE length(token_hmac) = 32 AND length(pepper_id) = 8", &stored)
	require.Equal(t, 1, stored)
}
