package calendar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// occurrences returns the occurrences of one window as "start end" in UTC.
func occurrences(t *testing.T, zone string, window policy.Window, from, until time.Time) []string {
	t.Helper()
	window.Name, window.Effect = "w", policy.Deny
	rule := policy.Rule{Name: "r", Type: policy.ScheduleRule, Mode: policy.Enabled, Schedule: &policy.Schedule{Timezone: zone, Windows: []policy.Window{window}}}
	rule.Normalize()
	require.Empty(t, rule.Validate())
	expansion, err := calendar.Expand(rule.Schedule, from, until)
	require.NoError(t, err)
	list := []string{}
	for _, one := range expansion.Occurrences {
		list = append(list, one.Start.Format("2006-01-02T15:04 ")+one.End.Format("2006-01-02T15:04"))
	}
	return list
}

// TestLocalTimesResolve has the local times at which time.Date errs: twice or never on the clock.
func TestLocalTimesResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, local, want string }{
		{"America/New_York", "2026-03-08T02:30", "2026-03-08T07:30"},
		{"Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"},
		{"Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"},
		{"America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30"},
		{"Africa/Cairo", "2026-10-29T23:30", "2026-10-29T20:30"},
		// Those beside them.
		{"America/New_York", "2026-03-08T01:59", "2026-03-08T06:59"},
		{"America/New_York", "2026-03-08T03:00", "2026-03-08T07:00"},
		{"America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"},
		{"America/New_York", "2026-11-01T02:00", "2026-11-01T07:00"},
		{"Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"},
		{"Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00"}, // a day that Samoa left out
		{"Pacific/Kiritimati", "2026-01-01T00:00", "2025-12-31T10:00"},
		{"UTC", "2026-10-25T02:30", "2026-10-25T02:30"},
	} {
		start := at(c.local)
		end := start.AddDate(0, 0, 3).Format("2006-01-02T15:04")
		got := occurrences(t, c.zone, policy.Window{Start: c.local, End: end}, start.AddDate(0, 0, -5), start.AddDate(0, 0, 5))
		require.Len(t, got, 1)
		require.Equal(t, c.want, strings.Fields(got[0])[0], "%s %s", c.zone, c.local)
	}
}

func TestWindowsRecur(t *testing.T) {
	t.Parallel()
	from, until := at("2026-03-01T00:00"), at("2026-04-01T00:00")
	for _, c := range []struct {
		name   string
		zone   string
		window policy.Window
		want   []string
	}{
		{"OverTheSpringChange", "America/New_York", policy.Window{Start: "2026-03-07T02:30", End: "2026-03-07T04:00", RRule: new("FREQ=DAILY;UNTIL=20260309")}, []string{
			"2026-03-07T07:30 2026-03-07T09:00", "2026-03-08T07:30 2026-03-08T08:00", "2026-03-09T06:30 2026-03-09T08:00",
		}},
		{"EmptyInTheGap", "America/New_York", policy.Window{Start: "2026-03-07T02:15", End: "2026-03-07T03:15", RRule: new("FREQ=DAILY;UNTIL=20260309")}, []string{
			"2026-03-07T07:15 2026-03-07T08:15", "2026-03-09T06:15 2026-03-09T07:15",
		}},
		{"WithoutExcludedDates", "Europe/Berlin", policy.Window{Start: "2026-03-05T22:00", End: "2026-03-06T06:00", RRule: new("FREQ=WEEKLY;BYDAY=TH"), ExDates: []string{"2026-03-12", "2026-03-13"}}, []string{
			"2026-03-05T21:00 2026-03-06T05:00", "2026-03-19T21:00 2026-03-20T05:00", "2026-03-26T21:00 2026-03-27T05:00",
		}},
		{"ReachingIntoTheTime", "UTC", policy.Window{Start: "2026-01-30T00:00", End: "2026-03-02T00:00", RRule: new("FREQ=MONTHLY;BYMONTHDAY=30")}, []string{
			"2026-01-30T00:00 2026-03-02T00:00", "2026-03-30T00:00 2026-04-30T00:00",
		}},
		{"OnTheLastFriday", "UTC", policy.Window{Start: "2020-01-31T12:00", End: "2020-01-31T13:00", RRule: new("FREQ=MONTHLY;BYDAY=-1FR")}, []string{"2026-03-27T12:00 2026-03-27T13:00"}},
		{"UntilAnInstant", "America/New_York", policy.Window{Start: "2026-03-02T19:00", End: "2026-03-02T20:00", RRule: new("FREQ=DAILY;UNTIL=20260304T000000Z")}, []string{
			"2026-03-03T00:00 2026-03-03T01:00", "2026-03-04T00:00 2026-03-04T01:00",
		}},
		{"UntilALocalTime", "America/New_York", policy.Window{Start: "2026-03-02T19:00", End: "2026-03-02T20:00", RRule: new("FREQ=DAILY;UNTIL=20260303T185959")}, []string{
			"2026-03-03T00:00 2026-03-03T01:00",
		}},
		{"EverySecondWeekFromSunday", "UTC", policy.Window{Start: "2026-01-04T00:00", End: "2026-01-04T01:00", RRule: new("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU")}, []string{
			"2026-03-01T00:00 2026-03-01T01:00", "2026-03-02T00:00 2026-03-02T01:00", "2026-03-15T00:00 2026-03-15T01:00", "2026-03-16T00:00 2026-03-16T01:00",
			"2026-03-29T00:00 2026-03-29T01:00", "2026-03-30T00:00 2026-03-30T01:00",
		}},
		{"EverySecondWeekFromMonday", "UTC", policy.Window{Start: "2026-01-04T00:00", End: "2026-01-04T01:00", RRule: new("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=MO")}, []string{
			"2026-03-01T00:00 2026-03-01T01:00", "2026-03-09T00:00 2026-03-09T01:00", "2026-03-15T00:00 2026-03-15T01:00", "2026-03-23T00:00 2026-03-23T01:00",
			"2026-03-29T00:00 2026-03-29T01:00",
		}},
		{"OnFridaysThe13th", "UTC", policy.Window{Start: "2015-02-13T00:00", End: "2015-02-14T00:00", RRule: new("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13")}, []string{"2026-03-13T00:00 2026-03-14T00:00"}},
		{"OnceInTheYear", "UTC", policy.Window{Start: "2000-03-31T00:00", End: "2000-03-31T00:01", RRule: new("FREQ=YEARLY;INTERVAL=13")}, []string{"2026-03-31T00:00 2026-03-31T00:01"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, occurrences(t, c.zone, c.window, from, until))
		})
	}
}

// TestRareMatchesAreFoundQuickly has rules whose next occurrence is centuries away, for which the library alone searches for long.
//
//nolint:paralleltest // it counts the allocations of the process
func TestRareMatchesAreFoundQuickly(t *testing.T) {
	for _, rrule := range []string{"FREQ=DAILY;INTERVAL=97;BYMONTH=2;BYMONTHDAY=29;BYDAY=TH", "FREQ=WEEKLY;INTERVAL=99;BYMONTH=2", "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=29;BYDAY=TH", "FREQ=YEARLY;INTERVAL=99;BYMONTH=2;BYMONTHDAY=29;BYDAY=TH"} {
		schedule := &policy.Schedule{Timezone: "UTC", Windows: []policy.Window{{Start: "2024-02-29T00:00", End: "2024-02-29T01:00", RRule: &rrule}}}
		allocations := testing.AllocsPerRun(1, func() {
			expansion, err := calendar.Expand(schedule, at("2026-01-01T00:00"), at("2027-02-05T00:00"))
			require.NoError(t, err)
			require.Empty(t, expansion.Occurrences, rrule)
		})
		require.Less(t, allocations, 1000.0, "%s: an unbounded search allocates in each of 8,000 years", rrule)
	}
}

// zones have changes of their offsets: in spring and autumn, at midnight, by half an hour, in the south, and none.
func zones() []string {
	return []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "UTC", "Asia/Kolkata", "Pacific/Apia"}
}

// drawRRule draws a rule that the start matches.
func drawRRule(t *rapid.T, start time.Time) string {
	rule := "FREQ=" + rapid.SampledFrom([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}).Draw(t, "frequency")
	days := []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
	if rapid.Bool().Draw(t, "hasInterval") {
		rule += fmt.Sprintf(";INTERVAL=%d", rapid.SampledFrom([]int{1, 2, 3, 4, 5, 7, 12, 13, 28, 99}).Draw(t, "interval"))
	}
	if rapid.Bool().Draw(t, "hasMonth") {
		rule += fmt.Sprintf(";BYMONTH=%d,%d", int(start.Month()), rapid.IntRange(1, 12).Draw(t, "month"))
	}
	if !strings.Contains(rule, "WEEKLY") && rapid.Bool().Draw(t, "hasMonthDay") {
		last := start.AddDate(0, 1, -start.Day()).Day()
		own := rapid.SampledFrom([]int{start.Day(), start.Day() - last - 1}).Draw(t, "ownDay")
		rule += fmt.Sprintf(";BYMONTHDAY=%d,%d", own, rapid.SampledFrom([]int{1, 13, 29, 31, -1, -31}).Draw(t, "monthDay"))
	}
	if rapid.Bool().Draw(t, "hasDay") {
		own, other := days[start.Weekday()], days[rapid.IntRange(0, 6).Draw(t, "weekday")]
		if strings.Contains(rule, "MONTHLY") && rapid.Bool().Draw(t, "isNumbered") {
			own = fmt.Sprintf("%d%s", (start.Day()-1)/7+1, own)
			other = fmt.Sprintf("%d%s", rapid.SampledFrom([]int{-5, -2, -1, 1, 2, 5}).Draw(t, "ordinal"), other)
		}
		rule += ";BYDAY=" + own + "," + other
	}
	if rapid.Bool().Draw(t, "hasWeekStart") {
		rule += ";WKST=" + days[rapid.IntRange(0, 6).Draw(t, "weekStart")]
	}
	if rapid.IntRange(0, 3).Draw(t, "hasUntil") == 0 {
		last := start.Add(time.Duration(rapid.IntRange(0, 800*24).Draw(t, "until")) * time.Hour)
		rule += ";UNTIL=" + last.Format(rapid.SampledFrom([]string{"20060102T150405", "20060102"}).Draw(t, "untilForm"))
	}
	return rule
}

// isOccurrence decides by arithmetic whether a date is one of a rule that begins on another.
func isOccurrence(r policy.Recurrence, start, date time.Time) bool {
	if date.Before(start) || r.Until != nil && date.After(r.Until.Time) || !r.Matches(start, date) {
		return false
	}
	days := func(t time.Time) int { return int(t.Truncate(24*time.Hour).Unix() / 86400) }
	week := func(t time.Time) int { return (days(t) - int(t.Weekday()-r.WeekStart+7)%7) / 7 }
	periods := 0
	switch r.Frequency {
	case policy.Daily:
		periods = days(date) - days(start)
	case policy.Weekly:
		periods = week(date) - week(start)
	case policy.Monthly:
		periods = (date.Year()-start.Year())*12 + int(date.Month()-start.Month())
	case policy.Yearly:
		periods = date.Year() - start.Year()
	}
	return periods%r.Interval == 0
}

// resolveByClock finds the instant of a local time by looking at the clock of every minute of the days around it.
func resolveByClock(zone *time.Location, local time.Time) time.Time {
	_, before := local.Add(-36 * time.Hour).In(zone).Zone()
	for t := local.Add(-15 * time.Hour); t.Before(local.Add(15 * time.Hour)); t = t.Add(time.Minute) {
		clock := t.In(zone)
		if clock.Hour() == local.Hour() && clock.Minute() == local.Minute() && clock.Day() == local.Day() {
			return t
		}
	}
	return local.Add(-time.Duration(before) * time.Second)
}

func TestOccurrencesAreThoseOfAnOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zoneName := rapid.SampledFrom(zones()).Draw(t, "zone")
		zone, err := time.LoadLocation(zoneName)
		require.NoError(t, err)
		from := at("2026-01-01T00:00").AddDate(0, 0, rapid.IntRange(0, 700).Draw(t, "from"))
		until := from.AddDate(0, 0, rapid.IntRange(1, 40).Draw(t, "days"))
		start := from.AddDate(0, 0, -rapid.IntRange(-20, 3000).Draw(t, "before")).Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute)
		length := time.Duration(rapid.IntRange(1, 31*24*60).Draw(t, "minutes")) * time.Minute
		if rapid.Bool().Draw(t, "isShort") {
			length = min(length, 90*time.Minute)
		}
		text := drawRRule(t, start)
		window := policy.Window{Name: "w", Effect: policy.Deny, Start: start.Format("2006-01-02T15:04"), End: start.Add(length).Format("2006-01-02T15:04"), RRule: &text}
		recurrence, err := policy.ParseRecurrence(text)
		require.NoError(t, err)

		type interval struct{ start, end time.Time }
		var want []interval
		for date := from.Add(-length).AddDate(0, 0, -3).Truncate(24 * time.Hour); date.Before(until.AddDate(0, 0, 3)); date = date.AddDate(0, 0, 1) {
			local := date.Add(time.Duration(start.Hour())*time.Hour + time.Duration(start.Minute())*time.Minute)
			if !isOccurrence(recurrence, start, local) {
				continue
			}
			one := interval{resolveByClock(zone, local), resolveByClock(zone, local.Add(length))}
			if one.start.Before(one.end) && one.start.Before(until) && one.end.After(from) {
				want = append(want, one)
			}
		}
		schedule := policy.Schedule{Timezone: zoneName, Windows: []policy.Window{window}}
		expansion, err := calendar.Expand(&schedule, from, until)
		require.NoError(t, err)
		var got []interval
		for _, one := range expansion.Occurrences {
			got = append(got, interval{one.Start, one.End})
		}
		require.Equal(t, want, got, "%s in %s from %s", text, zoneName, window.Start)
	})
}

func TestItemsAreSortedByStart(t *testing.T) {
	t.Parallel()
	rules := []policy.Rule{
		{ID: uuid.UUID{2}, Name: "Weekends", Type: policy.ScheduleRule, Mode: policy.ReportOnly, Schedule: &policy.Schedule{Timezone: "UTC", Windows: []policy.Window{
			{Name: "saturday", Effect: policy.Deny, Start: "2026-01-03T00:00", End: "2026-01-04T00:00", RRule: new("FREQ=WEEKLY"), Reason: new("Quiet")},
		}}},
		{ID: uuid.UUID{1}, Name: "Flow", Type: policy.FlowRule},
		{ID: uuid.UUID{3}, Name: "Freeze", Type: policy.ScheduleRule, Mode: policy.Enabled, Schedule: &policy.Schedule{Timezone: "Europe/Berlin", Windows: []policy.Window{
			{Name: "one", Effect: policy.Allow, Start: "2026-03-09T00:00", End: "2026-03-11T00:00"},
		}}},
	}
	items, err := calendar.Items(rules, at("2026-03-07T12:00"), at("2026-03-14T00:00"))
	require.NoError(t, err)
	require.Equal(t, []calendar.Item{
		{RuleID: uuid.UUID{2}, RuleName: "Weekends", Mode: policy.ReportOnly, Effect: policy.Deny, WindowName: "saturday", Reason: new("Quiet"), StartsAt: at("2026-03-07T00:00"), EndsAt: at("2026-03-08T00:00")},
		{RuleID: uuid.UUID{3}, RuleName: "Freeze", Mode: policy.Enabled, Effect: policy.Allow, WindowName: "one", StartsAt: at("2026-03-08T23:00"), EndsAt: at("2026-03-10T23:00")},
	}, items)
	rules[2].Schedule.Timezone = "Europe/Atlantis"
	_, err = calendar.Items(rules, at("2026-03-07T12:00"), at("2026-03-14T00:00"))
	require.Error(t, err)
}
