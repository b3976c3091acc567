package governance

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// facts is what the rules of the accounts of starts depend on, by the names in the events.
type facts struct {
	products     map[name]policy.Ref
	environments map[name]policy.Ref
	current      map[pair]uuid.UUID
	occupations  map[version][]occupation
	approvals    map[version][]policy.Approval
	grants       map[pair][]policy.Grant
	slots        map[uuid.UUID][]ingest.AdmittedSlot

	referred map[uuid.UUID]map[uuid.UUID][]string // the names of environments that rules refer to, by account and identifier
	indexes  map[uuid.UUID]*policy.Environments
}

type name struct {
	accountID uuid.UUID
	name      string
}

type pair struct {
	accountID            uuid.UUID
	product, environment string
}

type version struct {
	accountID        uuid.UUID
	product, version string
}

// occupation is a completed deployment of a version, and when another version completed afterwards.
type occupation struct {
	environmentID uuid.UUID
	policy.Span
}

// QueueFacts implements ingest.Governance.
func (c *Cache) QueueFacts(batch *pgx.Batch, rules map[uuid.UUID]*ingest.Rules, starts []ingest.Start, now time.Time) ingest.FactSource {
	f := newFacts()
	f.queue(batch, rules, starts)
	columns := newColumns(starts)
	postgres.QueueRows(batch, dbgen.LockGrants, dbgen.LockGrantsParams{
		AccountIDs: columns.accountIDs, ProductNames: columns.products, EnvironmentNames: columns.environments, Now: now,
	}, func(row dbgen.LockGrantsRow) { f.addGrant(dbgen.ListGrantsRow(row)) })
	return f
}

func newFacts() *facts {
	return &facts{
		products: make(map[name]policy.Ref), environments: make(map[name]policy.Ref), current: make(map[pair]uuid.UUID),
		occupations: make(map[version][]occupation), approvals: make(map[version][]policy.Approval), grants: make(map[pair][]policy.Grant),
		slots: make(map[uuid.UUID][]ingest.AdmittedSlot), referred: make(map[uuid.UUID]map[uuid.UUID][]string),
		indexes: make(map[uuid.UUID]*policy.Environments),
	}
}

// columns are starts as arrays of parameters.
type columns struct {
	accountIDs                       []uuid.UUID
	products, environments, versions []string
}

func newColumns(starts []ingest.Start) (c columns) {
	seen := make(map[ingest.Start]bool, len(starts))
	for _, start := range starts {
		if seen[start] {
			continue
		}
		seen[start] = true
		c.accountIDs = append(c.accountIDs, start.AccountID)
		c.products, c.environments, c.versions = append(c.products, start.Product), append(c.environments, start.Environment), append(c.versions, start.Version)
	}
	return c
}

// references are the environments that rules refer to, as arrays of parameters.
type references struct {
	accountIDs []uuid.UUID
	names      []string
	ids        []uuid.UUID
}

func newReferences(rules map[uuid.UUID]*ingest.Rules) (r references) {
	for accountID, one := range rules {
		for _, text := range one.Environments {
			id, err := uuid.Parse(text)
			if err != nil {
				id = uuid.Nil
			}
			r.accountIDs, r.names, r.ids = append(r.accountIDs, accountID), append(r.names, text), append(r.ids, id)
		}
	}
	return r
}

// queue queues the statements that the rules need, but for that of the grants.
func (f *facts) queue(batch *pgx.Batch, rules map[uuid.UUID]*ingest.Rules, starts []ingest.Start) {
	all, withHistory, withApprovals := newColumns(starts), starts[:0:0], starts[:0:0]
	var counting []uuid.UUID
	for accountID, one := range rules {
		if one.HasConcurrency {
			counting = append(counting, accountID)
		}
	}
	for _, start := range starts {
		if of := rules[start.AccountID]; of.HasFlow || of.AllowsRollback {
			withHistory = append(withHistory, start)
		}
		if rules[start.AccountID].HasApprovals {
			withApprovals = append(withApprovals, start)
		}
	}
	postgres.QueueRows(batch, dbgen.ListFactProducts, dbgen.ListFactProductsParams{AccountIDs: all.accountIDs, ProductNames: all.products},
		func(row dbgen.ListFactProductsRow) {
			f.products[name{row.AccountID, row.NameInEvent}] = policy.Ref{ID: row.ID, Names: row.Names}
		})
	postgres.QueueRows(batch, dbgen.ListFactEnvironments, dbgen.ListFactEnvironmentsParams{AccountIDs: all.accountIDs, EnvironmentNames: all.environments},
		func(row dbgen.ListFactEnvironmentsRow) {
			f.environments[name{row.AccountID, row.NameInEvent}] = policy.Ref{ID: row.ID, Names: row.Names, Type: row.Type}
		})
	references := newReferences(rules)
	if len(references.names) > 0 {
		postgres.QueueRows(batch, dbgen.ListReferredEnvironments, dbgen.ListReferredEnvironmentsParams{
			AccountIDs: references.accountIDs, Names: references.names, IDs: references.ids,
		}, f.addReferred)
	}
	if len(withHistory) > 0 {
		f.queueHistory(batch, newColumns(withHistory), references)
	}
	if len(withApprovals) > 0 {
		of := newColumns(withApprovals)
		postgres.QueueRows(batch, dbgen.ListFactApprovals, dbgen.ListFactApprovalsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, Versions: of.versions,
		}, f.addApproval)
	}
	if len(counting) > 0 {
		postgres.QueueRows(batch, dbgen.ListSlots, struct{ Accounts []uuid.UUID }{counting}, f.addSlot)
	}
}

func (f *facts) queueHistory(batch *pgx.Batch, of columns, references references) {
	postgres.QueueRows(batch, dbgen.ListCurrentVersions, dbgen.ListCurrentVersionsParams{
		AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments,
	}, func(row dbgen.ListCurrentVersionsRow) {
		f.current[pair{row.AccountID, row.ProductName, row.EnvironmentName}] = row.VersionID
	})
	postgres.QueueRows(batch, dbgen.ListOccupations, dbgen.ListOccupationsParams{
		AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments, Versions: of.versions,
		ReferringAccounts: references.accountIDs, Names: references.names, IDs: references.ids,
	}, f.addOccupation)
}

func (f *facts) addReferred(row dbgen.ListReferredEnvironmentsRow) {
	if f.referred[row.AccountID] == nil {
		f.referred[row.AccountID] = make(map[uuid.UUID][]string)
	}
	f.referred[row.AccountID][row.EnvironmentID] = append(f.referred[row.AccountID][row.EnvironmentID], row.Name)
}

func (f *facts) addOccupation(row dbgen.ListOccupationsRow) {
	key := version{row.AccountID, row.ProductName, row.Version}
	if row.CompletedAt != nil {
		f.occupations[key] = append(f.occupations[key], occupation{environmentID: row.EnvironmentID, Span: policy.Span{From: *row.CompletedAt, Until: untilOf(row.Until)}})
	}
}

// untilOf returns the zero time for the value that stands for it.
func untilOf(at time.Time) time.Time {
	if at.Year() <= 1 {
		return time.Time{}
	}
	return at
}

func (f *facts) addApproval(row dbgen.ListFactApprovalsRow) {
	key := version{row.AccountID, row.ProductName, row.Version}
	f.approvals[key] = append(f.approvals[key], policy.Approval{
		Type: policy.ApprovalType(row.ApprovalType), Decision: policy.Decision(row.Decision), EnvironmentID: row.EnvironmentID, GivenAt: row.CreatedAt,
	})
}

func (f *facts) addGrant(row dbgen.ListGrantsRow) {
	grant := policy.Grant{ID: row.ID, ProductID: row.ProductID, EnvironmentID: row.EnvironmentID, Version: row.Version, ExpiresAt: row.ExpiresAt}
	for _, one := range row.RuleTypes {
		grant.RuleTypes = append(grant.RuleTypes, policy.RuleType(one))
	}
	key := pair{row.AccountID, row.ProductName, row.EnvironmentName}
	for _, known := range f.grants[key] {
		if known.ID == grant.ID {
			return // several starts of the pair
		}
	}
	f.grants[key] = append(f.grants[key], grant)
}

func (f *facts) addSlot(row dbgen.ListSlotsRow) {
	slot := ingest.AdmittedSlot{
		Slot: policy.Slot{
			DeploymentID: row.DeploymentID, VersionID: row.VersionID, InvokeID: row.InvokeID, Attempt: row.Attempt, Holder: row.Holder,
			Product:     policy.Ref{ID: row.ProductID, Names: row.ProductNames},
			Environment: policy.Ref{ID: row.EnvironmentID, Names: row.EnvironmentNames, Type: row.Type},
			StartedAt:   row.StartedAt, LastEventAt: row.LastEventAt,
		},
		Fingerprint: row.Fingerprint, IsEnded: row.Status != string(ingest.Started),
	}
	if row.HeartbeatAt.After(slot.LastEventAt) {
		slot.LastEventAt = row.HeartbeatAt
	}
	f.slots[row.AccountID] = append(f.slots[row.AccountID], slot)
}

// Slots implements ingest.FactSource.
func (f *facts) Slots(accountID uuid.UUID) []ingest.AdmittedSlot { return f.slots[accountID] }

// Facts implements ingest.FactSource.
func (f *facts) Facts(start ingest.Start) policy.Facts {
	ofPair, ofVersion := pair{start.AccountID, start.Product, start.Environment}, version{start.AccountID, start.Product, start.Version}
	known := policy.Facts{
		Product:      f.products[name{start.AccountID, start.Product}],
		Environment:  f.environments[name{start.AccountID, start.Environment}],
		Version:      policy.Version{Name: start.Version},
		Environments: f.index(start.AccountID),
		Runs:         make(map[uuid.UUID][]policy.Span), Completed: make(map[uuid.UUID][]time.Time),
		Approvals: f.approvals[ofVersion], Grants: f.grants[ofPair],
	}
	if current, ok := f.current[ofPair]; ok {
		known.Current = &current
	}
	for _, one := range f.occupations[ofVersion] {
		known.Runs[one.environmentID] = append(known.Runs[one.environmentID], one.Span)
		known.Completed[one.environmentID] = append(known.Completed[one.environmentID], one.From)
	}
	return known
}

// index returns the environments that the rules of an account refer to.
func (f *facts) index(accountID uuid.UUID) *policy.Environments {
	if index, ok := f.indexes[accountID]; ok {
		return index
	}
	refs := make([]policy.Ref, 0, len(f.referred[accountID]))
	for id, names := range f.referred[accountID] {
		refs = append(refs, policy.Ref{ID: id, Names: names})
	}
	index := policy.NewEnvironments(refs)
	f.indexes[accountID] = index
	return index
}
