package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	// MaxStaleness bounds what a list from the read replica may miss: changes that were committed later than this before the list was read.
	MaxStaleness = time.Second

	// afterWrite is how long the lists of an account come from the primary after a user has changed something there: longer than
	// MaxStaleness, by what an announcement to another server may take.
	afterWrite = 2 * time.Second

	measureInterval = 200 * time.Millisecond
	measureTimeout  = 500 * time.Millisecond
	replicaTimeout  = 3 * time.Second // for a list, of the deadline of its request
	maxWriters      = 10_000
	maxSamples      = 1000 // the lag of a replica that is minutes behind is not known
)

// Replica reads lists from a standby of the primary. It measures how far the standby has replayed the log of the primary, and is used
// only while that is known to be recent. Nothing else is read from it.
type Replica struct {
	pool    *TenantPool
	primary *Pool
	logger  *slog.Logger
	metrics *telemetry.Metrics

	samples []sample // of the primary, in the order of time; only Run uses them

	mu            sync.Mutex
	asOf          time.Time // everything that was committed until then has been replayed
	receivedUntil time.Time // every announcement that was sent until then has been received
	writes        map[uuid.UUID]time.Time
}

// sample is what the primary had written to its log when it was asked.
type sample struct {
	at       time.Time
	position int64
}

// OpenReplica prepares the pool of a read replica, which need not be available: Run measures it. primary measures the primary.
func OpenReplica(ctx context.Context, dsn string, primary *Pool, limits APILimits, observed Observed, logger *slog.Logger) (*Replica, error) {
	limits.MaxConns = cmp.Or(limits.MaxConns, defaultAPIConns)
	connecting, err := newPool(ctx, dsn, int32(limits.MaxConns), apiSettings, observed) //nolint:gosec // a small number
	if err != nil {
		return nil, err
	}
	observed.watch(connecting)
	pool := &TenantPool{connections: connections{connecting}, observed: observed}
	pool.limit(limits)
	return &Replica{pool: pool, primary: primary, logger: logger, metrics: observed.Metrics, writes: make(map[uuid.UUID]time.Time)}, nil
}

// ReadFrom makes the pool read lists from the replica while it is recent enough.
func (p *TenantPool) ReadFrom(replica *Replica) { p.replica = replica }

// Close closes every connection, after waiting for those in use.
func (r *Replica) Close() { r.pool.Close() }

// Run measures the replica until ctx ends.
func (r *Replica) Run(ctx context.Context) {
	ticker := time.NewTicker(measureInterval)
	defer ticker.Stop()
	isUsed := true // so that a replica that cannot be used at the start is logged
	for {
		err := r.measure(ctx)
		lag := r.lag()
		r.metrics.ReplicaLag(lag)
		switch isRecent := lag <= MaxStaleness; {
		case ctx.Err() != nil:
			return
		case isUsed && !isRecent:
			r.logger.WarnContext(ctx, "read replica is not used, lists are read from the primary", "error", cmp.Or(err, errBehind))
			isUsed = false
		case !isUsed && isRecent:
			r.logger.InfoContext(ctx, "read replica is used again")
			isUsed = true
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

var errBehind = errors.New("the replica is more than a second behind")

// position identifies a place in the log of a cluster.
type position struct {
	cluster  int64
	database string
	timeline int32
	log      int64
}

const (
	primaryPosition = `SELECT system_identifier, current_database(), ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int,
  pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint FROM pg_control_system()`

	replicaPosition = `SELECT system_identifier, current_database(), timeline_id, pg_wal_lsn_diff(coalesce(pg_last_wal_replay_lsn(), '0/0'), '0/0')::bigint, pg_is_in_recovery()
FROM pg_control_system(), pg_control_checkpoint()`
)

// measure compares the position of the replica with former positions of the primary. It does not compare the clocks of machines, and a
// primary without changes makes no lag.
func (r *Replica) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	var primary, replica position
	var isStandby bool
	asked := time.Now()
	err := r.primary.probe.QueryRow(ctx, primaryPosition).Scan(&primary.cluster, &primary.database, &primary.timeline, &primary.log)
	if err != nil {
		return fmt.Errorf("read the position of the primary: %w", err)
	}
	r.samples = append(r.samples, sample{at: asked, position: primary.log})
	r.samples = r.samples[max(0, len(r.samples)-maxSamples):]
	err = r.pool.pool.QueryRow(ctx, replicaPosition).Scan(&replica.cluster, &replica.database, &replica.timeline, &replica.log, &isStandby)
	switch {
	case err != nil:
		return fmt.Errorf("read the position of the replica: %w", err)
	case !isStandby:
		return errors.New("VERSIONER_READ_DATABASE_URL is not a standby")
	case replica.cluster != primary.cluster || replica.database != primary.database:
		return errors.New("VERSIONER_READ_DATABASE_URL is not a standby of DATABASE_URL, or another database of it")
	case replica.timeline != primary.timeline:
		return fmt.Errorf("the replica follows timeline %d, the primary is on %d: it is used after its next restart point", replica.timeline, primary.timeline)
	}
	r.replayed(replica.log)
	return nil
}

// replayed records what the replica has replayed, and drops the samples that are of no more use.
func (r *Replica) replayed(log int64) {
	newest := -1
	for i, sample := range r.samples {
		if sample.position <= log {
			newest = i
		}
	}
	if newest >= 0 {
		r.mu.Lock()
		r.asOf = r.samples[newest].at
		r.mu.Unlock()
		r.samples = r.samples[newest:]
	}
}

// lag is the time since the last moment whose changes the replica is known to have.
func (r *Replica) lag() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.asOf)
}

// Received is called when every announcement that was sent until asOf has been received.
func (r *Replica) Received(asOf time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receivedUntil = asOf
}

// Wrote is called when a user has changed something in an account, on this server or on another one.
func (r *Replica) Wrote(account uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if len(r.writes) >= maxWriters {
		for other, at := range r.writes {
			if now.Sub(at) > afterWrite {
				delete(r.writes, other)
			}
		}
	}
	r.writes[account] = now
}

// isUsable reports whether a list of the account may be read from the replica: it is recent, the announcements of other servers arrive, and no user
// of the account has just changed something.
func (r *Replica) isUsable(account uuid.UUID) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	return now.Sub(r.asOf) <= MaxStaleness && now.Sub(r.receivedUntil) <= MaxStaleness && now.Sub(r.writes[account]) > afterWrite
}

// distrust stops the use of the replica until the next measurement that succeeds.
func (r *Replica) distrust() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asOf = time.Time{}
}

// UserWrote makes the lists of an account come from the primary for a while, on every server, after a user has changed something there.
// It is called before the answer, which is how the user learns of the change.
func (p *TenantPool) UserWrote(ctx context.Context, account uuid.UUID) {
	if p.replica == nil {
		return
	}
	p.replica.Wrote(account)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), measureTimeout)
	defer cancel()
	if _, err := p.replica.primary.pool.Exec(ctx, "SELECT pg_notify($1, $2)", PrincipalChannel, WrotePrefix+account.String()); err != nil {
		p.replica.logger.WarnContext(ctx, "a change is not announced, other servers may read lists without it for a second", "error", err)
	}
}

// The channel of notifications about credentials and users.
const (
	PrincipalChannel = "principal_changed"
	WrotePrefix      = "wrote " // precedes the account in which a user has changed something; else the payload is a row that has changed
)

// ReadPage calls read with a handle whose first list has at most maxSize bytes: on the read replica if that is usable, and on the primary
// if it is not or if reading there fails. read may be called again after an outage.
func (p *TenantPool) ReadPage(ctx context.Context, account uuid.UUID, maxSize int, read func(*Page) error) error {
	if p.replica.isUsable(account) {
		page := p.replica.pool.newPage(account, maxSize, replicaTimeout)
		err := read(page)
		if err == nil || ctx.Err() != nil || apperr.Is(err, apperr.Unavailable) && !IsTransient(err) { // the last is a full queue
			p.observed.Metrics.ListRead(p.replica.pool.observed.Pool)
			return err
		}
		p.replica.distrust()
		p.replica.logger.WarnContext(ctx, "a list could not be read from the read replica, reading it from the primary", "error", err)
	}
	p.observed.Metrics.ListRead(p.observed.Pool)
	return Retry(ctx, func(context.Context) error { return read(p.newPage(account, maxSize, 0)) })
}
