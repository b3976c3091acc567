package ingest

import (
	"context"
	"fmt"
	"time"
)

const (
	partitionsAhead      = 3 // months
	fingerprintRetention = 24 * time.Hour
	maintenanceInterval  = time.Hour
	maintenanceRetry     = time.Minute
	maintenanceTimeout   = time.Minute
	maintenanceBatches   = 1000
)

// maintain creates the partitions of the months to come and deletes expired keys.
func (r *Recorder) maintain(ctx context.Context) {
	for {
		pause := maintenanceInterval
		if err := r.runMaintenance(ctx, time.Now()); err != nil && ctx.Err() == nil {
			pause = maintenanceRetry
			r.logger.WarnContext(ctx, "event log maintenance failed, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r *Recorder) runMaintenance(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, maintenanceTimeout)
	defer cancel()
	if err := r.owner.EnsureEventPartitions(ctx, now, now.AddDate(0, partitionsAhead, 0)); err != nil {
		return fmt.Errorf("create partitions: %w", err)
	}
	for what, expire := range map[string]func(context.Context, time.Time) (int64, error){
		"fingerprints": r.owner.DeleteExpiredFingerprints, "idempotency keys": r.owner.DeleteExpiredIdempotencyKeys,
	} {
		for range maintenanceBatches {
			deleted, err := expire(ctx, now.Add(-fingerprintRetention))
			if err != nil {
				return fmt.Errorf("delete expired %s: %w", what, err)
			}
			if deleted == 0 {
				break
			}
		}
	}
	return nil
}
