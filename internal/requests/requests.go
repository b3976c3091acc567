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
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

const (
	maxOpen     = 1000 // requests of an account that are neither completed nor cancelled
	maxVersions = 200  // of a request
	// maxRequestsOfVersion bounds what the start of a deployment reads: the requests that are neither completed nor cancelled.
	maxRequestsOfVersion = 500
	maxSteps             = 50   // of a request
	maxPosition          = 1000 // of a step
)

// Slot is a slot for an approval to create.
type Slot struct {
	Type     policy.ApprovalType `json:"approval_type"`
	Required bool                `json:"required"`
}

// Step is a step to create.
type Step struct {
	Phase       string `json:"phase"` // PrePhase or PostPhase
	Title       string `json:"title"`
	Description string `json:"description"`
	Position    *int64 `json:"position"` // nil: behind the others of its phase
}

// The phases of steps: before and after the deployments.
const (
	PrePhase  = "pre"
	PostPhase = "post"
)

// New is a request to create.
type New struct {
	Name, Description string
	EnvironmentIDs    []uuid.UUID
	Approvals         []Slot
	Steps             []Step
	Gate              bool
}

// SlotProblems returns the problems of the slots in a body that describes a request or a template, beside those that its schema expresses.
func SlotProblems(body any) (fields []apperr.Field) {
	members, _ := body.(map[string]any)
	slots, _ := members["approvals"].([]any)
	seen := make(map[policy.ApprovalType]bool)
	for i, slot := range slots {
		members, _ := slot.(map[string]any)
		text, isText := members["approval_type"].(string)
		approvalType := policy.ApprovalType(text).Normalize()
		if isText && seen[approvalType] {
			fields = append(fields, apperr.Field{Loc: []any{"body", "approvals", i, "approval_type"}, Msg: "must not be repeated", Type: "value_error.duplicate"})
		}
		seen[approvalType] = true
	}
	return fields
}

// prepare normalizes a request.
func (n *New) prepare() {
	n.Name = strings.TrimSpace(n.Name)
	prepareSlots(n.Approvals)
	for i := range n.Steps {
		n.Steps[i].prepare(int64(i))
	}
}

// prepareSlots replaces aliases of types.
func prepareSlots(slots []Slot) {
	for i := range slots {
		slots[i].Type = slots[i].Type.Normalize()
	}
}

func (s *Step) prepare(position int64) {
	s.Title = strings.TrimSpace(s.Title)
	s.Position = new(ptr.Or(s.Position, position))
}

// Create makes a draft with its environments, slots and steps, and without versions.
func (r Requests) Create(ctx context.Context, accountID uuid.UUID, request New, actor governance.Actor, now time.Time) (id uuid.UUID, err error) {
	request.prepare()
	err = r.DB.WithTx(ctx, func(db *postgres.DB) error {
		c := &change{db: db, publicURL: r.PublicURL, hasMailer: r.HasMailer, actor: actor, now: now, entry: entry{action: "create"}}
		c.row, err = db.CreateDeploymentRequest(ctx, dbgen.CreateDeploymentRequestParams{
			AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Name: request.Name, Description: request.Description, Gate: request.Gate,
			CreatedBy: actor.ID, CreatedByName: actor.Name, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		id = c.row.ID
		if err := quota.Check(ctx, db, accountID, quota.OpenDeploymentRequests, maxOpen); err != nil {
			return err
		}
		if err := c.setEnvironments(ctx, request.EnvironmentIDs); err != nil {
			return err
		}
		for _, slot := range request.Approvals {
			created, err := c.createSlot(ctx, slot)
			if err != nil {
				return err
			}
			c.slots = append(c.slots, created)
		}
		for _, step := range request.Steps {
			if _, err := c.createStep(ctx, step); err != nil {
				return err
			}
		}
		c.entry.after = c.members()
		return c.record(ctx)
	})
	return id, err
}

// setEnvironments replaces the environments of a request. The error is NotFound for one that does not exist.
func (c *change) setEnvironments(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) > 0 {
		existing, err := existingEnvironments(ctx, c.db, c.row.AccountID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !existing[id] {
				return errNotFound()
			}
		}
		err = c.db.AddRequestEnvironments(ctx, dbgen.AddRequestEnvironmentsParams{
			AccountID: c.row.AccountID, RequestID: c.row.ID, EnvironmentIDs: ids, RequestedAt: &c.row.CreatedAt,
		})
		if err != nil {
			return postgres.Classify(err)
		}
	}
	err := c.db.RemoveRequestEnvironments(ctx, dbgen.RemoveRequestEnvironmentsParams{AccountID: c.row.AccountID, RequestID: c.row.ID, EnvironmentIDs: ids})
	if err != nil {
		return postgres.Classify(err)
	}
	return c.loadEnvironments(ctx)
}

func existingEnvironments(ctx context.Context, db *postgres.DB, accountID uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := db.ListNamedEnvironments(ctx, accountID)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	existing := make(map[uuid.UUID]bool, len(rows))
	for _, row := range rows {
		existing[row.ID] = true
	}
	return existing, nil
}

// Patch is what to change; nil stays.
type Patch struct {
	Name, Description *string
	Gate              *bool
	EnvironmentIDs    []uuid.UUID
}

// Update changes a request; its gate and environments in a draft only.
func (r Requests) Update(ctx context.Context, target etag.Ref, patch Patch, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error {
		before := c.members()
		c.row.Name = strings.TrimSpace(ptr.Or(patch.Name, c.row.Name))
		c.row.Description = ptr.Or(patch.Description, c.row.Description)
		verb := ChangeRest
		if gate := ptr.Or(patch.Gate, c.row.Gate); gate != c.row.Gate {
			c.row.Gate, verb = gate, ChangePart
		}
		if patch.EnvironmentIDs != nil {
			former := c.environments
			if err := c.setEnvironments(ctx, patch.EnvironmentIDs); err != nil {
				return err
			}
			if !slices.Equal(former, c.environments) {
				verb = ChangePart
			}
		}
		if len(audit.Compare(before, c.members())) == 0 {
			return nil
		}
		c.entry.action = "update"
		return c.apply(Action{Verb: verb})
	})
}

// Delete removes a draft.
func (r Requests) Delete(ctx context.Context, target etag.Ref, actor governance.Actor, now time.Time) error {
	return r.change(ctx, target, actor, now, func(c *change) error {
		c.row.DeletedAt = &now
		c.entry.action = "delete"
		return c.apply(Action{Verb: Delete})
	})
}
