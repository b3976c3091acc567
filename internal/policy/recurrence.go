package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Frequency is the FREQ of a recurrence.
type Frequency string

// The frequencies that a window may have.
const (
	Daily   Frequency = "DAILY"
	Weekly  Frequency = "WEEKLY"
	Monthly Frequency = "MONTHLY"
	Yearly  Frequency = "YEARLY"
)

// Recurrence is an RRULE of RFC 5545 without the parts that windows may not have.
type Recurrence struct {
	Frequency  Frequency
	Interval   int
	ByDay      []Weekday
	ByMonthDay []int
	ByMonth    []int
	WeekStart  time.Weekday
	Until      *Until // nil: endless
}

// Weekday is an entry of BYDAY.
type Weekday struct {
	Day     time.Weekday
	Ordinal int // of the days in a month, negative from its end; 0: each
}

// Until is the last instant at which an occurrence may start. Unless IsUTC, it is local time.
type Until struct {
	Time  time.Time // labelled UTC
	IsUTC bool
}

const maxInterval = 99

// ParseRecurrence parses an RRULE. The error is for the user.
func ParseRecurrence(text string) (Recurrence, error) {
	parts := make(map[string]string)
	for part := range strings.SplitSeq(text, ";") {
		key, value, found := strings.Cut(part, "=")
		if !found || value == "" {
			return Recurrence{}, fmt.Errorf("%q is not a part such as FREQ=WEEKLY", part)
		}
		if _, isRepeated := parts[key]; isRepeated {
			return Recurrence{}, fmt.Errorf("%s must not be repeated", key)
		}
		parts[key] = value
	}
	recurrence := Recurrence{Frequency: Frequency(parts["FREQ"]), Interval: 1, WeekStart: time.Monday}
	if !slices.Contains([]Frequency{Daily, Weekly, Monthly, Yearly}, recurrence.Frequency) {
		return Recurrence{}, errors.New("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
	}
	for key, value := range parts {
		if err := recurrence.set(key, value); err != nil {
			return Recurrence{}, err
		}
	}
	if recurrence.Frequency == Weekly && len(recurrence.ByMonthDay) > 0 {
		return Recurrence{}, errors.New("BYMONTHDAY is not possible with FREQ=WEEKLY")
	}
	for _, day := range recurrence.ByDay {
		if day.Ordinal != 0 && recurrence.Frequency != Monthly {
			return Recurrence{}, errors.New("BYDAY may have numbers with FREQ=MONTHLY only")
		}
	}
	return recurrence, nil
}

func (r *Recurrence) set(key, value string) (err error) {
	switch key {
	case "FREQ":
	case "INTERVAL":
		r.Interval, err = parseNumber(value, 1, maxInterval)
	case "BYDAY":
		r.ByDay, err = parseList(value, parseWeekday)
	case "BYMONTHDAY":
		r.ByMonthDay, err = parseList(value, func(text string) (int, error) { return parseNumber(text, -31, 31) })
	case "BYMONTH":
		r.ByMonth, err = parseList(value, func(text string) (int, error) { return parseNumber(text, 1, 12) })
	case "WKST":
		var day Weekday
		day, err = parseWeekday(value)
		if err == nil && day.Ordinal != 0 {
			err = errors.New("must be a day such as MO")
		}
		r.WeekStart = day.Day
	case "UNTIL":
		r.Until, err = parseUntil(value)
	default:
		return fmt.Errorf("%s is not supported: use FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, WKST and UNTIL", key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func parseList[T comparable](text string, parse func(string) (T, error)) ([]T, error) {
	var list []T
	for entry := range strings.SplitSeq(text, ",") {
		value, err := parse(entry)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list, nil
}

// parseNumber parses a number from lowest to highest other than 0.
func parseNumber(text string, lowest, highest int) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || number < lowest || number > highest || number == 0 {
		return 0, fmt.Errorf("%q is not a number from %d to %d, without 0", text, lowest, highest)
	}
	return number, nil
}

// parseWeekday parses a day such as FR, 2FR or -1FR.
func parseWeekday(text string) (Weekday, error) {
	days := []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
	at := max(0, len(text)-len("FR"))
	day := slices.Index(days, text[at:])
	if day < 0 {
		return Weekday{}, fmt.Errorf("%q is not a day such as MO", text)
	}
	if at == 0 {
		return Weekday{Day: time.Weekday(day)}, nil
	}
	ordinal, err := parseNumber(text[:at], -5, 5)
	return Weekday{Day: time.Weekday(day), Ordinal: ordinal}, err
}

// parseUntil parses a date, which includes the day, a local time, or a time in UTC.
func parseUntil(text string) (*Until, error) {
	if day, err := time.Parse("20060102", text); err == nil {
		return &Until{Time: day.AddDate(0, 0, 1).Add(-time.Second)}, nil
	}
	local, isUTC := strings.CutSuffix(text, "Z")
	at, err := time.Parse("20060102T150405", local)
	if err != nil {
		return nil, fmt.Errorf("%q is not a date or time such as 20261231 or 20261231T180000Z", text)
	}
	return &Until{Time: at, IsUTC: isUTC}, nil
}

// local returns the local time in the zone, labelled UTC.
func (u Until) local(zone *time.Location) time.Time {
	if !u.IsUTC {
		return u.Time
	}
	_, offset := u.Time.In(zone).Zone()
	return u.Time.Add(time.Duration(offset) * time.Second)
}

// Matches reports whether an occurrence may start on the date of local by BYDAY, BYMONTHDAY and BYMONTH. Without the parts that say it, the
// day is that of start. INTERVAL and UNTIL are not considered.
func (r Recurrence) Matches(start, local time.Time) bool {
	_, month, day := local.Date()
	if len(r.ByMonth) > 0 && !slices.Contains(r.ByMonth, int(month)) {
		return false
	}
	lastDay := time.Date(local.Year(), month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if len(r.ByMonthDay) > 0 && !slices.Contains(r.ByMonthDay, day) && !slices.Contains(r.ByMonthDay, day-lastDay-1) {
		return false
	}
	if len(r.ByDay) > 0 {
		return slices.ContainsFunc(r.ByDay, func(weekday Weekday) bool {
			nth, nthLast := (day-1)/7+1, (day-lastDay)/7-1
			return weekday.Day == local.Weekday() && (weekday.Ordinal == 0 || weekday.Ordinal == nth || weekday.Ordinal == nthLast)
		})
	}
	if len(r.ByMonthDay) > 0 {
		return true
	}
	switch r.Frequency {
	case Weekly:
		return local.Weekday() == start.Weekday()
	case Monthly:
		return day == start.Day()
	case Yearly:
		return day == start.Day() && (len(r.ByMonth) > 0 || month == start.Month())
	default:
		return true
	}
}
