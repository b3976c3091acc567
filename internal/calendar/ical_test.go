package calendar_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	items := []calendar.Item{
		{RuleID: uuid.UUID{1}, RuleName: "Holiday freeze", Mode: policy.Enabled, Effect: policy.Deny, WindowName: "xmas; really", Reason: new("Peak season,\nsee \\wiki\x07"), StartsAt: at("2026-12-18T23:00"), EndsAt: at("2027-01-04T11:00")},
		{RuleID: uuid.UUID{1}, RuleName: "Holiday freeze", Mode: policy.ReportOnly, Effect: policy.Allow, WindowName: strings.Repeat("ü", 60), StartsAt: at("2026-12-18T23:00"), EndsAt: at("2027-01-04T11:00")},
	}
	want := strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Versioner//Deployment calendar//EN
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:Deployment calendar
REFRESH-INTERVAL;VALUE=DURATION:PT1H
X-PUBLISHED-TTL:PT1H
BEGIN:VEVENT
UID:01000000-0000-0000-0000-000000000000-20261218T230000Z-e5d7af908b9455b4-
 1@versioner
DTSTAMP:20261101T000000Z
DTSTART:20261218T230000Z
DTEND:20270104T110000Z
SUMMARY:Holiday freeze: xmas\; really
DESCRIPTION:Peak season\,\nsee \\wiki
STATUS:CONFIRMED
TRANSP:OPAQUE
END:VEVENT
BEGIN:VEVENT
UID:01000000-0000-0000-0000-000000000000-20261218T230000Z-aa53c7bc8ca1a52f-
 1@versioner
DTSTAMP:20261101T000000Z
DTSTART:20261218T230000Z
DTEND:20270104T110000Z
SUMMARY:Holiday freeze: üüüüüüüüüüüüüüüüüüüüüüüüü
 üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü
STATUS:TENTATIVE
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")
	require.Equal(t, want, string(calendar.Write(items, at("2026-11-01T00:00"))))
}

func TestWriteIsBoundedAndHasUniqueIdentifiers(t *testing.T) {
	t.Parallel()
	var items []calendar.Item
	for i := range 2001 {
		start := at("2026-01-01T00:00").Add(time.Duration(i/2) * time.Hour)
		items = append(items, calendar.Item{RuleID: uuid.UUID{1}, RuleName: "r", Effect: policy.Deny, WindowName: "w", StartsAt: start, EndsAt: start.Add(time.Hour)})
	}
	out := calendar.Write(items, at("2026-11-01T00:00"))
	require.Equal(t, 2000, bytes.Count(out, []byte("BEGIN:VEVENT")))
	unfolded := strings.ReplaceAll(string(out), "\r\n ", "")
	seen := map[string]bool{}
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		if strings.HasPrefix(line, "UID:") {
			require.False(t, seen[line], line)
			seen[line] = true
		}
	}
	require.Len(t, seen, 2000)
}

// event returns a calendar with one event in the form of common programs.
func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Freeze\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// events returns a calendar with several events; each is lines that are separated by |.
func events(list ...string) string {
	text := strings.ReplaceAll(strings.Join(list, "|END:VEVENT|BEGIN:VEVENT|"), "|", "\n")
	return "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + text + "\nEND:VEVENT\nEND:VCALENDAR"
}

func TestRead(t *testing.T) {
	t.Parallel()
	const zone = "America/New_York"
	one := func(start, end string) policy.Window {
		return policy.Window{Name: "Freeze", Effect: policy.Deny, Start: start, End: end, ExDates: []string{}}
	}
	recurring := func(start, end, rrule string, exdates ...string) policy.Window {
		w := one(start, end)
		w.RRule, w.ExDates = &rrule, append(w.ExDates, exdates...)
		return w
	}
	for name, c := range map[string]struct {
		text string
		want []policy.Window
	}{
		"Local":     {event("DTSTART;TZID=America/New_York:20261218T180000", "DTEND;TZID=\"America/New_York\":20270104T060000"), []policy.Window{one("2026-12-18T18:00", "2027-01-04T06:00")}},
		"Floating":  {event("DTSTART:20261218T180000", "DTEND:20270104T060000"), []policy.Window{one("2026-12-18T18:00", "2027-01-04T06:00")}},
		"UTC":       {event("DTSTART:20261218T230000Z", "DTEND:20270104T110000Z"), []policy.Window{one("2026-12-18T18:00", "2027-01-04T06:00")}},
		"Days":      {event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"), []policy.Window{one("2026-12-24T00:00", "2026-12-27T00:00")}},
		"OneDay":    {event("DTSTART;VALUE=DATE:20261224"), []policy.Window{one("2026-12-24T00:00", "2026-12-25T00:00")}},
		"Duration":  {event("DTSTART:20261218T180000", "DURATION:P1DT2H30M"), []policy.Window{one("2026-12-18T18:00", "2026-12-19T20:30")}},
		"Seconds":   {event("DTSTART:20261218T180030", "DTEND:20261218T190030"), []policy.Window{one("2026-12-18T18:00", "2026-12-18T19:01")}},
		"LowerCase": {strings.ToLower(event("DTSTART:20261218T180000", "DTEND:20270104T060000")), []policy.Window{{Name: "freeze", Effect: policy.Deny, Start: "2026-12-18T18:00", End: "2027-01-04T06:00", ExDates: []string{}}}},
		"Folded":    {event("DTSTART;TZID=America/New\r\n _York:20261218T1800\r\n\t00", "DTEND:20270104T060000"), []policy.Window{one("2026-12-18T18:00", "2027-01-04T06:00")}},
		"Recurring": {event("DTSTART;TZID=America/New_York:20260306T180000", "DTEND;TZID=America/New_York:20260309T060000", "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20261231T000000Z", "EXDATE;TZID=America/New_York:20260313T180000,20260327T180000", "EXDATE:20260320T170000"), []policy.Window{recurring("2026-03-06T18:00", "2026-03-09T06:00", "FREQ=WEEKLY;BYDAY=FR;UNTIL=20261231T000000Z", "2026-03-13", "2026-03-27")}},
		"ReplacedDate": {events("UID:a|SUMMARY:Freeze|DTSTART:20260306T180000|DTEND:20260306T200000|RRULE:FREQ=WEEKLY", "UID:a|RECURRENCE-ID;VALUE=DATE:20260313|STATUS:CANCELLED|SUMMARY:Freeze|DTSTART:20260313T180000|DTEND:20260313T200000"), []policy.Window{
			recurring("2026-03-06T18:00", "2026-03-06T20:00", "FREQ=WEEKLY", "2026-03-13"),
		}},
		"ReplacesNothing": {events("UID:a|SUMMARY:Freeze|DTSTART:20260306T180000|DTEND:20260306T200000|RRULE:FREQ=WEEKLY", "UID:a|RECURRENCE-ID:20260313T100000|STATUS:CANCELLED|SUMMARY:Freeze|DTSTART:20260313T100000|DTEND:20260313T120000"), []policy.Window{
			recurring("2026-03-06T18:00", "2026-03-06T20:00", "FREQ=WEEKLY"),
		}},
		"Replaced": {events("UID:a|SUMMARY:Freeze|DTSTART:20260306T180000|DTEND:20260306T200000|RRULE:FREQ=WEEKLY", "UID:a|RECURRENCE-ID:20260313T180000|SUMMARY:Freeze|DTSTART:20260314T180000|DTEND:20260314T200000",
			"UID:a|RECURRENCE-ID:20260320T180000|STATUS:CANCELLED|SUMMARY:Freeze|DTSTART:20260320T180000|DTEND:20260320T200000"), []policy.Window{
			recurring("2026-03-06T18:00", "2026-03-06T20:00", "FREQ=WEEKLY", "2026-03-13", "2026-03-20"), one("2026-03-14T18:00", "2026-03-14T20:00"),
		}},
		"FreeAndCancelled": {events("UID:a|SUMMARY:Freeze|DTSTART:20260306T180000|DTEND:20260306T200000", "UID:b|TRANSP:TRANSPARENT|DTSTART:x", "UID:c|STATUS:cancelled"), []policy.Window{one("2026-03-06T18:00", "2026-03-06T20:00")}},
		"OtherComponents":  {strings.Replace(event("DTSTART:20261218T180000", "DTEND:20270104T060000", "BEGIN:VALARM", "TRIGGER:-PT5M", "DURATION:x", "END:VALARM", "X-ALT-DESC:<p>"+strings.Repeat("x", 100_000)), "BEGIN:VEVENT", "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19701101T020000\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VTODO\nUID:a\nEND:VTODO\nBEGIN:VEVENT", 1), []policy.Window{one("2026-12-18T18:00", "2027-01-04T06:00")}},
	} {
		windows, problems := calendar.Read([]byte(c.text), zone)
		require.Empty(t, problems, name)
		require.Equal(t, c.want, windows, name)
	}

	windows, problems := calendar.Read([]byte("\uFEFF"+events(`UID:a|SUMMARY:Peak\, `+strings.Repeat("ü", 5000)+`\n|DESCRIPTION:one\ntwo `+strings.Repeat("ü", 5000)+"|DTSTART:20261218T180000|DTEND:20270104T060000")), zone)
	require.Empty(t, problems)
	require.Equal(t, "Peak, "+strings.Repeat("ü", 94), windows[0].Name)
	require.Equal(t, 500, utf8.RuneCountInString(*windows[0].Reason))
	require.True(t, strings.HasPrefix(*windows[0].Reason, "one\ntwo "))
}

func TestReadReportsEveryProblemByUID(t *testing.T) {
	t.Parallel()
	const times = "DTSTART:20261218T180000|DTEND:20261219T060000"
	deep := strings.Repeat("BEGIN:VEVENT\n", 5)
	for name, c := range map[string]struct {
		text string
		want []calendar.Problem
	}{
		"Empty":        {"", []calendar.Problem{{Message: "not an iCalendar file: it does not begin with BEGIN:VCALENDAR"}}},
		"JSON":         {`{"windows":[]}`, []calendar.Problem{{Message: "not an iCalendar file: it does not begin with BEGIN:VCALENDAR"}}},
		"TooLarge":     {strings.Repeat("x", 1<<20+1), []calendar.Problem{{Message: "a calendar has at most 1048576 bytes"}}},
		"NUL":          {event("DTSTART:2026\x00"), []calendar.Problem{{Message: "a calendar must not contain NUL"}}},
		"Latin1":       {event("SUMMARY:\xfc"), []calendar.Problem{{Message: "a calendar must be UTF-8"}}},
		"NoEnd":        {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n", []calendar.Problem{{Message: "a component VEVENT does not end"}}},
		"Nested":       {"BEGIN:VCALENDAR\n" + deep, []calendar.Problem{{Message: "components are nested more than 4 deep"}}},
		"WrongEnd":     {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", []calendar.Problem{{Message: "END:VCALENDAR without its BEGIN"}}},
		"LongLine":     {event("UID:" + strings.Repeat("x", 1<<19)), []calendar.Problem{{Message: "a property UID has more than 8192 bytes"}}},
		"NoEvent":      {"BEGIN:VCALENDAR\nEND:VCALENDAR", []calendar.Problem{{Message: "the calendar has no event that denies deployments"}}},
		"NoUID":        {events(times), []calendar.Problem{{Message: "an event has no UID"}}},
		"SameUID":      {events("UID:a|"+times, "UID:a|"+times), []calendar.Problem{{UID: "a", Message: "the UID is that of several events"}}},
		"ForeignZone":  {events("UID:a|DTSTART;TZID=W. Europe Standard Time:20261218T180000", "UID:b|DTSTART;tzid=Asia/Tokyo:20261218T180000", "UID:c|"+times), []calendar.Problem{{UID: "a", Message: `DTSTART: the TZID "W. Europe Standard Time" is not the time zone of the rule, America/New_York`}, {UID: "b", Message: `DTSTART: the TZID "Asia/Tokyo" is not the time zone of the rule, America/New_York`}}},
		"Unsupported":  {events("UID:a|RDATE:20261219T180000|"+times, "UID:b|EXRULE:FREQ=DAILY|"+times, "UID:c|RRULE:FREQ=DAILY|RRULE:FREQ=DAILY|"+times), []calendar.Problem{{UID: "a", Message: "RDATE is not supported"}, {UID: "b", Message: "EXRULE is not supported"}, {UID: "c", Message: "an event has one RRULE at most"}}},
		"ForeignRRULE": {events("UID:a|RRULE:FREQ=DAILY;COUNT=3|"+times, "UID:b|RRULE:FREQ=HOURLY|"+times, "UID:c|RRULE:FREQ=WEEKLY;BYDAY=MO|"+times), []calendar.Problem{{UID: "a", Message: "rrule: COUNT is not supported: use FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, WKST and UNTIL"}, {UID: "b", Message: "rrule: FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY"}, {UID: "c", Message: "start: is not an occurrence of rrule: begin with the first one"}}},
		"UTCRecurring": {event("DTSTART:20261218T180000Z", "DTEND:20261218T190000Z", "RRULE:FREQ=DAILY"), []calendar.Problem{{UID: "a", Message: "RRULE: an event that recurs must be in the time zone America/New_York, not in UTC"}}},
		"SecondHour":   {event("DTSTART:20261101T063000Z", "DTEND:20261101T090000Z"), []calendar.Problem{{UID: "a", Message: "DTSTART: 20261101T063000Z is in an hour that occurs a second time in America/New_York: move it by an hour"}}},
		"EndBefore":    {event("DTSTART:20261218T180000", "DTEND:20261218T170000"), []calendar.Problem{{UID: "a", Message: "end: must be after start"}}},
		"NoTimes":      {events("UID:a", "UID:b|DTSTART:20261218T180000", "UID:c|DTSTART:yesterday", "UID:d|DTSTART:20261218|DTEND:20261219T000000", "UID:e|DTSTART:20261218T180000|DURATION:8 hours"), []calendar.Problem{{UID: "a", Message: "an event has no DTSTART"}, {UID: "b", Message: "an event has neither DTEND nor DURATION"}, {UID: "c", Message: `DTSTART: "yesterday" is not a date or time`}, {UID: "d", Message: "DTSTART and DTEND must both be dates, or both be times"}, {UID: "e", Message: `DURATION: "8 hours" is not a duration such as P1D or PT8H`}}},
		"Range":        {events("UID:a|RECURRENCE-ID;RANGE=THISANDFUTURE:20261218T180000|" + times), []calendar.Problem{{UID: "a", Message: "RECURRENCE-ID: RANGE is not supported"}}},
	} {
		windows, problems := calendar.Read([]byte(c.text), "America/New_York")
		require.Nil(t, windows, name)
		require.Equal(t, c.want, problems, name)
	}
	windows, problems := calendar.Read([]byte(event("DTSTART:20261218T180000Z", "DTEND:20261218T190000Z", "RRULE:FREQ=DAILY")), "UTC")
	require.Empty(t, problems)
	require.Len(t, windows, 1)
	_, problems = calendar.Read([]byte(events("UID:a|"+times)), "EST5")
	require.Len(t, problems, 1)
	var many []string
	for i := range 501 {
		many = append(many, fmt.Sprintf("UID:%d|%s", i, times))
	}
	_, problems = calendar.Read([]byte(events(many...)), "UTC")
	require.Equal(t, []calendar.Problem{{Message: "must have at most 500 entries, not 501"}}, problems)
}

func TestWrittenCalendarsAreReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones()).Draw(t, "zone")
		text := rapid.StringOf(rapid.SampledFrom([]rune("aü€;,:\\\"\n🙂 x")))
		rule := policy.Rule{ID: uuid.UUID{1}, Name: "r", Type: policy.ScheduleRule, Mode: policy.Enabled, Schedule: &policy.Schedule{Timezone: zone}}
		for i := range rapid.IntRange(1, 5).Draw(t, "windows") {
			start := at("2026-01-01T00:00").Add(time.Duration(rapid.IntRange(0, 300*1440).Draw(t, "start")) * time.Minute)
			window := policy.Window{
				Name: strconv.Itoa(i) + strings.Join(strings.Fields(text.Draw(t, "name")), " "), Effect: policy.Deny, Start: start.Format("2006-01-02T15:04"),
				End: start.Add(time.Duration(rapid.IntRange(1, 3*1440).Draw(t, "length")) * time.Minute).Format("2006-01-02T15:04"),
			}
			if reason := strings.TrimSpace(text.Draw(t, "reason")); reason != "" {
				window.Reason = &reason
			}
			if rapid.Bool().Draw(t, "recurs") {
				window.RRule = new(drawRRule(t, start))
			}
			rule.Schedule.Windows = append(rule.Schedule.Windows, window)
		}
		from := at("2026-01-01T00:00")
		items, err := calendar.Items([]policy.Rule{rule}, from, from.AddDate(0, 0, 90))
		require.NoError(t, err)
		items = items[:min(len(items), 500)]
		if len(items) == 0 {
			return
		}
		out := calendar.Write(items, from)
		for line := range bytes.SplitSeq(out, []byte("\r\n")) {
			require.LessOrEqual(t, len(line), 75)
			require.True(t, utf8.Valid(line))
		}
		windows, problems := calendar.Read(out, zone)
		for _, problem := range problems {
			require.Contains(t, problem.Message, "occurs a second time", "an end after a change may be in its second hour")
		}
		if len(problems) > 0 {
			return
		}
		rule.Schedule = &policy.Schedule{Timezone: zone, Windows: windows}
		readBack, err := calendar.Items([]policy.Rule{rule}, from, from.AddDate(0, 0, 90))
		require.NoError(t, err)
		for i := range readBack {
			readBack[i].WindowName = strings.TrimPrefix(readBack[i].WindowName, "r: ")
		}
		require.ElementsMatch(t, items, readBack)
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(event("DTSTART;TZID=UTC:20261218T180000", "DTEND:20270104T060000", "RRULE:FREQ=WEEKLY;UNTIL=20261231")), "UTC")
	f.Add([]byte(events("UID:a|DTSTART:20260306T180000|DURATION:PT8H|RRULE:FREQ=WEEKLY", "UID:a|RECURRENCE-ID:20260313T180000|DTSTART;VALUE=DATE:20260314")), "Europe/Berlin")
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID;x=\"a\nEND:VEVENT\nEND:VCALENDAR"), "UTC")
	f.Add([]byte("BEGIN:VCALENDAR\n"+strings.Repeat("BEGIN:VEVENT\n", 4)+strings.Repeat("END:VEVENT\n", 4)+"END:VCALENDAR"), "UTC")
	f.Add([]byte(events("UID:a|DTSTART;TZID=Asia/Tokyo:20260306T180000", "UID:b|DTSTART:20260306|RDATE:20260308", "UID:c|DTSTART:20260306T180000|DTEND:20260306T170000|SUMMARY:\x00")), "Europe/Berlin")
	f.Add([]byte(event("SUMMARY:"+strings.Repeat("x", 10_000), "DTSTART:20260306", "RRULE:FREQ=HOURLY")), "UTC")
	f.Fuzz(func(t *testing.T, data []byte, zone string) {
		windows, problems := calendar.Read(data, zone)
		require.Equal(t, len(windows) == 0, len(problems) > 0)
		if len(problems) > 0 {
			return
		}
		rule := policy.Rule{Name: "r", Type: policy.ScheduleRule, Mode: policy.Enabled, Schedule: &policy.Schedule{Timezone: zone, Windows: windows}}
		rule.Normalize()
		require.Empty(t, rule.Validate())
		_, err := calendar.Compile([]policy.Rule{rule}, at("2026-01-01T00:00"))
		require.NoError(t, err)
	})
}
