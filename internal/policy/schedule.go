package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// schedule is a Schedule with its occurrences in UTC.
type schedule struct {
	zone     *time.Location
	windows  []windowText
	deny     []occurrence
	allow    []occurrence
	hasAllow bool
	times    []span // in which the rule blocks
	until    int64  // the horizon
}

type windowText struct{ name, reason string }

// occurrence is an occurrence of a window. In the lists of a schedule, starts and ends ascend: an occurrence inside of another one of the
// same effect changes nothing and is left out.
type occurrence struct {
	span
	window int
}

func (s *Set) compileSchedule(config *Schedule) (*schedule, error) {
	expansion := config.Expansion
	if expansion == nil || nano(expansion.From) > s.from || nano(expansion.Until) < s.until {
		return nil, errNotExpanded
	}
	zone, err := LoadZone(config.Timezone)
	if err != nil {
		return nil, err
	}
	c := &schedule{zone: zone, windows: make([]windowText, len(config.Windows)), until: s.until}
	for i := range config.Windows {
		window := &config.Windows[i]
		c.windows[i] = windowText{name: window.Name, reason: *orZero(window.Reason)}
		c.hasAllow = c.hasAllow || window.Effect == Allow
		if window.Effect != Allow && window.Effect != Deny {
			return nil, fmt.Errorf("unknown effect %q of a window", window.Effect)
		}
	}
	for _, one := range expansion.Occurrences {
		if one.Window < 0 || one.Window >= len(config.Windows) {
			return nil, fmt.Errorf("an occurrence of window %d, of %d", one.Window, len(config.Windows))
		}
		occurs := occurrence{span: span{from: nano(one.Start), until: nano(one.End)}, window: one.Window}
		if config.Windows[one.Window].Effect == Allow {
			c.allow = append(c.allow, occurs)
		} else {
			c.deny = append(c.deny, occurs)
		}
	}
	c.deny, c.allow = outermost(c.deny), outermost(c.allow)
	c.times = c.blockedTimes(nano(expansion.From))
	return c, nil
}

// outermost sorts the occurrences, and leaves out empty ones and those inside of others.
func outermost(list []occurrence) []occurrence {
	slices.SortFunc(list, func(a, b occurrence) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.until, a.until), cmp.Compare(a.window, b.window))
	})
	kept := list[:0]
	for _, one := range list {
		if one.from < one.until && (len(kept) == 0 || one.until > kept[len(kept)-1].until) {
			kept = append(kept, one)
		}
	}
	return slices.Clip(kept)
}

// blockedTimes returns the deny windows and the gaps between the allow windows. Where the occurrences are not known, the rule blocks.
func (c *schedule) blockedTimes(from int64) []span {
	times := []span{{always, from}, {c.until, never}}
	for _, one := range c.deny {
		times = append(times, one.span)
	}
	if c.hasAllow {
		open := from
		for _, one := range c.allow {
			times = append(times, span{open, one.from})
			open = max(open, one.until)
		}
		times = append(times, span{open, never})
	}
	return slices.Clone(merge(times))
}

func (c *schedule) blocked(*evaluation) spans { return spans{list: c.times} }

func (c *schedule) explain(e *evaluation, at time.Time, v *Violation) {
	v.Code = NoDeployWindow
	now := nano(at)
	denied, isDenied := containing(c.deny, now)
	v.Details = map[string]any{"window_name": nil, "window_start": nil, "window_end": nil, "timezone": c.zone.String(), "reason": nil}
	what := "deployments of " + e.product() + " to " + e.environment()
	if isDenied {
		c.describe(v.Details, denied)
		window := c.windows[denied.window]
		v.Message = fmt.Sprintf("%s: %s are blocked by the window %q", v.RuleName, what, window.name)
		if window.reason != "" {
			v.Message += " (" + window.reason + ")"
		}
		if v.ClearsAt != nil {
			v.Message += " until " + c.local(nano(*v.ClearsAt))
		}
		v.Message += "."
		return
	}
	v.Message = fmt.Sprintf("%s: %s are possible only in the windows of the rule", v.RuleName, what)
	if next, isFound := following(c.allow, now); isFound {
		c.describe(v.Details, next)
		v.Message += fmt.Sprintf("; the next one is %q from %s", c.windows[next.window].name, c.local(next.from))
	}
	v.Message += "."
}

func (c *schedule) describe(details map[string]any, one occurrence) {
	window := c.windows[one.window]
	details["window_name"] = window.name
	details["window_start"] = instant(one.from)
	details["window_end"] = instant(one.until)
	if window.reason != "" {
		details["reason"] = window.reason
	}
}

func (c *schedule) local(nanoseconds int64) string {
	return instant(nanoseconds).In(c.zone).Format("2006-01-02 15:04 ") + c.zone.String()
}

// containing returns the occurrence with the latest end of those that contain a time.
func containing(list []occurrence, at int64) (occurrence, bool) {
	i := startedBy(list, at) - 1
	if i < 0 || list[i].until <= at {
		return occurrence{}, false
	}
	return list[i], true
}

// following returns the first occurrence that begins after a time.
func following(list []occurrence, at int64) (occurrence, bool) {
	i := startedBy(list, at)
	if i == len(list) {
		return occurrence{}, false
	}
	return list[i], true
}

// startedBy returns how many occurrences have begun at a time.
func startedBy(list []occurrence, at int64) int {
	i, _ := slices.BinarySearchFunc(list, at, func(one occurrence, at int64) int {
		if one.from <= at {
			return -1
		}
		return 1
	})
	return i
}
