package policy

import (
	"time"

	"github.com/google/uuid"
)

// Action is what came of a violation.
type Action string

// The actions: the violation blocks the start; is that of a rule with the mode report_only; is overridden by a break-glass grant; is
// skipped by a key that may skip; or is of a deployment that was reported at its end only.
const (
	ActionBlocked    Action = "blocked"
	ActionReported   Action = "reported"
	ActionOverridden Action = "overridden"
	ActionSkipped    Action = "skipped"
	ActionObserved   Action = "observed"
)

// Status is what became of an attempt.
type Status string

// The statuses. All but StatusBlocked mean that the deployment may start.
const (
	StatusPassed     Status = "passed"
	StatusSkipped    Status = "skipped"
	StatusOverridden Status = "overridden"
	StatusBlocked    Status = "blocked"
)

// Result is what one rule found.
type Result string

// The results.
const (
	ResultPassed     Result = "passed"
	ResultFailed     Result = "failed"
	ResultRolledBack Result = "rolled_back" // passed, as the attempt is a rollback
)

// Verdict is the result of Evaluate.
type Verdict struct {
	Status Status
	// Violations are those of enabled rules, and of deployment requests that block by themselves. The first one is that of the answer.
	Violations []Violation
	// Reports are those of rules that report only, in the same order.
	Reports []Violation
	// Evaluations has every rule that applies, in the order of priority, then of identifiers.
	Evaluations []Evaluation
	// GrantID is the grant that overrides the violations, which this start uses; uuid.Nil: none.
	GrantID uuid.UUID
	// DeploymentRequestID is the active request that names the version and environment, of several the one by which rules pass; uuid.Nil: none.
	DeploymentRequestID uuid.UUID
	// MayBeExcepted is whether the facts of exceptions, which are rollbacks and grants, may change the verdict: a rule has found something.
	MayBeExcepted bool
	// SkipIgnored is whether the event asks to skip the rules, and its key may not.
	SkipIgnored bool
}

// Violation is what one rule found.
type Violation struct {
	RuleID   uuid.UUID // uuid.Nil for a deployment request that blocks by itself
	RuleName string
	RuleType RuleType
	Priority int
	Action   Action
	Code     Code
	Message  string     // one sentence
	ClearsAt *time.Time // when the rule passes if nothing else happens; nil: waiting does not suffice
	Certain  bool       // nothing else can make it pass earlier, or keep it from passing at ClearsAt
	// Missing are the types of approvals that are missing.
	Missing []ApprovalType
	// DeploymentRequestID is the request that an approval is missing in, uuid.Nil if none is known.
	DeploymentRequestID uuid.UUID
	// Details are what else the violation is about.
	Details Details
}

// Details are what else a violation is about, which depends on its code.
type Details interface {
	// Members returns the members that the answer has for the code.
	Members() map[string]any
}

// Evaluation is the result of one rule that applies.
type Evaluation struct {
	RuleID   uuid.UUID
	RuleName string
	Mode     Mode
	Result   Result
	Message  string // of the violation
}

// Next is the result of NextAllowed. Grants are not considered.
type Next struct {
	// AllowedAt is the earliest time from the given one on at which no enabled rule blocks; nil: waiting does not suffice, or not until
	// the horizon.
	AllowedAt *time.Time
	// Certain is false if AllowedAt depends on when deployments in progress end.
	Certain bool
	// Binding is the rule that blocks until AllowedAt, or one that never passes; nil if the deployment may start now.
	Binding *Binding
	// EarliestAfterApprovals is AllowedAt without the rules and requests that need approvals.
	EarliestAfterApprovals *time.Time
	// BlockAt is the first time after AllowedAt at which a rule blocks; nil: none until the horizon.
	BlockAt *time.Time
	// IsEndless is whether the schedules alone block until the horizon.
	IsEndless bool
}

// Binding is the rule that determines when a deployment may start.
type Binding struct {
	ID   uuid.UUID `json:"id"` // uuid.Nil for a deployment request that blocks by itself
	Name string    `json:"name"`
	Type RuleType  `json:"type"`
}

// Allowed reports whether the deployment may start.
func (v Verdict) Allowed() bool { return v.Status != StatusBlocked }
