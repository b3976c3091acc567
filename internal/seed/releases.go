package seed

import (
	"fmt"
	"slices"
	"time"
)

// releases returns a release for each week with deployments to production, and one in each of the other statuses.
func releases(seed uint64, h History, pipelines []*pipeline) []Release {
	r := newRNG(seed, 3)
	manager, owner := h.byRole("release_manager")[0], h.byRole("product")[0]
	var all []Release
	for monday := workingDay(h.Start); monday.Before(h.End); monday = workingDay(monday.AddDate(0, 0, 8-int(monday.Weekday()))) {
		created, friday := monday.Add(9*time.Hour+r.between(0, 90*minute)), monday.AddDate(0, 0, 5-int(monday.Weekday()))
		year, week := monday.ISOWeek()
		weekly := Release{Name: fmt.Sprintf("Release %d.%02d", year, week), Description: "Weekly release", CreatedAt: created, CreatedBy: manager}
		weekly.add(r, pipelines[:9], nil, h.End, func(v *version) bool {
			return v.done[production].After(created) && v.done[production].Before(friday) && !v.done[production].After(h.End)
		})
		weekly.Steps = append(weekly.Steps,
			Step{At: later(weekly.last(), created).Add(5 * minute), By: manager, Status: "in_progress"},
			Step{At: later(weekly.last(), friday.Add(14*time.Hour)).Add(30*minute + r.between(0, 2*time.Hour)), By: manager, Status: "completed"})
		if len(weekly.Steps) > 3 {
			all = append(all, weekly.until(h.End))
		}
	}
	span := h.End.Sub(h.Start)
	reordering := Release{Name: "One-click reordering", Description: "Order again from the list of orders", CreatedAt: workingDay(h.Start.Add(span / 5)).Add(10 * time.Hour), CreatedBy: owner}
	reordering.add(r, pipelines, []string{"storefront", "cart-service", "order-service"}, h.End, func(v *version) bool {
		return !v.done[qa].IsZero() && v.done[qa].Before(reordering.CreatedAt)
	})
	reordering.Steps = append(reordering.Steps, Step{At: later(reordering.last(), reordering.CreatedAt).Add(span / 10), By: owner, Status: "cancelled"})
	holidays := Release{Name: "Holiday season", Description: "Gift wrapping, later returns and their prices", CreatedAt: h.End.Add(-5*day - r.between(0, day)), CreatedBy: owner}
	holidays.add(r, pipelines, []string{"storefront", "pricing-engine", "catalog-service", "returns-portal", "order-service", "shipping-gateway"}, h.End, func(v *version) bool {
		return !v.done[staging].IsZero() && !v.done[staging].After(h.End)
	})
	holidays.Steps = append(holidays.Steps, Step{At: holidays.CreatedAt.Add(day), By: owner, Status: "in_progress"})
	search := Release{Name: "Faster search", Description: "The new index, behind a flag", CreatedAt: h.End.Add(-day - r.between(0, 6*time.Hour)), CreatedBy: manager}
	search.add(r, pipelines, []string{"search-api", "catalog-service", "mobile-bff"}, h.End, func(v *version) bool {
		return !v.done[dev].IsZero() && !v.done[dev].After(h.End)
	})
	all = append(all, reordering.until(h.End), holidays.until(h.End), search.until(h.End))
	slices.SortStableFunc(all, func(a, b Release) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all
}

// add adds the newest matching version of each product (all without names).
func (r *Release) add(random rng, pipelines []*pipeline, products []string, end time.Time, matches func(*version) bool) {
	for _, p := range pipelines {
		if products != nil && !slices.Contains(products, p.product.Name) {
			continue
		}
		for _, v := range slices.Backward(p.versions) {
			if matches(v) {
				at := later(v.built, r.CreatedAt).Add(random.between(minute, 30*minute))
				if at.After(end) {
					at = end
				}
				r.Steps = append(r.Steps, Step{At: at, By: v.author, Product: p.product.Name, Version: v.name})
				break
			}
		}
	}
}

// last returns the time of the last step.
func (r Release) last() time.Time {
	last := r.CreatedAt
	for _, step := range r.Steps {
		last = later(last, step.At)
	}
	return last
}

// until removes steps after the end, and sorts the others.
func (r Release) until(end time.Time) Release {
	r.Steps = slices.DeleteFunc(r.Steps, func(step Step) bool { return step.At.After(end) })
	slices.SortStableFunc(r.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return r
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
