package ingest

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Governance has the rules of accounts and reads the facts that they depend on. internal/governance implements it.
type Governance interface {
	// Rules returns the rules of an account as this server knows them. If it is not certain that they are those of the database, or if
	// there are any, their revision is compared under lock. They are nil for an account that is not known.
	Rules(accountID uuid.UUID, now time.Time) (rules *Rules, isCertain bool)
	// Generation counts changes. It is an argument of Put.
	Generation() uint64
	// Put stores rules that were read after Generation returned the generation.
	Put(generation uint64, rules map[uuid.UUID]*Rules)
	// LoadRules reads the rules of accounts in a transaction that has locked their revisions.
	LoadRules(ctx context.Context, tx *postgres.BatchTx, revisions map[uuid.UUID]int64, now time.Time) (map[uuid.UUID]*Rules, error)
	// QueueFacts queues the statements that read the facts of starts, those of exceptions on request. The accounts of all of them have rules.
	// Which facts a start needs is supposed from earlier starts of the product in the environment, as the names are not resolved yet.
	QueueFacts(batch *pgx.Batch, rules map[uuid.UUID]*Rules, starts []Start, withExceptions bool, now time.Time) FactSource
}

// Rules is the compiled rules of an account. It is immutable.
type Rules struct {
	Revision   int64       // of the account's governance; 0: it has none
	Set        *policy.Set // nil: nothing is evaluated
	CompiledAt time.Time

	// IsWide is whether a rule counts deployments of more than one product and environment: then starts of the account wait for each other.
	IsWide         bool
	Needs          policy.Needs // of a start that all rules apply to
	HasRequests    bool         // a rule requires deployment requests, or some block by themselves
	AllowsRollback bool         // a rule passes rollbacks
	Environments   []string     // that rules refer to, by identifier or name
	Prerequisites  []string     // those of them in which a version must complete
	Soaks          []string     // those of them in which a version must soak
}

// IsEmpty reports whether nothing is evaluated: there are no rules, and no deployment requests that block by themselves.
func (r *Rules) IsEmpty() bool { return r == nil || r.Set == nil || r.Set.Len() == 0 && !r.HasRequests }

// Start is the start of a deployment, with the names of its event.
type Start struct {
	AccountID                     uuid.UUID
	Product, Environment, Version string
}

// AdmittedSlot is a deployment that was admitted under rules, which may have ended since.
type AdmittedSlot struct {
	policy.Slot

	Fingerprint []byte // of the body of the last start
	IsEnded     bool
}

// FactSource has the facts of the starts of a batch, once it is read.
type FactSource interface {
	// IsComplete reports whether the facts are those that the starts need. If not, those of the next QueueFacts are.
	IsComplete() bool
	// Facts returns the facts of a start, but for its version's identifier and the slots.
	Facts(start Start) policy.Facts
	// Slots returns the slots of an account, if one of its rules counts them.
	Slots(accountID uuid.UUID) []AdmittedSlot
}
