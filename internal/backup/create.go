// Package backup copies a database into one file and back: an archive with a manifest and a dump of one snapshot, encrypted for recipients
// (https://age-encryption.org) if there are any. Restore verifies what it has restored against the manifest.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// lockWait is how long pg_dump waits for a table that another transaction has locked, in milliseconds.
const lockWait = "60000"

// Options of a backup.
type Options struct {
	Recipients []age.Recipient // none: not encrypted
	Secrets    *Secrets        // nil: without them
	Peppers    apikeys.Peppers // one of them must be that of the database; none: not checked
}

// Create writes a backup of the database. Servers may run. It returns the manifest.
func Create(ctx context.Context, dsn string, w io.Writer, options Options) (Manifest, error) {
	if options.Secrets != nil && len(options.Recipients) == 0 {
		return Manifest{}, errors.New("a backup with secrets has to be encrypted")
	}
	dump, err := newTemporary()
	if err != nil {
		return Manifest{}, err
	}
	archive := &Archive{dump: dump, Secrets: options.Secrets, Manifest: Manifest{Format: format, CreatedAt: time.Now().UTC().Truncate(time.Second), Program: buildinfo.Version()}}
	defer func() { _ = archive.Close() }()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return Manifest{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return archive.dumpSnapshot(ctx, tx, dsn, options.Peppers)
	})
	if err != nil {
		return Manifest{}, fmt.Errorf("back up the database: %w", err)
	}
	if err := archive.sum(); err != nil {
		return Manifest{}, err
	}
	return archive.Manifest, archive.write(w, options.Recipients)
}

// dumpSnapshot dumps the snapshot of the transaction, and counts its rows.
func (a *Archive) dumpSnapshot(ctx context.Context, tx pgx.Tx, dsn string, peppers apikeys.Peppers) error {
	// The transaction is idle while pg_dump works on its snapshot.
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	if err := a.describe(ctx, tx); err != nil {
		return err
	}
	if len(peppers) > 0 {
		if err := a.Manifest.CheckPepper(peppers); err != nil {
			return err
		}
	}
	program, err := embeddedpg.FindClient(ctx, "pg_dump", a.Manifest.PostgresMajor, a.Manifest.PostgresMajor)
	if err != nil {
		return err
	}
	args := []string{"--format=custom", "--lock-wait-timeout=" + lockWait}
	bypasses, err := bypassesRowSecurity(ctx, tx)
	if err != nil {
		return err
	}
	if !bypasses {
		args = append(args, "--enable-row-security")
	}
	var snapshot string
	if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	command, messages := client{dsn}.command(ctx, program, append(args, "--snapshot="+snapshot)...)
	command.Stdout = a.dump
	if err := command.Start(); err != nil {
		return fmt.Errorf("start pg_dump: %w", err)
	}
	tables, countErr := countRows(ctx, tx)
	a.Manifest.Tables = tables
	if err := command.Wait(); err != nil {
		return failure(program, err, messages)
	}
	return countErr
}

// describe reads what the manifest has of the database.
func (a *Archive) describe(ctx context.Context, tx pgx.Tx) error {
	var isMigrated bool
	err := tx.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000, to_regclass('goose_db_version') IS NOT NULL AND to_regclass('cluster_identity') IS NOT NULL").
		Scan(&a.Manifest.PostgresMajor, &isMigrated)
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	if !isMigrated {
		return errors.New("it has no schema of this program")
	}
	return tx.QueryRow(ctx, "SELECT max(version_id), (SELECT pepper_verifier FROM cluster_identity) FROM goose_db_version WHERE is_applied"). //nolint:wrapcheck // wrapped by the caller
																			Scan(&a.Manifest.SchemaVersion, &a.Manifest.PepperVerifier)
}

// bypassesRowSecurity reports whether row-level security does not apply to this role. Otherwise it requires a policy that shows it every
// row of every table: a backup must not lack rows silently.
func bypassesRowSecurity(ctx context.Context, tx pgx.Tx) (bool, error) {
	var bypasses bool
	if err := tx.QueryRow(ctx, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&bypasses); err != nil || bypasses {
		return bypasses, err //nolint:wrapcheck // wrapped by the caller
	}
	rows, _ := tx.Query(ctx, `SELECT c.oid::regclass::text FROM pg_class AS c
		WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND NOT EXISTS (
			SELECT FROM pg_policy AS p
			WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, p.polrelid) = 'true'
				AND EXISTS (SELECT FROM unnest(p.polroles) AS r (id) WHERE r.id = 0 OR pg_has_role(r.id, 'USAGE')))
		ORDER BY 1`)
	hidden, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return false, err //nolint:wrapcheck // wrapped by the caller
	}
	if len(hidden) > 0 {
		return false, fmt.Errorf("row-level security hides rows of %s from this role: use the owner of the tables, or a role with BYPASSRLS", strings.Join(hidden, ", "))
	}
	return false, nil
}

// countRows returns every table of the database, each partition on its own, with its number of rows.
func countRows(ctx context.Context, tx pgx.Tx) ([]Table, error) {
	rows, _ := tx.Query(ctx, `SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
			AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY n.nspname, c.relname`)
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (name pgx.Identifier, err error) {
		name = make(pgx.Identifier, 2)
		return name, row.Scan(&name[0], &name[1])
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := make([]Table, len(names))
	for i, name := range names {
		tables[i].Name = strings.Join(name, ".")
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM ONLY "+name.Sanitize()).Scan(&tables[i].Rows); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", tables[i].Name, err)
		}
	}
	return tables, nil
}

// anyMajor accepts each version from a minimum on.
const anyMajor = math.MaxInt
