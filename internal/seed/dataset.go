package seed

import (
	"fmt"
	"strings"
	"time"
)

// company is who all of this happened to.
const company = "northlane"

// ciSystem is where a product is built and deployed from.
type ciSystem struct {
	name   string // source_system
	branch string // as that system writes it
	runs   string // path of a run, below the repository's page
	reruns bool   // a run that is started again keeps its number
}

func people(start time.Time) []Person {
	names := []struct{ name, role string }{
		{"Priya Raman", "release_manager"},
		{"Jonas Lindqvist", "sre"},
		{"Tomasz Kowalski", "sre"},
		{"Leila Haddad", "product"},
		{"Sofia Rossi", "qa"},
		{"Amara Okafor", "developer"},
		{"Mateo Herrera", "developer"},
		{"Yuki Tanaka", "developer"},
		{"Daniel Weiss", "developer"},
		{"Grace Nguyen", "developer"},
		{"Oliver Bennett", "developer"},
		{"Fatima Idrissi", "developer"},
	}
	all := make([]Person, len(names))
	for i, person := range names {
		all[i] = Person{
			Login: strings.ReplaceAll(strings.ToLower(person.name), " ", "."), Name: person.name, Role: person.role,
			Joined: start.Add(7*time.Hour + time.Duration(i)*97*time.Second),
		}
	}
	return all
}

func having(all []Person, role string) []Person {
	var some []Person
	for _, person := range all {
		if person.Role == role {
			some = append(some, person)
		}
	}
	return some
}

// The environments, as indexes of all that is kept for each.
const (
	dev = iota
	qa
	staging
	production
	stages
)

func environments(start time.Time, people []Person) []Environment {
	all := []Environment{
		dev:        {Name: "dev", Description: "Every build of the main branch, at once", Region: "eu-central-1"},
		qa:         {Name: "qa", Description: "Where testers and nightly suites work", Region: "eu-central-1"},
		staging:    {Name: "staging", Description: "As production, with last night's data made anonymous", Region: "eu-west-1"},
		production: {Name: "production", Description: "What customers use", Region: "eu-west-1"},
	}
	for i := range all {
		all[i].CreatedAt = start.Add(7*time.Hour + 40*time.Minute + time.Duration(i)*83*time.Second)
		all[i].CreatedBy = having(people, "sre")[0]
	}
	return all
}

// products were all there when the history begins, but for the last two: those came later.
func products(seed uint64, start, end time.Time, people []Person) []Product {
	github := ciSystem{name: "github", branch: "main", runs: "/actions/runs/%d", reruns: true}
	gitlab := ciSystem{name: "gitlab", branch: "main", runs: "/-/pipelines/%d"}
	jenkins := ciSystem{name: "jenkins", branch: "origin/main", runs: "/job/deploy/%d/"}
	all := []Product{
		{Name: "storefront", Description: "The shop that customers see", Team: "web", Language: "TypeScript", system: github, cadence: 3.2, first: "8.41.0"},
		{Name: "mobile-bff", Description: "What the mobile apps talk to", Team: "mobile", Language: "Kotlin", system: github, cadence: 1.8, first: "3.12.4"},
		{Name: "cart-service", Description: "Baskets, also of those who are not signed in", Team: "buying", Language: "Go", system: github, cadence: 1.6, first: "2.30.1"},
		{Name: "payments-api", Description: "Cards, wallets and refunds", Team: "payments", Language: "Java", system: gitlab, cadence: 1.2, first: "5.8.2"},
		{Name: "fraud-detector", Description: "Says which orders to look at", Team: "payments", Language: "Python", system: gitlab, cadence: 0.9, first: "1.17.0"},
		{Name: "pricing-engine", Description: "Prices, discounts and taxes", Team: "buying", Language: "Go", system: github, cadence: 1.4, first: "4.2.6"},
		{Name: "search-api", Description: "Finds products by words and pictures", Team: "discovery", Language: "Rust", system: github, cadence: 1.5, first: "6.0.3"},
		{Name: "recommendation-engine", Description: "Others also bought", Team: "discovery", Language: "Python", system: gitlab, cadence: 0.8, first: "2.4.0"},
		{Name: "catalog-service", Description: "What there is to buy", Team: "discovery", Language: "Java", system: github, cadence: 1.7, first: "7.19.3"},
		{Name: "inventory-service", Description: "How much of it there is, and where", Team: "logistics", Language: "Java", system: jenkins, cadence: 1.1, first: "3.3.8"},
		{Name: "order-service", Description: "From the basket to the parcel", Team: "logistics", Language: "Java", system: jenkins, cadence: 1.5, first: "9.5.1"},
		{Name: "shipping-gateway", Description: "Labels and tracking of six carriers", Team: "logistics", Language: "Go", system: github, cadence: 0.9, first: "1.44.2"},
		{Name: "returns-portal", Description: "Sends things back", Team: "logistics", Language: "TypeScript", system: github, cadence: 0.7, first: "2.1.0", rests: true},
		{Name: "customer-accounts", Description: "Sign-in, addresses and consents", Team: "identity", Language: "Go", system: github, cadence: 1.3, first: "4.16.5"},
		{Name: "email-campaigns", Description: "Newsletters and abandoned baskets", Team: "marketing", Language: "Ruby", system: jenkins, cadence: 0.6, first: "3.0.9", rests: true},
		{Name: "admin-console", Description: "What support works with", Team: "web", Language: "TypeScript", system: github, cadence: 1.9, first: "5.27.0"},
		{Name: "warehouse-loader", Description: "Feeds the data warehouse each night", Team: "data", Language: "Scala", system: jenkins, cadence: 0.5, first: "2.9.4"},
		{Name: "image-resizer", Description: "Pictures in every size", Team: "web", Language: "Rust", system: github, cadence: 0.4, first: "1.6.1", rests: true},
		{Name: "loyalty-service", Description: "Points and tiers", Team: "marketing", Language: "Go", system: github, cadence: 1.6, first: "0.1.0"},
		{Name: "gift-cards", Description: "Sold, sent and redeemed", Team: "payments", Language: "Kotlin", system: gitlab, cadence: 1.4, first: "0.1.0"},
	}
	d := newDice(seed, 1)
	later := end.Sub(start) / 4
	developers := having(people, "developer")
	for i := range all {
		all[i].CreatedBy = having(people, "release_manager")[0]
		all[i].CreatedAt = start.Add(8*time.Hour + time.Duration(i)*149*time.Second)
		if i >= len(all)-2 {
			began := firstWorkingDay(start.Add(later * time.Duration(i-len(all)+3)))
			all[i].CreatedAt = began.Add(9*time.Hour + d.between(0, 40*time.Minute))
		}
		first := d.IntN(len(developers))
		for n := range 3 {
			all[i].owners = append(all[i].owners, developers[(first+n)%len(developers)])
		}
	}
	return all
}

// edits are what somebody had to say better.
func edits(seed uint64, history History) []Edit {
	d := newDice(seed, 2)
	better := [][2]string{
		{"payments-api", "Cards, wallets, refunds and instant transfers"},
		{"search-api", "Finds products by words and pictures; autocomplete moved in from storefront"},
		{"warehouse-loader", "Feeds the data warehouse each hour"},
	}
	var all []Edit
	span := history.End.Sub(history.Start)
	for i, edit := range better {
		date := firstWorkingDay(history.Start.Add(span * time.Duration(i+1) / time.Duration(len(better)+2)))
		at := date.Add(10*time.Hour + d.between(0, 4*time.Hour))
		if at.Before(history.End) {
			all = append(all, Edit{At: at, By: having(history.People, "release_manager")[0], Product: edit[0], Description: edit[1]})
		}
	}
	return all
}

func deployErrors() []string {
	return []string{
		"readiness probe failed: GET /healthz answered 503 for 120 s, 2 of 6 pods are ready",
		"helm upgrade: timed out waiting for the condition",
		"smoke test \"sign in\" failed: expected 200, got 502",
		"migration add_index_on_orders failed: canceling statement due to lock timeout",
		"ImagePullBackOff: the registry answered 429 Too Many Requests",
		"OOMKilled: the container used more than its limit of 512 MiB",
		"terraform apply: error acquiring the state lock",
		"configuration is missing PROVIDER_URL",
		"rollout stopped: error rate of the canary is 4.1 %, the limit is 1 %",
	}
}

func buildErrors() [][2]string {
	return [][2]string{
		{"TESTS_FAILED", "3 of 1,284 tests failed: TestRefundRounding, TestPartialRefund, TestCurrencyMismatch"},
		{"TESTS_FAILED", "1 of 612 tests failed: it keeps the basket after signing in"},
		{"COMPILE_ERROR", "undefined: normalizeAddress"},
		{"LINT", "12 problems (9 errors, 3 warnings)"},
		{"DEPENDENCY", "could not resolve dependencies: the registry answered 503"},
		{"IMAGE_SCAN", "1 critical vulnerability in the base image, fixed in a newer one"},
		{"TIMEOUT", "no output for 20 minutes"},
	}
}

func rollbackReasons() []string {
	return []string{
		"p99 latency doubled after the rollout",
		"error rate rose to 3 %",
		"support reports empty order confirmations",
		"memory grows until the pods are killed",
		"a feature flag was on by default",
	}
}

func redeployReasons() []string {
	return []string{"configuration changed", "secret rotated", "certificates renewed", "nodes replaced"}
}

// runURL is where a run can be looked at: on a host that is nobody's.
func (p Product) runURL(run int) string {
	return "https://" + p.system.name + ".example.com/" + p.Repository() + fmt.Sprintf(p.system.runs, run)
}
