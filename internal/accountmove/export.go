package accountmove

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/ingest"
)

const (
	pollInterval = 100 * time.Millisecond
	settleWithin = time.Minute
	// exportAttempts is how often the rows are read, since maintenance may delete expired ones of a locked account between two snapshots.
	exportAttempts = 3
)

var errRowsChanged = errors.New("changed while they were exported: export the account again")

// Source is the database that an account leaves.
type Source struct {
	DSN     string
	Account uuid.UUID
	// Lock makes every server answer requests of the account with 503, and Unlock ends that.
	Lock, Unlock func(ctx context.Context) error
	// Wait is how long a request may take that was accepted before.
	Wait time.Duration
}

// Export locks the account and writes it to w. It stays locked, also after a failure: Export may be repeated, and Abandon ends the move.
func Export(ctx context.Context, source Source, w io.Writer) (Manifest, error) {
	if err := source.Lock(ctx); err != nil {
		return Manifest{}, err
	}
	locked := time.Now()
	conn, err := pgx.Connect(ctx, source.DSN)
	if err != nil {
		return Manifest{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := settle(ctx, conn, source.Account, locked.Add(source.Wait)); err != nil {
		return Manifest{}, err
	}
	for attempt := 1; ; attempt++ {
		manifest, err := exportOnce(ctx, conn, source.Account, w)
		if !errors.Is(err, errRowsChanged) || attempt == exportAttempts {
			return manifest, err
		}
	}
}

func exportOnce(ctx context.Context, conn *pgx.Conn, account uuid.UUID, w io.Writer) (Manifest, error) {
	export := &export{account: account, files: make(map[string]*os.File)}
	defer export.close()
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	if err := pgx.BeginTxFunc(ctx, conn, snapshot, func(tx pgx.Tx) error { return export.read(ctx, tx) }); err != nil {
		return Manifest{}, fmt.Errorf("export the account: %w", err)
	}
	if err := pgx.BeginTxFunc(ctx, conn, snapshot, func(tx pgx.Tx) error { return export.verify(ctx, tx) }); err != nil {
		return Manifest{}, fmt.Errorf("export the account: %w", err)
	}
	return export.manifest, export.write(w)
}

// Abandon ends the move of an account that stays in this database.
func Abandon(ctx context.Context, source Source) error {
	conn, err := pgx.Connect(ctx, source.DSN)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const release = "UPDATE river_job SET queue = CASE kind WHEN $2 THEN $3 WHEN $4 THEN $5 ELSE $6 END WHERE queue = $7 AND args ->> 'account_id' = $1"
	_, err = conn.Exec(ctx, release, source.Account.String(), ingest.ObserveArgs{}.Kind(), ingest.ObserveQueue, ingest.UserEmailKind, ingest.EmailQueue,
		ingest.JobQueue, heldQueue)
	if err != nil {
		return fmt.Errorf("release the jobs of the account: %w", err)
	}
	return source.Unlock(ctx)
}

// settle waits until nothing changes the account any more: requests that were accepted before the lock, their transactions, and background
// jobs. Jobs that wait are held, and move with the account.
func settle(ctx context.Context, conn *pgx.Conn, account uuid.UUID, accepted time.Time) error {
	var began time.Time
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&began); err != nil {
		return fmt.Errorf("read the time of the database: %w", err)
	}
	until := accepted.Add(settleWithin)
	for {
		blocker, err := findBlocker(ctx, conn, account, began)
		switch {
		case err != nil:
			return fmt.Errorf("wait for the account: %w", err)
		case blocker == "" && time.Now().After(accepted):
			return nil
		case blocker != "" && time.Now().After(until):
			return fmt.Errorf("%s: the account stays locked; end that, and export it again, or abandon the move", blocker)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // names the signal
		case <-time.After(pollInterval):
		}
	}
}

// findBlocker holds the waiting jobs of the account, and returns what may still change it. Fan-out jobs, which have the events of several
// accounts, are worked on; the deliveries that they make are held.
func findBlocker(ctx context.Context, conn *pgx.Conn, account uuid.UUID, began time.Time) (blocker string, err error) {
	const hold = `UPDATE river_job SET queue = $2 WHERE queue = ANY ($3) AND args ->> 'account_id' = $1 AND state IN ('available', 'pending', 'retryable', 'scheduled')`
	if _, err := conn.Exec(ctx, hold, account.String(), heldQueue, workQueues); err != nil {
		return "", err //nolint:wrapcheck // wrapped by the caller
	}
	const unfinished = `SELECT kind FROM river_job
WHERE state IN ('available', 'pending', 'retryable', 'scheduled', 'running') AND queue <> $2
  AND (args ->> 'account_id' = $1 OR args -> 'events' @> jsonb_build_array(jsonb_build_object('account_id', $1)))
LIMIT 1`
	if err := conn.QueryRow(ctx, unfinished, account.String(), heldQueue).Scan(&blocker); err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return "a background job (" + blocker + ") has not ended", err //nolint:wrapcheck // wrapped by the caller
	}
	const running = `SELECT format('transaction of process %s (%s)', pid, application_name) FROM pg_stat_activity
WHERE datname = current_database() AND xact_start < $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'
LIMIT 1`
	if err := conn.QueryRow(ctx, running, began).Scan(&blocker); err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return "a " + blocker + " has not ended", err //nolint:wrapcheck // wrapped by the caller
	}
	return "", nil
}

// export is what is read of an account.
type export struct {
	account  uuid.UUID
	manifest Manifest
	tables   []catalogued
	jobs     []job
	files    map[string]*os.File // without names
}

func (e *export) close() {
	for _, file := range e.files {
		_ = file.Close()
	}
}

// expressions returns what is exported for the columns of a table.
func expressions(table catalogued) string {
	var list []string
	for _, column := range table.columns {
		expression := sanitize(column)
		switch {
		case table.name == accounts && column == "moving_since":
			expression = "NULL::timestamptz"
		case table.name == "api_keys" && column == "pepper_id": // without one it is that of the database
			expression = "coalesce(pepper_id, (SELECT substring(pepper_verifier FROM 1 FOR 8) FROM cluster_identity))"
		}
		list = append(list, expression)
	}
	return strings.Join(list, ", ")
}

func (e *export) read(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, textSettings); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	m := &e.manifest
	*m = Manifest{Format: format, CreatedAt: time.Now().UTC().Truncate(time.Second), Program: buildinfo.Version(), AccountID: e.account}
	err := tx.QueryRow(ctx, `SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied), (SELECT slug FROM accounts WHERE id = $1),
  (SELECT min(received_at) FROM events WHERE account_id = $1), (SELECT max(received_at) FROM events WHERE account_id = $1),
  array(SELECT coalesce(pepper_id, (SELECT substring(pepper_verifier FROM 1 FOR 8) FROM cluster_identity)) FROM api_keys WHERE account_id = $1
    UNION SELECT pepper_id FROM calendar_feeds WHERE account_id = $1 AND revoked_at IS NULL),
  array(SELECT DISTINCT substring(encrypted_config FROM 1 FOR 4) FROM notification_channels WHERE account_id = $1 AND deleted_at IS NULL)`, e.account).
		Scan(&m.SchemaVersion, &m.Slug, &m.FirstEventAt, &m.LastEventAt, &m.PepperIDs, &m.KeyIDs)
	if err != nil {
		return fmt.Errorf("describe the account: %w", err)
	}
	if e.tables, err = readCatalogue(ctx, tx); err != nil {
		return err
	}
	e.tables = slices.DeleteFunc(e.tables, func(table catalogued) bool { return slices.Contains(stays, table.name) })
	for _, table := range e.tables {
		entry := Table{Name: table.name, Columns: table.columns}
		if entry.Rows, entry.Hash, err = sum(ctx, tx, table, expressions(table), e.account); err != nil {
			return err
		}
		m.Tables = append(m.Tables, entry)
		if err := e.copy(ctx, tx, table); err != nil {
			return fmt.Errorf("copy %s: %w", table.name, err)
		}
	}
	rows, _ := tx.Query(ctx, "SELECT kind, args, priority, max_attempts, metadata, scheduled_at FROM river_job WHERE queue = $2 AND args ->> 'account_id' = $1 AND finalized_at IS NULL ORDER BY id", e.account.String(), heldQueue)
	if e.jobs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[job]); err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	m.Jobs = len(e.jobs)
	return nil
}

// copy writes the rows of a table to a temporary file that has no name, so that nothing of it stays.
func (e *export) copy(ctx context.Context, tx pgx.Tx, table catalogued) error {
	file, err := os.CreateTemp("", "versioner-account-*")
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	e.files[table.name] = file
	if err := os.Remove(file.Name()); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	// COPY has no parameters; the account is a UUID.
	condition := strings.ReplaceAll(table.filter(), "$1", "'"+e.account.String()+"'")
	_, err = tx.Conn().PgConn().CopyTo(ctx, file, "COPY (SELECT "+expressions(table)+" FROM "+sanitize(table.name)+" WHERE "+condition+") TO STDOUT (FORMAT binary)")
	return err //nolint:wrapcheck // wrapped by the caller
}

// verify requires that nothing has changed since the snapshot of read.
func (e *export) verify(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, textSettings); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	for i, table := range e.tables {
		rows, hash, err := sum(ctx, tx, table, expressions(table), e.account)
		if err != nil {
			return err
		}
		if exported := e.manifest.Tables[i]; rows != exported.Rows || hash != exported.Hash {
			return fmt.Errorf("rows of %s %w", table.name, errRowsChanged)
		}
	}
	return nil
}

func (e *export) write(w io.Writer) error {
	archive := tar.NewWriter(w)
	add := func(name string, size int64, content io.Reader) error {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: e.manifest.CreatedAt}); err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		_, err := io.Copy(archive, content)
		return err //nolint:wrapcheck // wrapped below
	}
	addJSON := func(name string, value any) error {
		text, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		return add(name, int64(len(text)), strings.NewReader(string(text)))
	}
	err := addJSON(manifestName, e.manifest)
	for _, table := range e.tables {
		if err != nil {
			break
		}
		file := e.files[table.name]
		var info os.FileInfo
		if info, err = file.Stat(); err == nil {
			err = add(table.name+tableSuffix, info.Size(), io.NewSectionReader(file, 0, info.Size()))
		}
	}
	if err == nil {
		err = addJSON(jobsName, e.jobs)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("write the account: %w", err)
	}
	return nil
}
