package apikeys

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// LastUsed collects the times at which keys were last used. They are written in batches: one hot key would otherwise be a hot row.
type LastUsed struct {
	mu   sync.Mutex
	last map[keyName]time.Time
}

// keyName identifies a key.
type keyName struct{ accountID, keyID uuid.UUID }

// Record collects a use of a key.
func (u *LastUsed) Record(accountID, keyID uuid.UUID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[keyName]time.Time)
	}
	u.last[keyName{accountID: accountID, keyID: keyID}] = at
}

// Flush writes the collected times. After an error they are kept for the next one.
func (u *LastUsed) Flush(ctx context.Context, db *postgres.DB) error {
	u.mu.Lock()
	batch := u.last
	u.last = nil
	u.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	params := dbgen.UpdateAPIKeysLastUsedParams{}
	for id, at := range batch {
		params.AccountIDs = append(params.AccountIDs, id.accountID)
		params.IDs = append(params.IDs, id.keyID)
		params.UsedAt = append(params.UsedAt, at)
	}
	if err := db.UpdateAPIKeysLastUsed(ctx, params); err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		maps.Copy(batch, u.last) // later uses are newer
		u.last = batch
		return postgres.Classify(err)
	}
	return nil
}
