package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// evaluation is the arguments of one evaluation.
type evaluation struct {
	attempt *Attempt
	facts   *Facts
}

func (e *evaluation) product() string     { return nameOf(e.facts.Product, "the product") }
func (e *evaluation) environment() string { return nameOf(e.facts.Environment, "the environment") }
func (e *evaluation) version() string     { return e.facts.Version.Name }

func nameOf(ref Ref, unknown string) string {
	if len(ref.Names) == 0 {
		return unknown
	}
	return ref.Names[0]
}

// Evaluate decides whether the attempt may start at a time. It does not skip facts that are later than it: a backtest passes those of
// that time.
func (s *Set) Evaluate(at time.Time, a Attempt, f Facts) Verdict {
	e := evaluation{attempt: &a, facts: &f}
	v := Verdict{Status: StatusPassed, SkipIgnored: a.SkipRequested && !a.SkipPermitted}
	var required []*deploymentRequest // of the enabled rules that apply
	var violations, reports []*Violation
	for i := range s.rules {
		r := &s.rules[i]
		if !r.scope.match(f.Product, f.Environment) {
			continue
		}
		if check, ok := r.check.(*deploymentRequest); ok && r.mode == Enabled {
			required = append(required, check)
		}
		if v.Evaluations == nil {
			v.Evaluations = make([]Evaluation, 0, len(s.rules)-i)
		}
		violation := r.violation(&e, at)
		v.MayBeExcepted = v.MayBeExcepted || violation != nil && r.allowsRollbacks
		result := Evaluation{RuleID: r.id, RuleName: r.name, Mode: r.mode, Result: ResultPassed}
		switch {
		case violation == nil:
		case r.allowsRollbacks && isRollback(&f):
			result.Result = ResultRolledBack
		case r.mode == ReportOnly:
			result.Result, result.Message = ResultFailed, violation.Message
			violation.Action = ActionReported
			reports = append(reports, violation)
		default:
			result.Result, result.Message = ResultFailed, violation.Message
			violations = append(violations, violation)
		}
		v.Evaluations = append(v.Evaluations, result)
	}
	for i := range f.Requests {
		if r := &f.Requests[i]; e.isGated(r) {
			gate := newGate(r)
			violation := gate.violation(&e, at)
			violations = append(violations, violation)
			v.Evaluations = append(v.Evaluations, Evaluation{RuleName: gate.name, Mode: gate.mode, Result: ResultFailed, Message: violation.Message})
		}
	}
	v.DeploymentRequestID = e.activeRequest(at, required)
	v.Violations, v.Reports = sorted(violations), sorted(reports)
	v.decide(at, &e)
	return v
}

// violation returns what the rule finds at a time, nil if it passes.
func (r *rule) violation(e *evaluation, at time.Time) *Violation {
	now := nano(at)
	end := r.check.blocked(e).end(now)
	if end == now {
		return nil
	}
	v := &Violation{RuleID: r.id, RuleName: r.name, RuleType: r.ruleType, Priority: r.priority, Action: ActionBlocked}
	if end != never {
		v.ClearsAt, v.Certain = new(instant(end)), true
	}
	r.check.explain(e, at, v)
	return v
}

// isGated reports whether the request blocks the attempt without a rule.
func (e *evaluation) isGated(r *Request) bool {
	return r.Gate && (r.Status == RequestInProgress || r.Status == RequestRejected) && e.isNamed(r)
}

// newGate returns the request that blocks by itself as a rule.
func newGate(r *Request) *rule {
	return &rule{name: fmt.Sprintf("Deployment request %q", r.Name), ruleType: DeploymentRequestRule, mode: Enabled, check: gate{r}}
}

// activeRequest returns the request that lets the attempt start: of the active ones that name it, the one by which most of the required ones pass,
// rather an approved one, the first in the list.
func (e *evaluation) activeRequest(at time.Time, required []*deploymentRequest) uuid.UUID {
	active, most := uuid.Nil, 0
	for i := range e.facts.Requests {
		r := &e.facts.Requests[i]
		if !e.isNamed(r) {
			continue
		}
		rank := 0
		switch r.Status {
		case RequestApproved:
			rank = 2
		case RequestInProgress:
			rank = 1
		case RequestDraft, RequestRejected, RequestCompleted, RequestCancelled:
			continue
		}
		for _, check := range required {
			if expires, _ := check.assess(r, nano(at)); expires > nano(at) {
				rank += 2
			}
		}
		if rank > most {
			active, most = r.ID, rank
		}
	}
	return active
}

// sorted returns the violations in order, nil if there are none.
func sorted(violations []*Violation) []Violation {
	if violations == nil {
		return nil
	}
	slices.SortStableFunc(violations, compareViolations)
	list := make([]Violation, len(violations))
	for i, violation := range violations {
		list[i] = *violation
	}
	return list
}

// compareViolations orders violations: first those that waiting for other deployments does not clear, then by priority, then those without
// a known end, then the latest end, then by identifier.
func compareViolations(a, b *Violation) int {
	order := cmp.Or(
		compareBool(a.RuleType == ConcurrencyRule, b.RuleType == ConcurrencyRule),
		cmp.Compare(a.Priority, b.Priority),
		compareBool(a.ClearsAt != nil, b.ClearsAt != nil),
	)
	if order == 0 && a.ClearsAt != nil && a.RuleType != ConcurrencyRule {
		order = b.ClearsAt.Compare(*a.ClearsAt)
	}
	return cmp.Or(order, bytes.Compare(a.RuleID[:], b.RuleID[:]), bytes.Compare(a.DeploymentRequestID[:], b.DeploymentRequestID[:]))
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// decide determines what comes of the violations.
func (v *Verdict) decide(at time.Time, e *evaluation) {
	if len(v.Violations) == 0 {
		return
	}
	v.Status = StatusBlocked
	if e.attempt.skips() {
		v.Status = StatusSkipped
		for i := range v.Violations {
			if isOfConcurrency(v.Violations[i]) {
				v.Status = StatusBlocked
			} else {
				v.Violations[i].Action = ActionSkipped
			}
		}
		return
	}
	v.MayBeExcepted = v.MayBeExcepted || !slices.ContainsFunc(v.Violations, isOfConcurrency)
	grants := slices.Clone(e.facts.Grants)
	slices.SortStableFunc(grants, func(a, b Grant) int { return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), bytes.Compare(a.ID[:], b.ID[:])) })
	for i := range grants {
		if !grants[i].covers(e.facts, at, v.Violations) {
			continue
		}
		v.Status, v.GrantID = StatusOverridden, grants[i].ID
		for j := range v.Violations {
			v.Violations[j].Action = ActionOverridden
		}
		return
	}
}

// covers reports whether the grant is for this start, and covers every violation. No grant covers a concurrency rule.
func (g *Grant) covers(f *Facts, at time.Time, violations []Violation) bool {
	if g.ProductID != f.Product.ID || g.EnvironmentID != f.Environment.ID || g.Version != f.Version.Name || !at.Before(g.ExpiresAt) {
		return false
	}
	return !slices.ContainsFunc(violations, func(v Violation) bool {
		return isOfConcurrency(v) || !slices.Contains(g.RuleTypes, v.RuleType)
	})
}

func isOfConcurrency(v Violation) bool { return v.RuleType == ConcurrencyRule }

const maxSentences = 3

// Message returns the messages of the first violations that block, as text for the user.
func (v Verdict) Message() string {
	var sentences []string
	for i := range v.Violations {
		if v.Violations[i].Action == ActionBlocked && len(sentences) < maxSentences {
			sentences = append(sentences, v.Violations[i].Message)
		}
	}
	if v.SkipIgnored {
		sentences = append(sentences, "skip_preflight_checks was ignored: the API key does not have the scope skip_preflight.")
	}
	return strings.Join(sentences, " ")
}

// First returns the violation that the answer is about: the first one that blocks. Call it if the attempt is not allowed.
func (v Verdict) First() Violation {
	i := slices.IndexFunc(v.Violations, func(one Violation) bool { return one.Action == ActionBlocked })
	return v.Violations[i]
}
