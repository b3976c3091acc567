package seed

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// pipeline is how one product went from builds to production. Things are done in the order of their times; what is done
// may have more to be done later.
type pipeline struct {
	dice

	product  Product
	end      time.Time
	names    [stages]string
	sres     []Person
	managers []Person
	testers  []Person

	agenda []task // in the order of their times
	events []Event

	versions []*version // in the order of their builds
	number   semver
	builds   int
	nextRun  int
	stages   [stages]stage
}

type task struct {
	at time.Time
	do func(at time.Time)
}

type version struct {
	order  int
	name   string
	sha    string
	author Person
	built  time.Time            // when it was completed
	done   [stages]time.Time    // when it was first completely deployed; zero: never
	tried  [stages]bool         // or being tried
	isBad  bool                 // production was better off without it
	runs   map[string]*retrying // by what is run
}

// retrying is a run that may be started again.
type retrying struct{ id, attempt int }

// stage is what a product has in one environment.
type stage struct {
	current   *version
	former    []*version // what was current before
	busyUntil time.Time
}

// semver counts versions.
type semver struct{ major, minor, patch int }

func (s semver) String() string { return fmt.Sprintf("%d.%d.%d", s.major, s.minor, s.patch) }

// How long things take, at least and at most; how long a version soaks in the environment before.
type span struct{ low, high time.Duration }

const minute = time.Minute

func buildSpan() span { return span{150 * time.Second, 14 * minute} }

func deploySpan(env int) span {
	return [stages]span{{60 * time.Second, 5 * minute}, {100 * time.Second, 9 * minute}, {150 * time.Second, 14 * minute}, {240 * time.Second, 32 * minute}}[env]
}

func minSoak(env int) time.Duration {
	return [stages]time.Duration{0, 25 * minute, 2 * time.Hour, 5 * time.Hour}[env]
}

func newPipeline(seed uint64, index int, product Product, history History) *pipeline {
	p := &pipeline{
		dice: newDice(seed, uint64(100+index)), product: product, end: history.End, //nolint:gosec // a small number
		sres: having(history.People, "sre"), managers: having(history.People, "release_manager"), testers: having(history.People, "qa"),
	}
	for env, environment := range history.Environments {
		p.names[env] = environment.Name
	}
	_, _ = fmt.Sscanf(product.first, "%d.%d.%d", &p.number.major, &p.number.minor, &p.number.patch)
	p.builds = 20 + p.IntN(1500)
	p.nextRun = 10_000 + p.IntN(80_000)
	if product.system.reruns {
		p.nextRun = 8_000_000_000 + p.IntN(900_000_000)
	}
	return p
}

// run plans what people do of their own accord, and does it all.
func (p *pipeline) run() {
	first := midnight(p.product.CreatedAt)
	rest := p.end
	if p.product.rests {
		rest = p.end.Add(-p.end.Sub(first) / 3)
	}
	p.plan(p.product.CreatedAt.Add(p.between(10*minute, 2*time.Hour)), p.build)
	for date := first; date.Before(p.end); date = date.Add(day) {
		busy := p.product.cadence * diligence(date)
		if date.Before(rest) {
			for range p.count(busy) {
				p.plan(p.moment(date), p.build)
			}
		}
		for range p.count(busy * 1.1) {
			p.plan(p.moment(date), p.promoteTo(qa))
		}
		for range p.count(busy * 0.9) {
			p.plan(p.moment(date), p.promoteTo(staging))
		}
		if !isWeekend(date) {
			for range p.count(min(0.6*busy, 1.2)) {
				p.plan(p.calm(date), p.promoteTo(production))
			}
		}
		for range p.count(0.04 * diligence(date)) {
			env := p.IntN(stages)
			p.plan(p.moment(date), func(at time.Time) { p.redeploy(at, env) })
		}
	}
	p.planTheLastMinutes()
	for len(p.agenda) > 0 && !p.agenda[0].at.After(p.end) {
		next := p.agenda[0]
		p.agenda = p.agenda[1:]
		next.do(next.at)
	}
}

// planTheLastMinutes has somebody at work when the history ends, whatever the hour: what takes longer than it has time for
// is still running.
func (p *pipeline) planTheLastMinutes() {
	if p.product.rests {
		return
	}
	switch which := p.IntN(12); which {
	case dev, qa, staging, production:
		p.plan(p.end.Add(-p.between(deploySpan(which).low/4, deploySpan(which).low*9/10)), func(at time.Time) {
			if next := p.candidate(at, which); next != nil {
				p.deploy(at, which, next, deployOptions{by: p.deployer(which, next)})
				return
			}
			p.redeploy(at, which)
		})
	case 4, 5:
		p.plan(p.end.Add(-p.between(buildSpan().low/4, buildSpan().low*9/10)), p.build)
	}
}

func (p *pipeline) plan(at time.Time, do func(time.Time)) {
	if at.Before(p.product.CreatedAt) {
		return
	}
	place, _ := slices.BinarySearchFunc(p.agenda, at, func(one task, at time.Time) int {
		if one.at.After(at) {
			return 1
		}
		return -1 // behind what happens at the same time
	})
	p.agenda = slices.Insert(p.agenda, place, task{at: at, do: do})
}

// tell notes an event, unless it lies in the future.
func (p *pipeline) tell(at time.Time, event Event) {
	if at.After(p.end) {
		return
	}
	event.At = at
	event.Product = p.product.Name
	event.SourceSystem, event.Branch, event.Repository = p.product.system.name, p.product.system.branch, p.product.Repository()
	p.events = append(p.events, event)
}

// runOf is a run of the CI system: a new one, or one that is started again.
func (p *pipeline) runOf(v *version, what string, again bool) *retrying {
	run := v.runs[what]
	if again && run != nil && p.product.system.reruns {
		run.attempt++
		return run
	}
	p.nextRun += 1 + p.IntN(40)
	run = &retrying{id: p.nextRun, attempt: 1}
	v.runs[what] = run
	return run
}

func (p *pipeline) metadata(run *retrying, workflow string) map[string]any {
	if !p.product.system.reruns {
		return map[string]any{"team": p.product.Team}
	}
	return map[string]any{"team": p.product.Team, "vi_gh_workflow": workflow, "vi_gh_run_attempt": strconv.Itoa(run.attempt)}
}

// build makes the next version.
func (p *pipeline) build(at time.Time) {
	switch x := p.Float64(); {
	case len(p.versions) == 0:
	case x < 0.68:
		p.number.patch++
	case x < 0.997:
		p.number = semver{p.number.major, p.number.minor + 1, 0}
	default:
		p.number = semver{p.number.major + 1, 0, 0}
	}
	v := &version{order: len(p.versions), name: p.number.String(), sha: p.hex(40), author: pick(p.dice, p.product.owners), runs: make(map[string]*retrying)}
	p.versions = append(p.versions, v)
	p.attemptBuild(at, v, false)
}

func (p *pipeline) attemptBuild(at time.Time, v *version, again bool) {
	p.builds++
	run := p.runOf(v, "build", again)
	event := Event{
		IsBuild: true, Version: v.name, Status: ingest.Started, BuildNumber: strconv.Itoa(p.builds), SHA: v.sha,
		InvokeID: strconv.Itoa(run.id), BuildURL: p.product.runURL(run.id),
		BuiltBy: v.author.Login, BuiltByEmail: v.author.Email(), BuiltByName: v.author.Name, Metadata: p.metadata(run, "build"),
	}
	p.tell(at, event)
	done := at.Add(p.between(buildSpan().low, buildSpan().high))
	switch x := p.Float64(); {
	case x < 0.9 || v.order == 0:
		event.Status = ingest.Completed
		p.tell(done, event)
		v.built = done
		p.plan(done.Add(p.between(15*time.Second, 90*time.Second)), func(at time.Time) {
			p.deploy(at, dev, v, deployOptions{by: v.author})
		})
	case x < 0.985:
		problem := pick(p.dice, buildErrors())
		event.Status, event.ErrorCode, event.ErrorMessage = ingest.Failed, problem[0], problem[1]
		p.tell(done, event)
		if p.chance(0.5) { // it was not the code
			p.plan(done.Add(p.between(4*minute, 40*minute)), func(at time.Time) { p.attemptBuild(at, v, true) })
		}
	default:
		event.Status = ingest.Aborted
		p.tell(at.Add(done.Sub(at)/3), event)
	}
}
