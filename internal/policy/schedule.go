package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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
	details := &windowDetails{zone: c.zone}
	v.Details = details
	if isDenied {
		window := &c.windows[denied.window]
		details.window, details.span = window, denied.span
		reason, until := "", ""
		if window.reason != "" {
			reason = " (" + window.reason + ")"
		}
		if v.ClearsAt != nil {
			until = " until " + c.local(nano(*v.ClearsAt))
		}
		v.Message = v.RuleName + ": deployments of " + e.product() + " to " + e.environment() + " are blocked by the window " + strconv.Quote(window.name) + reason + until + "."
		return
	}
	following, isFound := following(c.allow, now)
	next := ""
	if isFound {
		details.window, details.span = &c.windows[following.window], following.span
		next = "; the next one is " + strconv.Quote(details.window.name) + " from " + c.local(following.from)
	}
	v.Message = v.RuleName + ": deployments of " + e.product() + " to " + e.environment() + " are possible only in the windows of the rule" + next + "."
}

// windowDetails are the window that blocks, or the next one that permits the start.
type windowDetails struct {
	span

	zone   *time.Location
	window *windowText // nil: none
}

// Members implements Details.
func (d *windowDetails) Members() map[string]any {
	members := map[string]any{"window_name": nil, "window_start": nil, "window_end": nil, "timezone": d.zone.String(), "reason": nil}
	if d.window == nil {
		return members
	}
	members["window_name"], members["window_start"], members["window_end"] = d.window.name, instant(d.from), instant(d.until)
	if d.window.reason != "" {
		members["reason"] = d.window.reason
	}
	return members
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
