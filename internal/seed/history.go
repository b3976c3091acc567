// Package seed generates sample data: a month of builds, deployments, releases, rules and requests of an invented company. New is pure: the same seed,
// days and end give the same history. Fill writes a history to an account by the same rules as requests, at the times of the history.
package seed

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// MinDays and MaxDays bound the length of a history: a version needs days to reach production.
const (
	MinDays = 7
	MaxDays = 365
)

const (
	minute = time.Minute
	day    = 24 * time.Hour
)

// History is what happened from Start to End. Events and changes are in the order of their times.
type History struct {
	Start, End time.Time
	Events     []Event
	Changes    []Change
}

// Event is an event of a CI system, with the body of its request.
type Event struct {
	ingest.Event

	At time.Time
}

// Change is a change by a user, as in the audit log, or the first sign-in of a user.
type Change struct {
	At             time.Time
	By             User
	Action, Object string         // such as product.create, and the name of the product
	Value          string         // a description, the status of a release, or the name of a version that is added
	Metadata       map[string]any // of a new object
}

// New generates the days before end.
func New(seed uint64, days int, end time.Time) History {
	end = end.UTC().Truncate(time.Second)
	g := &generator{Rand: newRand(seed), versions: make(map[string][]*version), lastRun: 20_000}
	g.History = History{Start: workingDay(end.AddDate(0, 0, -days)), End: end}
	g.setUp()
	for i, product := range products() {
		g.addProduct(product, g.Start.Add(8*time.Hour+time.Duration(i)*149*time.Second))
	}
	g.addReleases()
	slices.SortStableFunc(g.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(g.Changes, func(a, b Change) int { return a.At.Compare(b.At) })
	return g.History
}

// change adds a change, unless it is after the end of the history.
func (g *generator) change(at time.Time, by User, action, object, value string, metadata map[string]any) {
	if !at.After(g.End) {
		g.Changes = append(g.Changes, Change{at, by, action, object, value, metadata})
	}
}

// setUp adds the changes that create users, keys, environments and channels. The last key is revoked.
func (g *generator) setUp() {
	at, sre := g.Start.Add(7*time.Hour), g.userWith("sre")
	for i, user := range users() {
		g.change(at.Add(time.Duration(i)*47*time.Second), user, userSignIn, user.Name, user.Role, nil)
	}
	for i, name := range []string{ciSystems()["github"].name, ciSystems()["gitlab"].name, ciSystems()["jenkins"].name, "Jenkins on the old server"} {
		g.change(at.Add(time.Duration(20+i)*minute), sre, "api_key.create", name, "Key of the sample data. It is not disclosed.", nil)
	}
	g.change(at.Add(2*day+3*time.Hour), sre, "api_key.revoke", "Jenkins on the old server", "", nil)
	for i, env := range environments()[dev:] {
		g.change(at.Add(time.Duration(30+i)*minute), sre, "environment.create", env.name, env.description, map[string]any{"region": env.region})
	}
	for i, channel := range channels() {
		g.change(at.Add(time.Duration(120+11*i)*minute), g.userWith("sre"), "notification_channel.create", channel.name, "", nil)
	}
}

// addReleases adds a release for each week, and one in each of the other statuses.
func (g *generator) addReleases() {
	manager, owner, third := g.userWith("release_manager"), g.userWith("product"), workingDay(g.Start.Add(g.End.Sub(g.Start)/3))
	for monday := g.Start.AddDate(0, 0, 8-int(g.Start.Weekday())); monday.Before(g.End); monday = monday.AddDate(0, 0, 7) {
		year, week := monday.ISOWeek()
		name := fmt.Sprintf("Release %d.%02d", year, week)
		g.addRelease(monday.Add(9*time.Hour+g.duration(0, 90*minute)), manager, name, "Weekly release", staging, "storefront cart-service payments-api pricing-engine search-api catalog-service")
		g.change(monday.Add(15*time.Hour), manager, "release.update", name, "in_progress", nil)
		g.change(monday.Add(4*day+15*time.Hour), manager, "release.update", name, "completed", nil)
	}
	g.addRelease(third.Add(10*time.Hour), owner, "One-click reordering", "Order again from the list of orders", qa, "storefront cart-service order-service")
	g.change(third.Add(2*day), owner, "release.update", "One-click reordering", "cancelled", nil)
	g.addRelease(g.End.Add(-4*day), owner, "Holiday season", "Gift wrapping, later returns and their prices", staging, "storefront pricing-engine catalog-service returns-portal order-service shipping-gateway")
	g.change(g.End.Add(-3*day), owner, "release.update", "Holiday season", "in_progress", nil)
	g.addRelease(g.End.Add(-3*time.Hour), manager, "Faster search", "The new index, behind a flag", dev, "search-api catalog-service mobile-bff")
}

// addRelease adds a release with the newest version of each product that has completed in an environment.
func (g *generator) addRelease(at time.Time, by User, name, description string, env int, products string) {
	g.change(at, by, "release.create", name, description, nil)
	for product := range strings.FieldsSeq(products) {
		if v := g.newest(product, env+1, at); v != nil {
			at = at.Add(g.duration(minute, 9*minute))
			g.change(at, v.author, "release.add_version", name, v.product+" "+v.name, nil)
		}
	}
}

// Summary returns counts of the history for users.
func (h History) Summary() string {
	counts := make(map[string]int)
	for _, event := range h.Events {
		counts[event.Kind.String()+" "+string(event.Status)]++
		if event.Status == ingest.Completed && strings.Contains(string(event.Metadata), `"rollback"`) {
			counts["rollback"]++
		}
	}
	for _, change := range h.Changes {
		counts[change.Action]++
	}
	return fmt.Sprintf(`  from         %s to %s
  products     %d, in %d environments; %d users
  builds       %d, %d failed
  deployments  %d, %d failed; %d rollbacks among them
  releases     %d
  events       %d
`, h.Start.Format(time.DateOnly), h.End.Format("2006-01-02 15:04 MST"), counts["product.create"], counts["environment.create"], counts[userSignIn], counts["build started"],
		counts["build failed"], counts["deployment started"], counts["deployment failed"], counts["rollback"], counts["release.create"], len(h.Events))
}
