package ingest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// knownRules is a cache that is certain that an account has no rules in force.
type knownRules struct {
	Governance

	revision int64
}

func (k knownRules) Rules(uuid.UUID, time.Time) (rules *Rules, isCertain bool) {
	return &Rules{Revision: k.revision}, true
}

func (knownRules) Generation() uint64 { return 0 }

// TestStatementsWithoutRules counts the statements that an event takes for rules, in an account without any: none if it never had one, and one
// for an event without a run if it had.
func TestStatementsWithoutRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		revision   int64
		run        string
		status     Status
		statements int
	}{
		{0, "", Started, 0},
		{0, "", Completed, 0},
		{1, "", Started, 1},
		{1, "", Completed, 1},
		{1, "", Pending, 0},
		{1, "run", Started, 0},
	} {
		event := Event{Kind: Deployment, AccountID: newID(), ProductName: "shop", EnvironmentName: "production", Version: "1", Status: c.status, InvokeID: c.run}
		tx := transaction{
			kind: Deployment, accounts: []uuid.UUID{event.AccountID}, events: []Event{event}, clock: time.Now,
			governance: knownRules{revision: c.revision}, state: newWorkingSet(Deployment),
		}
		batch := &pgx.Batch{}
		tx.queueFacts(batch, tx.queueGovernance(batch))
		require.Equal(t, c.statements, batch.Len(), "%+v", c)
	}
}
