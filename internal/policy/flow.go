package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// flow is a Flow with the references to its environments.
type flow struct {
	prerequisites []reference
	strictOrder   bool
	minSoak       time.Duration
}

func newFlow(config *Flow) *flow {
	f := &flow{strictOrder: config.StrictOrder, minSoak: time.Duration(config.MinSoakMinutes) * time.Minute}
	for _, text := range config.Prerequisites {
		f.prerequisites = append(f.prerequisites, newReference(text))
	}
	return f
}

// required returns the prerequisites of the attempt. An environment that is one itself needs those before it, without a soak time.
func (f *flow) required(e *evaluation) (list []reference, minSoak time.Duration) {
	for i, one := range f.prerequisites {
		if e.isEnvironment(one) {
			return f.prerequisites[:i], 0
		}
	}
	return f.prerequisites, f.minSoak
}

// isEnvironment reports whether the reference is to the environment of the attempt, which may not exist yet.
func (e *evaluation) isEnvironment(one reference) bool {
	if id, isKnown := e.facts.Environments.find(one); isKnown {
		return id == e.facts.Environment.ID
	}
	return slices.ContainsFunc(e.facts.Environment.Names, func(name string) bool { return fold(name) == one.folded })
}

// missing returns the required environments in which the version has not completed; in strict order also those in which it has not
// since it completed in the one before.
func (f *flow) missing(e *evaluation) (names []string) {
	required, _ := f.required(e)
	var previous time.Time
	for _, one := range required {
		id, isKnown := e.facts.Environments.find(one)
		first, isCompleted := time.Time{}, false
		if isKnown {
			first, isCompleted = firstAfter(e.facts.Completed[id], previous, f.strictOrder)
		}
		if !isCompleted {
			names = append(names, one.name)
			continue
		}
		previous = first
	}
	return names
}

// firstAfter returns the earliest of the times; in strict order the earliest of those after the previous one.
func firstAfter(times []time.Time, previous time.Time, strictOrder bool) (first time.Time, isFound bool) {
	for _, at := range times {
		if strictOrder && !at.After(previous) {
			continue
		}
		if !isFound || at.Before(first) {
			first, isFound = at, true
		}
	}
	return first, isFound
}

// soak returns the longest time without interruption for which the version has been in the last required environment, and when
// it has been long enough: always, never, or the time at which it will be if it stays there.
func (f *flow) soak(e *evaluation, at int64) (longest time.Duration, reached int64) {
	required, minSoak := f.required(e)
	if minSoak == 0 || len(required) == 0 {
		return 0, always
	}
	id, isKnown := e.facts.Environments.find(required[len(required)-1])
	if !isKnown {
		return 0, never
	}
	reached = never
	for _, one := range occupations(e.facts.Runs[id]) {
		if one.until == never {
			longest = max(longest, time.Duration(at-one.from))
			reached = min(reached, one.from+int64(minSoak))
			continue
		}
		longest = max(longest, time.Duration(one.until-one.from))
		if one.until-one.from >= int64(minSoak) {
			reached = always
		}
	}
	return longest, reached
}

// occupations joins the spans that overlap or touch: deploying a version again does not interrupt it.
func occupations(runs []Span) []span {
	list := make([]span, 0, len(runs))
	for _, run := range runs {
		until := int64(never)
		if !run.Until.IsZero() {
			until = nano(run.Until)
		}
		list = append(list, span{from: nano(run.From), until: until})
	}
	return merge(list)
}

func (f *flow) blocked(e *evaluation) spans {
	if len(f.missing(e)) > 0 {
		return spans{single: span{always, never}}
	}
	_, reached := f.soak(e, 0)
	return spans{single: span{always, reached}}
}

func (f *flow) explain(e *evaluation, at time.Time, v *Violation) {
	required, minSoak := f.required(e)
	if missing := f.missing(e); len(missing) > 0 {
		v.Code = FlowViolation
		v.Details = flowDetails{required, missing}
		v.Message = v.RuleName + ": version " + e.version() + " must first complete in " + strings.Join(missing, ", ")
		if f.strictOrder && len(required) > 1 {
			v.Message += ", in the order " + strings.Join(namesOf(required), ", ")
		}
		v.Message += "."
		return
	}
	longest, reached := f.soak(e, nano(at))
	last := required[len(required)-1].name
	soaked := max(0, int(longest/time.Minute))
	v.Code = InsufficientSoakTime
	v.Details = soakDetails{last, int(minSoak / time.Minute), soaked}
	v.Message = fmt.Sprintf("%s: version %s has been in %s for %d of %d minutes", v.RuleName, e.version(), last, soaked, int(minSoak/time.Minute))
	if reached == never {
		v.Message += ", and is no longer there"
	}
	v.Message += "."
}

// flowDetails are the environments in which the version must complete before.
type flowDetails struct {
	required []reference
	missing  []string
}

// Members implements Details.
func (d flowDetails) Members() map[string]any {
	return map[string]any{"required_environments": namesOf(d.required), "missing_environments": d.missing}
}

func namesOf(references []reference) []string {
	names := make([]string, 0, len(references))
	for _, one := range references {
		names = append(names, one.name)
	}
	return names
}

// soakDetails are for how long the version must be in the last environment before.
type soakDetails struct {
	environment      string
	required, soaked int // minutes
}

// Members implements Details.
func (d soakDetails) Members() map[string]any {
	return map[string]any{"environment": d.environment, "required_minutes": d.required, "soaked_minutes": d.soaked}
}

// rollbackTime is how long a version must have been the current one for a return to it to be a rollback.
const rollbackTime = 15 * time.Minute

// isRollback reports whether the version is not the current one of the product and environment, but was for rollbackTime without
// interruption.
func isRollback(f *Facts) bool {
	if f.Version.ID == uuid.Nil || f.Current != nil && *f.Current == f.Version.ID {
		return false
	}
	return slices.ContainsFunc(occupations(f.Runs[f.Environment.ID]), func(one span) bool {
		return one.until != never && one.until-one.from >= int64(rollbackTime)
	})
}

// concurrency is a Concurrency with the scope of its rule.
type concurrency struct {
	Concurrency
	scope scope
}

func (c *concurrency) staleAfter() time.Duration {
	return time.Duration(c.StaleAfterMinutes) * time.Minute
}

// counted returns the slots that count, in the order in which they become stale.
func (c *concurrency) counted(e *evaluation) []*Slot {
	list := make([]*Slot, 0, len(e.facts.Slots))
	for i := range e.facts.Slots {
		if slot := &e.facts.Slots[i]; c.isInGroup(e.facts, slot) && !e.isOwn(slot) {
			list = append(list, slot)
		}
	}
	slices.SortStableFunc(list, func(a, b *Slot) int { return a.LastEventAt.Compare(b.LastEventAt) })
	return list
}

func (c *concurrency) isInGroup(f *Facts, slot *Slot) bool {
	isSameProduct := f.Product.ID != uuid.Nil && slot.Product.ID == f.Product.ID
	isSameEnvironment := f.Environment.ID != uuid.Nil && slot.Environment.ID == f.Environment.ID
	if (c.Per == PerProductEnvironment || c.Per == PerProduct) && !isSameProduct ||
		(c.Per == PerProductEnvironment || c.Per == PerEnvironment) && !isSameEnvironment {
		return false
	}
	return c.scope.match(slot.Product, slot.Environment)
}

// isOwn reports whether a slot is that of the attempt itself, or of an earlier attempt of the same run.
func (e *evaluation) isOwn(slot *Slot) bool {
	a, f := e.attempt, e.facts
	if a.DeploymentID != uuid.Nil && slot.DeploymentID == a.DeploymentID {
		return true
	}
	if a.InvokeID == "" || slot.InvokeID != a.InvokeID {
		return false
	}
	if a.Attempt != 0 && slot.Attempt != 0 && a.Attempt != slot.Attempt {
		return slot.Attempt < a.Attempt
	}
	return slot.Product.ID == f.Product.ID && slot.Environment.ID == f.Environment.ID && slot.VersionID == f.Version.ID
}

// blocking returns the slot that must end or become stale for the attempt to have a place, nil if there is one, and how many are counted.
func (c *concurrency) blocking(e *evaluation) (*Slot, []*Slot) {
	counted := c.counted(e)
	if len(counted) < c.MaxInProgress {
		return nil, counted
	}
	return counted[len(counted)-c.MaxInProgress], counted
}

func (c *concurrency) blocked(e *evaluation) spans {
	slot, _ := c.blocking(e)
	if slot == nil {
		return spans{}
	}
	return spans{single: span{always, nano(slot.LastEventAt.Add(c.staleAfter()))}}
}

func (c *concurrency) explain(e *evaluation, at time.Time, v *Violation) {
	slot, counted := c.blocking(e)
	inProgress := 0
	for _, one := range counted {
		if one.LastEventAt.Add(c.staleAfter()).After(at) {
			inProgress++
		}
	}
	v.Code = DeploymentInProgress
	v.Certain = false
	v.Details = slotDetails{slot.DeploymentID, slot.StartedAt, slot.LastEventAt.Add(c.staleAfter()), slot.Holder}
	verb, by := "are", ""
	if inProgress == 1 {
		verb = "is"
	}
	if slot.Holder != "" {
		by = " (" + slot.Holder + ")"
	}
	v.Message = v.RuleName + ": " + strconv.Itoa(inProgress) + " of at most " + strconv.Itoa(c.MaxInProgress) + " deployments " + verb + " in progress" + by + "."
}

// slotDetails are the deployment in progress that must end or become stale.
type slotDetails struct {
	deploymentID     uuid.UUID
	started, expires time.Time
	holder           string // empty if unknown
}

// Members implements Details.
func (d slotDetails) Members() map[string]any {
	members := map[string]any{
		"conflicting_deployment_id": d.deploymentID, "conflicting_deployment_status": "started", "conflicting_deployment_started": d.started.UTC(),
		"holder": nil, "expires_at": d.expires.UTC(), "legacy_code": "CONCURRENT_DEPLOYMENT",
	}
	if d.holder != "" {
		members["holder"] = d.holder
	}
	return members
}
