package policy

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Attempt is a start of a deployment that is evaluated.
type Attempt struct {
	// DeploymentID is the record that would become started, uuid.Nil if there is none yet. It does not count as in progress.
	DeploymentID uuid.UUID
	InvokeID     string // of the CI run, empty if unknown
	Attempt      int64  // of the run, 0 if unknown

	SkipRequested bool // the event has skip_preflight_checks
	SkipPermitted bool // the API key has the scope for it
}

// skips reports whether the attempt skips all rules but those of concurrency.
func (a *Attempt) skips() bool { return a.SkipRequested && a.SkipPermitted }

// Facts is what rules depend on, as far as it concerns the version, product and environment of an attempt. What does not exist yet has the
// identifier uuid.Nil. Facts are of the present: Evaluate at a later time supposes that nothing else happens until then.
type Facts struct {
	Product     Ref
	Environment Ref
	Version     Version
	// Current is the version that is the current one of the product and environment, nil if there is none.
	Current *uuid.UUID
	// Environments finds those that rules refer to by identifier or name. Without it, prerequisites are never met.
	Environments *Environments

	// Runs has, by environment, the times in which the version was the current one of the product: from a completion until another version
	// completed. They may overlap or touch where the version was deployed again.
	Runs map[uuid.UUID][]Span
	// Completed has, by environment, when deployments of the version completed, in any order.
	Completed map[uuid.UUID][]time.Time

	Slots     []Slot     // the deployments of the account that are started
	Approvals []Approval // of the version
	Requests  []Request  // those that name the version; others do not matter
	Grants    []Grant    // those that are active; others than those for this start do not matter
}

// Ref is a product or environment. Names has the current name first, then former ones.
type Ref struct {
	ID    uuid.UUID
	Names []string
	Type  string // of an environment
}

// Version is a version of the product.
type Version struct {
	ID   uuid.UUID
	Name string
}

// Span is the time [From, Until). A zero Until means that it has not ended.
type Span struct{ From, Until time.Time }

// Slot is an admitted deployment with the status started.
type Slot struct {
	DeploymentID uuid.UUID
	Product      Ref
	Environment  Ref
	VersionID    uuid.UUID
	InvokeID     string // empty if unknown
	Attempt      int64  // 0 if unknown
	Holder       string // who deploys, for the user; empty if unknown
	StartedAt    time.Time
	LastEventAt  time.Time
}

// Decision is an answer of an approver.
type Decision string

// The decisions. A slot of a request that was not decided has the empty one.
const (
	Approved Decision = "approved"
	Rejected Decision = "rejected"
)

// Approval is a decision about a version. Of each type and environment, the latest one that is not revoked counts.
type Approval struct {
	Type          ApprovalType
	Decision      Decision
	EnvironmentID *uuid.UUID // nil: for every environment
	GivenAt       time.Time
	Revoked       bool
}

// RequestStatus is the status of a deployment request.
type RequestStatus string

// The statuses of requests.
const (
	RequestDraft      RequestStatus = "draft"
	RequestInProgress RequestStatus = "in_progress"
	RequestApproved   RequestStatus = "approved"
	RequestRejected   RequestStatus = "rejected"
	RequestCompleted  RequestStatus = "completed"
	RequestCancelled  RequestStatus = "cancelled"
)

// Request is a deployment request.
type Request struct {
	ID             uuid.UUID
	Name           string
	Status         RequestStatus
	Gate           bool // while in progress or rejected, it blocks its versions without any rule
	VersionIDs     []uuid.UUID
	EnvironmentIDs []uuid.UUID
	Approvals      []RequestApproval
	OpenPreSteps   int // how many steps before the deployment are not done
}

// RequestApproval is a slot for an approval of a deployment request.
type RequestApproval struct {
	Type      ApprovalType
	Required  bool
	Decision  Decision // empty until decided
	DecidedAt time.Time
}

// Grant is a break-glass grant that is active until ExpiresAt.
type Grant struct {
	ID            uuid.UUID
	ProductID     uuid.UUID
	EnvironmentID uuid.UUID
	Version       string
	RuleTypes     []RuleType // that it covers
	ExpiresAt     time.Time
}

// Environments finds environments by identifier or name.
type Environments struct {
	ids    map[uuid.UUID]bool
	names  map[string]uuid.UUID
	folded map[string]uuid.UUID
}

// NewEnvironments returns the index of an account's environments. It is safe for concurrent use.
func NewEnvironments(refs []Ref) *Environments {
	e := &Environments{ids: make(map[uuid.UUID]bool, len(refs)), names: make(map[string]uuid.UUID, len(refs)), folded: make(map[string]uuid.UUID, len(refs))}
	for _, ref := range refs {
		e.ids[ref.ID] = true
		for _, name := range ref.Names {
			e.names[name] = ref.ID
			// Of names that differ in case only, a rule that gives neither exactly means the environment with the lowest identifier.
			if other, isTaken := e.folded[fold(name)]; !isTaken || ref.ID.String() < other.String() {
				e.folded[fold(name)] = ref.ID
			}
		}
	}
	return e
}

// Find returns the environment with the identifier or name: exactly it, or regardless of case.
func (e *Environments) Find(text string) (uuid.UUID, bool) { return e.find(newReference(text)) }

func (e *Environments) find(reference reference) (uuid.UUID, bool) {
	if e == nil {
		return uuid.Nil, false
	}
	if reference.id != uuid.Nil && e.ids[reference.id] {
		return reference.id, true
	}
	if id, isKnown := e.names[reference.name]; isKnown {
		return id, true
	}
	id, isKnown := e.folded[reference.folded]
	return id, isKnown
}

// reference is an identifier or a name in a rule.
type reference struct {
	name, folded string
	id           uuid.UUID // uuid.Nil if the text is none
}

func newReference(text string) reference {
	r := reference{name: text, folded: fold(text)}
	if id, err := uuid.Parse(text); err == nil {
		r.id = id
	}
	return r
}

// fold returns the form in which names that differ in case only are equal.
func fold(name string) string { return strings.ToLower(name) }
