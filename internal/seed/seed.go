// Package seed invents a month in the life of a company that tracks its deployments, and fills an account with it. Inventing
// (New) is pure: the same seed, days and end give the same history. Filling (Fill) goes through the rules that requests go
// through, only in the past; identifiers are new each time.
package seed

import (
	"slices"
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// MinDays and MaxDays bound how long a history may be: a version needs days to reach production.
const (
	MinDays = 7
	MaxDays = 365
)

// History is what happened from Start to End, and nothing after End.
type History struct {
	Start, End time.Time

	People       []Person
	Environments []Environment // in the order in which a version travels through them
	Products     []Product
	Events       []Event // in the order of their times
	Edits        []Edit
	Releases     []Release
}

// Person is somebody who works for the company.
type Person struct {
	Login, Name, Role string
	Joined            time.Time
}

// Email is an address of a domain that belongs to nobody and takes no mail (RFC 2606).
func (p Person) Email() string { return p.Login + "@example.com" }

// Environment is where versions run.
type Environment struct {
	Name, Description, Region string
	CreatedAt                 time.Time
	CreatedBy                 Person
}

// Product is what is built and deployed.
type Product struct {
	Name, Description, Team, Language string
	CreatedAt                         time.Time
	CreatedBy                         Person

	owners  []Person
	system  ciSystem
	cadence float64 // versions on a working day
	first   string  // version
	rests   bool    // nothing is built in the last third of the time: all of it has reached production
}

// Repository is where its code is.
func (p Product) Repository() string { return company + "/" + p.Name }

// Event is what a CI system tells: its JSON is the body that such a system sends.
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

// Edit is a change that somebody made to a product.
type Edit struct {
	At          time.Time
	By          Person
	Product     string
	Description string
}

// Release is a set of versions, with all that was done to it.
type Release struct {
	Name, Description string
	CreatedAt         time.Time
	CreatedBy         Person
	Steps             []Step // in the order of their times
}

// Status is what the release is in the end.
func (r Release) Status() string {
	status := "draft"
	for _, step := range r.Steps {
		if step.Status != "" {
			status = step.Status
		}
	}
	return status
}

// Step is one change of a release: a version that joins it, or a status that it takes.
type Step struct {
	At time.Time
	By Person

	Product, Version string
	Status           string
}

// New invents the days before end.
func New(seed uint64, days int, end time.Time) History {
	end = end.UTC().Truncate(time.Second)
	start := firstWorkingDay(end.AddDate(0, 0, -days))
	history := History{Start: start, End: end, People: people(start)}
	history.Environments = environments(start, history.People)
	history.Products = products(seed, start, end, history.People)
	pipelines := make([]*pipeline, len(history.Products))
	for i, product := range history.Products {
		pipelines[i] = newPipeline(seed, i, product, history)
		pipelines[i].run()
		history.Events = append(history.Events, pipelines[i].events...)
	}
	slices.SortStableFunc(history.Events, func(one, other Event) int {
		if order := one.At.Compare(other.At); order != 0 {
			return order
		}
		return strings.Compare(one.Product, other.Product)
	})
	history.Edits = edits(seed, history)
	history.Releases = releases(seed, history, pipelines)
	return history
}
