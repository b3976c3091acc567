package postgres_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestTenantWallInTheCatalogue looks at what a later migration may forget.
func TestTenantWallInTheCatalogue(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	list := func(sql string) []string {
		rows, _ := conn.Query(t.Context(), sql)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return found
	}

	// Partitions are reached through their table alone: the role has no right to them.
	const ours = `FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`
	const ofAccounts = ours + ` AND (c.relname = 'accounts' OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'account_id'))`
	require.Len(t, list("SELECT c.relname "+ofAccounts), 20)
	require.Empty(t, list("SELECT c.relname "+ofAccounts+" AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"), "without a wall that is forced")
	require.Empty(t, list("SELECT c.relname "+ofAccounts+` AND 1 <> (SELECT count(*) FROM pg_policy AS p
		WHERE p.polrelid = c.oid AND p.polroles = ARRAY['versioner_app'::regrole::oid] AND p.polpermissive AND p.polcmd = '*')`), "without the policy, or with more")
	require.Empty(t, list("SELECT c.relname "+ofAccounts+` AND EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polroles && ARRAY[0::oid])`), "a policy for everybody")

	const mayTouch = `has_table_privilege('versioner_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`
	require.Empty(t, list(`SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f', 'S')
		AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('versioner_app', c.oid, 'USAGE, SELECT, UPDATE') ELSE `+mayTouch+` END
		AND c.oid NOT IN (SELECT c.oid `+ofAccounts+`)`), "more than the tables of accounts is open")
	require.Empty(t, list(`SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v'
		AND `+mayTouch+` AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)`), "a view that shows what its owner sees")
	require.Empty(t, list(`SELECT rolname FROM pg_roles WHERE rolname = 'versioner_app' AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb)`))
	require.Empty(t, list(`SELECT c.relname `+ours+` AND c.relowner = 'versioner_app'::regrole`))
	require.ElementsMatch(t, []string{"enqueue_delivery", "enqueue_owner_mail", "notify_of_events"},
		list(`SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosecdef`), "what the owner does for requests")
}

// TestRestoredWithoutTheRole starts on a database whose dump was restored where there was no such role.
func TestRestoredWithoutTheRole(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	for _, lost := range []string{"REVOKE ALL ON products FROM versioner_app", "DROP POLICY one_account ON products"} {
		dsn := testdb.New(t)
		pool, err := postgres.Open(t.Context(), dsn)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		require.NoError(t, pool.Migrate(t.Context(), logger))
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), lost)
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
		require.ErrorContains(t, pool.Migrate(t.Context(), logger), "restore it again", lost)
	}
}

// TestTenantWall goes through every way that leads to the database.
func TestTenantWall(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	product := func(slug string) dbgen.CreateProductParams {
		account, err := pool.EnsureAccount(t.Context(), dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: slug, Now: time.Now()})
		require.NoError(t, err)
		params := dbgen.CreateProductParams{AccountID: account.ID, ID: uuid.Must(uuid.NewV7()), Name: "shop", ExtraMetadata: []byte("{}")}
		_, err = pool.CreateProduct(t.Context(), params)
		require.NoError(t, err)
		return params
	}
	mine, theirs := product("mine"), product("theirs")
	get := func(ctx context.Context, db *postgres.DB, of dbgen.CreateProductParams) error {
		_, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: of.AccountID, ID: of.ID})
		return err
	}
	list := func(ctx context.Context, db *postgres.DB, of dbgen.CreateProductParams) int {
		rows, err := db.ListProducts(ctx, dbgen.ListProductsParams{AccountID: of.AccountID, RowLimit: 10})
		require.NoError(t, err)
		return len(rows)
	}

	for name, run := range map[string]func(t *testing.T, ctx context.Context, fn func(context.Context, *postgres.DB)){
		"Statement": func(_ *testing.T, ctx context.Context, fn func(context.Context, *postgres.DB)) { fn(ctx, pool.DB) },
		"Transaction": func(t *testing.T, ctx context.Context, fn func(context.Context, *postgres.DB)) {
			t.Helper()
			require.NoError(t, pool.WithTx(ctx, func(db *postgres.DB) error { fn(ctx, db); return nil }))
		},
		"SharedTransaction": func(t *testing.T, ctx context.Context, fn func(context.Context, *postgres.DB)) {
			t.Helper()
			require.NoError(t, pool.Share(ctx, func(ctx context.Context, _ *postgres.DB) error {
				return pool.WithTx(ctx, func(db *postgres.DB) error { fn(ctx, db); return nil })
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, postgres.WithTenant(t.Context(), mine.AccountID), func(ctx context.Context, db *postgres.DB) {
				require.NoError(t, get(ctx, db, mine))
				require.ErrorIs(t, get(ctx, db, theirs), pgx.ErrNoRows)
				require.Equal(t, 1, list(ctx, db, mine))
				require.Zero(t, list(ctx, db, theirs))
				require.NoError(t, db.DeleteProduct(ctx, dbgen.DeleteProductParams{AccountID: theirs.AccountID, ID: theirs.ID}))
			})
			run(t, postgres.WithTenants(t.Context()), func(ctx context.Context, db *postgres.DB) {
				require.ErrorIs(t, get(ctx, db, mine), pgx.ErrNoRows)
				require.Zero(t, list(ctx, db, mine))
			})
			run(t, t.Context(), func(ctx context.Context, db *postgres.DB) {
				require.NoError(t, get(ctx, db, mine))
				require.NoError(t, get(ctx, db, theirs), "what nobody else may touch was deleted")
			})
		})
	}

	t.Run("RefusesForeignRows", func(t *testing.T) {
		t.Parallel()
		ctx := postgres.WithTenant(t.Context(), mine.AccountID)
		_, err := pool.CreateProduct(ctx, dbgen.CreateProductParams{AccountID: theirs.AccountID, ID: uuid.Must(uuid.NewV7()), Name: "x", ExtraMetadata: []byte("{}")})
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "42501", refusal.Code)
		require.Contains(t, refusal.Message, "row-level security")
	})
	t.Run("ReportsWhatAStatementReports", func(t *testing.T) {
		t.Parallel()
		ctx := postgres.WithTenant(t.Context(), mine.AccountID)
		_, err := pool.CreateProduct(ctx, mine)
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "23505", refusal.Code)
		require.Error(t, pool.DeleteProduct(cancelled(ctx), dbgen.DeleteProductParams{AccountID: mine.AccountID, ID: mine.ID}))
		require.Error(t, get(cancelled(ctx), pool.DB, mine))
		_, err = pool.ListProducts(cancelled(ctx), dbgen.ListProductsParams{AccountID: mine.AccountID, RowLimit: 1})
		require.Error(t, err)
		require.NoError(t, get(ctx, pool.DB, mine), "the connections are still good")
	})
}

func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestListsArePlannedForTheirFilters reads again and again, until PostgreSQL would plan for any parameters.
func TestListsArePlannedForTheirFilters(t *testing.T) {
	t.Parallel()
	pool := testdb.Open(t)
	const times = 20
	ctx := postgres.WithTenant(t.Context(), uuid.New())
	for range times {
		_, err := pool.ListDeployments(ctx, dbgen.ListDeploymentsParams{RowLimit: 10})
		require.NoError(t, err)
		_, err = pool.GetProduct(ctx, dbgen.GetProductParams{})
		require.ErrorIs(t, err, pgx.ErrNoRows)
	}
	require.Equal(t, 1, pool.Connections(), "plans belong to a connection")
	generic, custom, err := pool.Plans(t.Context(), "ListDeployments")
	require.NoError(t, err)
	require.Equal(t, []int{0, times}, []int{generic, custom})
	generic, _, err = pool.Plans(t.Context(), "GetProduct")
	require.NoError(t, err)
	require.Positive(t, generic, "one row by its key is always found in the same way")
}
