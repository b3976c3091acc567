package policy

import (
	"slices"
	"time"
)

// NextAllowed returns when the attempt may start from a time on, if nothing else happens until then.
func (s *Set) NextAllowed(from time.Time, a Attempt, f Facts) Next {
	e := evaluation{attempt: &a, facts: &f}
	all := s.constraints(&e)
	at, binding := earliest(all, nano(from))
	next := Next{Binding: binding}
	if at != never {
		next.AllowedAt = new(restore(at, from))
		if until := firstBlock(all, at); until < s.until {
			next.BlockAt = new(instant(until))
		}
	}
	withoutOthers, _ := earliest(without(all, ConcurrencyRule), nano(from))
	next.Certain = at != never && withoutOthers == at
	inWindows, _ := earliest(without(all, FlowRule, ConcurrencyRule, DeploymentRequestRule, VersionApprovalRule), nano(from))
	next.IsEndless = inWindows == never
	approved, _ := earliest(without(all, DeploymentRequestRule, VersionApprovalRule), nano(from))
	if approved != never {
		next.EarliestAfterApprovals = new(restore(approved, from))
	}
	return next
}

// restore returns the time that was converted from exactly as it was, and any other as an instant.
func restore(at int64, from time.Time) time.Time {
	if at == nano(from) {
		return from
	}
	return instant(at)
}

// constraint is when one rule blocks an attempt.
type constraint struct {
	spans
	rule *rule
}

// constraints returns when each enabled rule that applies and is not skipped blocks, and when deployment requests do by themselves.
func (s *Set) constraints(e *evaluation) []constraint {
	var list []constraint
	for i := range s.rules {
		r := &s.rules[i]
		if r.mode != Enabled || !r.scope.match(e.facts.Product, e.facts.Environment) || r.allowsRollbacks && isRollback(e.facts) {
			continue
		}
		list = append(list, constraint{spans: r.check.blocked(e), rule: r})
	}
	for i := range e.facts.Requests {
		if r := &e.facts.Requests[i]; e.isGated(r) {
			gate := newGate(r)
			list = append(list, constraint{spans: gate.check.blocked(e), rule: gate})
		}
	}
	if e.attempt.skips() {
		list = slices.DeleteFunc(list, func(one constraint) bool { return one.rule.ruleType != ConcurrencyRule })
	}
	return list
}

func without(list []constraint, types ...RuleType) []constraint {
	return slices.DeleteFunc(slices.Clone(list), func(one constraint) bool { return slices.Contains(types, one.rule.ruleType) })
}

// earliest returns the first time from at on at which nothing blocks, or never, and the rule that blocks until then.
func earliest(list []constraint, at int64) (int64, *Binding) {
	var binding *Binding
	for isMoved := true; isMoved; {
		isMoved = false
		for _, one := range list {
			end := one.end(at)
			if end == at {
				continue
			}
			at, isMoved = end, true
			binding = &Binding{ID: one.rule.id, Name: one.rule.name, Type: one.rule.ruleType}
			if at == never {
				return at, binding
			}
		}
	}
	return at, binding
}

// firstBlock returns the first time after one at which nothing blocks, at which something does, or never.
func firstBlock(list []constraint, at int64) int64 {
	first := int64(never)
	for _, one := range list {
		first = min(first, one.next(at))
	}
	return first
}
