// Package seed generates sample data: a month of builds, deployments and releases of an invented company. New is pure: the same seed,
// days and end give the same history. Fill writes a history to an account by the same rules as requests, at the times of the history.
package seed

import (
	"cmp"
	"slices"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// MinDays and MaxDays bound the length of a history: a version needs days to reach production.
const (
	MinDays = 7
	MaxDays = 365
)

// History is what happened from Start to End.
type History struct {
	Start, End time.Time

	Users        []User
	Environments []Environment // in the order of promotion
	Products     []Product
	Events       []Event // in the order of their times
	Edits        []Edit
	Releases     []Release
}

// User is an employee of the company.
type User struct {
	Login, Name, Role string
	Joined            time.Time
}

// Email is an address of a reserved domain, which receives no mail.
func (u User) Email() string { return u.Login + "@example.com" }

// Environment is a target of deployments.
type Environment struct {
	Name, Description, Region string
	CreatedAt                 time.Time
	CreatedBy                 User
}

// Product is built and deployed.
type Product struct {
	Name, Description, Team, Language string
	CreatedAt                         time.Time
	CreatedBy                         User

	system   ciSystem
	daily    float64 // versions on a working day
	first    semver
	paused   bool // without builds in the last third of the history, so that all environments have the same version
	reviewed bool // with a review environment for some versions
}

// Event is an event of a CI system. Its JSON is the body of the request.
type Event struct {
	At      time.Time `json:"-"`
	IsBuild bool      `json:"-"`

	Product       string         `json:"product_name"`
	Version       string         `json:"version"`
	Environment   string         `json:"environment_name,omitempty"`
	Status        ingest.Status  `json:"status"`
	SourceSystem  string         `json:"source_system"`
	BuildNumber   string         `json:"build_number"`
	SHA           string         `json:"scm_sha"`
	Branch        string         `json:"scm_branch"`
	Repository    string         `json:"scm_repository"`
	InvokeID      string         `json:"invoke_id"`
	BuildURL      string         `json:"build_url,omitempty"`
	BuiltBy       string         `json:"built_by,omitempty"`
	BuiltByEmail  string         `json:"built_by_email,omitempty"`
	BuiltByName   string         `json:"built_by_name,omitempty"`
	DeployURL     string         `json:"deploy_url,omitempty"`
	DeployedBy    string         `json:"deployed_by,omitempty"`
	DeployerEmail string         `json:"deployed_by_email,omitempty"`
	DeployerName  string         `json:"deployed_by_name,omitempty"`
	ErrorMessage  string         `json:"error_message,omitempty"`
	ErrorCode     string         `json:"error_code,omitempty"`
	Metadata      map[string]any `json:"extra_metadata,omitempty"`
}

// Edit is a change of a product's description.
type Edit struct {
	At                   time.Time
	By                   User
	Product, Description string
}

// Release is a set of versions with its changes.
type Release struct {
	Name, Description string
	CreatedAt         time.Time
	CreatedBy         User
	Steps             []Step // in the order of their times
}

// Step is a change of a release: an added version or a new status.
type Step struct {
	At time.Time
	By User

	Product, Version string
	Status           string
}

// Status is the last status of the release.
func (r Release) Status() string {
	status := "draft"
	for _, step := range r.Steps {
		status = cmp.Or(step.Status, status)
	}
	return status
}

// New generates the days before end.
func New(seed uint64, days int, end time.Time) History {
	end = end.UTC().Truncate(time.Second)
	h := History{Start: workingDay(end.AddDate(0, 0, -days)), End: end}
	h.Users = users(h.Start)
	h.Environments = environments(h.Start, h.byRole("sre")[0])
	h.Products = products(h.Start, end, h.byRole("release_manager")[0])
	h.Edits = edits(h)
	pipelines := make([]*pipeline, len(h.Products))
	for i := range h.Products {
		pipelines[i] = newPipeline(seed, i, h)
		pipelines[i].run()
		h.Events = append(h.Events, pipelines[i].events...)
	}
	slices.SortStableFunc(h.Events, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Product, b.Product)) })
	h.Releases = releases(seed, h, pipelines)
	return h
}

func (h History) byRole(role string) []User {
	return slices.DeleteFunc(slices.Clone(h.Users), func(user User) bool { return user.Role != role })
}
