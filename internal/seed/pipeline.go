package seed

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

const (
	minute = time.Minute
	day    = 24 * time.Hour
)

// rng is the source of randomness of one part of a history.
type rng struct{ *rand.Rand }

func newRNG(seed, part uint64) rng {
	return rng{rand.New(rand.NewPCG(seed, part))} //nolint:gosec // the same seed must give the same history
}

func (r rng) chance(probability float64) bool { return r.Float64() < probability }

// between returns a duration to the millisecond. Short ones are more probable.
func (r rng) between(low, high time.Duration) time.Duration {
	x := r.Float64()
	return (low + time.Duration(x*x*float64(high-low))).Truncate(time.Millisecond)
}

// count returns a number with a Poisson distribution.
func (r rng) count(mean float64) int {
	n := 0
	for limit, product := math.Exp(-mean), r.Float64(); product > limit; product *= r.Float64() {
		n++
	}
	return n
}

func choose[T any](r rng, all []T) T { return all[r.IntN(len(all))] }

func isWeekend(at time.Time) bool {
	return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
}

// workingDay returns the midnight that begins the next working day, or this one at its midnight.
func workingDay(at time.Time) time.Time {
	at = at.Add(day - 1).Truncate(day)
	for isWeekend(at) {
		at = at.Add(day)
	}
	return at
}

// workingHours moves a time outside of the hours from opens to closes to the next working day.
func (r rng) workingHours(at time.Time, opens, closes time.Duration) time.Time {
	if midnight := at.Truncate(day); isWeekend(at) || at.Sub(midnight) > closes {
		return workingDay(midnight.Add(1)).Add(opens + r.between(0, 2*time.Hour))
	} else if at.Sub(midnight) < opens {
		return midnight.Add(opens + r.between(0, 2*time.Hour))
	}
	return at
}

type semver struct{ major, minor, patch int }

func (s semver) String() string { return fmt.Sprintf("%d.%d.%d", s.major, s.minor, s.patch) }

// next increments one of the numbers.
func (s semver) next(x float64) semver {
	switch {
	case x < 0.68:
		return semver{s.major, s.minor, s.patch + 1}
	case x < 0.997:
		return semver{s.major, s.minor + 1, 0}
	default:
		return semver{s.major + 1, 0, 0}
	}
}

type version struct {
	name, sha string
	author    User
	built     time.Time       // zero until a build has completed
	done      [envs]time.Time // of the first completed deployment
	certain   bool            // every build and deployment completes, and all environments get it
}

// stage is the state of an environment.
type stage struct {
	current, former *version
	busyUntil       time.Time
}

// pipeline generates the events of a product.
type pipeline struct {
	rng

	product  Product
	history  History
	versions []*version
	stages   [envs]stage
	events   []Event
	builds   int
	runs     int
}

func newPipeline(seed uint64, index int, h History) *pipeline {
	p := &pipeline{rng: newRNG(seed, uint64(100+index)), product: h.Products[index], history: h} //nolint:gosec // a small number
	p.builds, p.runs = 20+p.IntN(1500), 10_000+p.IntN(80_000)
	return p
}

// run builds all versions, and then deploys them to one environment after the other.
func (p *pipeline) run() {
	end := p.history.End
	if p.product.paused {
		end = end.Add(-end.Sub(p.product.CreatedAt) / 3)
	}
	number := p.product.first
	for _, at := range p.buildTimes(end) {
		p.build(at, number)
		number = number.next(p.Float64())
	}
	p.versions[0].certain = true
	if p.product.paused {
		p.versions[len(p.versions)-1].certain = true
	}
	for env := range envs {
		p.promote(env)
	}
	p.addUnfinished()
}

// buildTimes returns the times of builds: one soon after the product was created, the others on working days, mostly.
func (p *pipeline) buildTimes(end time.Time) []time.Time {
	times := []time.Time{p.product.CreatedAt.Add(p.between(10*minute, 2*time.Hour))}
	for date := times[0].Truncate(day).Add(day); date.Before(end); date = date.Add(day) {
		mean := p.product.daily
		if isWeekend(date) {
			mean *= 0.05
		}
		for range p.count(mean) {
			if at := date.Add(8*time.Hour + time.Duration(p.Float64()*10*float64(time.Hour))); at.Before(end) {
				times = append(times, at.Truncate(time.Millisecond))
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// ciRun is a run of the CI system.
type ciRun struct{ id, attempt int }

// newRun starts a run, or another attempt of one where the CI system has attempts.
func (p *pipeline) newRun(former ciRun) ciRun {
	if former.id > 0 && p.product.system.attempts {
		return ciRun{former.id, former.attempt + 1}
	}
	p.runs += 1 + p.IntN(40)
	return ciRun{p.runs, 1}
}

// newEvent returns an event with what all events of a run have in common.
func (p *pipeline) newEvent(v *version, run ciRun) Event {
	p.builds++
	metadata := map[string]any{"team": p.product.Team}
	if p.product.system.attempts {
		metadata["vi_gh_run_attempt"] = strconv.Itoa(run.attempt)
	}
	return Event{
		Product: p.product.Name, Version: v.name, SourceSystem: p.product.system.name, BuildNumber: strconv.Itoa(p.builds), SHA: v.sha,
		Branch: p.product.system.branch, Repository: p.product.repository(), InvokeID: strconv.Itoa(run.id), Metadata: metadata,
	}
}

// emit adds an event, unless it is after the end of the history.
func (p *pipeline) emit(at time.Time, event Event, status ingest.Status) {
	if !at.After(p.history.End) {
		event.At, event.Status = at, status
		p.events = append(p.events, event)
	}
}

// build builds a version. Half of the failed builds succeed in a second run.
func (p *pipeline) build(at time.Time, number semver) {
	v := &version{name: number.String(), sha: fmt.Sprintf("%016x%016x%08x", p.Uint64(), p.Uint64(), p.Uint32()), author: choose(p.rng, p.history.byRole("developer"))}
	run := ciRun{}
	for retry := true; retry; {
		run = p.newRun(run)
		event := p.buildEvent(v, run)
		p.emit(at, event, ingest.Started)
		done := at.Add(p.between(150*time.Second, 14*minute))
		switch x := p.Float64(); {
		case x < 0.9 || len(p.versions) == 0:
			p.emit(done, event, ingest.Completed)
			v.built, retry = done, false
			p.versions = append(p.versions, v)
		case x < 0.985:
			problem := choose(p.rng, buildErrors())
			event.ErrorCode, event.ErrorMessage = problem[0], problem[1]
			p.emit(done, event, ingest.Failed)
			at, retry = done.Add(p.between(4*minute, 40*minute)), p.chance(0.5)
		default:
			p.emit(at.Add(done.Sub(at)/3), event, ingest.Aborted)
			retry = false
		}
	}
}

func (p *pipeline) buildEvent(v *version, run ciRun) Event {
	event := p.newEvent(v, run)
	event.IsBuild, event.BuildURL = true, p.product.runURL(run.id)
	event.BuiltBy, event.BuiltByEmail, event.BuiltByName = v.author.Login, v.author.Email(), v.author.Name
	return event
}

// promote deploys versions to an environment, once they have soaked in the one before.
func (p *pipeline) promote(env int) {
	share := [envs]float64{1, 0.8, 0.75, 0.6}[env]
	soak := [envs]time.Duration{0, 25 * minute, 2 * time.Hour, 5 * time.Hour}[env]
	closes := [envs]time.Duration{day, 18 * time.Hour, 18 * time.Hour, 15 * time.Hour}[env]
	for _, v := range p.versions {
		switch {
		case env == dev:
			p.review(v)
			p.deploy(env, v, v.built.Add(p.between(15*time.Second, 90*time.Second)), deployment{by: v.author})
		case !v.done[env-1].IsZero() && (v.certain || p.chance(share)):
			at := p.workingHours(v.done[env-1].Add(soak+p.between(0, 3*time.Hour)), 8*time.Hour, closes)
			p.deploy(env, v, at, deployment{by: p.deployer(env, v)})
		}
	}
}

// review deploys a version of the last days to an environment of its own.
func (p *pipeline) review(v *version) {
	if !p.product.reviewed || p.history.End.Sub(v.built) > 4*day || !p.chance(0.6) {
		return
	}
	event := p.deployEvent(dev, v, p.newRun(ciRun{}), deployment{by: v.author})
	event.Environment = fmt.Sprintf("review/pr-%d", 4000+p.runs%1000)
	at := v.built.Add(p.between(20*time.Second, 3*minute))
	p.emit(at, event, ingest.Started)
	p.emit(at.Add(p.between(deploySpan(dev))), event, ingest.Completed)
}

func (p *pipeline) deployer(env int, v *version) User {
	switch {
	case env == qa && p.chance(0.5):
		return choose(p.rng, p.history.byRole("qa"))
	case env == production && p.chance(0.6):
		return choose(p.rng, p.history.byRole("release_manager"))
	case env == production && p.chance(0.4):
		return choose(p.rng, p.history.byRole("sre"))
	default:
		return v.author
	}
}

// deployment has the properties of a deployment other than its version.
type deployment struct {
	by       User
	former   ciRun  // the failed run that is repeated
	reason   string // why the version is not new
	rollback bool
}

func deploySpan(env int) (low, high time.Duration) {
	low = [envs]time.Duration{60 * time.Second, 100 * time.Second, 150 * time.Second, 240 * time.Second}[env]
	return low, 6 * low
}

// deploy deploys a version as soon as the environment is free.
func (p *pipeline) deploy(env int, v *version, at time.Time, d deployment) {
	stage := &p.stages[env]
	if !at.After(stage.busyUntil) {
		at = stage.busyUntil.Add(p.between(20*time.Second, 4*minute))
	}
	certain := v.certain || d.rollback
	run := p.newRun(d.former)
	event := p.deployEvent(env, v, run, d)
	if env == production && d.reason == "" && p.chance(0.45) {
		p.emit(at, event, ingest.Pending) // until it is approved
		at = at.Add(p.between(2*minute, 50*minute))
		if !certain && p.chance(0.04) {
			stage.busyUntil = at
			p.emit(at, event.failed("the deployment was not approved"), ingest.Aborted)
			return
		}
	}
	p.emit(at, event, ingest.Started)
	done := at.Add(p.between(deploySpan(env)))
	stage.busyUntil = done
	switch x := p.Float64(); {
	case certain || x < 0.94:
		p.emit(done, event, ingest.Completed)
		p.complete(env, v, done, d)
	case x < 0.975:
		p.emit(done, event.failed(choose(p.rng, deployErrors())), ingest.Failed)
		p.recover(env, v, done, run, d)
	case x < 0.99:
		stage.busyUntil = at.Add(done.Sub(at) / 2)
		p.emit(stage.busyUntil, event.failed("cancelled by "+d.by.Name), ingest.Aborted)
	default: // the runner was lost, and reports no end
		stage.busyUntil = at.Add(time.Hour)
	}
}

func (p *pipeline) deployEvent(env int, v *version, run ciRun, d deployment) Event {
	event := p.newEvent(v, run)
	event.Environment, event.DeployURL = p.history.Environments[env].Name, p.product.runURL(run.id)
	event.DeployedBy, event.DeployerEmail, event.DeployerName = d.by.Login, d.by.Email(), d.by.Name
	if d.reason != "" {
		event.Metadata["reason"] = d.reason
	}
	if d.rollback {
		event.Metadata["rollback"] = true
	}
	return event
}

// failed returns the event with an error message.
func (e Event) failed(message string) Event {
	e.Metadata = maps.Clone(e.Metadata)
	e.Metadata["error"] = message
	return e
}

// complete updates the environment. Some versions in production are rolled back later, and some deployments are repeated.
func (p *pipeline) complete(env int, v *version, done time.Time, d deployment) {
	stage := &p.stages[env]
	if stage.current != v {
		stage.former, stage.current = stage.current, v
	}
	if v.done[env].IsZero() {
		v.done[env] = done
	}
	switch {
	case v.certain || d.reason != "":
	case env == production && stage.former != nil && p.chance(0.09):
		p.deploy(env, stage.former, done.Add(p.between(12*minute, 4*time.Hour)), p.rollback(choose(p.rng, rollbackReasons())))
	case p.chance(0.03):
		p.deploy(env, v, done.Add(p.between(20*minute, 3*time.Hour)), p.repetition())
	}
}

// recover follows a failure: production is rolled back, or the deployment is repeated, or the next version replaces it.
func (p *pipeline) recover(env int, v *version, done time.Time, run ciRun, d deployment) {
	current, x := p.stages[env].current, p.Float64()
	switch {
	case env == production && current != nil && current != v && x < 0.4:
		p.deploy(env, current, done.Add(p.between(2*minute, 20*minute)), p.rollback("the deployment of "+v.name+" failed"))
	case x < 0.85:
		d.former = run
		p.deploy(env, v, done.Add(p.between(3*minute, 45*minute)), d)
	}
}

func (p *pipeline) rollback(reason string) deployment {
	return deployment{by: choose(p.rng, p.history.byRole("sre")), reason: reason, rollback: true}
}

func (p *pipeline) repetition() deployment {
	return deployment{by: choose(p.rng, p.history.byRole("sre")), reason: choose(p.rng, redeployReasons())}
}

// addFailure makes the last deployment to production fail: it is repaired after the end of the history.
func (p *pipeline) addFailure() {
	last := p.lastEvent(production)
	at := later(p.history.End.Add(-p.between(15*minute, 2*time.Hour)), last.At.Add(2*minute))
	if v := p.candidate(production, last, at); v != nil && p.history.End.Sub(at) > 11*minute {
		event := p.deployEvent(production, v, p.newRun(ciRun{}), deployment{by: v.author})
		p.emit(at, event, ingest.Started)
		p.emit(at.Add(p.between(2*minute, 10*minute)), event.failed(choose(p.rng, deployErrors())), ingest.Failed)
	}
}

// addStale starts a deployment that never ends, in the last environment where nothing has happened since.
func (p *pipeline) addStale() {
	at := p.history.End.Add(-p.between(25*time.Hour, 30*time.Hour))
	for env := production; env > dev; env-- {
		if v := p.candidate(env, p.lastEvent(env), at); v != nil {
			p.emit(at, p.deployEvent(env, v, p.newRun(ciRun{}), deployment{by: v.author}), ingest.Started)
			return
		}
	}
}

// lastEvent returns the last event of an environment in the history; the stage may be later.
func (p *pipeline) lastEvent(env int) (last Event) {
	for _, event := range p.events {
		if event.Environment == p.history.Environments[env].Name && event.At.After(last.At) {
			last = event
		}
	}
	return last
}

// candidate returns the newest version that could be deployed at a time after the last event of the environment; nil without one.
func (p *pipeline) candidate(env int, last Event, at time.Time) *version {
	if !last.Status.IsTerminal() || !last.At.Before(at) {
		return nil
	}
	for _, v := range slices.Backward(p.versions) {
		if done := v.done[env-1]; !done.IsZero() && done.Before(at) && v.name != last.Version {
			return v
		}
	}
	return nil
}

// addUnfinished ends the history of some products with a deployment or a build in progress, or with a failure.
func (p *pipeline) addUnfinished() {
	index := slices.IndexFunc(p.history.Products, func(product Product) bool { return product.Name == p.product.Name })
	env := index / 4 % envs
	low, _ := deploySpan(env)
	at := p.history.End.Add(-p.between(low/4, low*9/10))
	current := p.stages[env].current
	switch {
	case p.product.paused:
	case index%4 == 0 && current != nil && p.stages[env].busyUntil.Before(at):
		d := p.repetition()
		p.emit(at, p.deployEvent(env, current, p.newRun(ciRun{}), d), ingest.Started)
	case index%4 == 1:
		p.addFailure()
	case index%4 == 3:
		p.addStale()
	case index%4 == 2:
		last := p.versions[len(p.versions)-1]
		p.emit(at, p.buildEvent(last, p.newRun(ciRun{})), ingest.Started)
	}
}
