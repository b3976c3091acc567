package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/embeddedpg"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
)

// ErrNotEmpty rejects a database with tables.
var ErrNotEmpty = errors.New("the database is not empty: restore into a new one")

// CheckSchema rejects a backup whose schema this program does not know.
func (m Manifest) CheckSchema() error {
	if newest := migrate.Version(); m.SchemaVersion > newest {
		return fmt.Errorf("the schema of the backup has version %d, newer than this program, which has migrations up to %d: restore it with version %s of the program, which made it, or a newer one",
			m.SchemaVersion, newest, m.Program)
	}
	return nil
}

// Restore restores a backup into an empty database as the owner of its tables, compares the rows with the manifest, migrates the schema
// and verifies that a server would be ready.
func Restore(ctx context.Context, dsn string, archive *Archive, logger *slog.Logger) error {
	if err := archive.Manifest.CheckSchema(); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	major, err := requireEmpty(ctx, conn)
	if err != nil {
		return err
	}
	if major < archive.Manifest.PostgresMajor {
		return fmt.Errorf("the backup was made from PostgreSQL %d, and this is PostgreSQL %d: restore it into the same or a newer release", archive.Manifest.PostgresMajor, major)
	}
	if err := migrate.EnsureAppRole(ctx, dsn); err != nil {
		return err
	}
	program, err := embeddedpg.FindClient(ctx, "pg_restore", major, anyMajor)
	if err != nil {
		return err
	}
	if err := archive.restoreDump(ctx, client{dsn}, conn, program); err != nil {
		return fmt.Errorf("restore the database: %w", err)
	}
	if err := archive.compare(ctx, conn); err != nil {
		return err
	}
	if err := migrate.Up(ctx, dsn, logger); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze the database: %w", err)
	}
	return verifyReadiness(ctx, dsn)
}

// requireEmpty returns the major version of the server.
func requireEmpty(ctx context.Context, conn *pgx.Conn) (major int, err error) {
	var isEmpty bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000, NOT EXISTS (
		SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
			AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`).Scan(&major, &isEmpty)
	if err != nil {
		return 0, fmt.Errorf("read the database: %w", err)
	}
	if !isEmpty {
		return 0, ErrNotEmpty
	}
	return major, nil
}

// ownerPolicy matches the line of a policy that names the owner of the tables in the list of a dump: its dump ID, two numbers of the
// catalogue, POLICY, and the names of the schema, the table, the policy and the owner.
var ownerPolicy = regexp.MustCompile(`^\d+; \d+ \d+ POLICY (\S+) (\S+) owner_bypass `)

// restoreDump restores everything or nothing. The policies of the owner are created for the owner of this database, whose name may
// differ from that in the dump.
func (a *Archive) restoreDump(ctx context.Context, c client, conn *pgx.Conn, program string) error {
	var list bytes.Buffer
	if err := c.list(ctx, a.dump, &list, program); err != nil {
		return err
	}
	kept, err := os.CreateTemp("", "versioner-list-*")
	if err != nil {
		return fmt.Errorf("create a temporary file: %w", err)
	}
	defer func() { _ = os.Remove(kept.Name()) }()
	var owned []pgx.Identifier
	var lines strings.Builder
	for line := range strings.Lines(list.String()) {
		if found := ownerPolicy.FindStringSubmatch(line); found != nil {
			owned = append(owned, pgx.Identifier{found[1], found[2]})
			continue
		}
		lines.WriteString(line)
	}
	_, err = kept.WriteString(lines.String())
	if err := errors.Join(err, kept.Close()); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	if err := c.run(ctx, a.dump, nil, program, "--single-transaction", "--exit-on-error", "--no-owner", "--use-list="+kept.Name()); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { //nolint:wrapcheck // wrapped by the caller
		for _, table := range owned {
			if _, err := tx.Exec(ctx, "CREATE POLICY owner_bypass ON "+table.Sanitize()+" TO CURRENT_USER USING (true)"); err != nil {
				return err //nolint:wrapcheck // wrapped by the caller
			}
		}
		return nil
	})
}

// compare rejects a database whose rows are not those of the manifest.
func (a *Archive) compare(ctx context.Context, conn *pgx.Conn) error {
	var restored []Table
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		restored, err = countRows(ctx, tx)
		return err
	})
	if err != nil {
		return err //nolint:wrapcheck // names the table
	}
	counts := make(map[string]int64, len(restored))
	for _, table := range restored {
		counts[table.Name] = table.Rows
	}
	var differences []string
	for _, table := range a.Manifest.Tables {
		rows, exists := counts[table.Name]
		if !exists || rows != table.Rows {
			differences = append(differences, fmt.Sprintf("%s has %d rows instead of %d", table.Name, rows, table.Rows))
		}
	}
	if len(restored) != len(a.Manifest.Tables) {
		differences = append(differences, fmt.Sprintf("%d tables instead of %d", len(restored), len(a.Manifest.Tables)))
	}
	if len(differences) > 0 {
		return fmt.Errorf("the restored database differs from the backup: %s", strings.Join(differences, "; "))
	}
	return nil
}

func verifyReadiness(ctx context.Context, dsn string) error {
	pool, err := postgres.Open(ctx, dsn, postgres.Observed{})
	if err != nil {
		return err
	}
	defer pool.Close()
	return pool.Ready(ctx, migrate.Version())
}
