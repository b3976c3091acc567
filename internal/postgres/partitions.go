package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnsureEventPartitions creates the monthly partitions of the event log from the month of from to the month of to, in UTC. It
// gives up rather than make events wait for a transaction that reads them for long, such as a backup; callers try again. A
// month whose events are in the default partition already stays there.
func (p *Pool) EnsureEventPartitions(ctx context.Context, from, to time.Time) error {
	month := time.Date(from.UTC().Year(), from.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for ; !month.After(to); month = month.AddDate(0, 1, 0) {
		if err := p.ensureEventPartition(ctx, month); err != nil {
			return Classify(err)
		}
	}
	return nil
}

func (p *Pool) ensureEventPartition(ctx context.Context, month time.Time) error {
	name := partitionName(month)
	//nolint:wrapcheck // Classify sees it
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, "SELECT set_config('lock_timeout', '1s', true) IS NOT NULL AND to_regclass($1) IS NOT NULL", name).Scan(&exists)
		if err != nil || exists {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('event_partitions', 0))"); err != nil {
			return err
		}
		// In the order in which events lock tables: a partition has the foreign keys of its table.
		if _, err := tx.Exec(ctx, "LOCK TABLE deployments, builds, api_keys, events IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, fmt.Sprintf("SAVEPOINT partition; CREATE TABLE IF NOT EXISTS %s PARTITION OF events FOR VALUES FROM ('%s') TO ('%s')",
			name, month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339)))
		if isCheckViolation(err) {
			_, err = tx.Exec(ctx, "ROLLBACK TO partition")
		}
		return err
	})
}

// DropEventPartitions deletes the events that were received before the month of before, in UTC, and their bodies with them: it drops the
// partitions of earlier months, a transaction each, and deletes such rows of the default partition. It gives up rather than make
// events wait for a transaction that reads them for long; callers try again.
func (p *Pool) DropEventPartitions(ctx context.Context, before time.Time) error {
	before = time.Date(before.UTC().Year(), before.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	rows, _ := p.pool.Query(ctx, `SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_\d{4}_\d{2}$' AND c.relname::text < $1 ORDER BY 1`, partitionName(before))
	expired, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return Classify(err)
	}
	for _, name := range expired {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, lockPartitions+"; DROP TABLE IF EXISTS "+name)
			return err //nolint:wrapcheck // Classify sees it
		})
		if err != nil {
			return Classify(err)
		}
	}
	return Classify(p.deleteDefaultEvents(ctx, before))
}

// lockPartitions begins the statements of a transaction that deletes partitions.
const lockPartitions = "SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(hashtextextended('event_partitions', 0))"

// deleteDefaultEvents deletes from the default partition, whose trigger rejects deletions. It blocks only events of months without a
// partition.
func (p *Pool) deleteDefaultEvents(ctx context.Context, before time.Time) error {
	var exists bool
	err := p.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM events_default WHERE received_at < $1)", before).Scan(&exists)
	if err != nil || !exists {
		return err //nolint:wrapcheck // Classify sees it
	}
	//nolint:wrapcheck // Classify sees it
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPartitions+"; ALTER TABLE events_default DISABLE TRIGGER events_append_only"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM events_default WHERE received_at < $1", before); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "ALTER TABLE events_default ENABLE TRIGGER events_append_only")
		return err
	})
}

// CountFutureEventPartitions returns how many monthly partitions of the event log begin after that time.
func (p *Pool) CountFutureEventPartitions(ctx context.Context, now time.Time) (partitions int, err error) {
	const query = "SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid " +
		`WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_\d{4}_\d{2}$' AND c.relname > $1`
	err = p.pool.QueryRow(ctx, query, partitionName(now.UTC())).Scan(&partitions)
	return partitions, Classify(err)
}

func partitionName(month time.Time) string { return "events_" + month.Format("2006_01") }

func isCheckViolation(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failure.Code == "23514"
}
