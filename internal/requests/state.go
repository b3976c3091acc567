// Package requests implements deployment requests: which versions shall be deployed to which environments, who has to approve it, and
// what is to do before and after. Apply decides what happens to a request; the other files load and store it.
package requests

import (
	"slices"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/policy"
)

// Verb is what is done to a request.
type Verb string

// The verbs. A part is a version, an environment, a required slot or a step before the deployments: what approvers have agreed to.
const (
	Activate   Verb = "activate"
	Deactivate Verb = "deactivate"
	Cancel     Verb = "cancel"
	Complete   Verb = "complete"
	Approve    Verb = "approve" // a slot
	Reject     Verb = "reject"  // a slot
	Reset      Verb = "reset"   // a slot
	ChangePart Verb = "change_part"
	ChangeRest Verb = "change_rest" // names, optional slots, steps after the deployments, and whether steps are done
	Delete     Verb = "delete"
)

// Action is a verb, with the index of its slot.
type Action struct {
	Verb Verb
	Slot int
}

// SlotState is what a slot for an approval contributes to the status of its request.
type SlotState struct {
	Required bool
	Decision policy.Decision // empty until decided
}

// State is what decides how a request continues.
type State struct {
	Status       policy.RequestStatus
	Activation   int64
	Versions     int
	Environments int
	Slots        []SlotState
}

// Apply returns the state after an action. The error is Conflict if the request does not permit the action in its status. It is pure: the
// caller decides before who may do it.
func Apply(state State, action Action) (State, error) {
	if !isPermitted(state.Status, action.Verb) {
		return state, errStatus(state.Status)
	}
	next := state
	next.Slots = slices.Clone(state.Slots)
	switch action.Verb {
	case Activate:
		switch {
		case state.Versions == 0:
			return state, apperr.New(apperr.Conflict, "The deployment request has no versions")
		case state.Environments == 0:
			return state, apperr.New(apperr.Conflict, "The deployment request has no environments")
		}
		next.Status = decidedStatus(next.Slots)
	case Deactivate:
		for i := range next.Slots {
			next.Slots[i].Decision = ""
		}
		next.Status = policy.RequestDraft
		next.Activation++
	case Cancel:
		next.Status = policy.RequestCancelled
	case Complete:
		next.Status = policy.RequestCompleted
	case Approve, Reject:
		next.Slots[action.Slot].Decision = policy.Approved
		if action.Verb == Reject {
			next.Slots[action.Slot].Decision = policy.Rejected
		}
		next.Status = decidedStatus(next.Slots)
	case Reset:
		if next.Slots[action.Slot].Decision != policy.Rejected {
			return state, apperr.New(apperr.Conflict, "The slot is not rejected")
		}
		next.Slots[action.Slot].Decision = ""
		next.Status = decidedStatus(next.Slots)
	case ChangePart, ChangeRest, Delete:
	}
	return next, nil
}

// isPermitted reports whether the status permits the verb. Cancelling a cancelled request changes nothing.
func isPermitted(status policy.RequestStatus, verb Verb) bool {
	var statuses []policy.RequestStatus
	switch verb {
	case Activate, ChangePart, Delete:
		statuses = []policy.RequestStatus{policy.RequestDraft}
	case Deactivate:
		statuses = []policy.RequestStatus{policy.RequestInProgress, policy.RequestApproved, policy.RequestRejected}
	case Approve, Reject:
		statuses = []policy.RequestStatus{policy.RequestInProgress, policy.RequestApproved}
	case Reset: // optional slots are rejected in requests that are not
		statuses = []policy.RequestStatus{policy.RequestInProgress, policy.RequestApproved, policy.RequestRejected}
	case Complete:
		statuses = []policy.RequestStatus{policy.RequestApproved}
	case ChangeRest:
		return status != policy.RequestCompleted && status != policy.RequestCancelled
	case Cancel:
		return status != policy.RequestCompleted
	}
	return slices.Contains(statuses, status)
}

// decidedStatus returns the status of an active request with the slots.
func decidedStatus(slots []SlotState) policy.RequestStatus {
	status := policy.RequestApproved
	for _, slot := range slots {
		switch {
		case !slot.Required || slot.Decision == policy.Approved:
		case slot.Decision == policy.Rejected:
			return policy.RequestRejected
		default:
			status = policy.RequestInProgress
		}
	}
	return status
}

func errStatus(status policy.RequestStatus) error {
	words := map[policy.RequestStatus]string{policy.RequestDraft: "a draft", policy.RequestInProgress: "in progress"}
	word, isOther := words[status]
	if !isOther {
		word = string(status)
	}
	return apperr.New(apperr.Conflict, "The deployment request is "+word)
}
