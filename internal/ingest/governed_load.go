package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// errRulesChanged means that the rules of an account were read, and that the transaction has to run again with them: they determine its
// locks and facts.
var errRulesChanged = errors.New("the rules of an account are not those that the batch began with")

// errNeedsExceptions means that rules have found something about a start, and that the transaction has to run again with the facts of
// exceptions, which are rollbacks and grants: few starts need them.
var errNeedsExceptions = errors.New("a start may be an exception")

// errFactsMissing means that starts need more facts than was supposed, and that the transaction has to run again.
var errFactsMissing = errors.New("starts need facts that were not read")

// governedAccounts is what a transaction knows of the rules of the accounts of its starts before it reads their revisions.
type governedAccounts struct {
	rules      map[uuid.UUID]*Rules // nil for an account that is not known
	revisions  map[uuid.UUID]int64  // in the database, once they are read; none for an account without governance
	starts     []Start
	hasHad     map[uuid.UUID]bool // the accounts that have or had rules, and therefore may have attempts
	generation uint64
	now        time.Time
}

// queueGovernance locks the revisions of the rules of the accounts of starts: before anything else of an account, in the order of the key,
// and against other starts where a rule counts deployments of more than one pair. Without rules it queues nothing, and returns nil if there
// were none either.
func (t *transaction) queueGovernance(batch *pgx.Batch) *governedAccounts {
	if t.governance == nil || t.kind != Deployment {
		return nil
	}
	g := &governedAccounts{
		generation: t.governance.Generation(), now: t.clock(), rules: make(map[uuid.UUID]*Rules), revisions: make(map[uuid.UUID]int64),
		hasHad: make(map[uuid.UUID]bool),
	}
	for _, accountID := range t.accounts {
		rules, isLoaded := t.rules[accountID]
		isCertain := false
		if !isLoaded {
			rules, isCertain = t.governance.Rules(accountID, g.now)
		}
		if !isCertain || !rules.IsEmpty() {
			g.rules[accountID] = rules
		}
		if rules != nil && rules.Revision > 0 {
			g.hasHad[accountID] = true
		}
	}
	if len(g.rules) == 0 && len(g.hasHad) == 0 {
		return nil
	}
	for _, event := range t.events {
		rules, isGoverned := g.rules[event.AccountID]
		if isGoverned && (event.Status == Started || rules == nil && event.Status.IsTerminal()) { // of unknown accounts, the rules are read
			g.starts = append(g.starts, startOf(event))
		}
	}
	g.queueLocks(batch)
	return g
}

// lockGovernance takes those locks alone, before the names that the transaction creates: changes of names lock governance first, too.
func (t *transaction) lockGovernance(ctx context.Context) error {
	batch := &pgx.Batch{}
	t.queueGovernance(batch)
	if batch.Len() == 0 {
		return nil
	}
	return t.tx.Send(ctx, batch)
}

// queueLocks queues a statement for each sequence of accounts that are locked alike.
func (g *governedAccounts) queueLocks(batch *pgx.Batch) {
	var accounts []uuid.UUID
	for _, start := range g.starts {
		accounts = append(accounts, start.AccountID)
	}
	slices.SortFunc(accounts, func(one, other uuid.UUID) int { return bytes.Compare(one[:], other[:]) })
	accounts = slices.Compact(accounts)
	add := func(row dbgen.LockGovernanceRevisionsRow) { g.revisions[row.AccountID] = row.Revision }
	for len(accounts) > 0 {
		isWide, n := g.isWide(accounts[0]), 1
		for n < len(accounts) && g.isWide(accounts[n]) == isWide {
			n++
		}
		query := dbgen.ShareGovernanceRevisions
		if isWide {
			query = dbgen.LockGovernanceRevisions
		}
		postgres.QueueRows(batch, query, struct{ Accounts []uuid.UUID }{accounts[:n]}, add)
		accounts = accounts[n:]
	}
}

func (g *governedAccounts) isWide(accountID uuid.UUID) bool {
	rules := g.rules[accountID]
	return !rules.IsEmpty() && rules.IsWide
}

// queueFacts queues the statements that read the facts of starts, and the attempts of events without a run.
func (t *transaction) queueFacts(batch *pgx.Batch, g *governedAccounts) {
	if g == nil {
		return
	}
	starting := make(map[uuid.UUID]*Rules)
	var starts []Start
	for _, start := range g.starts {
		if rules := g.rules[start.AccountID]; !rules.IsEmpty() {
			starting[start.AccountID] = rules
			starts = append(starts, start)
		}
	}
	if len(starts) > 0 {
		t.state.governed.rules = starting
		t.state.governed.facts = t.governance.QueueFacts(batch, starting, starts, t.exceptions, g.now)
		t.state.governed.hasExceptions = t.exceptions
	}
	withoutRun := gather(slices.DeleteFunc(slices.Clone(t.events), func(e Event) bool {
		return !g.hasHad[e.AccountID] || e.InvokeID != "" || e.Status == Pending
	}), runOf)
	if len(withoutRun.accountIDs) > 0 {
		postgres.QueueRows(batch, dbgen.ListAttemptsWithoutRun, dbgen.ListAttemptsWithoutRunParams{
			AccountIDs: withoutRun.accountIDs, ProductNames: withoutRun.products, EnvironmentNames: withoutRun.environments,
			Versions: withoutRun.versions, Since: g.now.Add(-attemptRetention),
		}, t.state.addDeployment)
	}
}

// checkRules compares the rules with the revisions that were read. It reads those that differ.
func (t *transaction) checkRules(ctx context.Context, g *governedAccounts) error {
	if g == nil {
		return nil
	}
	unchanged, changed := make(map[uuid.UUID]*Rules), make(map[uuid.UUID]int64)
	for _, start := range g.starts {
		rules, revision := g.rules[start.AccountID], g.revisions[start.AccountID]
		switch {
		case rules != nil && rules.Revision == revision:
			unchanged[start.AccountID] = rules
		case revision == 0:
			unchanged[start.AccountID] = &Rules{CompiledAt: g.now}
		default:
			changed[start.AccountID] = revision
		}
	}
	t.governance.Put(g.generation, unchanged)
	if len(changed) > 0 {
		loaded, err := t.governance.LoadRules(ctx, t.tx, changed, g.now)
		if err != nil {
			return err
		}
		t.governance.Put(g.generation, loaded)
		if t.rules == nil {
			t.rules = make(map[uuid.UUID]*Rules)
		}
		maps.Copy(t.rules, loaded)
		return errRulesChanged
	}
	for accountID, rules := range g.rules {
		t.state.governed.observing[accountID] = !rules.IsEmpty()
	}
	if t.state.governed.facts == nil {
		return nil
	}
	if !t.state.governed.facts.IsComplete() {
		return errFactsMissing
	}
	t.state.loadSlots(g.now)
	return nil
}

// queueGoverned writes what starts under rules have left.
func (w *workingSet) queueGoverned(ctx context.Context, batch *pgx.Batch) error {
	w.queueSlots(batch)
	w.queueViolations(batch)
	if err := w.queueObserved(ctx, batch); err != nil {
		return err
	}
	return w.queueUsedGrants(ctx, batch)
}

// maxObserved bounds the deployments of a job.
const maxObserved = 20

// queueObserved enqueues jobs for the deployments that were reported at their end only, each of one account.
func (w *workingSet) queueObserved(ctx context.Context, batch *pgx.Batch) error {
	of := make(map[uuid.UUID][]ObservedDeployment)
	for _, one := range w.governed.observed {
		of[one.AccountID] = append(of[one.AccountID], one)
	}
	for accountID, all := range of {
		for some := range slices.Chunk(all, maxObserved) {
			if err := queueJob(ctx, batch, ObserveArgs{AccountID: accountID, Deployments: some}, w.recorded[0].receivedAt); err != nil {
				return err
			}
		}
	}
	return nil
}

// queueUsedGrants marks grants as used and enqueues the jobs that report it.
func (w *workingSet) queueUsedGrants(ctx context.Context, batch *pgx.Batch) error {
	if len(w.governed.usedGrants) == 0 {
		return nil
	}
	var p dbgen.UseGrantsParams
	for id, used := range w.governed.usedGrants {
		p.AccountIDs, p.IDs = append(p.AccountIDs, used.AccountID), append(p.IDs, id)
		p.DeploymentIDs, p.UsedAt = append(p.DeploymentIDs, used.DeploymentID), append(p.UsedAt, used.At)
		if err := queueJob(ctx, batch, used, used.At); err != nil {
			return err
		}
	}
	postgres.QueueQuery(batch, dbgen.UseGrants, p)
	return nil
}

// queueJob enqueues a job of deployment rules.
func queueJob(ctx context.Context, batch *pgx.Batch, args river.JobArgs, due time.Time) error {
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	postgres.QueueQuery(batch, dbgen.InsertGovernanceJob, dbgen.InsertGovernanceJobParams{
		Kind: args.Kind(), Queue: QueueOf(args.Kind()), Args: encoded, Metadata: telemetry.JobMetadata(ctx), DueAt: due,
	})
	return nil
}

func (w *workingSet) queueSlots(batch *pgx.Batch) {
	var freed dbgen.DeleteSlotsParams
	for deploymentID, pair := range w.governed.freed {
		freed.AccountIDs, freed.ProductIDs = append(freed.AccountIDs, pair.accountID), append(freed.ProductIDs, pair.productID)
		freed.EnvironmentIDs, freed.DeploymentIDs = append(freed.EnvironmentIDs, pair.partnerID), append(freed.DeploymentIDs, deploymentID)
	}
	if len(freed.DeploymentIDs) > 0 {
		postgres.QueueQuery(batch, dbgen.DeleteSlots, freed)
	}
	var p dbgen.UpsertSlotsParams
	for accountID, slots := range w.governed.slots {
		for _, slot := range slots {
			if slot.isDirty {
				p.AccountIDs, p.ProductIDs = append(p.AccountIDs, accountID), append(p.ProductIDs, slot.Product.ID)
				p.EnvironmentIDs, p.DeploymentIDs = append(p.EnvironmentIDs, slot.Environment.ID), append(p.DeploymentIDs, slot.DeploymentID)
				p.At, p.Fingerprints = append(p.At, slot.LastEventAt), append(p.Fingerprints, slot.Fingerprint)
			}
		}
	}
	if len(p.DeploymentIDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpsertSlots, p)
	}
}

func (w *workingSet) queueViolations(batch *pgx.Batch) {
	var p dbgen.InsertRuleViolationsParams
	for _, v := range w.governed.violations {
		AppendViolation(&p, v.Violation, ViolationOf{
			ID: v.id, AccountID: v.accountID, DeploymentID: v.deployment.ID, ProductID: v.deployment.ProductID, EnvironmentID: v.deployment.EnvironmentID,
			VersionID: v.deployment.VersionID, APIKeyID: v.apiKeyID, GrantID: grantOf(v.Violation, v.grantID), At: v.at,
		})
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.InsertRuleViolations, p)
	}
}

// ViolationOf is what a violation is about.
type ViolationOf struct {
	ID, AccountID, DeploymentID, ProductID, EnvironmentID, VersionID uuid.UUID
	APIKeyID, GrantID                                                uuid.UUID // nil: none
	At                                                               time.Time
}

// AppendViolation appends the row of a violation to the parameters that insert it.
func AppendViolation(p *dbgen.InsertRuleViolationsParams, v policy.Violation, of ViolationOf) {
	clearsAt := time.Time{}
	if v.ClearsAt != nil {
		clearsAt = *v.ClearsAt
	}
	p.AccountIDs, p.IDs, p.OccurredAt = append(p.AccountIDs, of.AccountID), append(p.IDs, of.ID), append(p.OccurredAt, of.At)
	p.RuleIDs, p.RuleNames, p.RuleTypes = append(p.RuleIDs, v.RuleID), append(p.RuleNames, v.RuleName), append(p.RuleTypes, string(v.RuleType))
	p.Actions, p.Codes, p.Messages = append(p.Actions, string(v.Action)), append(p.Codes, string(v.Code)), append(p.Messages, v.Message)
	p.ClearsAt, p.Certain, p.Details = append(p.ClearsAt, clearsAt), append(p.Certain, v.Certain), append(p.Details, encodeDetails(v.Details))
	p.DeploymentIDs, p.ProductIDs = append(p.DeploymentIDs, of.DeploymentID), append(p.ProductIDs, of.ProductID)
	p.EnvironmentIDs, p.VersionIDs = append(p.EnvironmentIDs, of.EnvironmentID), append(p.VersionIDs, of.VersionID)
	p.GrantIDs, p.APIKeyIDs = append(p.GrantIDs, of.GrantID), append(p.APIKeyIDs, of.APIKeyID)
}

// grantOf returns the grant that overrode a violation.
func grantOf(v policy.Violation, grantID uuid.UUID) uuid.UUID {
	if v.Action != policy.ActionOverridden {
		return uuid.Nil
	}
	return grantID
}
