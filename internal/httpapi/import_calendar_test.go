package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// icsOf returns a calendar with several events; each is lines that are separated by |.
func icsOf(events ...string) string {
	var text strings.Builder
	for _, event := range events {
		text.WriteString("BEGIN:VEVENT|" + event + "|END:VEVENT|")
	}
	return strings.ReplaceAll("BEGIN:VCALENDAR|VERSION:2.0|PRODID:test|"+text.String()+"END:VCALENDAR|", "|", "\r\n")
}

// importCalendar sends a calendar for the rule at a path as a user with that role. The headers are in pairs.
func importCalendar(t *testing.T, api *testapi.API, role, rule, text string, headers ...string) testapi.Answer {
	t.Helper()
	request := api.Request(t, http.MethodPut, rule+"/calendar", []byte(text))
	request.Header.Set("Content-Type", "text/calendar; charset=UTF-8; method=PUBLISH")
	request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, role))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return api.Do(t, request)
}

func TestImportCalendar(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	rule := created(t, api, "/deployment-rules/", `{"name":"Holidays","rule_type":"schedule","mode":"enabled","priority":7,"scope":{"environments":["production"]},"schedule":{"timezone":"Europe/Berlin","windows":[
		{"name":"former","effect":"allow","start":"2026-01-01T08:00","end":"2026-01-01T18:00"}]}}`)
	before := api.As(t, "sre", http.MethodGet, rule, "")
	window := func(name, start, end string, more ...any) map[string]any {
		w := map[string]any{"name": name, "effect": "deny", "start": start, "end": end, "rrule": nil, "exdates": []any{}, "reason": nil}
		for i := 0; i < len(more); i += 2 {
			w[more[i].(string)] = more[i+1]
		}
		return w
	}
	answer := importCalendar(t, api, "sre", rule, icsOf(
		"UID:1|SUMMARY:Christmas\\, really|DTSTART;VALUE=DATE:20261224|DTEND;VALUE=DATE:20261227|DESCRIPTION:Peak\\nseason",
		"UID:2|SUMMARY:Nights|DTSTART;TZID=Europe/Berlin:20260105T220000|DTEND;TZID=Europe/Berlin:20260106T060000|RRULE:FREQ=WEEKLY;BYDAY=MO|EXDATE;TZID=Europe/Berlin:20260119T220000",
		"UID:2|SUMMARY:Nights|RECURRENCE-ID;TZID=Europe/Berlin:20260112T220000|DTSTART:20260113T210000Z|DTEND:20260114T050000Z",
		"UID:3|DTSTART:20260301T100000|DURATION:PT30M|TRANSP:TRANSPARENT", "UID:4|DTSTART:20260301T100000|DURATION:PT30M|STATUS:CANCELLED",
	), "If-Match", before.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, map[string]any{"timezone": "Europe/Berlin", "windows": []any{
		window("Christmas, really", "2026-12-24T00:00", "2026-12-27T00:00", "reason", "Peak\nseason"),
		window("Nights", "2026-01-05T22:00", "2026-01-06T06:00", "rrule", "FREQ=WEEKLY;BYDAY=MO", "exdates", []any{"2026-01-12", "2026-01-19"}),
		window("Nights", "2026-01-13T22:00", "2026-01-14T06:00"),
	}}, answer.Field(t, "schedule"))
	for _, name := range []string{"id", "name", "mode", "priority", "rollback", "scope", "created_at"} {
		require.Equal(t, before.Field(t, name), answer.Field(t, name), name)
	}
	after := api.As(t, "sre", http.MethodGet, rule, "")
	require.Equal(t, string(after.Body), string(answer.Body))
	require.Equal(t, after.Header.Get("ETag"), answer.Header.Get("ETag"))
	require.NotEqual(t, before.Header.Get("ETag"), answer.Header.Get("ETag"))

	entry := items(t, api.As(t, "admin", http.MethodGet, "/audit-log/?action=deployment_rule.import", ""))
	require.Len(t, entry, 1)
	require.Equal(t, "Holidays", entry[0]["object_name"])
	require.Equal(t, []any{"schedule"}, entry[0]["fields"])

	t.Run("StaleIfMatch", func(t *testing.T) {
		stale := importCalendar(t, api, "sre", rule, icsOf("UID:1|DTSTART:20261224"), "If-Match", before.Header.Get("ETag"))
		require.Equal(t, http.StatusPreconditionFailed, stale.Status)
	})
	t.Run("EqualCalendarChangesNothing", func(t *testing.T) {
		first := importCalendar(t, api, "sre", rule, icsOf("UID:1|SUMMARY:a|DTSTART:20261224"))
		revisions := func() (revision int) {
			api.Scan(t, "SELECT revision FROM governance_state", &revision)
			return revision
		}
		revision := revisions()
		second := importCalendar(t, api, "sre", rule, icsOf("UID:other|SUMMARY:a|DTSTART:20261224"))
		require.Equal(t, first.Header.Get("ETag"), second.Header.Get("ETag"))
		require.Equal(t, revision, revisions())
	})
	t.Run("BindsFromTheAnswer", func(t *testing.T) {
		two := testapi.New(t, testapi.WithDatabase(api.DSN))
		two.Key = api.Key
		day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format("20060102") }
		start := func(run string) int {
			event, err := json.Marshal(deployment(map[string]any{"invoke_id": run, "version": run}))
			require.NoError(t, err)
			return two.Post(t, deploymentEvents, string(event)).Status
		}
		require.Equal(t, http.StatusOK, start("1"))
		require.Equal(t, http.StatusOK, importCalendar(t, api, "sre", rule, icsOf("UID:1|DTSTART:"+day(-2)+"|DTEND:"+day(2))).Status)
		require.Equal(t, http.StatusLocked, start("2"))
		require.Equal(t, http.StatusOK, importCalendar(t, api, "sre", rule, icsOf("UID:1|DTSTART:"+day(20)+"|DTEND:"+day(22))).Status)
		require.Equal(t, http.StatusOK, start("3"))
	})
	t.Run("Permission", func(t *testing.T) {
		require.Equal(t, http.StatusForbidden, importCalendar(t, api, "developer", rule, icsOf("UID:1|DTSTART:20261224")).Status)
	})
	t.Run("ReadBack", func(t *testing.T) {
		_, token := feed(t, api, testapi.Account, "sre")
		require.Equal(t, http.StatusOK, importCalendar(t, api, "sre", rule, icsOf("UID:1|SUMMARY:a|DTSTART:20261224|DTEND:20261227|DESCRIPTION:Peak\\, season")).Status)
		calendar := readCalendar(t, api, token, "from", "2026-12-01T00:00:00Z", "until", "2027-01-01T00:00:00Z")
		again := importCalendar(t, api, "sre", rule, string(calendar.Body))
		require.Equal(t, http.StatusOK, again.Status, "%s", again.Body)
		require.Equal(t, map[string]any{"timezone": "Europe/Berlin", "windows": []any{window("Holidays: a", "2026-12-24T00:00", "2026-12-27T00:00", "reason", "Peak, season")}}, again.Field(t, "schedule"))
	})
}

// TestImportOfInvalidCalendars replaces nothing.
func TestImportOfInvalidCalendars(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	rule := created(t, api, "/deployment-rules/", scheduleRule("r", "other"))
	flow := created(t, api, "/deployment-rules/", `{"name":"f","rule_type":"flow","flow":{"prerequisites":["staging"]}}`)
	const valid = "UID:ok|DTSTART:20261224"
	before := string(api.As(t, "viewer", http.MethodGet, rule, "").Body)
	audited := api.Count(t, "audit_log")
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"Empty":           {"", []string{`["body"]`}},
		"NotACalendar":    {`{"windows":[]}`, []string{`["body"]`}},
		"NoEvent":         {icsOf(), []string{`["body"]`}},
		"Nested":          {"BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\n", 1000) + strings.Repeat("END:VEVENT\r\n", 1000) + "END:VCALENDAR\r\n", []string{`["body"]`}},
		"WithoutEnd":      {strings.TrimSuffix(icsOf(valid), "END:VCALENDAR\r\n"), []string{`["body"]`}},
		"LineOfAMebibyte": {icsOf(valid + "|LOCATION:x|UID:" + strings.Repeat("x", 1<<20-200)), []string{`["body"]`}},
		"FoldedMebibyte":  {icsOf("UID:" + strings.Repeat("x|\t", 1<<18)), []string{`["body"]`}},
		"TooLarge":        {strings.Repeat("x", 1<<20+1), []string{`["body"]`}},
		"NUL":             {icsOf(valid, "UID:a|DTSTART:20261224|SUMMARY:\x00"), []string{`["body"]`}},
		"NotUTF8":         {icsOf(valid, "UID:a|DTSTART:20261224|SUMMARY:\xff"), []string{`["body"]`}},
		"EndBeforeStart":  {icsOf(valid, "UID:a|DTSTART:20261224T100000|DTEND:20261224T090000"), []string{`["body","a"]`}},
		"RDATE":           {icsOf(valid, "UID:a|DTSTART:20261224|RDATE:20261226"), []string{`["body","a"]`}},
		"ForeignRRULE":    {icsOf("UID:a|DTSTART:20261224|RRULE:FREQ=DAILY;COUNT=3", "UID:b|DTSTART:20261224|RRULE:FREQ=HOURLY"), []string{`["body","a"]`, `["body","b"]`}},
		"ForeignTZID":     {icsOf("UID:a|DTSTART;TZID=America/New_York:20261224T100000|DTEND;TZID=America/New_York:20261224T110000", valid), []string{`["body","a"]`}},
		"ManyEvents":      {icsOf(strings.TrimSuffix(strings.Repeat(valid+"|END:VEVENT|BEGIN:VEVENT|", 501), "|END:VEVENT|BEGIN:VEVENT|")), []string{`["body","ok"]`}},
		"ManyProblems":    {icsOf(strings.TrimSuffix(strings.Repeat("END:VEVENT|BEGIN:VEVENT|", 30_000), "|")), []string{`["body"]`}},
		"UIDOfMarkup":     {icsOf("UID:<script>\"|DTSTART:20261224|RDATE:20261226"), []string{`["body","\u003cscript\u003e\""]`}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			answer := importCalendar(t, api, "admin", rule, c.text)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%.300s", answer.Body)
			found := locs(t, answer)
			require.LessOrEqual(t, len(found), 50)
			require.Equal(t, c.want, found[:min(len(found), len(c.want))])
			require.Less(t, len(answer.Body), 64<<10)
			require.Less(t, time.Since(begin), 5*time.Second)
		})
	}
	other := importCalendar(t, api, "admin", flow, icsOf(valid))
	require.Equal(t, []string{`["path","id"]`}, locs(t, other))
	for _, headers := range [][]string{{"Content-Type", "text/plain"}, {"Content-Type", "application/json"}, {"Content-Type", "text/calendar; charset=latin1"}, {"Content-Encoding", "gzip"}} {
		require.Equal(t, http.StatusUnsupportedMediaType, importCalendar(t, api, "admin", rule, icsOf(valid), headers...).Status, "%v", headers)
	}
	require.Equal(t, before, string(api.As(t, "viewer", http.MethodGet, rule, "").Body))
	require.Equal(t, audited, api.Count(t, "audit_log"))
	require.Equal(t, http.StatusNotFound, importCalendar(t, api, "admin", "/deployment-rules/01a2092a-5c1e-7d41-8f0a-3b6c9e2d7f15", icsOf(valid)).Status)
}
