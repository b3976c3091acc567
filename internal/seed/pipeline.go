package seed

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// generator generates a history.
type generator struct {
	*rand.Rand
	History

	versions map[string][]*version // by product, oldest first
	lastRun  int                   // the number of the last run of a CI system
}

// version is a version of a product.
type version struct {
	product, name, sha string
	author             User
	certain            bool                  // every run completes, and all environments get it
	ready              [stages + 1]time.Time // since when it can enter each stage, as it has completed the one before; zero: it cannot
}

// pipeline generates the events of a product.
type pipeline struct {
	*generator
	product

	stages [stages]state
}

// state is that of a stage.
type state struct {
	stage

	current, former *version
	free            time.Time // when the last run has ended
	closed          time.Time // after which no run starts
}

func newRand(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same seed must give the same history
}

// choose returns one of the values.
func choose[T any](r interface{ IntN(n int) int }, all []T) T { return all[r.IntN(len(all))] }

func (g *generator) userWith(role string) User {
	return choose(g, slices.DeleteFunc(users(), func(user User) bool { return user.Role != role }))
}

// duration returns a duration between two to the millisecond. Short ones are more probable.
func (g *generator) duration(low, high time.Duration) time.Duration {
	x := g.Float64()
	return (low + time.Duration(x*x*float64(high-low))).Truncate(time.Millisecond)
}

// workingDay returns the midnight that begins the next working day, or this one at its midnight.
func workingDay(at time.Time) time.Time {
	at = at.Add(day - 1).Truncate(day)
	for isWeekend(at) {
		at = at.Add(day)
	}
	return at
}

func isWeekend(at time.Time) bool {
	return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
}

// workingTime moves a time outside of the hours from 8 to closes to the next morning of a working day.
func (g *generator) workingTime(at time.Time, closes time.Duration) time.Time {
	hour, morning := at.Sub(at.Truncate(day)), 8*time.Hour+g.duration(0, 2*time.Hour)
	if isWeekend(at) || hour > closes {
		return workingDay(at).Add(morning)
	} else if hour < 8*time.Hour {
		return at.Truncate(day).Add(morning)
	}
	return at
}

// addProduct creates a product, and promotes its versions.
func (g *generator) addProduct(product product, at time.Time) {
	if product.createdIn > 0 {
		at = workingDay(g.Start.Add(time.Duration(product.createdIn * float64(g.End.Sub(g.Start))))).Add(9 * time.Hour)
	}
	manager := g.userWith("release_manager")
	g.change(at, manager, "product.create", product.name, product.description, map[string]any{"team": product.team, "language": product.language, "repository": company + "/" + product.name})
	if product.edited != "" {
		g.change(at.Add(g.End.Sub(at)/2), manager, "product.update", product.name, product.edited, nil)
	}
	p := &pipeline{generator: g, product: product}
	for i, stage := range environments() {
		p.stages[i] = state{stage: stage, closed: g.End}
	}
	last, ends := &p.stages[product.end.stage], g.End.Add(-time.Duration((0.85+0.15*g.Float64())*float64(product.end.ago)))
	if product.end.ago > 0 {
		last.closed = ends.Add(-2 * time.Hour) // no other run is in progress at the end
	}
	pushes := p.pushes(at)
	for i, at := range pushes {
		p.promote(p.newVersion(i == 0 || product.paused && i == len(pushes)-1), at)
	}
	if product.end.ago == 0 {
		return
	}
	last.closed = ends
	v := g.newest(product.name, product.end.stage, ends.Add(-last.soak))
	if product.end.stage == build {
		v = p.newVersion(false)
	}
	if v != nil {
		p.run(product.end.stage, v, ends, run{by: v.author, outcome: product.end.outcome})
	}
}

// pushes returns the times of new versions: the first soon after the product was created, the others on working days, mostly.
func (p *pipeline) pushes(created time.Time) []time.Time {
	end, times := p.End, []time.Time{created.Add(p.duration(10*minute, 2*time.Hour))}
	if p.paused {
		end = end.Add(-end.Sub(created) / 3)
	}
	for date := workingDay(created); date.Before(end); date = date.Add(day) {
		for range int(p.daily*2*p.Float64() + 0.5) {
			at := date.Add(8*time.Hour + p.duration(0, 10*time.Hour))
			if at.Before(end) && (!isWeekend(date) || p.Float64() < 0.05) {
				times = append(times, at)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// newVersion increments the number of the last version.
func (p *pipeline) newVersion(certain bool) *version {
	if p.first[2]++; p.Float64() < 0.3 {
		p.first = [3]int{p.first[0], p.first[1] + 1, 0}
	}
	v := &version{
		product: p.name, name: fmt.Sprintf("%d.%d.%d", p.first[0], p.first[1], p.first[2]), author: p.userWith("developer"), certain: certain,
		sha: fmt.Sprintf("%016x%016x%08x", p.Uint64(), p.Uint64(), p.Uint32()),
	}
	p.versions[p.name] = append(p.versions[p.name], v)
	return v
}

// newest returns the newest version of a product that could enter a stage before a time; nil without one.
func (g *generator) newest(product string, stage int, before time.Time) *version {
	for _, v := range slices.Backward(g.versions[product]) {
		if ready := v.ready[stage]; !ready.IsZero() && ready.Before(before) {
			return v
		}
	}
	return nil
}

// promote builds a version, and deploys it to one environment after the other. A failed run is repeated or, in production, rolled back.
func (p *pipeline) promote(v *version, at time.Time) {
	for i := range p.stages {
		stage, r := &p.stages[i], run{by: v.author}
		if !v.certain && p.Float64() > stage.share {
			return
		}
		if i == dev && p.reviewed && p.End.Sub(at) < 3*day {
			p.run(dev, v, at, run{by: v.author, environment: fmt.Sprintf("review/pr-%d", 4000+p.lastRun%1000), outcome: ingest.Completed})
		} else if i > dev {
			at = p.workingTime(at.Add(stage.soak+p.duration(0, 3*time.Hour)), stage.closes)
			r.by = choose(p, append([]User{v.author}, p.userWith(stage.role)))
		}
		end, outcome := p.run(i, v, at, r)
		for ; outcome == ingest.Failed && p.Float64() < 0.6; end, outcome = p.run(i, v, end.Add(p.duration(3*minute, 45*minute)), r) {
			r.attempt++
		}
		switch x := p.Float64(); {
		case i == build || v.certain:
		case i == production && outcome == ingest.Failed && stage.current != nil:
			p.redeploy(i, stage.current, end.Add(p.duration(2*minute, 20*minute)), "the deployment of "+v.name+" failed", true)
		case i == production && outcome == ingest.Completed && stage.former != nil && x < 0.09:
			p.redeploy(i, stage.former, end.Add(p.duration(12*minute, 4*time.Hour)), choose(p, rollbackReasons()), true)
		case outcome == ingest.Completed && x > 0.97:
			p.redeploy(i, v, end.Add(p.duration(20*minute, 3*time.Hour)), choose(p, redeployReasons()), false)
		}
		if outcome != ingest.Completed {
			return
		}
		at, v.ready[i+1] = end.Add(p.duration(15*time.Second, 90*time.Second)), end
	}
}

func (p *pipeline) redeploy(stage int, v *version, at time.Time, reason string, isRollback bool) {
	p.run(stage, v, at, run{by: p.userWith("sre"), outcome: ingest.Completed, reason: reason, isRollback: isRollback})
}

// run is a run of the CI system.
type run struct {
	by          User
	attempt     int           // the number of earlier ones
	outcome     ingest.Status // empty: by chance
	environment string        // instead of that of the stage
	reason      string        // why the version is not new
	isRollback  bool
}

// run emits the events of a run, as soon as its stage is free. It returns its end and outcome, which is empty if the stage is closed.
func (p *pipeline) run(i int, v *version, at time.Time, r run) (time.Time, ingest.Status) {
	stage := &p.stages[i]
	if at.Before(stage.free) {
		at = stage.free
	}
	if at.After(stage.closed) {
		return at, ""
	}
	if r.outcome == "" && !v.certain {
		r.outcome = outcomeOf(stage.kind, p.IntN(100))
	}
	r.outcome = cmp.Or(r.outcome, ingest.Completed)
	event, metadata := p.newEvent(stage, v, r)
	emit := func(at time.Time, status ingest.Status) {
		if !at.After(p.End) {
			event.At, event.Status, event.Metadata = at, status, toJSON(metadata)
			event.Body = toJSON(event.body())
			p.Events = append(p.Events, event)
		}
	}
	isApproved := true
	if i == production && r.reason == "" && p.Float64() < 0.45 {
		emit(at, ingest.Pending)
		at, isApproved = at.Add(p.duration(2*minute, 50*minute)), r.outcome != ingest.Aborted
	}
	end := at
	if isApproved {
		emit(at, ingest.Started)
		end = at.Add(p.duration(stage.span, 6*stage.span))
	}
	stage.free = end.Add(p.duration(20*time.Second, 4*minute))
	switch {
	case r.outcome == ingest.Started:
		stage.free = at.Add(time.Hour)
		return end, r.outcome
	case r.outcome == ingest.Completed && stage.current != v:
		stage.former, stage.current = stage.current, v
	case r.outcome == ingest.Failed && i == build:
		problem := choose(p, buildErrors())
		event.ErrorCode, event.ErrorMessage = problem[0], problem[1]
	case r.outcome == ingest.Failed:
		metadata["error"] = choose(p, deployErrors())
	case r.outcome == ingest.Aborted && !isApproved:
		metadata["error"] = "the deployment was not approved"
	}
	emit(end, r.outcome)
	return end, r.outcome
}

// newEvent returns what the events of a run have in common, and their metadata. Another attempt has the same number in some CI systems.
func (p *pipeline) newEvent(stage *state, v *version, r run) (Event, map[string]any) {
	system, repository, metadata := ciSystems()[p.system], company+"/"+p.name, map[string]any{"team": p.team}
	if r.attempt == 0 || !system.attempts {
		p.lastRun += 1 + p.IntN(40)
	}
	if system.attempts {
		metadata["vi_gh_run_attempt"] = strconv.Itoa(r.attempt + 1)
	}
	if r.reason != "" {
		metadata["reason"] = r.reason
	}
	if r.isRollback {
		metadata["rollback"] = true
	}
	return Event{Event: ingest.Event{
		Kind: stage.kind, ProductName: p.name, Version: v.name, EnvironmentName: cmp.Or(r.environment, stage.name), InvokeID: strconv.Itoa(p.lastRun),
		Details: ingest.Details{
			SourceSystem: p.system, BuildNumber: strconv.Itoa(p.lastRun), SHA: v.sha, Branch: system.branch, Repository: repository,
			URL: "https://" + p.system + ".example.com/" + repository + fmt.Sprintf(system.runs, p.lastRun), // on a reserved domain
			By:  r.by.login(), ByEmail: r.by.email(), ByName: r.by.Name,
		},
	}}, metadata
}

// body is the request of the CI system.
func (e Event) body() map[string]any {
	body := map[string]any{
		"product_name": e.ProductName, "version": e.Version, "status": e.Status, "source_system": e.SourceSystem, "build_number": e.BuildNumber,
		"scm_sha": e.SHA, "scm_branch": e.Branch, "scm_repository": e.Repository, "invoke_id": e.InvokeID, "extra_metadata": e.Metadata,
	}
	name, verb := "build", "built"
	if e.Kind == ingest.Deployment {
		name, verb, body["environment_name"] = "deploy", "deployed", e.EnvironmentName
	} else if e.ErrorCode != "" {
		body["error_code"], body["error_message"] = e.ErrorCode, e.ErrorMessage
	}
	body[name+"_url"], body[verb+"_by"], body[verb+"_by_email"], body[verb+"_by_name"] = e.URL, e.By, e.ByEmail, e.ByName
	return body
}

// toJSON marshals values that always can be.
func toJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
