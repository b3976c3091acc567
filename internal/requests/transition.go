package requests

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// SlotPending is the status of a slot without a decision; that of others is the decision.
const SlotPending = "pending"

// Transition activates, deactivates, cancels or completes a request.
func (r Requests) Transition(ctx context.Context, target etag.Ref, verb Verb, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error { return c.transition(ctx, verb) })
}

func (c *change) transition(ctx context.Context, verb Verb) error {
	isCancelled := c.state.Status == policy.RequestCancelled
	if err := c.apply(Action{Verb: verb}); err != nil {
		return err
	}
	switch verb {
	case Activate:
		c.row.ActivatedBy, c.row.ActivatedByName, c.row.ActivatedAt = &c.actor.ID, &c.actor.Name, &c.now
	case Deactivate:
		c.row.ActivatedBy, c.row.ActivatedByName, c.row.ActivatedAt = nil, nil, nil
		if err := c.db.VoidRequestSlots(ctx, dbgen.VoidRequestSlotsParams{AccountID: c.row.AccountID, RequestID: c.row.ID}); err != nil {
			return postgres.Classify(err)
		}
		for i := range c.slots {
			c.slots[i].Status = SlotPending
		}
	case Cancel:
		if isCancelled {
			return nil
		}
		c.row.CancelledAt = &c.now
	case Complete:
		c.row.CompletedAt = &c.now
	case Approve, Reject, Reset, ChangePart, ChangeRest, Delete:
	}
	c.entry.action = string(verb)
	return nil
}

// Decision is what a user decides about a slot.
type Decision struct {
	Verb       Verb // Approve, Reject or Reset
	Comments   string
	Activation int64 // that the user has seen
}

// Decide stores a decision in a slot. Users decide about the types of their role, and not about their own requests unless the settings
// permit it; a rejection is reset by the user who gave it and still has such a role, by admins and by release managers. The error is Forbidden otherwise, and
// PreconditionFailed if the request was deactivated since the user has read it.
func (r Requests) Decide(
	ctx context.Context, target etag.Ref, slotID uuid.UUID, decision Decision, actor governance.Actor, now time.Time,
) (slot dbgen.DeploymentRequestApproval, err error) {
	decision.Comments = strings.TrimSpace(decision.Comments)
	err = r.change(ctx, target, actor, now, func(c *change) error {
		index, err := c.findSlot(slotID)
		if err != nil {
			return err
		}
		switch {
		case !c.mayDecide(decision.Verb, c.slots[index]):
			return errForbidden()
		case decision.Verb == Reject && decision.Comments == "":
			return apperr.NewInvalid(apperr.Field{Loc: []any{"body", "comments"}, Msg: "a rejection needs comments", Type: "value_error.missing"})
		case decision.Activation != c.row.Activation:
			return apperr.New(apperr.PreconditionFailed, "The deployment request was deactivated since you read it")
		}
		if err := c.apply(Action{Verb: decision.Verb, Slot: index}); err != nil {
			return err
		}
		if slot, err = c.decideSlot(ctx, c.slots[index].ID, decision); err != nil {
			return err
		}
		c.entry = entry{
			action: string(decision.Verb), subject: slot.ApprovalType, comments: decision.Comments,
			before: slotMembers(c.slots[index]), after: slotMembers(slot), slot: &slot, slotStatusBefore: c.slots[index].Status,
		}
		c.slots[index] = slot
		return nil
	})
	return slot, err
}

func (c *change) findSlot(id uuid.UUID) (int, error) {
	index := slices.IndexFunc(c.slots, func(slot dbgen.DeploymentRequestApproval) bool { return slot.ID == id })
	if index < 0 {
		return 0, errNotFound()
	}
	return index, nil
}

// mayDecide reports whether the actor may decide about a slot, or reset it.
func (c *change) mayDecide(verb Verb, slot dbgen.DeploymentRequestApproval) bool {
	isApprover := slices.Contains(approverRoles(slot), c.actor.Role)
	if verb == Reset {
		isRejecter := slot.DecidedBy != nil && *slot.DecidedBy == c.actor.ID
		return isRejecter && isApprover || slices.Contains([]string{authz.Admin, "release_manager"}, c.actor.Role)
	}
	return isApprover && !slices.Contains(c.requestersWithoutApproval(), c.actor.ID)
}

func (c *change) decideSlot(ctx context.Context, id uuid.UUID, decision Decision) (dbgen.DeploymentRequestApproval, error) {
	params := dbgen.DecideRequestSlotParams{AccountID: c.row.AccountID, ID: id, Status: SlotPending}
	if decision.Verb != Reset {
		params.Status = string(policy.Approved)
		if decision.Verb == Reject {
			params.Status = string(policy.Rejected)
		}
		params.DecidedBy, params.DecidedByName, params.ApproverRole, params.DecidedAt = &c.actor.ID, &c.actor.Name, &c.actor.Role, &c.now
		params.Comments = ptr.NonZero(decision.Comments)
	}
	slot, err := c.db.DecideRequestSlot(ctx, params)
	return slot, postgres.Classify(err)
}

// slotMembers returns the members of a slot that the audit log has the values of.
func slotMembers(slot dbgen.DeploymentRequestApproval) []audit.Member {
	return []audit.Member{
		{Name: slot.ApprovalType + ".required", Value: slot.Required},
		{Name: slot.ApprovalType + ".status", Value: slot.Status},
		{Name: slot.ApprovalType + ".comments", Value: slot.Comments},
	}
}
