package governance

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	// ChangeChannel is the channel on which servers announce changes of rules, with the account.
	ChangeChannel = "governance_changed"

	// cacheWindow is how long the cache is certain after a heartbeat that the listener has received was sent.
	cacheWindow      = 600 * time.Millisecond
	listenInterval   = 200 * time.Millisecond
	relistenBackoff  = 200 * time.Millisecond
	maxCached        = 50_000
	maxCachedNeeds   = 50_000
	compileInterval  = 24 * time.Hour   // after which rules are compiled again, as their schedules have a horizon
	maxUngovernedAge = 30 * time.Second // for a server that died before it announced an account's first rule
)

// Cache holds the compiled rules of accounts. A start compares the revision of rules under lock, so that a change applies from its commit; only
// that an account has no rules is not looked up again, for as long as the listener is certain to receive changes.
type Cache struct {
	pool   *postgres.Pool
	logger *slog.Logger

	mu         sync.RWMutex
	accounts   map[uuid.UUID]cached
	needs      map[pairUnderRules]policy.Needs // of the starts so far, a supposition about the next ones
	validUntil time.Time
	generation uint64 // counts invalidations
}

type cached struct {
	rules *ingest.Rules
	added time.Time
}

// pairUnderRules is a product and an environment, by the names in events, and the revision of the rules of their account.
type pairUnderRules struct {
	pair

	revision int64
}

var _ ingest.Governance = (*Cache)(nil)

// NewCache returns an empty cache. Without Run beside it, it is correct but compares revisions each time.
func NewCache(pool *postgres.Pool, logger *slog.Logger) *Cache {
	return &Cache{pool: pool, logger: logger, accounts: make(map[uuid.UUID]cached), needs: make(map[pairUnderRules]policy.Needs)}
}

// Rules implements ingest.Governance.
func (c *Cache) Rules(accountID uuid.UUID, now time.Time) (rules *ingest.Rules, isCertain bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	entry, isKnown := c.accounts[accountID]
	if !isKnown || now.Sub(entry.rules.CompiledAt) > compileInterval {
		return nil, false
	}
	return entry.rules, time.Now().Before(c.validUntil) && time.Since(entry.added) < maxUngovernedAge
}

// Generation implements ingest.Governance.
func (c *Cache) Generation() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.generation
}

// Put implements ingest.Governance.
func (c *Cache) Put(generation uint64, rules map[uuid.UUID]*ingest.Rules) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return // what was read may miss a change
	}
	if len(c.accounts)+len(rules) > maxCached {
		clear(c.accounts)
	}
	for accountID, one := range rules {
		c.accounts[accountID] = cached{rules: one, added: time.Now()}
	}
}

// suppose returns what each start is supposed to need: what the last start of its product in its environment needed, else all that its rules
// may need.
func (c *Cache) suppose(rules map[uuid.UUID]*ingest.Rules, starts []ingest.Start) []policy.Needs {
	supposed := make([]policy.Needs, len(starts))
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, start := range starts {
		of := rules[start.AccountID]
		needs, isKnown := c.needs[pairUnderRules{pairOf(start), of.Revision}]
		if !isKnown {
			needs = of.Needs
		}
		supposed[i] = needs
	}
	return supposed
}

// putNeeds stores what the starts of a product in an environment need.
func (c *Cache) putNeeds(needs map[pairUnderRules]policy.Needs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.needs)+len(needs) > maxCachedNeeds {
		clear(c.needs)
	}
	maps.Copy(c.needs, needs)
}

// LoadRules implements ingest.Governance.
func (c *Cache) LoadRules(ctx context.Context, tx *postgres.BatchTx, revisions map[uuid.UUID]int64, now time.Time) (map[uuid.UUID]*ingest.Rules, error) {
	loaded := make(map[uuid.UUID][]policy.Rule, len(revisions))
	accounts := make([]uuid.UUID, 0, len(revisions))
	for accountID := range revisions {
		accounts = append(accounts, accountID)
	}
	var failure error
	batch := &pgx.Batch{}
	postgres.QueueRows(batch, dbgen.ListRulesInForce, struct{ Accounts []uuid.UUID }{accounts}, func(row dbgen.DeploymentRule) {
		rule, err := RuleOf(row)
		if err != nil {
			failure = err
		}
		loaded[row.AccountID] = append(loaded[row.AccountID], rule.Rule)
	})
	isGated := make(map[uuid.UUID]bool)
	postgres.QueueRows(batch, dbgen.ListGatedAccounts, struct{ Accounts []uuid.UUID }{accounts}, func(row struct{ AccountID uuid.UUID }) {
		isGated[row.AccountID] = true
	})
	if err := tx.Send(ctx, batch); err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	compiled := make(map[uuid.UUID]*ingest.Rules, len(revisions))
	for accountID, revision := range revisions {
		one, err := compile(loaded[accountID], isGated[accountID], revision, now)
		if err != nil {
			return nil, err
		}
		compiled[accountID] = one
	}
	return compiled, nil
}

// compile compiles rules, none of which is disabled, for starts from now on. isGated is whether deployment requests may block by themselves.
func compile(rules []policy.Rule, isGated bool, revision int64, now time.Time) (*ingest.Rules, error) {
	compiled := &ingest.Rules{Revision: revision, CompiledAt: now, HasRequests: isGated}
	if len(rules) == 0 && !isGated {
		return compiled, nil
	}
	set, err := calendar.Compile(rules, now)
	if err != nil {
		return nil, err
	}
	compiled.Set = set
	for i := range rules {
		rule := &rules[i]
		compiled.AllowsRollback = compiled.AllowsRollback || rule.Rollback != nil && *rule.Rollback == policy.AllowRollback
		switch rule.Type {
		case policy.ConcurrencyRule:
			compiled.Needs.Slots = true
			compiled.IsWide = compiled.IsWide || rule.Concurrency.Per != policy.PerProductEnvironment
		case policy.FlowRule:
			compiled.Needs.History = true
			names := rule.Flow.Prerequisites
			compiled.Environments = appendNew(compiled.Environments, names...)
			compiled.Prerequisites = appendNew(compiled.Prerequisites, names...)
			if rule.Flow.MinSoakMinutes > 0 {
				compiled.Soaks = appendNew(compiled.Soaks, names[len(names)-1])
			}
		case policy.VersionApprovalRule:
			compiled.Needs.Approvals = true
			if rule.VersionApproval.Environment != nil {
				compiled.Environments = appendNew(compiled.Environments, *rule.VersionApproval.Environment)
			}
		case policy.DeploymentRequestRule:
			compiled.HasRequests = true
		case policy.ScheduleRule:
		}
	}
	return compiled, nil
}

func appendNew[V comparable](list []V, values ...V) []V {
	for _, value := range values {
		if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

// Run receives changes until ctx ends. An outage of the listener is logged once.
func (c *Cache) Run(ctx context.Context) {
	isLogged := false
	for ctx.Err() == nil {
		isConnected := false
		err := c.pool.Listen(ctx, postgres.Listener{
			Channel:  ChangeChannel,
			Interval: listenInterval,
			OnHeartbeat: func(asOf time.Time) {
				if !isConnected {
					c.invalidateAll() // changes during the disconnection are unknown
				}
				isConnected = true
				c.extendValidity(asOf)
				if isLogged {
					c.logger.InfoContext(ctx, "governance listener connected")
					isLogged = false
				}
			},
			OnNotify: func(payload string) {
				if accountID, err := uuid.Parse(payload); err == nil {
					c.invalidate(accountID)
				}
			},
		})
		if !isLogged && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "governance listener disconnected, revisions are read each time", "error", err)
			isLogged = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(relistenBackoff):
		}
	}
}

func (c *Cache) extendValidity(asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.validUntil = asOf.Add(cacheWindow)
}

func (c *Cache) invalidate(accountID uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	delete(c.accounts, accountID)
}

func (c *Cache) invalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	clear(c.accounts)
}
