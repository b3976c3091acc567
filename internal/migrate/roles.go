package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/versioner-io/versioner/internal/postgres"
)

// ensureAppRole creates the role of requests and joins it. Roles belong to the whole PostgreSQL server, so the backup of a
// database does not contain them.
func ensureAppRole(ctx context.Context, pool *pgxpool.Pool) error {
	var exists, isMember bool
	// From release 16 on a member may lack the right to SET ROLE.
	err := pool.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_or(pg_has_role(current_user, oid,
			CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)), false)
		FROM pg_roles WHERE rolname = $1`, postgres.AppRole).Scan(&exists, &isMember)
	if err != nil {
		return fmt.Errorf("read the roles: %w", err)
	}
	if !exists {
		_, err = pool.Exec(ctx, "CREATE ROLE "+postgres.AppRole+" NOLOGIN")
		if isDuplicate(err) { // created concurrently for another database of the server
			err = nil
		}
	}
	if err == nil && !isMember {
		_, err = pool.Exec(ctx, "GRANT "+postgres.AppRole+" TO CURRENT_USER")
		if isDuplicate(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("prepare the role %[1]s (without the right to create roles, an administrator must run: CREATE ROLE %[1]s NOLOGIN; GRANT %[1]s TO the owner of the database): %[2]w",
			postgres.AppRole, err)
	}
	return nil
}

// isDuplicate reports whether the role exists (42710), or is being created by another transaction (23505).
func isDuplicate(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failure.Code == "42710" || failure.Code == "23505")
}

// verifyRowLevelSecurity detects tables of accounts that requests cannot read: a migration lacks the grant or the policy of a table, or
// the database was restored before AppRole existed, which loses both of every table.
func verifyRowLevelSecurity(ctx context.Context, pool *pgxpool.Pool) error {
	rows, _ := pool.Query(ctx, `SELECT c.relname::text FROM pg_class AS c
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relforcerowsecurity AND NOT (has_table_privilege($1, c.oid, 'SELECT')
			AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polroles = ARRAY[$1::regrole::oid]))
		ORDER BY c.relname`, postgres.AppRole)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read the policies: %w", err)
	}
	if len(tables) > 0 {
		return fmt.Errorf("the role %s lacks the SELECT privilege or the policy of %s: either a migration lacks its GRANT or CREATE POLICY, or the database "+
			"was restored before the role existed: restore it again, as the role exists now (docs/production.md, Backups)", postgres.AppRole, strings.Join(tables, ", "))
	}
	return nil
}
