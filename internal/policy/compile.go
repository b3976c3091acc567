package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Set is the rules of an account in the form in which they are evaluated. It is safe for concurrent use.
type Set struct {
	rules       []rule // in the order of priority, then of identifiers
	from, until int64
}

// rule is a rule that is evaluated: one that is not disabled.
type rule struct {
	id              uuid.UUID
	name            string
	ruleType        RuleType
	mode            Mode
	priority        int
	allowsRollbacks bool
	scope           scope
	check           check
}

// check is the part of a rule that depends on its type.
type check interface {
	// blocked returns when the rule blocks the attempt if nothing else happens: in at most one span, or that of a schedule.
	blocked(e *evaluation) spans
	// explain describes the violation at a time in which the rule blocks.
	explain(e *evaluation, at time.Time, v *Violation)
}

// scope is a Scope in the form for look-ups. A list that is nil matches everything.
type scope struct {
	products, environments *references
	types                  []string
}

type references struct {
	ids   map[uuid.UUID]bool
	names map[string]bool // folded
}

// Compile prepares the rules for evaluations from a time on, until the Horizon. Schedules must have an Expansion of that time;
// internal/calendar has a function that adds it. Disabled rules are left out. The rules must be valid.
func Compile(rules []Rule, from time.Time) (*Set, error) {
	s := &Set{from: nano(from), until: nano(from.Add(Horizon))}
	for i := range rules {
		if rules[i].Mode == Disabled {
			continue
		}
		compiled, err := s.compile(&rules[i])
		if err != nil {
			return nil, fmt.Errorf("compile rule %s: %w", rules[i].ID, err)
		}
		s.rules = append(s.rules, compiled)
	}
	slices.SortStableFunc(s.rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), bytes.Compare(a.id[:], b.id[:]))
	})
	return s, nil
}

// Needs is which facts of a start the rules depend on that apply to its product and environment.
type Needs struct {
	History   bool // where the version was: Completed and Runs
	Slots     bool // and the start counts itself
	Approvals bool
}

// Includes reports whether n has everything that other has.
func (n Needs) Includes(other Needs) bool {
	return (n.History || !other.History) && (n.Slots || !other.Slots) && (n.Approvals || !other.Approvals)
}

// Needs returns the facts that the starts of a product in an environment need. Those of exceptions and requests are not among them.
func (s *Set) Needs(product, environment Ref) (needs Needs) {
	for i := range s.rules {
		r := &s.rules[i]
		var need *bool
		switch r.ruleType {
		case FlowRule:
			need = &needs.History
		case ConcurrencyRule:
			need = &needs.Slots
		case VersionApprovalRule:
			need = &needs.Approvals
		case ScheduleRule, DeploymentRequestRule:
			continue
		}
		*need = *need || r.scope.match(product, environment)
	}
	return needs
}

// Len returns how many rules are evaluated.
func (s *Set) Len() int { return len(s.rules) }

// Covers reports whether the schedules are known at a time. Outside of it, rules with a schedule block.
func (s *Set) Covers(at time.Time) bool { return nano(at) >= s.from && nano(at) < s.until }

func (s *Set) compile(r *Rule) (rule, error) {
	if r.Mode != Enabled && r.Mode != ReportOnly {
		return rule{}, fmt.Errorf("unknown mode %q", r.Mode)
	}
	compiled := rule{
		id: r.ID, name: r.Name, ruleType: r.Type, mode: r.Mode, priority: r.Priority,
		allowsRollbacks: r.Type != ConcurrencyRule && r.Rollback != nil && *r.Rollback == AllowRollback,
		scope:           newScope(r.Scope),
	}
	switch {
	case r.Type == ScheduleRule && r.Schedule != nil:
		schedule, err := s.compileSchedule(r.Schedule)
		compiled.check = schedule
		return compiled, err
	case r.Type == FlowRule && r.Flow != nil:
		compiled.check = newFlow(r.Flow)
	case r.Type == ConcurrencyRule && r.Concurrency != nil:
		compiled.check = &concurrency{Concurrency: *r.Concurrency, scope: compiled.scope}
	case r.Type == DeploymentRequestRule && r.DeploymentRequest != nil:
		compiled.check = &deploymentRequest{DeploymentRequest: *r.DeploymentRequest}
	case r.Type == VersionApprovalRule && r.VersionApproval != nil:
		compiled.check = newVersionApproval(r.VersionApproval)
	default:
		return rule{}, fmt.Errorf("a rule of the type %q without its configuration", r.Type)
	}
	return compiled, nil
}

func newScope(s Scope) scope {
	return scope{products: newReferences(s.Products), environments: newReferences(s.Environments), types: slices.Clone(s.EnvironmentTypes)}
}

func newReferences(texts []string) *references {
	if len(texts) == 0 {
		return nil
	}
	r := &references{ids: make(map[uuid.UUID]bool), names: make(map[string]bool)}
	for _, text := range texts {
		one := newReference(text)
		r.names[one.folded] = true
		if one.id != uuid.Nil {
			r.ids[one.id] = true
		}
	}
	return r
}

func (r *references) match(ref Ref) bool {
	if r == nil || r.ids[ref.ID] {
		return true
	}
	return slices.ContainsFunc(ref.Names, func(name string) bool { return r.names[fold(name)] })
}

func (s scope) match(product, environment Ref) bool {
	return (len(s.types) == 0 || slices.Contains(s.types, environment.Type)) && s.products.match(product) && s.environments.match(environment)
}

// span is the time [from, until) in nanoseconds since 1970.
type span struct{ from, until int64 }

const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// nano returns the nanoseconds since 1970 of a time, within the years that have them.
func nano(at time.Time) int64 {
	switch year := at.Year(); {
	case year < 1700:
		return always
	case year > 2250:
		return never
	default:
		return at.UnixNano()
	}
}

func instant(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }

// spans is the times in which a rule blocks: the list, which is sorted and has gaps between its entries, and the single span if it is
// not empty. Only one of them is used.
type spans struct {
	list   []span
	single span
}

// end returns the end of the span that contains a time, or the time itself if there is none.
func (s spans) end(at int64) int64 {
	if s.single.from <= at && at < s.single.until {
		return s.single.until
	}
	if i := s.search(at); i < len(s.list) && s.list[i].from <= at {
		return s.list[i].until
	}
	return at
}

// next returns the start of the first span that begins after a time, or never.
func (s spans) next(at int64) int64 {
	if s.single.from > at && s.single.from < s.single.until {
		return s.single.from
	}
	i := s.search(at)
	if i < len(s.list) && s.list[i].from <= at {
		i++
	}
	if i < len(s.list) {
		return s.list[i].from
	}
	return never
}

// search returns the position of the first span that ends after a time.
func (s spans) search(at int64) int {
	i, _ := slices.BinarySearchFunc(s.list, at, func(one span, at int64) int {
		if one.until <= at {
			return -1
		}
		return 1
	})
	return i
}

// merge sorts the spans and joins those that overlap or touch. It changes the list.
func merge(list []span) []span {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := list[:0]
	for _, one := range list {
		if one.from >= one.until {
			continue
		}
		if last := len(merged) - 1; last >= 0 && one.from <= merged[last].until {
			merged[last].until = max(merged[last].until, one.until)
		} else {
			merged = append(merged, one)
		}
	}
	return merged
}

var errNotExpanded = errors.New("the schedule has no expansion of the time that it is compiled for")
