package seed

import (
	"fmt"
	"strings"
	"time"
)

// company owns the repositories.
const company = "northlane"

// ciSystem builds and deploys a product.
type ciSystem struct {
	name     string // source_system
	branch   string // in the notation of the system
	runs     string // the path of a run below the repository
	attempts bool   // a repeated run keeps its number
}

func users(start time.Time) []User {
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
	all := make([]User, len(names))
	for i, person := range names {
		all[i] = User{
			Login: strings.ReplaceAll(strings.ToLower(person.name), " ", "."), Name: person.name, Role: person.role,
			Joined: start.Add(7*time.Hour + time.Duration(i)*97*time.Second),
		}
	}
	return all
}

// The environments, as indexes.
const (
	dev = iota
	qa
	staging
	production
	envs
)

func environments(start time.Time, creator User) []Environment {
	all := []Environment{
		dev:        {Name: "dev", Description: "Every build of the main branch", Region: "eu-central-1"},
		qa:         {Name: "qa", Description: "Manual tests and nightly suites", Region: "eu-central-1"},
		staging:    {Name: "staging", Description: "Like production, with anonymised data", Region: "eu-west-1"},
		production: {Name: "production", Description: "Used by customers", Region: "eu-west-1"},
	}
	for i := range all {
		all[i].CreatedAt = start.Add(7*time.Hour + 40*time.Minute + time.Duration(i)*83*time.Second)
		all[i].CreatedBy = creator
	}
	return all
}

// products returns the products. The last two are created during the history, the others at its start.
func products(start, end time.Time, creator User) []Product {
	github := ciSystem{name: "github", branch: "main", runs: "/actions/runs/%d", attempts: true}
	gitlab := ciSystem{name: "gitlab", branch: "main", runs: "/-/pipelines/%d"}
	jenkins := ciSystem{name: "jenkins", branch: "origin/main", runs: "/job/deploy/%d/"}
	all := []Product{
		{Name: "storefront", Description: "Web shop", Team: "web", Language: "TypeScript", system: github, daily: 3.2, first: semver{8, 41, 0}, reviewed: true},
		{Name: "mobile-bff", Description: "Backend of the mobile apps", Team: "mobile", Language: "Kotlin", system: github, daily: 1.8, first: semver{3, 12, 4}},
		{Name: "cart-service", Description: "Shopping baskets, also without sign-in", Team: "buying", Language: "Go", system: github, daily: 1.6, first: semver{2, 30, 1}},
		{Name: "payments-api", Description: "Cards, wallets and refunds", Team: "payments", Language: "Java", system: gitlab, daily: 1.2, first: semver{5, 8, 2}},
		{Name: "fraud-detector", Description: "Flags suspicious orders", Team: "payments", Language: "Python", system: gitlab, daily: 0.9, first: semver{1, 17, 0}},
		{Name: "pricing-engine", Description: "Prices, discounts and taxes", Team: "buying", Language: "Go", system: github, daily: 1.4, first: semver{4, 2, 6}},
		{Name: "search-api", Description: "Finds products by words and pictures", Team: "discovery", Language: "Rust", system: github, daily: 1.5, first: semver{6, 0, 3}},
		{Name: "recommendation-engine", Description: "Others also bought", Team: "discovery", Language: "Python", system: gitlab, daily: 0.8, first: semver{2, 4, 0}},
		{Name: "catalog-service", Description: "Product catalogue", Team: "discovery", Language: "Java", system: github, daily: 1.7, first: semver{7, 19, 3}},
		{Name: "inventory-service", Description: "Stock levels by warehouse", Team: "logistics", Language: "Java", system: jenkins, daily: 1.1, first: semver{3, 3, 8}},
		{Name: "order-service", Description: "From the basket to the parcel", Team: "logistics", Language: "Java", system: jenkins, daily: 1.5, first: semver{9, 5, 1}},
		{Name: "shipping-gateway", Description: "Labels and tracking of six carriers", Team: "logistics", Language: "Go", system: github, daily: 0.9, first: semver{1, 44, 2}},
		{Name: "returns-portal", Description: "Returns and refunds", Team: "logistics", Language: "TypeScript", system: github, daily: 0.7, first: semver{2, 1, 0}, paused: true},
		{Name: "customer-accounts", Description: "Sign-in, addresses and consents", Team: "identity", Language: "Go", system: github, daily: 1.3, first: semver{4, 16, 5}},
		{Name: "email-campaigns", Description: "Newsletters and abandoned baskets", Team: "marketing", Language: "Ruby", system: jenkins, daily: 0.6, first: semver{3, 0, 9}, paused: true},
		{Name: "admin-console", Description: "Tools for support", Team: "web", Language: "TypeScript", system: github, daily: 1.9, first: semver{5, 27, 0}, reviewed: true},
		{Name: "warehouse-loader", Description: "Feeds the data warehouse each night", Team: "data", Language: "Scala", system: jenkins, daily: 0.5, first: semver{2, 9, 4}},
		{Name: "image-resizer", Description: "Pictures in every size", Team: "web", Language: "Rust", system: github, daily: 0.4, first: semver{1, 6, 1}, paused: true},
		{Name: "loyalty-service", Description: "Points and tiers", Team: "marketing", Language: "Go", system: github, daily: 1.6, first: semver{0, 1, 0}},
		{Name: "gift-cards", Description: "Sold, sent and redeemed", Team: "payments", Language: "Kotlin", system: gitlab, daily: 1.4, first: semver{0, 1, 0}},
	}
	for i := range all {
		all[i].CreatedBy, all[i].CreatedAt = creator, start.Add(8*time.Hour+time.Duration(i)*149*time.Second)
		if late := i - len(all) + 3; late > 0 {
			all[i].CreatedAt = workingDay(start.Add(end.Sub(start) / 4 * time.Duration(late))).Add(9*time.Hour + time.Duration(i)*minute)
		}
	}
	return all
}

// edits returns changes of descriptions.
func edits(h History) []Edit {
	var all []Edit
	span := h.End.Sub(h.Start)
	for i, edit := range [][2]string{
		{"payments-api", "Cards, wallets, refunds and instant transfers"},
		{"search-api", "Finds products by words and pictures, with autocomplete"},
		{"warehouse-loader", "Feeds the data warehouse each hour"},
	} {
		at := workingDay(h.Start.Add(span * time.Duration(i+1) / 5)).Add(10*time.Hour + time.Duration(i)*47*minute)
		if at.Before(h.End) {
			all = append(all, Edit{At: at, By: h.byRole("release_manager")[0], Product: edit[0], Description: edit[1]})
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

// runURL is the address of a run, on a reserved domain.
func (p Product) runURL(run int) string {
	return "https://" + p.system.name + ".example.com/" + p.repository() + fmt.Sprintf(p.system.runs, run)
}

func (p Product) repository() string { return company + "/" + p.Name }
