package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgxpool"
)

// newProbe returns a pool of one connection, which is kept as long as it works: readiness must not need a new connection from a
// database that is short of them.
func newProbe(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Pool, error) {
	config := pool.Config()
	config.MinConns, config.MaxConns = 0, 1
	config.ConnConfig.Tracer = nil
	config.MaxConnLifetime, config.MaxConnIdleTime = math.MaxInt64, math.MaxInt64
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true } // a broken connection is replaced
	probe, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the probe of the database: %w", err)
	}
	return probe, nil
}

// Ready reports whether the database answers and has at least that version of the schema. It does not depend on the load of the pool.
func (p *Pool) Ready(ctx context.Context, schemaVersion int64) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var version int64
	if err := p.probe.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&version); err != nil {
		return Classify(err)
	}
	if version < schemaVersion {
		return fmt.Errorf("the schema is at version %d, this program needs %d", version, schemaVersion)
	}
	return nil
}

// Close closes every connection, after waiting for those in use.
func (p *Pool) Close() {
	p.probe.Close()
	p.connections.Close()
}
