package seed

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

type deployOptions struct {
	by       Person
	again    bool   // the run before failed
	why      string // it was not a new version
	rollback bool
}

// promoteTo takes the newest version that is ready for an environment there.
func (p *pipeline) promoteTo(env int) func(time.Time) {
	return func(at time.Time) {
		if next := p.candidate(at, env); next != nil {
			p.deploy(at, env, next, deployOptions{by: p.deployer(env, next)})
		}
	}
}

// candidate is the newest version that has soaked long enough in the environment before, and is newer than what is there.
func (p *pipeline) candidate(at time.Time, env int) *version {
	if env == dev {
		return nil // builds go there by themselves
	}
	for _, v := range slices.Backward(p.versions) {
		if current := p.stages[env].current; current != nil && v.order <= current.order {
			return nil
		}
		if !v.isBad && !v.tried[env] && !v.done[env-1].IsZero() && !v.done[env-1].Add(minSoak(env)).After(at) {
			return v
		}
	}
	return nil
}

// deployer is whose task that is.
func (p *pipeline) deployer(env int, v *version) Person {
	switch {
	case env == qa && p.chance(0.5):
		return pick(p.dice, p.testers)
	case env == production && p.chance(0.6):
		return pick(p.dice, p.managers)
	case env == production && p.chance(0.4):
		return pick(p.dice, p.sres)
	default:
		return v.author
	}
}

// redeploy deploys what is there already.
func (p *pipeline) redeploy(at time.Time, env int) {
	if current := p.stages[env].current; current != nil {
		p.deploy(at, env, current, deployOptions{by: pick(p.dice, p.sres), why: pick(p.dice, redeployReasons())})
	}
}

// deploy deploys a version when the environment is free.
func (p *pipeline) deploy(at time.Time, env int, v *version, options deployOptions) {
	stage := &p.stages[env]
	if at.Before(stage.busyUntil) {
		p.plan(stage.busyUntil.Add(p.between(20*time.Second, 4*minute)), func(at time.Time) { p.deploy(at, env, v, options) })
		return
	}
	if current := stage.current; current != nil && v.order < current.order && !options.rollback {
		return // overtaken while it waited
	}
	v.tried[env] = true
	event := p.deployment(env, v, options)
	if env == production && options.why == "" && !options.rollback && p.chance(0.45) {
		event.Status = ingest.Pending // waits for an approval
		p.tell(at, event)
		at = at.Add(p.between(2*minute, 50*minute))
		if p.chance(0.04) {
			stage.busyUntil = at
			p.finish(at, event, ingest.Aborted, "the deployment was not approved")
			return
		}
	}
	event.Status = ingest.Started
	p.tell(at, event)
	limits := deploySpan(env)
	done := at.Add(p.between(limits.low, limits.high))
	stage.busyUntil = done
	calm := options.rollback || v.order == 0
	switch x := p.Float64(); {
	case calm || x < [stages]float64{0.945, 0.93, 0.94, 0.95}[env]:
		p.finish(done, event, ingest.Completed, "")
		p.arrived(done, env, v, options)
	case x < 0.975 || env == production:
		p.finish(done, event, ingest.Failed, pick(p.dice, deployErrors()))
		p.recover(done, env, v, options)
	case x < 0.99:
		stage.busyUntil = at.Add(done.Sub(at) / 2)
		p.finish(stage.busyUntil, event, ingest.Aborted, "cancelled by "+options.by.Name)
	default: // the runner died: nobody ever heard of it again
		stage.busyUntil = at.Add(time.Hour)
	}
}

// arrived notes a deployment that was completed.
func (p *pipeline) arrived(done time.Time, env int, v *version, options deployOptions) {
	stage := &p.stages[env]
	if stage.current != v {
		if stage.current != nil {
			stage.former = append(stage.former, stage.current)
		}
		stage.current = v
	}
	if v.done[env].IsZero() {
		v.done[env] = done
	}
	if env == production && !options.rollback && options.why == "" && p.chance(0.09) {
		p.rollBack(done.Add(p.between(12*minute, 4*time.Hour)), v, pick(p.dice, rollbackReasons()))
	}
}

// rollBack brings back what was in production before v.
func (p *pipeline) rollBack(at time.Time, v *version, why string) {
	p.plan(at, func(at time.Time) {
		former := p.stages[production].former
		if p.stages[production].current != v || len(former) == 0 {
			return
		}
		v.isBad = true
		p.deploy(at, production, former[len(former)-1], deployOptions{by: pick(p.dice, p.sres), why: why, rollback: true})
	})
}

// recover is what follows a failure: the same again, or in production what was there before, or the next version.
func (p *pipeline) recover(done time.Time, env int, v *version, options deployOptions) {
	stage := &p.stages[env]
	x := p.Float64()
	switch {
	case env == production && stage.current != nil && stage.current != v && x < 0.4:
		v.isBad = true
		former := stage.current
		p.plan(done.Add(p.between(2*minute, 20*minute)), func(at time.Time) {
			p.deploy(at, production, former, deployOptions{by: pick(p.dice, p.sres), why: "the deployment of " + v.name + " failed", rollback: true})
		})
	case x < 0.85:
		options.again = true
		p.plan(done.Add(p.between(3*minute, 45*minute)), func(at time.Time) { p.deploy(at, env, v, options) })
	}
}

// deployment is what all events of a deployment have in common.
func (p *pipeline) deployment(env int, v *version, options deployOptions) Event {
	p.builds++
	run := p.runOf(v, p.names[env], options.again)
	metadata := p.metadata(run, "deploy")
	if options.why != "" {
		metadata["reason"] = options.why
	}
	if options.rollback {
		metadata["rollback"] = true
	}
	return Event{
		Version: v.name, Environment: p.names[env], BuildNumber: strconv.Itoa(p.builds), SHA: v.sha, InvokeID: strconv.Itoa(run.id),
		DeployURL: p.product.runURL(run.id), DeployedBy: options.by.Login, DeployerEmail: options.by.Email(), DeployerName: options.by.Name, Metadata: metadata,
	}
}

// finish tells how a deployment ended.
func (p *pipeline) finish(at time.Time, event Event, status ingest.Status, problem string) {
	event.Status = status
	if problem != "" {
		event.Metadata = maps.Clone(event.Metadata)
		event.Metadata["error"] = problem
	}
	p.tell(at, event)
}
