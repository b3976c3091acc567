package seed

import (
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
)

// company owns the repositories.
const company = "northlane"

// userSignIn is the action of a user's first sign-in, which the audit log does not have.
const userSignIn = "user.sign_in"

// User is an employee of the company.
type User struct{ Name, Role string }

func (u User) login() string { return strings.ReplaceAll(strings.ToLower(u.Name), " ", ".") }

// email is an address of a reserved domain, which receives no mail.
func (u User) email() string { return u.login() + "@example.com" }

func users() []User {
	return []User{
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
}

// The stages of a version, as indexes: its build, and its deployment to each environment.
const (
	build = iota
	dev
	qa
	staging
	production
	stages
)

// stage is the build of a version, or a deployment to an environment.
type stage struct {
	kind                      ingest.Kind
	name, description, region string
	role                      string        // of half of those who deploy; the others are the authors of the versions
	share                     float64       // of the versions that have completed in the stage before
	soak                      time.Duration // in the stage before
	closes                    time.Duration // the time of the day after which deployments wait for the next one
	span                      time.Duration // of the shortest runs; the longest take six times as long
}

func environments() []stage {
	return []stage{
		build:      {kind: ingest.Build, share: 1, span: 150 * time.Second},
		dev:        {name: "dev", description: "Every build of the main branch", region: "eu-central-1", share: 1, span: minute},
		qa:         {name: "qa", description: "Manual tests and nightly suites", region: "eu-central-1", role: "qa", share: 0.8, soak: 25 * minute, closes: 18 * time.Hour, span: 100 * time.Second},
		staging:    {name: "staging", description: "Like production, with anonymised data", region: "eu-west-1", role: "sre", share: 0.75, soak: 2 * time.Hour, closes: 18 * time.Hour, span: 150 * time.Second},
		production: {name: "production", description: "Used by customers", region: "eu-west-1", role: "release_manager", share: 0.6, soak: 5 * time.Hour, closes: 15 * time.Hour, span: 4 * minute},
	}
}

// outcomeOf returns how a run ends that is x in a hundred. A deployment whose runner is lost reports no end.
func outcomeOf(kind ingest.Kind, x int) ingest.Status {
	switch {
	case x < 90 || kind == ingest.Deployment && x < 94:
		return ingest.Completed
	case x < 97:
		return ingest.Failed
	case x < 99 || kind == ingest.Build:
		return ingest.Aborted
	default:
		return ingest.Started
	}
}

// ciSystem builds and deploys products, with an API key of its name.
type ciSystem struct {
	name     string
	branch   string // in the notation of the system
	runs     string // the path of a run below the repository
	attempts bool   // a repeated run keeps its number
}

func ciSystems() map[string]ciSystem {
	return map[string]ciSystem{
		"github":  {"GitHub Actions", "main", "/actions/runs/%d", true},
		"gitlab":  {"GitLab CI", "main", "/-/pipelines/%d", false},
		"jenkins": {"Jenkins", "origin/main", "/job/deploy/%d/", false},
	}
}

// product is built and deployed.
type product struct {
	name, description, team, language, system string

	daily     float64 // versions on a working day
	first     [3]int  // the number before that of the first version
	createdIn float64 // the part of the history before it was created
	edited    string  // the description after a change
	reviewed  bool    // with a review environment for the versions of the last days
	paused    bool    // no builds in the last third of the history: all environments have the same version
	end       ending
}

// ending is the last run of a product.
type ending struct {
	stage   int
	outcome ingest.Status // Started: it is in progress, or does not report its end
	ago     time.Duration
}

func products() []product {
	return []product{
		{name: "storefront", description: "Web shop", team: "web", language: "TypeScript", system: "github", daily: 3.2, first: [3]int{8, 41, 0}, reviewed: true, end: ending{dev, ingest.Started, minute}},
		{name: "mobile-bff", description: "Backend of the mobile apps", team: "mobile", language: "Kotlin", system: "github", daily: 1.8, first: [3]int{3, 12, 4}, end: ending{production, ingest.Failed, 2 * time.Hour}},
		{name: "cart-service", description: "Shopping baskets, also without sign-in", team: "buying", language: "Go", system: "github", daily: 1.6, first: [3]int{2, 30, 1}, end: ending{build, ingest.Started, minute}},
		{name: "payments-api", description: "Cards, wallets and refunds", edited: "Cards, wallets, refunds and instant transfers", team: "payments", language: "Java", system: "gitlab", daily: 1.2, first: [3]int{5, 8, 2}, end: ending{production, ingest.Started, 30 * time.Hour}},
		{name: "fraud-detector", description: "Flags suspicious orders", team: "payments", language: "Python", system: "gitlab", daily: 0.9, first: [3]int{1, 17, 0}, end: ending{qa, ingest.Started, minute}},
		{name: "pricing-engine", description: "Prices, discounts and taxes", team: "buying", language: "Go", system: "github", daily: 1.4, first: [3]int{4, 2, 6}, end: ending{production, ingest.Failed, 2 * time.Hour}},
		{name: "search-api", description: "Finds products by words and pictures", edited: "Finds products by words and pictures, with autocomplete", team: "discovery", language: "Rust", system: "github", daily: 1.5, first: [3]int{6, 0, 3}, end: ending{build, ingest.Started, minute}},
		{name: "recommendation-engine", description: "Others also bought", team: "discovery", language: "Python", system: "gitlab", daily: 0.8, first: [3]int{2, 4, 0}, end: ending{production, ingest.Started, 30 * time.Hour}},
		{name: "catalog-service", description: "Product catalogue", team: "discovery", language: "Java", system: "github", daily: 1.7, first: [3]int{7, 19, 3}, end: ending{staging, ingest.Started, minute}},
		{name: "inventory-service", description: "Stock levels by warehouse", team: "logistics", language: "Java", system: "jenkins", daily: 1.1, first: [3]int{3, 3, 8}, end: ending{production, ingest.Failed, 2 * time.Hour}},
		{name: "order-service", description: "From the basket to the parcel", team: "logistics", language: "Java", system: "jenkins", daily: 1.5, first: [3]int{9, 5, 1}, end: ending{build, ingest.Started, minute}},
		{name: "shipping-gateway", description: "Labels and tracking of six carriers", team: "logistics", language: "Go", system: "github", daily: 0.9, first: [3]int{1, 44, 2}, end: ending{staging, ingest.Started, 30 * time.Hour}},
		{name: "returns-portal", description: "Returns and refunds", team: "logistics", language: "TypeScript", system: "github", daily: 0.7, first: [3]int{2, 1, 0}, paused: true},
		{name: "customer-accounts", description: "Sign-in, addresses and consents", team: "identity", language: "Go", system: "github", daily: 1.3, first: [3]int{4, 16, 5}, end: ending{production, ingest.Failed, 2 * time.Hour}},
		{name: "email-campaigns", description: "Newsletters and abandoned baskets", team: "marketing", language: "Ruby", system: "jenkins", daily: 0.6, first: [3]int{3, 0, 9}, paused: true},
		{name: "admin-console", description: "Tools for support", team: "web", language: "TypeScript", system: "github", daily: 1.9, first: [3]int{5, 27, 0}, reviewed: true, end: ending{production, ingest.Started, 30 * time.Hour}},
		{name: "warehouse-loader", description: "Feeds the data warehouse each night", edited: "Feeds the data warehouse each hour", team: "data", language: "Scala", system: "jenkins", daily: 0.5, first: [3]int{2, 9, 4}},
		{name: "image-resizer", description: "Pictures in every size", team: "web", language: "Rust", system: "github", daily: 0.4, first: [3]int{1, 6, 1}, paused: true},
		{name: "loyalty-service", description: "Points and tiers", team: "marketing", language: "Go", system: "github", daily: 1.6, first: [3]int{0, 1, 0}, createdIn: 0.25, end: ending{build, ingest.Started, minute}},
		{name: "gift-cards", description: "Sold, sent and redeemed", team: "payments", language: "Kotlin", system: "gitlab", daily: 1.4, first: [3]int{0, 1, 0}, createdIn: 0.5, end: ending{qa, ingest.Started, 30 * time.Hour}},
	}
}

// channel is a receiver of notifications about deployments.
type channel struct {
	name, kind, address string
	subscriptions       []subscription
	removed             bool // its receiver was removed after two thirds of the history
}

// subscription is to deployments with a status, in some environments or in all.
type subscription struct {
	status       string
	environments []string
}

// channels returns the receivers. Their addresses are of a reserved domain that no name server resolves: nothing is ever sent.
func channels() []channel {
	return []channel{
		{name: "#deployments", kind: notify.TypeSlack, address: "https://chat.northlane.example/services/deployments", subscriptions: []subscription{{"completed", []string{"production"}}, {"failed", nil}}},
		{name: "Incident bridge", kind: notify.TypeWebhook, address: "https://incidents.northlane.example/hooks/versioner", subscriptions: []subscription{{"failed", []string{"production"}}, {"aborted", []string{"production"}}}},
		{name: "Old status page", kind: notify.TypeWebhook, address: "https://status.northlane.example/deployed", subscriptions: []subscription{{"completed", []string{"production"}}}, removed: true},
	}
}

func deployErrors() []string {
	return []string{
		"readiness probe failed: GET /healthz answered 503 for 120 s, 2 of 6 pods are ready",
		"helm upgrade: timed out waiting for the condition",
		"smoke test \"sign in\" failed: expected 200, got 502",
		"migration add_index_on_orders failed: canceling statement due to lock timeout",
		"ImagePullBackOff: the registry answered 429 Too Many Requests",
		"OOMKilled: the container used more than its limit of 512 MiB",
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
	}
}

func rollbackReasons() []string {
	return []string{"p99 latency doubled after the rollout", "error rate rose to 3 %", "support reports empty order confirmations", "a feature flag was on by default"}
}

func redeployReasons() []string {
	return []string{"configuration changed", "secret rotated", "certificates renewed", "nodes replaced"}
}
