package requests

import (
	"context"
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
)

// Requests changes deployment requests. Changes of an account's requests wait for each other, and for the starts of deployments under
// rules; each change of an active request increments the revision of the account's governance, which servers compare.
type Requests struct {
	DB        *postgres.DB
	Changes   governance.Announcer
	PublicURL string // of the server, without a slash at its end, for links in notifications; empty: they are paths
	HasMailer bool   // users get e-mails
}

// change is a request that a transaction has locked, and what is stored and recorded of it at the end.
type change struct {
	db        *postgres.DB
	publicURL string
	hasMailer bool
	settings  dbgen.GovernanceState
	actor     governance.Actor // without a name for the server
	now       time.Time

	row          dbgen.DeploymentRequest
	environments []dbgen.ListRequestEnvironmentsRow
	slots        []dbgen.DeploymentRequestApproval
	state        State

	entry entry
}

// entry is what has happened to a request, for its activity and the audit log.
type entry struct {
	action            string // empty: nothing
	subject, comments string
	before, after     []audit.Member // of a part that has changed

	slot             *dbgen.DeploymentRequestApproval // of a decision
	slotStatusBefore string
}

// change changes a request. Its revision stays if fn records nothing.
func (r Requests) change(ctx context.Context, target etag.Ref, actor governance.Actor, now time.Time, fn func(*change) error) error {
	return r.DB.WithTx(ctx, func(db *postgres.DB) error {
		c, err := load(ctx, db, target, actor, now)
		if err != nil {
			return err
		}
		c.publicURL, c.hasMailer = r.PublicURL, r.HasMailer
		before, members := c.row, c.members()
		if err := fn(c); err != nil || c.entry.action == "" {
			return err
		}
		if c.row, err = db.UpdateDeploymentRequest(ctx, updateParams(c.row, now)); err != nil {
			return postgres.Classify(err)
		}
		if isOpen(before) && !isOpen(c.row) {
			err := db.CloseRequestVersions(ctx, dbgen.CloseRequestVersionsParams{AccountID: target.AccountID, RequestID: target.ID})
			if err != nil {
				return postgres.Classify(err)
			}
		}
		c.entry.before, c.entry.after = append(members, c.entry.before...), append(c.members(), c.entry.after...)
		if err := c.record(ctx); err != nil {
			return err
		}
		if isGate(before) == isGate(c.row) {
			return nil
		}
		return r.Changes.IncrementRevision(ctx, db, target.AccountID)
	})
}

// load locks a request, behind the account's governance as starts of deployments do, and reads what its state depends on.
func load(ctx context.Context, db *postgres.DB, target etag.Ref, actor governance.Actor, now time.Time) (*change, error) {
	settings, err := governance.LockState(ctx, db, target.AccountID)
	if err != nil {
		return nil, err
	}
	c := &change{db: db, settings: settings, actor: actor, now: now}
	if c.row, err = db.GetDeploymentRequestForUpdate(ctx, dbgen.GetDeploymentRequestForUpdateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	if err := target.Verify(c.row.Revision); err != nil {
		return nil, err
	}
	if c.slots, err = db.ListRequestSlots(ctx, dbgen.ListRequestSlotsParams{AccountID: target.AccountID, Requests: []uuid.UUID{target.ID}}); err != nil {
		return nil, postgres.Classify(err)
	}
	if err := c.loadEnvironments(ctx); err != nil {
		return nil, err
	}
	versions, err := db.CountRequestVersions(ctx, dbgen.CountRequestVersionsParams{AccountID: target.AccountID, RequestID: target.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	c.state = State{
		Status: policy.RequestStatus(c.row.Status), Activation: c.row.Activation, Versions: int(versions), Environments: len(c.environments),
	}
	for _, slot := range c.slots {
		c.state.Slots = append(c.state.Slots, SlotState{Required: slot.Required, Decision: decisionOf(slot)})
	}
	return c, nil
}

func (c *change) loadEnvironments(ctx context.Context) (err error) {
	c.environments, err = c.db.ListRequestEnvironments(ctx, dbgen.ListRequestEnvironmentsParams{AccountID: c.row.AccountID, Requests: []uuid.UUID{c.row.ID}})
	return postgres.Classify(err)
}

// decisionOf returns the decision in a slot, empty if there is none.
func decisionOf(slot dbgen.DeploymentRequestApproval) policy.Decision {
	if slot.Status == SlotPending {
		return ""
	}
	return policy.Decision(slot.Status)
}

// apply continues the state of the request.
func (c *change) apply(action Action) error {
	next, err := Apply(c.state, action)
	if err != nil {
		return err
	}
	c.state = next
	c.row.Status, c.row.Activation = string(next.Status), next.Activation
	return nil
}

// record stores what has happened in the activity of the request and in the audit log, and notifies subscribers of it.
func (c *change) record(ctx context.Context) error {
	activity := dbgen.CreateRequestActivityParams{
		AccountID: c.row.AccountID, ID: uuid.Must(uuid.NewV7()), RequestID: c.row.ID, Now: c.now, Action: c.entry.action, Status: c.row.Status,
		Activation: c.row.Activation, Subject: ptr.NonZero(c.entry.subject), Comments: ptr.NonZero(c.entry.comments), ActorName: ptr.NonZero(c.actor.Name),
	}
	if c.actor.Name != "" {
		activity.ActorID = &c.actor.ID
	}
	if err := c.db.CreateRequestActivity(ctx, activity); err != nil {
		return postgres.Classify(err)
	}
	err := audit.Record(ctx, c.db, audit.Change{
		AccountID: c.row.AccountID, Action: "deployment_request." + c.entry.action, ObjectType: "deployment_request", ObjectID: c.row.ID, ObjectName: c.row.Name,
		Values: audit.Compare(c.entry.before, c.entry.after),
	})
	if err != nil {
		return err
	}
	return c.notify(ctx)
}

// members returns the members that the audit log has the values of.
func (c *change) members() []audit.Member {
	names := make([]string, len(c.environments))
	for i, environment := range c.environments {
		names[i] = environment.Name
	}
	return []audit.Member{
		{Name: "name", Value: c.row.Name},
		{Name: "description", Value: c.row.Description},
		{Name: "gate", Value: c.row.Gate},
		{Name: "status", Value: c.row.Status},
		{Name: "activation", Value: c.row.Activation},
		{Name: "environments", Value: strings.Join(names, ", ")},
	}
}

// isOpen reports whether starts of deployments may depend on a request, if not now, then later.
func isOpen(row dbgen.DeploymentRequest) bool {
	status := policy.RequestStatus(row.Status)
	return row.DeletedAt == nil && status != policy.RequestCompleted && status != policy.RequestCancelled
}

// isGate reports whether starts of deployments look for a request although no rule requires one.
func isGate(row dbgen.DeploymentRequest) bool {
	switch policy.RequestStatus(row.Status) {
	case policy.RequestInProgress, policy.RequestApproved, policy.RequestRejected:
		return row.Gate
	case policy.RequestDraft, policy.RequestCompleted, policy.RequestCancelled:
	}
	return false
}

func updateParams(row dbgen.DeploymentRequest, now time.Time) dbgen.UpdateDeploymentRequestParams {
	return dbgen.UpdateDeploymentRequestParams{
		AccountID: row.AccountID, ID: row.ID, Name: row.Name, Description: row.Description, Status: row.Status, Gate: row.Gate, Activation: row.Activation,
		ActivatedBy: row.ActivatedBy, ActivatedByName: row.ActivatedByName, ActivatedAt: row.ActivatedAt, CompletedAt: row.CompletedAt,
		CancelledAt: row.CancelledAt, DeletedAt: row.DeletedAt, Now: now,
	}
}

func errNotFound() error { return apperr.New(apperr.NotFound, "Not found") }

func errForbidden() error {
	return apperr.New(apperr.Forbidden, "You do not have permission to perform this action")
}
