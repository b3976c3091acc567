package accountmove

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/versioner-io/versioner/internal/ingest"
)

// Target is the database that an account enters.
type Target struct {
	DSN string
	// EnsurePartitions creates the partitions of the event log.
	EnsurePartitions func(ctx context.Context, from, to time.Time) error
	// HasPepper and HasKey report whether a secret of the account is in the settings of the target, by identifier.
	HasPepper, HasKey func(id []byte) bool
}

// Import inserts an exported account, everything or nothing, and compares it with the manifest. It refuses an account that the database has.
func Import(ctx context.Context, target Target, r io.Reader) (Manifest, error) {
	archive := tar.NewReader(r)
	var manifest Manifest
	if err := readJSON(archive, manifestName, &manifest); err != nil {
		return manifest, fmt.Errorf("read the account: %w", err)
	}
	if err := manifest.check(target); err != nil {
		return manifest, err
	}
	conn, err := pgx.Connect(ctx, target.DSN)
	if err != nil {
		return manifest, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := manifest.checkDatabase(ctx, conn); err != nil {
		return manifest, err
	}
	if manifest.FirstEventAt != nil {
		if err := target.EnsurePartitions(ctx, *manifest.FirstEventAt, *manifest.LastEventAt); err != nil {
			return manifest, fmt.Errorf("create the partitions of its events: %w", err)
		}
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return manifest.insert(ctx, tx, archive) })
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == "23505" {
		err = fmt.Errorf("the database has it already, or its slug, organisation or an API key of it: %w", err)
	}
	if err != nil {
		return manifest, fmt.Errorf("import the account, nothing was changed: %w", err)
	}
	return manifest, nil
}

// readJSON reads the next member of the archive.
func readJSON(archive *tar.Reader, name string, value any) error {
	header, err := archive.Next()
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	if header.Name != name {
		return fmt.Errorf("it has %q instead of %q", header.Name, name)
	}
	return json.NewDecoder(archive).Decode(value) //nolint:wrapcheck // wrapped by the caller
}

func (m Manifest) check(target Target) error {
	if m.Format != format {
		return fmt.Errorf("the format of the file is %d, this program reads %d", m.Format, format)
	}
	if !all(m.PepperIDs, target.HasPepper) {
		return errors.New("its API keys or calendar feeds are hashed with a pepper that VERSIONER_KEY_PEPPER lacks: add that of the source behind the own one, on every server of this database")
	}
	if !all(m.KeyIDs, target.HasKey) {
		return errors.New("its notification channels are encrypted with a key that VERSIONER_ENCRYPTION_KEYS lacks: add that of the source behind the own ones, on every server of this database")
	}
	return nil
}

func all(ids [][]byte, has func([]byte) bool) bool {
	return !slices.ContainsFunc(ids, func(id []byte) bool { return !has(id) })
}

func (m Manifest) checkDatabase(ctx context.Context, conn *pgx.Conn) error {
	var version int64
	var exists bool
	err := conn.QueryRow(ctx, "SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied), EXISTS (SELECT FROM accounts WHERE id = $1 OR slug = $2)", m.AccountID, m.Slug).Scan(&version, &exists)
	switch {
	case err != nil:
		return fmt.Errorf("describe the database: %w", err)
	case version != m.SchemaVersion:
		return fmt.Errorf("the schema of the database has version %d, that of the account %d: migrate both databases with the same program", version, m.SchemaVersion)
	case exists:
		return fmt.Errorf("the database has an account %q already", m.Slug)
	}
	return nil
}

func (m Manifest) insert(ctx context.Context, tx pgx.Tx, archive *tar.Reader) error {
	if _, err := tx.Exec(ctx, textSettings); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	tables, err := readCatalogue(ctx, tx)
	if err != nil {
		return err
	}
	tables = slices.DeleteFunc(tables, func(table catalogued) bool { return slices.Contains(stays, table.name) })
	if len(tables) != len(m.Tables) {
		return errors.New("the database has other tables than the account")
	}
	for i, table := range tables {
		if m.Tables[i].Name != table.name || !slices.Equal(m.Tables[i].Columns, table.columns) {
			return fmt.Errorf("the database has other columns of %s than the account", table.name)
		}
		if err := insertTable(ctx, tx, archive, table); err != nil {
			return fmt.Errorf("insert the rows of %s: %w", table.name, err)
		}
	}
	for _, table := range tables {
		if err := fillIn(ctx, tx, table); err != nil {
			return fmt.Errorf("fill in the rows of %s: %w", table.name, err)
		}
	}
	if err := m.insertJobs(ctx, tx, archive); err != nil {
		return fmt.Errorf("insert the jobs: %w", err)
	}
	for i, table := range tables {
		rows, hash, err := sum(ctx, tx, table, quoted(table.columns), m.AccountID)
		if err != nil {
			return err
		}
		if rows != m.Tables[i].Rows || hash != m.Tables[i].Hash {
			return fmt.Errorf("the rows of %s differ from the exported ones: %d instead of %d, or their hash", table.name, rows, m.Tables[i].Rows)
		}
	}
	return nil
}

func quoted(columns []string) string {
	list := make([]string, len(columns))
	for i, column := range columns {
		list[i] = sanitize(column)
	}
	return strings.Join(list, ", ")
}

// draft is the temporary table with the rows of a table: COPY cannot write to one with row-level security.
func draft(table catalogued) string { return sanitize("moved_" + table.name) }

func insertTable(ctx context.Context, tx pgx.Tx, archive *tar.Reader, table catalogued) error {
	header, err := archive.Next()
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	if header.Name != table.name+tableSuffix {
		return fmt.Errorf("the file has %q instead", header.Name)
	}
	columns := quoted(table.columns)
	if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE "+draft(table)+" ON COMMIT DROP AS SELECT "+columns+" FROM "+sanitize(table.name)+" WITH NO DATA"); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, archive, "COPY "+draft(table)+" ("+columns+") FROM STDIN (FORMAT binary)"); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	values := make([]string, len(table.columns))
	for i, column := range table.columns {
		values[i] = sanitize(column)
		if slices.Contains(table.late, column) {
			values[i] = "NULL"
		}
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+sanitize(table.name)+" ("+columns+") SELECT "+strings.Join(values, ", ")+" FROM "+draft(table))
	return err //nolint:wrapcheck // wrapped by the caller
}

// fillIn sets the late columns of a table.
func fillIn(ctx context.Context, tx pgx.Tx, table catalogued) error {
	for _, column := range table.late {
		var matches []string
		for _, key := range table.primaryKey {
			matches = append(matches, "t."+sanitize(key)+" = d."+sanitize(key))
		}
		_, err := tx.Exec(ctx, "UPDATE "+sanitize(table.name)+" AS t SET "+sanitize(column)+" = d."+sanitize(column)+" FROM "+draft(table)+" AS d WHERE "+
			strings.Join(matches, " AND ")+" AND d."+sanitize(column)+" IS NOT NULL")
		if err != nil {
			return err //nolint:wrapcheck // wrapped by the caller
		}
	}
	return nil
}

func (m Manifest) insertJobs(ctx context.Context, tx pgx.Tx, archive *tar.Reader) error {
	var jobs []job
	if err := readJSON(archive, jobsName, &jobs); err != nil {
		return err
	}
	if len(jobs) != m.Jobs {
		return fmt.Errorf("the file has %d instead of %d", len(jobs), m.Jobs)
	}
	for _, job := range jobs {
		_, err := tx.Exec(ctx, `INSERT INTO river_job (kind, args, queue, priority, max_attempts, metadata, scheduled_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 > now() THEN 'scheduled' ELSE 'available' END::river_job_state)`,
			job.Kind, job.Args, ingest.QueueOf(job.Kind), job.Priority, job.MaxAttempts, job.Metadata, job.ScheduledAt)
		if err != nil {
			return err //nolint:wrapcheck // wrapped by the caller
		}
	}
	return nil
}
