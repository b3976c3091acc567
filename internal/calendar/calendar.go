// Package calendar computes the occurrences of the windows of deployment rules, and writes and reads them as iCalendar. It is pure.
package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/teambition/rrule-go"

	"github.com/versioner-io/versioner/internal/policy"
)

const day = 24 * time.Hour

// Compile is policy.Compile with the occurrences of the rules' schedules. They also cover the day before from, for clocks that differ.
func Compile(rules []policy.Rule, from time.Time) (*policy.Set, error) {
	expanded := slices.Clone(rules)
	for i, rule := range rules {
		if rule.Schedule == nil || rule.Mode == policy.Disabled {
			continue
		}
		expansion, err := Expand(rule.Schedule, from.Add(-day), from.Add(policy.Horizon))
		if err != nil {
			return nil, fmt.Errorf("expand the schedule of rule %s: %w", rule.ID, err)
		}
		schedule := *rule.Schedule
		schedule.Expansion = expansion
		expanded[i].Schedule = &schedule
	}
	return policy.Compile(expanded, from)
}

// Item is an occurrence of a window in a rule's schedule, with the names of the API.
type Item struct {
	RuleID     uuid.UUID     `json:"rule_id"`
	RuleName   string        `json:"rule_name"`
	Mode       policy.Mode   `json:"mode"`
	Effect     policy.Effect `json:"effect"`
	WindowName string        `json:"window_name"`
	Reason     *string       `json:"reason"`
	StartsAt   time.Time     `json:"starts_at"`
	EndsAt     time.Time     `json:"ends_at"`
	Scope      policy.Scope  `json:"scope"`
}

// Items returns the first occurrences, up to MaxEvents and one, of the rules' schedules that overlap [from, until), sorted by start. It keeps
// no more of them than those of one rule besides.
func Items(rules []policy.Rule, from, until time.Time) ([]Item, error) {
	items := []Item{}
	for _, rule := range rules {
		if rule.Schedule == nil {
			continue
		}
		expansion, err := Expand(rule.Schedule, from, until)
		if err != nil {
			return nil, fmt.Errorf("expand the schedule of rule %s: %w", rule.ID, err)
		}
		for _, one := range expansion.Occurrences {
			window := rule.Schedule.Windows[one.Window]
			items = append(items, Item{
				RuleID: rule.ID, RuleName: rule.Name, Mode: rule.Mode, Effect: window.Effect, WindowName: window.Name, Reason: window.Reason,
				StartsAt: one.Start, EndsAt: one.End, Scope: rule.Scope,
			})
		}
		slices.SortStableFunc(items, func(a, b Item) int {
			return cmp.Or(a.StartsAt.Compare(b.StartsAt), slices.Compare(a.RuleID[:], b.RuleID[:]), a.EndsAt.Compare(b.EndsAt))
		})
		items = items[:min(len(items), MaxEvents+1)]
	}
	return items, nil
}

// Expand returns the occurrences of a valid schedule that overlap [from, until).
func Expand(schedule *policy.Schedule, from, until time.Time) (*policy.Expansion, error) {
	zone, err := policy.LoadZone(schedule.Timezone)
	if err != nil {
		return nil, err
	}
	e := expander{resolver: resolver{zone: zone}, from: from, until: until}
	for i := range schedule.Windows {
		if err := e.window(i, &schedule.Windows[i]); err != nil {
			return nil, fmt.Errorf("window %d: %w", i, err)
		}
	}
	return &policy.Expansion{From: from, Until: until, Occurrences: e.occurrences}, nil
}

// expander collects occurrences.
type expander struct {
	resolver    resolver
	from, until time.Time
	occurrences []policy.Occurrence
}

func (e *expander) window(index int, window *policy.Window) error {
	start, err := policy.ParseLocal(window.Start)
	if err != nil {
		return err
	}
	end, err := policy.ParseLocal(window.End)
	if err != nil {
		return err
	}
	length := end.Sub(start)
	if window.RRule == nil {
		e.add(index, start, length, nil)
		return nil
	}
	recurrence, err := policy.ParseRecurrence(*window.RRule)
	if err != nil {
		return err
	}
	// A local time is less than two days from the same time in UTC.
	starts, err := recurringStarts(recurrence, start, e.from.UTC().Add(-length-2*day), e.until.UTC().Add(2*day))
	if err != nil {
		return err
	}
	for _, local := range starts {
		if len(window.ExDates) == 0 || !slices.Contains(window.ExDates, local.Format(time.DateOnly)) {
			e.add(index, local, length, recurrence.Until)
		}
	}
	return nil
}

// add adds the occurrence that starts at a local time, unless it is empty, too late or elsewhere.
func (e *expander) add(window int, local time.Time, length time.Duration, last *policy.Until) {
	start, end := e.resolver.resolve(local), e.resolver.resolve(local.Add(length))
	if last != nil && (last.IsUTC && start.After(last.Time) || !last.IsUTC && local.After(last.Time)) {
		return
	}
	if start.Before(end) && start.Before(e.until) && end.After(e.from) {
		e.occurrences = append(e.occurrences, policy.Occurrence{Window: window, Start: start, End: end})
	}
}

// recurringStarts returns the local times from one to another at which occurrences start, by RFC 5545 without UNTIL. The library steps
// through the periods. The parts that may match in none of them are left to Matches: the library would look for a match until the year 9999.
func recurringStarts(r policy.Recurrence, start, from, until time.Time) ([]time.Time, error) {
	weekdays := []rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}
	option := rrule.ROption{Interval: r.Interval, Wkst: weekdays[r.WeekStart], Dtstart: firstPeriod(r, start, from), Until: until}
	for _, one := range r.ByDay {
		option.Byweekday = append(option.Byweekday, weekdays[one.Day].Nth(one.Ordinal))
	}
	option.Bymonthday = r.ByMonthDay
	isDayGiven := len(r.ByDay)+len(r.ByMonthDay) > 0
	switch r.Frequency {
	case policy.Daily:
		option.Freq, option.Byweekday, option.Bymonthday = rrule.DAILY, nil, nil
	case policy.Weekly:
		option.Freq = rrule.WEEKLY
		if !isDayGiven {
			option.Byweekday = []rrule.Weekday{weekdays[start.Weekday()]}
		}
	case policy.Monthly:
		option.Freq = rrule.MONTHLY
		if !isDayGiven {
			option.Bymonthday = []int{start.Day()}
		}
	case policy.Yearly:
		option.Freq, option.Bymonth = rrule.YEARLY, r.ByMonth
		if !isDayGiven {
			option.Bymonthday = []int{start.Day()}
			if len(r.ByMonth) == 0 {
				option.Bymonth = []int{int(start.Month())}
			}
		}
	}
	if len(option.Bymonthday) > 0 {
		option.Byweekday = nil
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil, fmt.Errorf("rrule: %w", err)
	}
	var starts []time.Time
	next := rule.Iterator()
	for local, ok := next(); ok; local, ok = next() {
		if !local.Before(from) && r.Matches(start, local) {
			starts = append(starts, local)
		}
	}
	return starts, nil
}

// firstPeriod returns the start, or if it is long ago the beginning of the last period before from that INTERVAL selects.
func firstPeriod(r policy.Recurrence, start, from time.Time) time.Time {
	year, month, date := start.Date()
	clock := start.Sub(time.Date(year, month, date, 0, 0, 0, 0, time.UTC))
	begin := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Add(clock)
	}
	skipped := func(periods int) int { return max(0, periods) / r.Interval * r.Interval }
	first := start
	switch r.Frequency {
	case policy.Daily:
		first = start.Add(time.Duration(skipped(int(from.Sub(start)/day))) * day)
	case policy.Weekly:
		week := begin(year, month, date-int(start.Weekday()-r.WeekStart+7)%7)
		first = week.Add(time.Duration(skipped(int(from.Sub(week)/(7*day)))) * 7 * day)
	case policy.Monthly:
		first = begin(year, month+time.Month(skipped((from.Year()-year)*12+int(from.Month()-month))), 1)
	case policy.Yearly:
		first = begin(year+skipped(from.Year()-year), time.January, 1)
	}
	if first.Before(start) {
		return start
	}
	return first
}
