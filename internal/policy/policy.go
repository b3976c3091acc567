// Package policy decides whether a deployment may start, and when it may. Its functions are pure: rules, facts and the time are
// arguments. The rules are those of an account, the facts what its database has about one attempt; internal/calendar computes the
// occurrences of schedules.
package policy

import (
	"time"

	"github.com/google/uuid"
)

// RuleType is what a rule requires.
type RuleType string

// The types of rules.
const (
	ScheduleRule          RuleType = "schedule"
	FlowRule              RuleType = "flow"
	ConcurrencyRule       RuleType = "concurrency"
	DeploymentRequestRule RuleType = "deployment_request_required"
	VersionApprovalRule   RuleType = "version_approval_required"
)

// RuleTypes returns the types of rules.
func RuleTypes() []RuleType {
	return []RuleType{ScheduleRule, FlowRule, ConcurrencyRule, DeploymentRequestRule, VersionApprovalRule}
}

// Mode is what follows from a violation.
type Mode string

// The modes: a rule blocks, is reported only, or is not evaluated.
const (
	Enabled    Mode = "enabled"
	ReportOnly Mode = "report_only"
	Disabled   Mode = "disabled"
)

// Rollback is whether a rule passes rollbacks: a version that is not the current one of the product and environment, but was for
// 15 minutes without interruption.
type Rollback string

// What a rule does with rollbacks. A concurrency rule has none of them and applies to rollbacks, too.
const (
	AllowRollback   Rollback = "allow"
	EnforceRollback Rollback = "enforce"
)

// Effect is what a window does.
type Effect string

// The effects: no deployments inside of deny windows, none outside of all allow windows.
const (
	Deny  Effect = "deny"
	Allow Effect = "allow"
)

// Per is the group of deployments that a concurrency rule counts. All of them are in the scope of the rule.
type Per string

// The groups: those of the same product and environment, product or environment, or all in the scope.
const (
	PerProductEnvironment Per = "product_environment"
	PerProduct            Per = "product"
	PerEnvironment        Per = "environment"
	PerScope              Per = "scope"
)

// Code is what a rule found.
type Code string

// The codes of violations.
const (
	NoDeployWindow          Code = "NO_DEPLOY_WINDOW"
	DeploymentInProgress    Code = "DEPLOYMENT_IN_PROGRESS"
	FlowViolation           Code = "FLOW_VIOLATION"
	InsufficientSoakTime    Code = "INSUFFICIENT_SOAK_TIME"
	ApprovalRequired        Code = "APPROVAL_REQUIRED"
	QualityApprovalRequired Code = "QUALITY_APPROVAL_REQUIRED"
)

// Horizon is how far ahead of the time of Compile a Set knows the schedules.
const Horizon = 400 * 24 * time.Hour

// Rule is a deployment rule with the names of the API. It has the configuration of its type alone.
type Rule struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Type     RuleType  `json:"rule_type"`
	Mode     Mode      `json:"mode"`
	Priority int       `json:"priority"`
	Rollback *Rollback `json:"rollback"` // nil for concurrency rules
	Scope    Scope     `json:"scope"`

	Schedule          *Schedule          `json:"schedule,omitempty"`
	Flow              *Flow              `json:"flow,omitempty"`
	Concurrency       *Concurrency       `json:"concurrency,omitempty"`
	DeploymentRequest *DeploymentRequest `json:"deployment_request_required,omitempty"`
	VersionApproval   *VersionApproval   `json:"version_approval_required,omitempty"`
}

// Scope is where a rule applies: one entry of each list that is not empty matches. Products and environments are identifiers, or names
// regardless of case, former ones too.
type Scope struct {
	Products         []string `json:"products"`
	Environments     []string `json:"environments"`
	EnvironmentTypes []string `json:"environment_types"`
}

// Schedule is the configuration of a schedule rule.
type Schedule struct {
	Timezone string   `json:"timezone"`
	Windows  []Window `json:"windows"`

	// Expansion has the occurrences of the windows. Compile requires it; internal/calendar computes it, and its Compile adds it.
	Expansion *Expansion `json:"-"`
}

// Window is a time, or with RRule a series of times, in which deployments are denied or allowed.
type Window struct {
	Name    string   `json:"name"`
	Effect  Effect   `json:"effect"`
	Start   string   `json:"start"`   // local time, as 2006-01-02T15:04; with RRule the first occurrence
	End     string   `json:"end"`     // local time after Start
	RRule   *string  `json:"rrule"`   // a Recurrence; nil: one occurrence
	ExDates []string `json:"exdates"` // local dates on which no occurrence begins, as 2006-01-02
	Reason  *string  `json:"reason"`
}

// Expansion is the occurrences of a schedule's windows that overlap [From, Until).
type Expansion struct {
	From, Until time.Time
	Occurrences []Occurrence
}

// Occurrence is one occurrence of a window, as [Start, End).
type Occurrence struct {
	Window     int // position in Schedule.Windows
	Start, End time.Time
}

// Flow is the configuration of a flow rule.
type Flow struct {
	Prerequisites  []string `json:"prerequisites"` // identifiers or names of environments
	StrictOrder    bool     `json:"strict_order"`
	MinSoakMinutes int      `json:"min_soak_minutes"`
}

// Concurrency is the configuration of a concurrency rule.
type Concurrency struct {
	MaxInProgress     int `json:"max_in_progress"`
	Per               Per `json:"per"`
	StaleAfterMinutes int `json:"stale_after_minutes"`
}

// DeploymentRequest is the configuration of a rule that requires a deployment request.
type DeploymentRequest struct {
	RequiredApprovals    []ApprovalType `json:"required_approvals"`
	ApprovalTimeoutHours *int           `json:"approval_timeout_hours"` // nil: approvals do not expire
	RequirePreSteps      bool           `json:"require_pre_steps"`
}

// VersionApproval is the configuration of a rule that requires approvals of the version.
type VersionApproval struct {
	RequiredApprovals []ApprovalType `json:"required_approvals"`
	// Environment is an identifier or name. With it, only approvals for it count; without, those for every environment and those for
	// the environment of the deployment.
	Environment          *string `json:"environment"`
	ApprovalTimeoutHours *int    `json:"approval_timeout_hours"` // nil: approvals do not expire
}

// ApprovalType is what an approval is about.
type ApprovalType string

// The types of approvals.
const (
	UAT            ApprovalType = "uat"
	QA             ApprovalType = "qa"
	Performance    ApprovalType = "performance"
	Security       ApprovalType = "security"
	CodeReview     ApprovalType = "code_review"
	Compliance     ApprovalType = "compliance"
	ReleaseManager ApprovalType = "release_manager"
)

// ApprovalTypes returns the types of approvals.
func ApprovalTypes() []ApprovalType {
	return []ApprovalType{UAT, QA, Performance, Security, CodeReview, Compliance, ReleaseManager}
}

// Normalize returns the type that an alias stands for, and any other text unchanged.
func (t ApprovalType) Normalize() ApprovalType {
	switch t {
	case "product":
		return UAT
	case "qa_engineer":
		return QA
	default:
		return t
	}
}
