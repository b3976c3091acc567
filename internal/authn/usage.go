package authn

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// usage gathers when keys were last used. It is written in batches: one hot key would otherwise be a hot row.
type usage struct {
	mu   sync.Mutex
	last map[keyName]time.Time
}

// keyName identifies a key.
type keyName struct{ accountID, keyID uuid.UUID }

func (u *usage) note(id keyName, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[keyName]time.Time)
	}
	u.last[id] = at
}

// flush writes what was gathered, and keeps it for the next time if that fails.
func (u *usage) flush(ctx context.Context, db *postgres.DB) error {
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
		maps.Copy(batch, u.last) // what came meanwhile is newer
		u.last = batch
		return postgres.Classify(err)
	}
	return nil
}
