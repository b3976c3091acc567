package requests

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// AddVersion adds a version to a draft, in the place of another one of its product. Adding it again changes nothing.
func (r Requests) AddVersion(ctx context.Context, target etag.Ref, versionID uuid.UUID, actor governance.Actor, now time.Time) (version dbgen.VersionDetail, err error) {
	err = r.change(ctx, target, actor, now, func(c *change) error {
		version, err = c.db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: target.AccountID, ID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := c.apply(Action{Verb: ChangePart}); err != nil {
			return err
		}
		replaced, err := c.db.GetRequestVersion(ctx, dbgen.GetRequestVersionParams{AccountID: target.AccountID, RequestID: target.ID, ProductID: version.ProductID})
		if err = postgres.Classify(err); err != nil && !apperr.Is(err, apperr.NotFound) {
			return err
		}
		if replaced.ID == uuid.Nil && c.state.Versions >= maxVersions {
			return tooMany("version_id", "versions", maxVersions)
		}
		naming, err := c.db.CountOpenRequestsOfVersion(ctx, dbgen.CountOpenRequestsOfVersionParams{AccountID: target.AccountID, VersionID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		if naming >= maxRequestsOfVersion && replaced.ID != versionID {
			return apperr.NewInvalid(apperr.Field{
				Loc: []any{"body", "version_id"}, Msg: fmt.Sprintf("%d open deployment requests name the version: the maximum", maxRequestsOfVersion), Type: "value_error.quota",
			})
		}
		changed, err := c.db.PutRequestVersion(ctx, dbgen.PutRequestVersionParams{
			AccountID: target.AccountID, RequestID: target.ID, ProductID: version.ProductID, VersionID: versionID,
		})
		if err != nil || changed == 0 {
			return postgres.Classify(err)
		}
		c.entry = entry{action: "add_version", subject: nameOf(version), before: versionMembers(replaced), after: versionMembers(version)}
		return nil
	})
	return version, err
}

func tooMany(member, parts string, limit int) error {
	return apperr.NewInvalid(apperr.Field{
		Loc: []any{"body", member}, Msg: fmt.Sprintf("the deployment request has its maximum of %d %s", limit, parts), Type: "value_error.quota",
	})
}

// RemoveVersion takes a version out of a draft; the error is NotFound when it is not in the request.
func (r Requests) RemoveVersion(ctx context.Context, target etag.Ref, versionID uuid.UUID, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error {
		version, err := c.db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: target.AccountID, ID: versionID})
		if err = postgres.Classify(err); apperr.Is(err, apperr.NotFound) { // of a deleted product
			version.Version = versionID.String()
		} else if err != nil {
			return err
		}
		removed, err := c.db.RemoveRequestVersion(ctx, dbgen.RemoveRequestVersionParams{AccountID: target.AccountID, RequestID: target.ID, VersionID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		if removed == 0 {
			return errNotFound()
		}
		c.entry = entry{action: "remove_version", subject: nameOf(version), before: versionMembers(version), after: versionMembers(dbgen.VersionDetail{})}
		return c.apply(Action{Verb: ChangePart})
	})
}

func nameOf(version dbgen.VersionDetail) string {
	return strings.TrimSpace(version.ProductName + " " + version.Version)
}

// versionMembers returns a version as a member of a request; the zero value is none.
func versionMembers(version dbgen.VersionDetail) []audit.Member {
	return []audit.Member{{Name: "versions", Value: nameOf(version)}}
}

// AddSlot adds a slot for an approval: a required one in a draft only.
func (r Requests) AddSlot(ctx context.Context, target etag.Ref, slot Slot, actor governance.Actor, now time.Time) (row dbgen.DeploymentRequestApproval, err error) {
	slot.Type = slot.Type.Normalize()
	err = r.change(ctx, target, actor, now, func(c *change) error {
		if err := c.apply(Action{Verb: verbOf(slot.Required)}); err != nil {
			return err
		}
		if row, err = c.createSlot(ctx, slot); err != nil {
			return err
		}
		c.entry = entry{action: "add_slot", subject: row.ApprovalType, after: slotMembers(row)}
		return nil
	})
	return row, err
}

// verbOf returns the verb for a change of a part that approvers agree to, or of another one.
func verbOf(isAgreed bool) Verb {
	if isAgreed {
		return ChangePart
	}
	return ChangeRest
}

func (c *change) createSlot(ctx context.Context, slot Slot) (dbgen.DeploymentRequestApproval, error) {
	row, err := c.db.CreateRequestSlot(ctx, dbgen.CreateRequestSlotParams{
		AccountID: c.row.AccountID, ID: uuid.Must(uuid.NewV7()), RequestID: c.row.ID, ApprovalType: string(slot.Type), Required: slot.Required, Now: c.now,
	})
	if err = postgres.Classify(err); apperr.Is(err, apperr.NotFound) { // no row
		err = apperr.New(apperr.Conflict, "The deployment request has a slot of the type "+slot.Type.Words())
	}
	return row, err
}

// RemoveSlot removes a slot: a required one in a draft only, and a rejected one never, as adding it again would reset it.
func (r Requests) RemoveSlot(ctx context.Context, target etag.Ref, slotID uuid.UUID, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error {
		index, err := c.findSlot(slotID)
		if err != nil {
			return err
		}
		slot := c.slots[index]
		if err := c.apply(Action{Verb: verbOf(slot.Required)}); err != nil {
			return err
		}
		if c.state.Slots[index].Decision == policy.Rejected {
			return apperr.New(apperr.Conflict, "The slot is rejected: reset it before")
		}
		c.entry = entry{action: "remove_slot", subject: slot.ApprovalType, before: slotMembers(slot)}
		return postgres.Classify(c.db.DeleteRequestSlot(ctx, dbgen.DeleteRequestSlotParams{AccountID: target.AccountID, ID: slotID}))
	})
}

// AddStep adds a step: one before the deployments in a draft only.
func (r Requests) AddStep(ctx context.Context, target etag.Ref, step Step, actor governance.Actor, now time.Time) (row dbgen.DeploymentRequestStep, err error) {
	err = r.change(ctx, target, actor, now, func(c *change) error {
		if err := c.apply(Action{Verb: verbOf(step.Phase == PrePhase)}); err != nil {
			return err
		}
		existing, err := c.db.CountRequestSteps(ctx, dbgen.CountRequestStepsParams{AccountID: target.AccountID, RequestID: target.ID, Phase: step.Phase})
		if err != nil {
			return postgres.Classify(err)
		}
		if existing.Steps >= maxSteps {
			return tooMany("title", "steps", maxSteps)
		}
		step.prepare(min(existing.NextPosition, maxPosition)) // those of a position are in the order in which they were added
		if row, err = c.createStep(ctx, step); err != nil {
			return err
		}
		c.entry = entry{action: "add_step", subject: row.Title, after: stepMembers(row)}
		return nil
	})
	return row, err
}

func (c *change) createStep(ctx context.Context, step Step) (dbgen.DeploymentRequestStep, error) {
	row, err := c.db.CreateRequestStep(ctx, dbgen.CreateRequestStepParams{
		AccountID: c.row.AccountID, ID: uuid.Must(uuid.NewV7()), RequestID: c.row.ID, Phase: step.Phase, Title: step.Title, Description: step.Description,
		Position: *step.Position, Now: c.now,
	})
	return row, postgres.Classify(err)
}

// RemoveStep removes a step: one before the deployments in a draft only.
func (r Requests) RemoveStep(ctx context.Context, target etag.Ref, stepID uuid.UUID, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error {
		step, err := c.findStep(ctx, stepID)
		if err != nil {
			return err
		}
		if err := c.apply(Action{Verb: verbOf(step.Phase == PrePhase)}); err != nil {
			return err
		}
		c.entry = entry{action: "remove_step", subject: step.Title, before: stepMembers(step)}
		return postgres.Classify(c.db.DeleteRequestStep(ctx, dbgen.DeleteRequestStepParams{AccountID: target.AccountID, ID: stepID}))
	})
}

func (c *change) findStep(ctx context.Context, id uuid.UUID) (dbgen.DeploymentRequestStep, error) {
	step, err := c.db.GetRequestStep(ctx, dbgen.GetRequestStepParams{AccountID: c.row.AccountID, RequestID: c.row.ID, ID: id})
	return step, postgres.Classify(err)
}

// FinishStep stores whether a step is done. Storing it again changes nothing.
func (r Requests) FinishStep(ctx context.Context, target etag.Ref, stepID uuid.UUID, isDone bool, actor governance.Actor, now time.Time) (step dbgen.DeploymentRequestStep, err error) {
	err = r.change(ctx, target, actor, now, func(c *change) error {
		if step, err = c.findStep(ctx, stepID); err != nil {
			return err
		}
		if err := c.apply(Action{Verb: ChangeRest}); err != nil {
			return err
		}
		if isDone == (step.CompletedAt != nil) {
			return nil
		}
		before, params := step, dbgen.FinishRequestStepParams{AccountID: target.AccountID, ID: stepID}
		c.entry.action = "reopen_step"
		if isDone {
			c.entry.action = "complete_step"
			params.CompletedBy, params.CompletedByName, params.CompletedAt = &actor.ID, &actor.Name, &now
		}
		if step, err = c.db.FinishRequestStep(ctx, params); err != nil {
			return postgres.Classify(err)
		}
		c.entry.subject, c.entry.before, c.entry.after = step.Title, stepMembers(before), stepMembers(step)
		return nil
	})
	return step, err
}

// stepMembers returns the members of a step that the audit log has the values of.
func stepMembers(step dbgen.DeploymentRequestStep) []audit.Member {
	return []audit.Member{{Name: "step", Value: step.Title}, {Name: "phase", Value: step.Phase}, {Name: "is_done", Value: step.CompletedAt != nil}}
}
