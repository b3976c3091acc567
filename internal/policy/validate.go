package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a rule.
const (
	maxName          = 100 // characters of a name of a rule or window
	maxReference     = 255 // characters of an identifier or name in a rule
	maxReason        = 500
	maxRRule         = 500
	maxTimezone      = 64
	maxPriority      = 1000
	maxScopeEntries  = 200
	maxWindows       = 500
	maxRecurring     = 50
	maxExDates       = 100
	maxDays          = 366 // of a window that does not recur
	maxRecurringDays = 31
	maxPrerequisites = 10
	maxSoakMinutes   = 43_200
	maxInProgress    = 100
	minStaleAfter    = 5
	maxStaleAfter    = 10_080
	maxTimeoutHours  = 8760
	firstYear        = 2000
	lastYear         = 2099
	localTime        = "2006-01-02T15:04"
	localDate        = "2006-01-02"
	typeMissing      = "value_error.missing"
	typeExtra        = "value_error.extra"
	typeEnum         = "type_error.enum"
	typeNul          = "value_error.nul"
	typeMinLength    = "value_error.any_str.min_length"
	typeMaxLength    = "value_error.any_str.max_length"
	typeMinItems     = "value_error.list.min_items"
	typeMaxItems     = "value_error.list.max_items"
	typeNotGreater   = "value_error.number.not_ge"
	typeNotLess      = "value_error.number.not_le"
	typeDuplicate    = "value_error.duplicate"
	typeTimezone     = "value_error.timezone"
	typeDatetime     = "value_error.datetime"
	typeEnd          = "value_error.end"
	typeRRule        = "value_error.rrule"
)

const day = 24 * time.Hour

// Problem is one thing that is wrong with a rule.
type Problem struct {
	Path    []any // names of members and positions in lists, from the rule down
	Message string
	Type    string // a stable machine word, such as value_error.missing
}

// problems collects what is wrong below a path.
type problems struct {
	path []any
	list *[]Problem
}

func (p problems) at(steps ...any) problems {
	return problems{path: append(slices.Clip(p.path), steps...), list: p.list}
}

func (p problems) add(kind, format string, args ...any) {
	*p.list = append(*p.list, Problem{Path: p.path, Type: kind, Message: fmt.Sprintf(format, args...)})
}

// Validate returns every problem of a rule that is normalized.
func (r *Rule) Validate() []Problem {
	var list []Problem
	p := problems{list: &list}
	p.at("name").text(r.Name, 1, maxName)
	p.at("mode").oneOf(string(r.Mode), string(Enabled), string(ReportOnly), string(Disabled))
	p.at("priority").number(r.Priority, 0, maxPriority)
	if r.Rollback != nil && r.Type == ConcurrencyRule {
		p.at("rollback").add(typeExtra, "a concurrency rule applies to rollbacks, too")
	} else if r.Type != ConcurrencyRule {
		p.at("rollback").oneOf(string(*orZero(r.Rollback)), string(AllowRollback), string(EnforceRollback))
	}
	r.Scope.validate(p.at("scope"))
	r.validateConfigs(p)
	return list
}

func orZero[T any](value *T) *T {
	if value == nil {
		return new(T)
	}
	return value
}

func (r *Rule) validateConfigs(p problems) {
	var names []string
	for _, ruleType := range RuleTypes() {
		names = append(names, string(ruleType))
	}
	p.at("rule_type").oneOf(string(r.Type), names...)
	for _, config := range []struct {
		ruleType RuleType
		isGiven  bool
		validate func(problems)
	}{
		{ScheduleRule, r.Schedule != nil, r.Schedule.validate},
		{FlowRule, r.Flow != nil, r.Flow.validate},
		{ConcurrencyRule, r.Concurrency != nil, r.Concurrency.validate},
		{DeploymentRequestRule, r.DeploymentRequest != nil, r.DeploymentRequest.validate},
		{VersionApprovalRule, r.VersionApproval != nil, r.VersionApproval.validate},
	} {
		at := p.at(string(config.ruleType))
		switch {
		case config.isGiven && config.ruleType != r.Type:
			at.add(typeExtra, "belongs to rules of the type %s", config.ruleType)
		case config.isGiven:
			config.validate(at)
		case config.ruleType == r.Type:
			at.add(typeMissing, "field required")
		}
	}
}

func (s Scope) validate(p problems) {
	if count := len(s.Products) + len(s.Environments) + len(s.EnvironmentTypes); count > maxScopeEntries {
		p.add(typeMaxItems, "a scope has at most %d entries, not %d", maxScopeEntries, count)
		return
	}
	p.at("products").references(s.Products)
	p.at("environments").references(s.Environments)
	for i, environmentType := range s.EnvironmentTypes {
		p.at("environment_types", i).oneOf(environmentType, "dev", "test", "staging", "production", "other")
	}
}

func (s *Schedule) validate(p problems) {
	p.at("timezone").text(s.Timezone, 1, maxTimezone)
	zone, err := LoadZone(s.Timezone)
	if err != nil {
		p.at("timezone").add(typeTimezone, "is not an IANA time zone such as Europe/Berlin or UTC")
		zone = time.UTC
	}
	if !p.at("windows").count(len(s.Windows), 1, maxWindows) {
		return
	}
	recurring := 0
	for i := range s.Windows {
		s.Windows[i].validate(p.at("windows", i), zone)
		if s.Windows[i].RRule != nil {
			recurring++
		}
	}
	if recurring > maxRecurring {
		p.at("windows").add(typeMaxItems, "at most %d windows may recur, not %d", maxRecurring, recurring)
	}
}

// LoadZone returns an IANA time zone: UTC, or one whose name contains a slash.
func LoadZone(name string) (*time.Location, error) {
	// Where the system has them, posix/ has copies of all zones, and right/ counts leap seconds.
	if name != "UTC" && !strings.Contains(name, "/") || strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") {
		return nil, fmt.Errorf("%q is not an IANA time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("load a time zone: %w", err)
	}
	return zone, nil
}

// ParseLocal parses Start or End of a window into the same time of UTC.
func ParseLocal(text string) (time.Time, error) {
	at, err := time.Parse(localTime, text)
	if err != nil || at.Format(localTime) != text {
		return at, fmt.Errorf("%q is not a local time such as 2026-12-18T18:00", text)
	}
	return at, nil
}

func (w *Window) validate(p problems, zone *time.Location) {
	p.at("name").text(w.Name, 1, maxName)
	p.at("effect").oneOf(string(w.Effect), string(Deny), string(Allow))
	p.at("reason").text(*orZero(w.Reason), 0, maxReason)
	start, isStart := p.at("start").local(w.Start)
	end, isEnd := p.at("end").local(w.End)
	if isStart && isEnd {
		w.validateLength(p, start, end)
	}
	if p.at("exdates").count(len(w.ExDates), 0, maxExDates) {
		for i, text := range w.ExDates {
			if date, err := time.Parse(localDate, text); err != nil || date.Format(localDate) != text {
				p.at("exdates", i).add(typeDatetime, "is not a date such as 2026-12-25")
			}
		}
	}
	if w.RRule == nil {
		if len(w.ExDates) > 0 {
			p.at("exdates").add(typeExtra, "belongs to windows with rrule")
		}
		return
	}
	if !p.at("rrule").text(*w.RRule, 1, maxRRule) {
		return
	}
	recurrence, err := ParseRecurrence(*w.RRule)
	switch {
	case err != nil:
		p.at("rrule").add(typeRRule, "%s", err)
	case isStart && !recurrence.Matches(start, start):
		p.at("start").add(typeRRule, "is not an occurrence of rrule: begin with the first one")
	case isStart && recurrence.Until != nil && recurrence.Until.local(zone).Before(start):
		p.at("rrule").add(typeRRule, "UNTIL is before start: the window never occurs")
	}
}

func (w *Window) validateLength(p problems, start, end time.Time) {
	days := maxDays
	if w.RRule != nil {
		days = maxRecurringDays
	}
	switch {
	case !end.After(start):
		p.at("end").add(typeEnd, "must be after start")
	case end.Sub(start) > time.Duration(days)*day && w.RRule != nil:
		p.at("end").add(typeEnd, "must be at most %d days after start, as the window recurs", days)
	case end.Sub(start) > time.Duration(days)*day:
		p.at("end").add(typeEnd, "must be at most %d days after start", days)
	}
}

func (f *Flow) validate(p problems) {
	if p.at("prerequisites").count(len(f.Prerequisites), 1, maxPrerequisites) {
		p.at("prerequisites").references(f.Prerequisites)
		for i, name := range f.Prerequisites {
			if slices.ContainsFunc(f.Prerequisites[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
				p.at("prerequisites", i).add(typeDuplicate, "must not be repeated")
			}
		}
	}
	p.at("min_soak_minutes").number(f.MinSoakMinutes, 0, maxSoakMinutes)
}

func (c *Concurrency) validate(p problems) {
	p.at("max_in_progress").number(c.MaxInProgress, 1, maxInProgress)
	p.at("per").oneOf(string(c.Per), string(PerProductEnvironment), string(PerProduct), string(PerEnvironment), string(PerScope))
	p.at("stale_after_minutes").number(c.StaleAfterMinutes, minStaleAfter, maxStaleAfter)
}

func (c *DeploymentRequest) validate(p problems) {
	p.at("required_approvals").approvals(c.RequiredApprovals, 0)
	p.at("approval_timeout_hours").timeout(c.ApprovalTimeoutHours)
}

func (c *VersionApproval) validate(p problems) {
	p.at("required_approvals").approvals(c.RequiredApprovals, 1)
	p.at("approval_timeout_hours").timeout(c.ApprovalTimeoutHours)
	if c.Environment != nil {
		p.at("environment").text(*c.Environment, 1, maxReference)
	}
}

func (p problems) approvals(types []ApprovalType, fewest int) {
	if !p.count(len(types), fewest, len(ApprovalTypes())) {
		return
	}
	var names []string
	for _, approvalType := range ApprovalTypes() {
		names = append(names, string(approvalType))
	}
	for i, approvalType := range types {
		p.at(i).oneOf(string(approvalType), names...)
		if slices.Contains(types[:i], approvalType) {
			p.at(i).add(typeDuplicate, "must not be repeated")
		}
	}
}

func (p problems) timeout(hours *int) {
	if hours != nil {
		p.number(*hours, 1, maxTimeoutHours)
	}
}

func (p problems) references(names []string) {
	for i, name := range names {
		p.at(i).text(name, 1, maxReference)
	}
}

// text reports whether the text has no problem.
func (p problems) text(text string, shortest, longest int) bool {
	switch length := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		p.add(typeNul, "must be UTF-8")
	case strings.ContainsRune(text, 0):
		p.add(typeNul, "must not contain NUL")
	case length < shortest || length > 0 && shortest > 0 && strings.TrimFunc(text, unicode.IsSpace) == "":
		p.add(typeMinLength, "must not be blank")
	case length > longest:
		p.add(typeMaxLength, "must have at most %d characters", longest)
	default:
		return true
	}
	return false
}

func (p problems) number(number, lowest, highest int) {
	switch {
	case number < lowest:
		p.add(typeNotGreater, "must be at least %d", lowest)
	case number > highest:
		p.add(typeNotLess, "must be at most %d", highest)
	}
}

// count reports whether a list has as many entries as it may.
func (p problems) count(count, fewest, most int) bool {
	switch {
	case count < fewest:
		p.add(typeMinItems, "must have %d or more entries", fewest)
	case count > most:
		p.add(typeMaxItems, "must have at most %d entries, not %d", most, count)
	default:
		return true
	}
	return false
}

func (p problems) oneOf(text string, values ...string) {
	if !slices.Contains(values, text) {
		p.add(typeEnum, "must be one of %s", strings.Join(values, ", "))
	}
}

// local parses a local time of the years that windows may be in.
func (p problems) local(text string) (time.Time, bool) {
	at, err := ParseLocal(text)
	if err != nil {
		p.add(typeDatetime, "must be a local time such as 2026-12-18T18:00")
		return at, false
	}
	if at.Year() < firstYear || at.Year() > lastYear {
		p.add(typeDatetime, "must be from %d to %d", firstYear, lastYear)
		return at, false
	}
	return at, true
}
