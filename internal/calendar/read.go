package calendar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	ical "github.com/arran4/golang-ical"

	"github.com/versioner-io/versioner/internal/policy"
)

// MaxSize is the size of a calendar that is read, in bytes.
const MaxSize = 1 << 20

const (
	maxDepth       = 4       // of nested components
	maxProperty    = 8 << 10 // bytes of an unfolded line
	maxTextLine    = 4 << 10 // bytes of a line of text that are read
	maxName        = 100     // characters of a window's name
	maxReason      = 500
	maxProblems    = 50
	unnamed        = "Busy"
	windowTime     = "2006-01-02T15:04"
	noUID          = ""
	propertyDate   = "20060102"
	propertyTime   = "20060102T150405"
	isoDuration    = `^\+?P(?:(\d{1,4})W|(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?)$`
	textProperties = "SUMMARY DESCRIPTION"
	readProperties = "BEGIN END UID DTSTART DTEND DURATION STATUS TRANSP RRULE EXRULE RDATE EXDATE RECURRENCE-ID " + textProperties
)

// Problem is why a calendar is not read.
type Problem struct {
	UID     string // of the event, empty for the whole calendar
	Message string
}

// Read returns the windows that the events of a calendar deny: those that are opaque and not cancelled. The schedule's time zone is
// that of the windows; recurring events must have it, others may be in UTC. With any problem there are no windows.
func Read(data []byte, timezone string) ([]policy.Window, []Problem) {
	zone, err := policy.LoadZone(timezone)
	if err != nil {
		return nil, []Problem{{Message: err.Error()}}
	}
	lines, err := readLines(data)
	if err != nil {
		return nil, []Problem{{Message: err.Error()}}
	}
	parsed, err := ical.ParseCalendar(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n"))
	if err != nil {
		return nil, []Problem{{Message: "not an iCalendar file: " + truncate(err.Error(), maxReason)}}
	}
	r := reader{zone: zone, timezone: timezone, masters: make(map[string]int), excluded: make(map[string][]moment)}
	for _, event := range parsed.Events() {
		r.event(properties(event))
	}
	r.excludeOverridden()
	r.validate()
	if len(r.problems) > 0 {
		return nil, r.problems[:min(len(r.problems), maxProblems)]
	}
	return r.windows, nil
}

// readLines unfolds the lines, checks that every component ends, and returns the properties that are read. The library takes time that
// grows with the square of a line's length, and does not require an end.
func readLines(data []byte) ([]string, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("a calendar has at most %d bytes", MaxSize)
	case bytes.ContainsRune(data, 0):
		return nil, errors.New("a calendar must not contain NUL")
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(data), "\uFEFF"))
	text = strings.NewReplacer("\n ", "", "\n\t", "").Replace(text) // a character may be on two lines
	if !utf8.ValidString(text) {
		return nil, errors.New("a calendar must be UTF-8")
	}
	read, texts := strings.Fields(readProperties), strings.Fields(textProperties)
	var lines, open []string
	for line := range strings.SplitSeq(text, "\n") {
		length := strings.IndexAny(line, ":;")
		if length < 0 {
			continue
		}
		name := strings.ToUpper(line[:length])
		if !slices.Contains(read, name) {
			continue
		}
		line = name + line[length:]
		switch {
		case slices.Contains(texts, name):
			line = strings.TrimSuffix(truncate(line, maxTextLine), `\`)
		case len(line) > maxProperty:
			return nil, fmt.Errorf("a property %s has more than %d bytes", name, maxProperty)
		}
		component := strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(line, name+":")))
		switch name {
		case "BEGIN":
			line = "BEGIN:" + component
			if open = append(open, component); len(open) > maxDepth {
				return nil, fmt.Errorf("components are nested more than %d deep", maxDepth)
			}
		case "END":
			line = "END:" + component
			if len(open) == 0 || open[len(open)-1] != component {
				return nil, fmt.Errorf("END:%s without its BEGIN", truncate(component, maxName))
			}
			open = open[:len(open)-1]
		}
		lines = append(lines, line)
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("a component %s does not end", truncate(open[len(open)-1], maxName))
	}
	if len(lines) == 0 || lines[0] != "BEGIN:VCALENDAR" {
		return nil, errors.New("not an iCalendar file: it does not begin with BEGIN:VCALENDAR")
	}
	return lines, nil
}

// truncate returns the first bytes of a text without a part of a character.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// event is the properties of an event by name.
type event map[string][]ical.BaseProperty

func properties(v *ical.VEvent) event {
	e := make(event)
	for _, property := range v.Properties {
		e[property.IANAToken] = append(e[property.IANAToken], property.BaseProperty)
	}
	return e
}

// first returns the first property of the name.
func (e event) first(name string) (ical.BaseProperty, bool) {
	if len(e[name]) == 0 {
		return ical.BaseProperty{}, false
	}
	return e[name][0], true
}

func (e event) text(name string) string {
	property, _ := e.first(name)
	return strings.TrimSpace(property.Value)
}

// parameters returns the values of a parameter, whose name has any case.
func parameters(property ical.BaseProperty, name string) []string {
	var values []string
	for key, list := range property.ICalParameters {
		if strings.EqualFold(key, name) {
			values = append(values, list...)
		}
	}
	return values
}

// reader collects windows and problems.
type reader struct {
	zone     *time.Location
	timezone string
	windows  []policy.Window
	uids     []string            // of the windows
	masters  map[string]int      // by UID: the position of the recurring window, -1 if the event denies nothing
	excluded map[string][]moment // by UID: the occurrences that events with a RECURRENCE-ID replace
	problems []Problem
}

func (r *reader) add(uid, format string, args ...any) {
	r.problems = append(r.problems, Problem{UID: uid, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) event(e event) {
	uid := truncate(e.text("UID"), 255)
	if uid == noUID {
		r.add(noUID, "an event has no UID")
		return
	}
	isBusy := !strings.EqualFold(e.text("STATUS"), "CANCELLED") && !strings.EqualFold(e.text("TRANSP"), "TRANSPARENT")
	replaced, isOverride := e.first("RECURRENCE-ID")
	if isOverride {
		if !r.exclude(uid, replaced) {
			return
		}
	} else {
		if _, isRepeated := r.masters[uid]; isRepeated {
			r.add(uid, "the UID is that of several events")
			return
		}
		r.masters[uid] = -1
	}
	if !isBusy {
		return
	}
	window, err := r.window(e)
	if err == nil && isOverride && window.RRule != nil {
		err = errors.New("RRULE is not possible with RECURRENCE-ID")
	}
	if err != nil {
		r.add(uid, "%s", err)
		return
	}
	if window.RRule != nil {
		r.masters[uid] = len(r.windows)
	}
	r.windows, r.uids = append(r.windows, window), append(r.uids, uid)
}

// exclude remembers the date of an occurrence that the event replaces, and reports whether it could.
func (r *reader) exclude(uid string, replaced ical.BaseProperty) bool {
	if len(parameters(replaced, "RANGE")) > 0 {
		r.add(uid, "RECURRENCE-ID: RANGE is not supported")
		return false
	}
	at, err := r.moment(replaced, replaced.Value)
	if err != nil {
		r.add(uid, "RECURRENCE-ID: %s", err)
		return false
	}
	r.excluded[uid] = append(r.excluded[uid], at)
	return true
}

// excludeOverridden adds the dates of replaced occurrences to the windows of the events that recur.
func (r *reader) excludeOverridden() {
	for _, uid := range slices.Sorted(maps.Keys(r.excluded)) {
		if master, isKnown := r.masters[uid]; isKnown && master >= 0 {
			window := &r.windows[master]
			for _, at := range r.excluded[uid] {
				date, clock, _ := strings.Cut(at.local.Format(windowTime), "T")
				if at.isDate || strings.HasSuffix(window.Start, "T"+clock) { // else no occurrence is replaced
					window.ExDates = append(window.ExDates, date)
				}
			}
			slices.Sort(window.ExDates)
			window.ExDates = slices.Compact(window.ExDates)
		}
	}
}

// window returns the window of one event.
func (r *reader) window(e event) (policy.Window, error) {
	window := policy.Window{
		Name: shorten(cmp.Or(strings.Join(strings.Fields(e.text("SUMMARY")), " "), unnamed), maxName), Effect: policy.Deny, ExDates: []string{},
	}
	if text := e.text("DESCRIPTION"); text != "" {
		window.Reason = new(shorten(text, maxReason))
	}
	for _, name := range []string{"RDATE", "EXRULE"} {
		if _, isGiven := e.first(name); isGiven {
			return window, fmt.Errorf("%s is not supported", name)
		}
	}
	start, end, err := r.times(e)
	if err != nil {
		return window, err
	}
	startsAt, endsAt := start.local.Truncate(time.Minute), end.Add(time.Minute-time.Second).Truncate(time.Minute)
	window.Start, window.End = startsAt.Format(windowTime), endsAt.Format(windowTime)
	if len(e["RRULE"]) == 0 {
		return window, nil
	}
	return window, r.recur(&window, e, start)
}

func (r *reader) recur(window *policy.Window, e event, start moment) error {
	if len(e["RRULE"]) > 1 {
		return errors.New("an event has one RRULE at most")
	}
	if start.isUTC && !r.isUTC() {
		return fmt.Errorf("RRULE: an event that recurs must be in the time zone %s, not in UTC", r.timezone)
	}
	window.RRule = new(strings.ToUpper(e.text("RRULE")))
	for _, property := range e["EXDATE"] {
		for value := range strings.SplitSeq(property.Value, ",") {
			at, err := r.moment(property, value)
			if err != nil {
				return fmt.Errorf("EXDATE: %w", err)
			}
			if at.isDate || at.local.Equal(at.local.Truncate(day).Add(start.local.Sub(start.local.Truncate(day)))) {
				window.ExDates = append(window.ExDates, at.local.Format(time.DateOnly))
			}
		}
	}
	window.ExDates = slices.Compact(slices.Sorted(slices.Values(window.ExDates)))
	return nil
}

// times returns the start of an event and the local time of its end.
func (r *reader) times(e event) (start moment, end time.Time, err error) {
	property, isGiven := e.first("DTSTART")
	if !isGiven {
		return start, end, errors.New("an event has no DTSTART")
	}
	if start, err = r.moment(property, property.Value); err != nil {
		return start, end, fmt.Errorf("DTSTART: %w", err)
	}
	if property, isGiven = e.first("DTEND"); isGiven {
		last, err := r.moment(property, property.Value)
		if err != nil {
			return start, end, fmt.Errorf("DTEND: %w", err)
		}
		if last.isDate != start.isDate {
			return start, end, errors.New("DTSTART and DTEND must both be dates, or both be times")
		}
		return start, last.local, nil
	}
	if text := e.text("DURATION"); text != "" {
		length, err := parseDuration(text)
		return start, start.local.Add(length), err
	}
	if start.isDate {
		return start, start.local.Add(day), nil
	}
	return start, end, errors.New("an event has neither DTEND nor DURATION")
}

// moment is a date or time of a property as local time of the schedule, labelled UTC.
type moment struct {
	local         time.Time
	isDate, isUTC bool
}

func (r *reader) isUTC() bool { return r.timezone == "UTC" || r.timezone == "Etc/UTC" }

// moment parses a value. A time is that of the schedule's time zone, with or without its name, or in UTC.
func (r *reader) moment(property ical.BaseProperty, value string) (moment, error) {
	value = strings.TrimSpace(value)
	if date, err := time.Parse(propertyDate, value); err == nil {
		return moment{local: date, isDate: true}, nil
	}
	for _, name := range parameters(property, "TZID") {
		if name != r.timezone {
			return moment{}, fmt.Errorf("the TZID %q is not the time zone of the rule, %s", truncate(name, maxName), r.timezone)
		}
	}
	text, isUTC := strings.CutSuffix(strings.ToUpper(value), "Z")
	at, err := time.Parse(propertyTime, text)
	if err != nil {
		return moment{}, fmt.Errorf("%q is not a date or time", truncate(value, maxName))
	}
	if !isUTC {
		return moment{local: at}, nil
	}
	_, offset := at.In(r.zone).Zone()
	local := at.Add(time.Duration(offset) * time.Second)
	resolver := resolver{zone: r.zone}
	if !resolver.resolve(local).Equal(at) {
		return moment{}, fmt.Errorf("%s is in an hour that occurs a second time in %s: move it by an hour", value, r.timezone)
	}
	return moment{local: local, isUTC: true}, nil
}

// parseDuration parses a DURATION as a difference of local times.
func parseDuration(text string) (time.Duration, error) {
	match := regexp.MustCompile(isoDuration).FindStringSubmatch(strings.ToUpper(text))
	if match == nil {
		return 0, fmt.Errorf("DURATION: %q is not a duration such as P1D or PT8H", truncate(text, maxName))
	}
	var length time.Duration
	for i, unit := range []time.Duration{7 * day, day, time.Hour, time.Minute, time.Second} {
		if match[i+1] == "" {
			continue
		}
		count, err := strconv.Atoi(match[i+1])
		if err != nil {
			return 0, fmt.Errorf("DURATION: %w", err)
		}
		length += time.Duration(count) * unit
	}
	return length, nil
}

// shorten returns the first characters of a text.
func shorten(text string, most int) string {
	characters := []rune(text)
	return strings.TrimSpace(string(characters[:min(len(characters), most)]))
}

// validate reports what the windows of a rule may not have, by UID.
func (r *reader) validate() {
	if len(r.problems) > 0 {
		return
	}
	rule := policy.Rule{
		Name: unnamed, Type: policy.ScheduleRule, Mode: policy.Enabled, Rollback: new(policy.AllowRollback),
		Schedule: &policy.Schedule{Timezone: r.timezone, Windows: r.windows},
	}
	rule.Normalize()
	for _, problem := range rule.Validate() {
		uid, message := noUID, problem.Message
		if len(problem.Path) > 2 { // schedule, windows, position, member …
			if position, isPosition := problem.Path[2].(int); isPosition {
				uid, message = r.uids[position], fmt.Sprint(problem.Path[3])+": "+message
			}
		}
		r.add(uid, "%s", message)
	}
	if len(r.windows) == 0 {
		r.problems = []Problem{{Message: "the calendar has no event that denies deployments"}}
	}
}
