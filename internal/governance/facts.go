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
	cache    *Cache
	rules    map[uuid.UUID]*ingest.Rules
	starts   []ingest.Start
	supposed []policy.Needs // of each start

	products     map[name]policy.Ref
	environments map[name]policy.Ref
	current      map[pair]dbgen.ListCurrentVersionsRow
	completions  map[version][]completion
	occupations  map[version][]occupation
	approvals    map[version][]policy.Approval
	requests     map[ingest.Start][]policy.Request
	grants       map[pair][]policy.Grant
	slots        map[uuid.UUID][]ingest.AdmittedSlot
	refs         map[uuid.UUID]policy.Ref // the products and environments of starts and slots

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

func pairOf(start ingest.Start) pair { return pair{start.AccountID, start.Product, start.Environment} }

type version struct {
	accountID        uuid.UUID
	product, version string
}

// completion is when a deployment of a version completed.
type completion struct {
	environmentID uuid.UUID
	at            time.Time
}

// occupation is a completed deployment of a version, and when another version completed afterwards.
type occupation struct {
	environmentID uuid.UUID
	policy.Span
}

// QueueFacts implements ingest.Governance.
func (c *Cache) QueueFacts(
	batch *pgx.Batch, rules map[uuid.UUID]*ingest.Rules, starts []ingest.Start, withExceptions bool, now time.Time,
) ingest.FactSource {
	f := newFacts(rules, starts)
	f.cache, f.supposed = c, c.suppose(rules, starts)
	f.queue(batch, withExceptions)
	if !withExceptions {
		return f
	}
	columns := newColumns(starts)
	postgres.QueueRows(batch, dbgen.LockGrants, dbgen.LockGrantsParams{
		AccountIDs: columns.accountIDs, ProductNames: columns.products, EnvironmentNames: columns.environments, Now: now,
	}, func(row dbgen.LockGrantsRow) { f.addGrant(dbgen.ListGrantsRow(row)) })
	return f
}

// newFacts returns the source of all facts that starts may need.
func newFacts(rules map[uuid.UUID]*ingest.Rules, starts []ingest.Start) *facts {
	supposed := make([]policy.Needs, len(starts))
	for i, start := range starts {
		supposed[i] = rules[start.AccountID].Needs
	}
	return &facts{
		rules: rules, starts: starts, supposed: supposed,
		products: make(map[name]policy.Ref), environments: make(map[name]policy.Ref), current: make(map[pair]dbgen.ListCurrentVersionsRow),
		completions: make(map[version][]completion), occupations: make(map[version][]occupation), approvals: make(map[version][]policy.Approval),
		requests: make(map[ingest.Start][]policy.Request), grants: make(map[pair][]policy.Grant),
		slots: make(map[uuid.UUID][]ingest.AdmittedSlot), refs: make(map[uuid.UUID]policy.Ref), referred: make(map[uuid.UUID]map[uuid.UUID][]string),
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

// newNames returns the different names in starts, and their accounts.
func newNames(starts []ingest.Start, of func(ingest.Start) string) (accountIDs []uuid.UUID, names []string) {
	seen := make(map[name]bool, len(starts))
	for _, start := range starts {
		key := name{start.AccountID, of(start)}
		if !seen[key] {
			seen[key] = true
			accountIDs, names = append(accountIDs, key.accountID), append(names, key.name)
		}
	}
	return accountIDs, names
}

// references are the environments that rules refer to, as arrays of parameters.
type references struct {
	accountIDs []uuid.UUID
	names      []string
	ids        []uuid.UUID
}

func newReferences(rules map[uuid.UUID]*ingest.Rules, of func(*ingest.Rules) []string) (r references) {
	for accountID, one := range rules {
		for _, text := range of(one) {
			id, err := uuid.Parse(text)
			if err != nil {
				id = uuid.Nil
			}
			r.accountIDs, r.names, r.ids = append(r.accountIDs, accountID), append(r.names, text), append(r.ids, id)
		}
	}
	return r
}

// startsWith returns the starts that need facts of a kind.
func (f *facts) startsWith(need func(policy.Needs) bool) (starts []ingest.Start) {
	for i, start := range f.starts {
		if need(f.supposed[i]) {
			starts = append(starts, start)
		}
	}
	return starts
}

// rulesOf returns the rules of the accounts of starts.
func (f *facts) rulesOf(starts []ingest.Start) map[uuid.UUID]*ingest.Rules {
	rules := make(map[uuid.UUID]*ingest.Rules)
	for _, start := range starts {
		rules[start.AccountID] = f.rules[start.AccountID]
	}
	return rules
}

// queue queues the statements that the rules need, but for that of the grants.
func (f *facts) queue(batch *pgx.Batch, withExceptions bool) {
	f.queueNames(batch)
	referring := f.startsWith(func(n policy.Needs) bool { return n.History || n.Approvals })
	if all := newReferences(f.rulesOf(referring), func(r *ingest.Rules) []string { return r.Environments }); len(all.names) > 0 {
		postgres.QueueRows(batch, dbgen.ListReferredEnvironments, dbgen.ListReferredEnvironmentsParams{
			AccountIDs: all.accountIDs, Names: all.names, IDs: all.ids,
		}, f.addReferred)
	}
	f.queueHistory(batch, withExceptions)
	if starts := f.startsWith(func(n policy.Needs) bool { return n.Approvals }); len(starts) > 0 {
		of := newColumns(starts)
		postgres.QueueRows(batch, dbgen.ListFactApprovals, dbgen.ListFactApprovalsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, Versions: of.versions,
		}, f.addApproval)
	}
	var withRequests []ingest.Start
	for _, start := range f.starts {
		if f.rules[start.AccountID].HasRequests {
			withRequests = append(withRequests, start)
		}
	}
	if len(withRequests) > 0 {
		of := newColumns(withRequests)
		postgres.QueueRows(batch, dbgen.ListFactRequests, dbgen.ListFactRequestsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments, Versions: of.versions,
		}, f.addRequest)
	}
	f.queueSlots(batch)
}

// queueNames queues the statements that read the products and environments of starts.
func (f *facts) queueNames(batch *pgx.Batch) {
	accountIDs, names := newNames(f.starts, func(start ingest.Start) string { return start.Product })
	postgres.QueueRows(batch, dbgen.ListFactProducts, dbgen.ListFactProductsParams{AccountIDs: accountIDs, ProductNames: names},
		func(row dbgen.ListFactProductsRow) {
			key := name{row.AccountID, row.NameInEvent}
			f.refs[row.ID] = policy.Ref{ID: row.ID, Names: append(f.products[key].Names, row.Name)}
			f.products[key] = f.refs[row.ID]
		})
	accountIDs, names = newNames(f.starts, func(start ingest.Start) string { return start.Environment })
	postgres.QueueRows(batch, dbgen.ListFactEnvironments, dbgen.ListFactEnvironmentsParams{AccountIDs: accountIDs, EnvironmentNames: names},
		func(row dbgen.ListFactEnvironmentsRow) {
			key := name{row.AccountID, row.NameInEvent}
			f.refs[row.ID] = policy.Ref{ID: row.ID, Names: append(f.environments[key].Names, row.Name), Type: row.Type}
			f.environments[key] = f.refs[row.ID]
		})
}

// queueSlots queues the statements that read slots: those of the products and environments of starts, or all those of an account.
func (f *facts) queueSlots(batch *pgx.Batch) {
	var counting []ingest.Start
	var wide []uuid.UUID
	for _, start := range f.startsWith(func(n policy.Needs) bool { return n.Slots }) {
		if f.rules[start.AccountID].IsWide {
			wide = appendNew(wide, start.AccountID)
			continue
		}
		start.Version = "" // each pair once
		counting = append(counting, start)
	}
	if len(counting) > 0 {
		of := newColumns(counting)
		postgres.QueueRows(batch, dbgen.ListSlotsOfPairs, dbgen.ListSlotsOfPairsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments,
		}, func(row dbgen.ListSlotsOfPairsRow) { f.addSlot(dbgen.ListSlotsOfAccountsRow(row)) })
	}
	if len(wide) > 0 {
		accounts := struct{ Accounts []uuid.UUID }{wide}
		postgres.QueueRows(batch, dbgen.ListSlotProducts, accounts, func(row dbgen.ListSlotProductsRow) {
			f.refs[row.ID] = policy.Ref{ID: row.ID, Names: row.Names}
		})
		postgres.QueueRows(batch, dbgen.ListSlotEnvironments, accounts, func(row dbgen.ListSlotEnvironmentsRow) {
			f.refs[row.ID] = policy.Ref{ID: row.ID, Names: row.Names, Type: row.Type}
		})
		postgres.QueueRows(batch, dbgen.ListSlotsOfAccounts, accounts, f.addSlot)
	}
}

// queueHistory queues the statements that read where the versions of starts were, as far as rules depend on it.
func (f *facts) queueHistory(batch *pgx.Batch, withExceptions bool) {
	flowing := f.startsWith(func(n policy.Needs) bool { return n.History })
	var occupying, rolling []ingest.Start
	for i, start := range f.starts {
		of := f.rules[start.AccountID]
		isRolling := withExceptions && of.AllowsRollback
		if isRolling || f.supposed[i].History && len(of.Soaks) > 0 {
			occupying = append(occupying, start)
		}
		if isRolling {
			rolling = append(rolling, start)
		}
	}
	if len(rolling) > 0 {
		of := newColumns(rolling)
		postgres.QueueRows(batch, dbgen.ListCurrentVersions, dbgen.ListCurrentVersionsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments,
		}, func(row dbgen.ListCurrentVersionsRow) {
			f.current[pair{row.AccountID, row.ProductName, row.EnvironmentName}] = row
		})
	}
	if len(flowing) > 0 {
		of, in := newColumns(flowing), newReferences(f.rulesOf(flowing), func(r *ingest.Rules) []string { return r.Prerequisites })
		postgres.QueueRows(batch, dbgen.ListCompletions, dbgen.ListCompletionsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, Versions: of.versions,
			ReferringAccounts: in.accountIDs, Names: in.names, IDs: in.ids,
		}, f.addCompletion)
	}
	if len(occupying) > 0 {
		of, in := newColumns(occupying), newReferences(f.rulesOf(occupying), func(r *ingest.Rules) []string { return r.Soaks })
		allowsRollback := make([]bool, len(of.accountIDs))
		for i, accountID := range of.accountIDs {
			allowsRollback[i] = withExceptions && f.rules[accountID].AllowsRollback
		}
		postgres.QueueRows(batch, dbgen.ListOccupations, dbgen.ListOccupationsParams{
			AccountIDs: of.accountIDs, ProductNames: of.products, EnvironmentNames: of.environments, Versions: of.versions,
			AllowsRollback: allowsRollback, ReferringAccounts: in.accountIDs, Names: in.names, IDs: in.ids,
		}, f.addOccupation)
	}
}

func (f *facts) addReferred(row dbgen.ListReferredEnvironmentsRow) {
	if f.referred[row.AccountID] == nil {
		f.referred[row.AccountID] = make(map[uuid.UUID][]string)
	}
	f.referred[row.AccountID][row.EnvironmentID] = append(f.referred[row.AccountID][row.EnvironmentID], row.Name)
}

func (f *facts) addCompletion(row dbgen.ListCompletionsRow) {
	key := version{row.AccountID, row.ProductName, row.Version}
	f.completions[key] = append(f.completions[key], completion{environmentID: row.EnvironmentID, at: row.CompletedAt})
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

func (f *facts) addSlot(row dbgen.ListSlotsOfAccountsRow) {
	slot := ingest.AdmittedSlot{
		Slot: policy.Slot{
			DeploymentID: row.DeploymentID, VersionID: row.VersionID, InvokeID: row.InvokeID, Attempt: row.Attempt, Holder: row.Holder,
			Product: f.refs[row.ProductID], Environment: f.refs[row.EnvironmentID],
			StartedAt: row.StartedAt, LastEventAt: row.LastEventAt,
		},
		Fingerprint: row.Fingerprint, IsEnded: row.Status != string(ingest.Started),
	}
	if row.HeartbeatAt.After(slot.LastEventAt) {
		slot.LastEventAt = row.HeartbeatAt
	}
	f.slots[row.AccountID] = append(f.slots[row.AccountID], slot)
}

// IsComplete implements ingest.FactSource. It stores what the starts need for the next ones. A start whose names do not exist yet is left out:
// it is read again once they do.
func (f *facts) IsComplete() bool {
	isComplete := true
	changed := make(map[pairUnderRules]policy.Needs)
	for i, start := range f.starts {
		product, environment := f.products[name{start.AccountID, start.Product}], f.environments[name{start.AccountID, start.Environment}]
		if product.ID == uuid.Nil || environment.ID == uuid.Nil {
			continue
		}
		rules := f.rules[start.AccountID]
		if needs := rules.Set.Needs(product, environment); needs != f.supposed[i] {
			changed[pairUnderRules{pairOf(start), rules.Revision}] = needs
			isComplete = isComplete && f.supposed[i].Includes(needs)
		}
	}
	if len(changed) > 0 {
		f.cache.putNeeds(changed)
	}
	return isComplete
}

// Slots implements ingest.FactSource.
func (f *facts) Slots(accountID uuid.UUID) []ingest.AdmittedSlot { return f.slots[accountID] }

// Facts implements ingest.FactSource.
func (f *facts) Facts(start ingest.Start) policy.Facts {
	ofPair, ofVersion := pairOf(start), version{start.AccountID, start.Product, start.Version}
	known := policy.Facts{
		Product:      f.products[name{start.AccountID, start.Product}],
		Environment:  f.environments[name{start.AccountID, start.Environment}],
		Version:      policy.Version{Name: start.Version},
		Environments: f.index(start.AccountID),
		Runs:         make(map[uuid.UUID][]policy.Span), Completed: make(map[uuid.UUID][]time.Time),
		Approvals: f.approvals[ofVersion], Requests: f.requests[start], Grants: f.grants[ofPair],
	}
	if current, ok := f.current[ofPair]; ok {
		known.Current = &current.VersionID
		if current.Version == start.Version && current.CompletedAt != nil { // another one of the batch may end this occupation
			known.Runs[current.EnvironmentID] = append(known.Runs[current.EnvironmentID], policy.Span{From: *current.CompletedAt})
		}
	}
	for _, one := range f.completions[ofVersion] {
		known.Completed[one.environmentID] = append(known.Completed[one.environmentID], one.at)
	}
	for _, one := range f.occupations[ofVersion] {
		known.Runs[one.environmentID] = append(known.Runs[one.environmentID], one.Span)
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
