package postgres_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestSchemaIsDistributable holds the catalogue against the rules that let the schema be distributed by account.
func TestSchemaIsDistributable(t *testing.T) {
	t.Parallel()
	requireDistributable(t, connect(t, testdb.New(t)))
}

// TestExampleMigration runs the migration of CONTRIBUTING.md: its table follows the rules of all tables, and each account has rows of
// its own.
func TestExampleMigration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(text), "### A migration\n")
	_, section, _ = strings.Cut(section, "```sql\n-- +goose Up\n")
	migration, _, found := strings.Cut(section, "```")
	require.True(t, found)
	dsn := testdb.New(t)
	conn := connect(t, dsn)
	_, err = conn.Exec(t.Context(), migration)
	require.NoError(t, err)
	requireDistributable(t, conn)
	require.NoError(t, migrate.Up(t.Context(), dsn, slog.New(slog.DiscardHandler)), "it verifies grants and policies")

	one, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	_, err = conn.Exec(t.Context(), "INSERT INTO accounts (id, slug, created_at) VALUES ($1, 'one', now()), ($2, 'other', now())", one, other)
	require.NoError(t, err)
	for _, account := range []uuid.UUID{one, other} {
		_, err = conn.Exec(t.Context(), "INSERT INTO saved_views (account_id, id, name, created_at) VALUES ($1, gen_random_uuid(), 'mine', now())", account)
		require.NoError(t, err, "the name is free in each account")
	}
	_, err = conn.Exec(t.Context(), "SET ROLE versioner_app; SET app.account_ids = '{"+one.String()+"}'")
	require.NoError(t, err)
	var visible []uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT array_agg(account_id) FROM saved_views").Scan(&visible))
	require.Equal(t, []uuid.UUID{one}, visible)
}

func requireDistributable(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	list := func(sql string) []string {
		t.Helper()
		rows, _ := conn.Query(t.Context(), sql)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return found
	}
	const ours = `c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND c.relname !~ '^(river|goose)' AND c.relname NOT IN ('accounts', 'cluster_identity', 'confirmation_email_usage')`
	const accountID = `(SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attname = 'account_id')`

	require.Subset(t, list("SELECT relname FROM pg_class AS c WHERE "+ours), []string{"users", "products", "deployments", "events", "audit_log"})
	require.Empty(t, list("SELECT relname FROM pg_class AS c WHERE "+ours+" AND "+accountID+" IS DISTINCT FROM 1"), "tables whose first column is not account_id")
	// A request has a token only, of 256 random bits. Its account is that of the row with the hash of the token, so the hash must be
	// unique across accounts.
	require.ElementsMatch(t, []string{"api_keys_token_hmac_key", "calendar_feeds_token_hmac_key", "user_sessions_token_hmac_key"}, list(`SELECT x.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
		WHERE `+ours+` AND i.indisunique AND NOT `+accountID+` = ANY (i.indkey)`), "unique keys without the account")
	require.Empty(t, list(`SELECT k.conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
		WHERE `+ours+` AND k.contype = 'f' AND k.conkey[1] <> `+accountID), "foreign keys that do not lead with account_id")
	require.Empty(t, list(`SELECT k.conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
		WHERE `+ours+` AND k.contype = 'f' AND k.confrelid <> 'accounts'::regclass AND NOT EXISTS (
			SELECT FROM pg_attribute AS a WHERE a.attrelid = k.confrelid AND a.attnum = k.confkey[1] AND a.attname = 'account_id')`), "foreign keys into another account")
	require.Empty(t, list(`SELECT k.conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
		WHERE `+ours+` AND k.conname !~ ('^' || c.relname)`), "constraints whose name does not begin with that of the table: name them in the migration")
	require.Empty(t, list(`SELECT c.relname || '.' || a.attname FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid
		JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
		WHERE `+ours+` AND a.attgenerated = '' AND pg_get_expr(d.adbin, d.adrelid) ~ '\('`), "defaults that call a function")
	require.ElementsMatch(t, []string{"events_append_only", "audit_log_append_only"}, list(`SELECT g.tgname FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
		WHERE `+ours+` AND NOT g.tgisinternal`), "triggers")
	require.Equal(t, []string{"forbid_mutation"}, list(`SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname !~ '^river'`), "functions")
	require.Empty(t, list(`SELECT c.relname FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
		WHERE p.polname = 'tenant_isolation' AND pg_get_expr(p.polqual, p.polrelid) NOT LIKE '%NULLIF(current_setting(''app.account_ids''::text, true), ''''::text)%'`), "policies")
}

var (
	comment   = regexp.MustCompile(`(?m)^\s*--.*$`)
	named     = regexp.MustCompile(`(?ms)((?:^--[^\n]*\n)*)^-- name: (\w+) :\w+\n(.*?;)`)
	reference = regexp.MustCompile(`\b(FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+AS\s+(\w+))?`)
	forbidden = regexp.MustCompile(`(?i)clock_timestamp|\bnow\(\)|gen_random_uuid|current_setting|set_config|skip locked|\boffset\b`)
)

// TestQueriesAreDistributable holds every query against the same rules: each part of a statement names the account, by an
// argument or (in the ingest path) by an array of accounts, and clocks and identifiers are arguments.
func TestQueriesAreDistributable(t *testing.T) {
	t.Parallel()
	rows, _ := connect(t, testdb.New(t)).Query(t.Context(), `SELECT table_name::text FROM information_schema.columns
		WHERE table_schema = current_schema() AND column_name = 'account_id'`)
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[string]) // tables and views
	require.NoError(t, err)
	require.Subset(t, tenants, []string{"products", "deployment_details"})
	files, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(t, err)
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, query := range named.FindAllStringSubmatch(string(text), -1) {
			doc, name, sql := query[1], query[2], comment.ReplaceAllString(query[3], "")
			require.NotRegexp(t, forbidden, sql, name)
			if strings.Contains(sql, "pg_notify") {
				require.Regexp(t, `^SELECT pg_notify\([^;]*\);$`, strings.TrimSpace(sql), "%s: a notification is a statement of its own", name)
			}
			if strings.Contains(doc, "Cross-tenant") {
				continue
			}
			if strings.Contains(doc, "Not tenant-scoped") {
				for _, part := range reference.FindAllStringSubmatch(sql, -1) {
					require.NotContains(t, tenants, part[2], "%s reads a table of tenants: it is not without a tenant", name)
				}
				continue
			}
			isBatch := strings.Contains(sql, "@account_ids::uuid[]") || strings.Contains(sql, "@accounts::uuid[]")
			for _, part := range reference.FindAllStringSubmatch(sql, -1) {
				keyword, table, alias := part[1], part[2], part[3]
				if !slices.Contains(tenants, table) {
					continue
				}
				checked++
				if keyword == "INTO" {
					require.Regexp(t, `INTO `+table+`(?: AS \w+)? \(account_id[,)]`, sql, "%s: an insertion begins with the account", name)
					continue
				}
				column := `(?:` + alias + `\.)account_id`
				if alias == "" {
					column = `(?:\(|\b)account_id`
				}
				account := `@account_id\b`
				if isBatch {
					account = `(?:@account_id\b|\w+\.account_id|ANY \(@accounts)`
				}
				require.Regexp(t, column+` = `+account, sql, "%s: %s without its account", name, table)
			}
		}
	}
	require.Greater(t, checked, 100)
}
