package seed

import (
	"fmt"
	"slices"
	"time"
)

// releases are weekly trains of what reached production in that week, and a few that have names.
func releases(seed uint64, history History, pipelines []*pipeline) []Release {
	d := newDice(seed, 3)
	var all []Release
	for monday := history.Start.AddDate(0, 0, -int(history.Start.Weekday()-time.Monday)); monday.Before(history.End); monday = monday.AddDate(0, 0, 7) {
		if train, ok := train(d, history, pipelines, monday); ok {
			all = append(all, train)
		}
	}
	all = append(all, cancelled(d, history, pipelines), underWay(d, history, pipelines), draft(d, history, pipelines))
	slices.SortStableFunc(all, func(one, other Release) int { return one.CreatedAt.Compare(other.CreatedAt) })
	return all
}

// train carries what reached production between that Monday and the Friday after it.
func train(d dice, history History, pipelines []*pipeline, monday time.Time) (Release, bool) {
	year, week := monday.ISOWeek()
	manager := having(history.People, "release_manager")[0]
	release := Release{
		Name: fmt.Sprintf("Release %d.%02d", year, week), Description: "The weekly train",
		CreatedAt: later(monday, history.Start).Add(9*time.Hour + d.between(0, 90*minute)), CreatedBy: manager,
	}
	first, last := time.Time{}, time.Time{}
	for _, p := range pipelines {
		v := p.newest(func(v *version) bool {
			return v.done[production].After(release.CreatedAt) && v.done[production].Before(monday.AddDate(0, 0, 5)) && !v.isBad
		})
		if v == nil || len(release.Steps) >= 9 || d.chance(0.35) {
			continue
		}
		release.Steps = append(release.Steps, Step{At: later(v.built, release.CreatedAt).Add(d.between(2*minute, 40*minute)), By: v.author, Product: p.product.Name, Version: v.name})
		if first.IsZero() || v.done[production].Before(first) {
			first = v.done[production]
		}
		last = later(last, v.done[production])
	}
	if len(release.Steps) < 2 {
		return release, false
	}
	release.Steps = append(release.Steps,
		Step{At: later(first.Add(-25*minute), release.CreatedAt.Add(5*minute)), By: manager, Status: "in_progress"},
		Step{At: later(last, monday.Add(3*day+14*time.Hour)).Add(d.between(30*minute, 3*time.Hour)), By: manager, Status: "completed"}) // no earlier than on Thursday
	release = release.until(history.End)
	return release, len(release.Steps) > 0
}

// cancelled is a release that came to nothing.
func cancelled(d dice, history History, pipelines []*pipeline) Release {
	owner := having(history.People, "product")[0]
	span := history.End.Sub(history.Start)
	created := firstWorkingDay(history.Start.Add(span / 5)).Add(10*time.Hour + d.between(0, 2*time.Hour))
	release := Release{Name: "One-click reordering", Description: "Buy again from the list of orders", CreatedAt: created, CreatedBy: owner}
	release.add(d, pipelines, []string{"storefront", "cart-service", "order-service"}, history.End, func(v *version) bool {
		return !v.done[qa].IsZero() && v.done[qa].Before(created)
	})
	release.Steps = append(release.Steps, Step{At: later(workingHours(created.Add(span/10+d.between(0, 90*minute))), created.Add(time.Hour)), By: owner, Status: "cancelled"})
	return release.until(history.End)
}

// underWay is in production in part.
func underWay(d dice, history History, pipelines []*pipeline) Release {
	owner := having(history.People, "product")[0]
	created := workingHours(history.End.Add(-5*day - d.between(0, day)))
	release := Release{Name: "Holiday season", Description: "Gift wrapping, later returns and the prices for it", CreatedAt: created, CreatedBy: owner}
	release.add(d, pipelines, []string{"storefront", "pricing-engine", "catalog-service", "returns-portal", "order-service", "shipping-gateway"}, history.End, func(v *version) bool {
		return !v.done[staging].IsZero() && !v.done[staging].After(history.End)
	})
	release.Steps = append(release.Steps, Step{At: later(workingHours(created.Add(day)), created.Add(time.Hour)), By: owner, Status: "in_progress"})
	return release.until(history.End)
}

// draft is what comes next.
func draft(d dice, history History, pipelines []*pipeline) Release {
	manager := having(history.People, "release_manager")[0]
	release := Release{
		Name: "Faster search", Description: "The new index, behind a flag",
		CreatedAt: workingHours(history.End.Add(-day - d.between(0, 6*time.Hour))), CreatedBy: manager,
	}
	release.add(d, pipelines, []string{"search-api", "catalog-service", "mobile-bff"}, history.End, func(v *version) bool {
		return !v.done[dev].IsZero() && !v.done[dev].After(history.End)
	})
	return release.until(history.End)
}

// add adds the newest versions of some products that fit, soon after they are there or the release is.
func (r *Release) add(d dice, pipelines []*pipeline, products []string, end time.Time, fits func(*version) bool) {
	for _, p := range pipelines {
		if !slices.Contains(products, p.product.Name) {
			continue
		}
		if v := p.newest(fits); v != nil {
			at := earlier(later(v.built, r.CreatedAt).Add(d.between(minute, 30*minute)), end)
			r.Steps = append(r.Steps, Step{At: at, By: v.author, Product: p.product.Name, Version: v.name})
		}
	}
}

// until forgets the future, and has the rest in the order of its times.
func (r Release) until(end time.Time) Release {
	r.Steps = slices.DeleteFunc(r.Steps, func(step Step) bool { return step.At.After(end) })
	slices.SortStableFunc(r.Steps, func(one, other Step) int { return one.At.Compare(other.At) })
	return r
}

// newest is the newest version that fits, or none.
func (p *pipeline) newest(fits func(*version) bool) *version {
	for _, v := range slices.Backward(p.versions) {
		if !v.built.IsZero() && fits(v) {
			return v
		}
	}
	return nil
}

// workingHours is the last time in office hours that is no later.
func workingHours(at time.Time) time.Time {
	date := midnight(at)
	if at.Before(date.Add(9 * time.Hour)) {
		date = date.Add(-day)
		at = date.Add(16*time.Hour + at.Sub(date)%time.Hour)
	}
	at = earlier(at, date.Add(17*time.Hour))
	for isWeekend(at) {
		at = at.Add(-day)
	}
	return at
}

func earlier(one, other time.Time) time.Time {
	if other.Before(one) {
		return other
	}
	return one
}

func later(one, other time.Time) time.Time {
	if other.After(one) {
		return other
	}
	return one
}
