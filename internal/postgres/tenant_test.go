package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestRLSInTheCatalogue looks at the policies and privileges that a later migration may forget.
func TestRLSInTheCatalogue(t *testing.T) {
	t.Parallel()
	conn := connect(t, testdb.New(t))
	list := func(sql string) []string {
		rows, _ := conn.Query(t.Context(), sql)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return found
	}

	// Partitions are reached through their table alone: the role has no right to them.
	const ours = `FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`
	const ofAccounts = ours + ` AND (c.relname = 'accounts' OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'account_id'))`
	require.Subset(t, list("SELECT c.relname "+ofAccounts), []string{"accounts", "users", "products", "deployments", "events"})
	require.Empty(t, list("SELECT c.relname "+ofAccounts+" AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"), "row-level security is not forced: the migration needs ENABLE and FORCE ROW LEVEL SECURITY")
	require.Empty(t, list("SELECT c.relname "+ofAccounts+` AND ARRAY['owner_bypass', 'tenant_isolation']::name[] <> ARRAY(
		SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = c.oid ORDER BY 1)`), "tables without exactly these policies: the migration creates both, as the example in CONTRIBUTING.md does")
	require.Empty(t, list("SELECT c.relname "+ofAccounts+` AND NOT EXISTS (SELECT FROM pg_policy AS p
		WHERE p.polrelid = c.oid AND p.polname = 'tenant_isolation' AND p.polroles = ARRAY['versioner_app'::regrole::oid] AND p.polpermissive AND p.polcmd = '*'
		AND pg_get_expr(p.polqual, p.polrelid) LIKE '%app.account_ids%' AND p.polwithcheck IS NULL)`), "tenant_isolation is another policy")
	require.Empty(t, list("SELECT c.relname "+ofAccounts+` AND NOT EXISTS (SELECT FROM pg_policy AS p
		WHERE p.polrelid = c.oid AND p.polname = 'owner_bypass' AND p.polroles = ARRAY[c.relowner])`), "owner_bypass is of another role than the owner")

	const privileges = `'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'`
	const mayTouch = `has_table_privilege('versioner_app', c.oid, ` + privileges + `)`
	require.Equal(t, []string{"river_job", "river_job_id_seq"}, list(`SELECT c.relname FROM pg_class AS c
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f', 'S')
		AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('versioner_app', c.oid, 'USAGE, SELECT, UPDATE') ELSE `+mayTouch+` END
		AND c.oid NOT IN (SELECT c.oid `+ofAccounts+`) ORDER BY 1`), "accessible beside the tables of accounts")
	require.Equal(t, []string{"INSERT"}, list(`SELECT p FROM unnest(string_to_array(`+privileges+`, ', ')) AS p WHERE has_table_privilege('versioner_app', 'river_job', p)`))
	require.Empty(t, list(`SELECT relname FROM pg_class WHERE relname = 'river_job' AND has_any_column_privilege('versioner_app', oid, 'SELECT, UPDATE, REFERENCES')`))
	require.Equal(t, []string{"USAGE"}, list(`SELECT p FROM unnest('{USAGE, SELECT, UPDATE}'::text[]) AS p WHERE has_sequence_privilege('versioner_app', 'river_job_id_seq', p)`))
	require.Empty(t, list("SELECT c.relname "+ofAccounts+" AND has_table_privilege('versioner_app', c.oid, 'TRUNCATE, REFERENCES, TRIGGER')"))
	require.Empty(t, list("SELECT c.relname "+ofAccounts+" AND c.relname IN ('events', 'audit_log') AND has_table_privilege('versioner_app', c.oid, 'UPDATE, DELETE')"), "append-only")
	require.Empty(t, list(`SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v'
		AND `+mayTouch+` AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)`), "views that show the rows of their owner")
	require.Empty(t, list(`SELECT rolname FROM pg_roles WHERE rolname = 'versioner_app' AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb)`))
	require.Empty(t, list(`SELECT c.relname `+ours+` AND c.relowner = 'versioner_app'::regrole`))
	require.Empty(t, list(`SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosecdef`), "functions with the rights of their owner")
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// createProduct returns a product of an account of its own.
func createProduct(t *testing.T, pool *postgres.Pool, slug string) dbgen.CreateProductParams {
	t.Helper()
	account, err := pool.EnsureAccount(t.Context(), dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: slug, Now: time.Now()})
	require.NoError(t, err)
	params := newProduct(account.ID, "shop")
	_, err = pool.CreateProduct(t.Context(), params)
	require.NoError(t, err)
	return params
}

func newProduct(account uuid.UUID, name string) dbgen.CreateProductParams {
	return dbgen.CreateProductParams{AccountID: account, ID: uuid.Must(uuid.NewV7()), Name: name, ExtraMetadata: []byte("{}"), Now: time.Now()}
}

func requireState(t *testing.T, err error, state string) {
	t.Helper()
	var refusal *pgconn.PgError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, state, refusal.Code, refusal.Message)
}

// TestTenant reads and writes another account's rows on every kind of handle.
func TestTenant(t *testing.T) {
	t.Parallel()
	owner, pool := testdb.OpenBoth(t)
	mine, theirs := createProduct(t, owner, "mine"), createProduct(t, owner, "theirs")
	tenant := pool.Tenant(mine.AccountID)
	get := func(ctx context.Context, db *postgres.DB, of dbgen.CreateProductParams) error {
		_, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: of.AccountID, ID: of.ID})
		return err
	}
	requireIsolated := func(t *testing.T, db *postgres.DB) {
		t.Helper()
		list := func(of dbgen.CreateProductParams) int {
			rows, err := db.ListProducts(t.Context(), dbgen.ListProductsParams{AccountID: of.AccountID, RowLimit: 10})
			require.NoError(t, err)
			return len(rows)
		}
		require.NoError(t, get(t.Context(), db, mine))
		require.ErrorIs(t, get(t.Context(), db, theirs), pgx.ErrNoRows)
		require.Equal(t, 1, list(mine))
		require.Zero(t, list(theirs))
		require.NoError(t, db.DeleteProduct(t.Context(), dbgen.DeleteProductParams{AccountID: theirs.AccountID, ID: theirs.ID}))
		require.NoError(t, get(t.Context(), owner.DB, theirs), "the product of the other account was deleted")
	}

	t.Run("Statement", func(t *testing.T) {
		t.Parallel()
		requireIsolated(t, tenant)
	})
	t.Run("Transaction", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, tenant.WithTx(t.Context(), func(db *postgres.DB) error { requireIsolated(t, db); return nil }))
	})
	t.Run("NestedTransaction", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, tenant.WithTx(t.Context(), func(db *postgres.DB) error {
			return db.WithTx(t.Context(), func(db *postgres.DB) error { requireIsolated(t, db); return nil })
		}))
	})
	t.Run("RejectsForeignRows", func(t *testing.T) {
		t.Parallel()
		_, err := tenant.CreateProduct(t.Context(), newProduct(theirs.AccountID, "x"))
		requireState(t, err, "42501")
		require.ErrorContains(t, err, "row-level security")
	})
	t.Run("ReturnsErrorsOfStatements", func(t *testing.T) {
		t.Parallel()
		_, err := tenant.CreateProduct(t.Context(), mine)
		requireState(t, err, "23505")
		require.Error(t, tenant.DeleteProduct(cancelled(t.Context()), dbgen.DeleteProductParams{AccountID: mine.AccountID, ID: mine.ID}))
		require.Error(t, get(cancelled(t.Context()), tenant, mine))
		_, err = tenant.ListProducts(cancelled(t.Context()), dbgen.ListProductsParams{AccountID: mine.AccountID, RowLimit: 1})
		require.Error(t, err)
		require.NoError(t, get(t.Context(), tenant, mine), "the connections are still good")
	})
}

// TestForgottenTenant reads and writes every table of accounts without a tenant and as another one: nothing is visible, nothing
// can be written.
func TestForgottenTenant(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	conn, pool := connect(t, dsn), openPool(t, openAPI(postgres.APILimits{}), dsn)
	account := uuid.New()
	tables := fillTenantTables(t, conn, account)
	requireVisible := func(db postgres.Statements, table string, visible int) {
		t.Helper()
		var rows int
		require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows))
		require.Equal(t, visible, rows, table)
	}
	requireHidden := func(t *testing.T, db postgres.Statements) {
		t.Helper()
		for _, table := range tables {
			requireVisible(db, table.name, 0)
			_, err := db.Exec(t.Context(), table.insert)
			requireState(t, err, "42501")
			for _, write := range []string{"DELETE FROM " + table.name, "UPDATE " + table.name + " SET " + table.account + " = " + table.account} {
				tag, err := db.Exec(t.Context(), write)
				if err != nil {
					requireState(t, err, "42501") // append-only tables
				}
				require.Zero(t, tag.RowsAffected(), write)
			}
		}
	}

	for _, table := range tables {
		requireVisible(pool.Tenant(account).Conn(), table.name, 1)
	}
	requireHidden(t, pool.WithoutTenant())
	requireHidden(t, pool.Tenant(uuid.New()).Conn())
	requireHidden(t, pool.Tenant(uuid.Nil).Conn())
	for _, table := range tables {
		requireVisible(pool.Tenant(account).Conn(), table.name, 1)
	}
}

// tenantTable is a table of accounts with a statement that inserts a row.
type tenantTable struct{ name, account, insert string }

// fillTenantTables inserts a row of the account into every table that has rows of accounts. It drops the constraints that relate
// or check values: any value of a column's type serves.
func fillTenantTables(t *testing.T, conn *pgx.Conn, account uuid.UUID) []tenantTable {
	t.Helper()
	rows, _ := conn.Query(t.Context(), `SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', conrelid::regclass::text, conname) FROM pg_constraint
		WHERE connamespace = current_schema()::regnamespace AND contype IN ('c', 'f') AND conparentid = 0 AND conislocal AND conrelid <> 0`)
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	const value = `CASE WHEN c.column_name = tenant THEN quote_literal($1::text) ELSE
		CASE data_type WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'timestamp with time zone' THEN 'now()' WHEN 'boolean' THEN 'false'
		WHEN 'json' THEN quote_literal('{}') WHEN 'jsonb' THEN quote_literal('{}') WHEN 'ARRAY' THEN quote_literal('{}')
		WHEN 'date' THEN 'now()' WHEN 'integer' THEN '1' WHEN 'bigint' THEN '1' WHEN 'smallint' THEN '1' WHEN 'double precision' THEN '1' WHEN 'bytea' THEN quote_literal('x') ELSE quote_literal('x') END END`
	rows, _ = conn.Query(t.Context(), `SELECT table_name, tenant, format('INSERT INTO %I (%s) VALUES (%s)', table_name,
			string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position), string_agg(`+value+`, ', ' ORDER BY ordinal_position))
		FROM information_schema.columns AS c
		JOIN (SELECT relname::text, CASE relname WHEN 'accounts' THEN 'id' ELSE 'account_id' END AS tenant FROM pg_class
			WHERE relnamespace = current_schema()::regnamespace AND relforcerowsecurity AND NOT relispartition) AS tables ON relname = table_name
		WHERE table_schema = current_schema() AND is_generated = 'NEVER' GROUP BY table_name, tenant ORDER BY table_name`, account.String())
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (table tenantTable, err error) {
		return table, row.Scan(&table.name, &table.account, &table.insert)
	})
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	for _, table := range tables {
		_, err := conn.Exec(t.Context(), table.insert)
		require.NoError(t, err, table.insert)
	}
	return tables
}

// TestIngestPool reads and writes on connections that are demoted when they are made.
func TestIngestPool(t *testing.T) {
	t.Parallel()
	dsn := testdb.New(t)
	owner := openPool(t, openOwner, dsn)
	pool := openPool(t, openIngest, dsn)
	one, other, third := createProduct(t, owner, "one"), createProduct(t, owner, "other"), createProduct(t, owner, "third")
	insert := func(batch *pgx.Batch, account uuid.UUID, name string) {
		postgres.QueueQuery(batch, dbgen.CreateProduct, newProduct(account, name))
	}

	t.Run("SeesNothingWithoutAccount", func(t *testing.T) {
		t.Parallel()
		require.Zero(t, countProducts(t, pool, nil))
	})
	t.Run("WritesNothingWithoutAccount", func(t *testing.T) {
		t.Parallel()
		tx := begin(t, pool, nil)
		batch := &pgx.Batch{}
		insert(batch, one.AccountID, "x")
		requireState(t, tx.SendAndCommit(t.Context(), batch), "42501")
	})
	t.Run("SeesTheNamedAccountsOnly", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 1, countProducts(t, pool, []uuid.UUID{one.AccountID}))
		require.Equal(t, 2, countProducts(t, pool, []uuid.UUID{one.AccountID, third.AccountID}))
		require.Zero(t, countProducts(t, pool, []uuid.UUID{uuid.New()}))
		require.Zero(t, countProducts(t, pool, nil), "the accounts of the former transaction")
	})
	t.Run("WritesTheNamedAccountsOnly", func(t *testing.T) {
		t.Parallel()
		named := []uuid.UUID{one.AccountID, third.AccountID}
		tx := begin(t, pool, named)
		batch := &pgx.Batch{}
		insert(batch, one.AccountID, "new")
		insert(batch, third.AccountID, "new")
		require.NoError(t, tx.Send(t.Context(), batch))
		batch = &pgx.Batch{}
		insert(batch, other.AccountID, "new")
		requireState(t, tx.SendAndCommit(t.Context(), batch), "42501")
	})
	t.Run("InsertsJobsAndReadsNone", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, pool.Tenant(one.AccountID).InsertFanOutJob(t.Context(), dbgen.InsertFanOutJobParams{Args: []byte(`{"events":[]}`), Metadata: []byte("{}")}))
		for _, statement := range []string{
			"SELECT count(*) FROM river_job", "UPDATE river_job SET args = '{}'", "DELETE FROM river_job", "SELECT last_value FROM river_job_id_seq",
			"SELECT setval('river_job_id_seq', 1)", "SELECT * FROM river_queue", "SELECT * FROM river_leader", "SELECT * FROM cluster_identity",
		} {
			tx := begin(t, pool, []uuid.UUID{one.AccountID})
			batch := &pgx.Batch{}
			batch.Queue(statement)
			requireState(t, tx.Send(t.Context(), batch), "42501")
		}
	})
}

func openPool[Pool interface{ Close() }](t *testing.T, open func(context.Context, string) (Pool, error), dsn string) Pool {
	t.Helper()
	pool, err := open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// begin begins a transaction that is closed when the test ends.
func begin(t *testing.T, pool *postgres.TenantPool, accounts []uuid.UUID) *postgres.BatchTx {
	t.Helper()
	tx, err := pool.BeginBatch(t.Context(), accounts, time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { tx.Close(context.Background()) })
	return tx
}

// countProducts returns the number of products that a transaction of these accounts sees.
func countProducts(t *testing.T, pool *postgres.TenantPool, accounts []uuid.UUID) (count int) {
	t.Helper()
	tx, err := pool.BeginBatch(t.Context(), accounts, time.Second)
	require.NoError(t, err)
	defer tx.Close(t.Context())
	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM products").QueryRow(func(row pgx.Row) error { return row.Scan(&count) })
	require.NoError(t, tx.SendAndCommit(t.Context(), batch))
	return count
}

func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestListsArePlannedForTheirFilters reads until PostgreSQL would choose a generic plan.
func TestListsArePlannedForTheirFilters(t *testing.T) {
	t.Parallel()
	_, pool := testdb.OpenBoth(t)
	const times = 20
	tenant := pool.Tenant(uuid.New())
	for range times {
		_, err := tenant.ListDeployments(t.Context(), dbgen.ListDeploymentsParams{RowLimit: 10})
		require.NoError(t, err)
		_, err = tenant.GetProduct(t.Context(), dbgen.GetProductParams{})
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

// manyVersions gives one account a product with 5,000 newer versions than the current one, and other accounts 1,000 products with 6 each.
const manyVersions = `
INSERT INTO accounts (id, slug, created_at) SELECT gen_random_uuid(), 'account-' || n, now() FROM generate_series(0, 100) n;
INSERT INTO products (account_id, id, name, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'product ' || n, now(), now() FROM accounts a, generate_series(1, 10) n WHERE a.slug <> 'account-0' OR n = 1;
INSERT INTO versions (account_id, id, product_id, version, semver_key, occurred_at, first_completed_at, created_at)
  SELECT p.account_id, gen_random_uuid(), p.id, '0.' || n, '010101' || to_char(n, 'FM0000') || '~', now(), now(), now()
  FROM products p JOIN accounts a ON a.id = p.account_id CROSS JOIN generate_series(1, 5000) n WHERE a.slug = 'account-0' OR n <= 6 ORDER BY random();
INSERT INTO environments (account_id, id, name, type, created_at, updated_at) SELECT id, gen_random_uuid(), 'archive', 'other', now(), now() FROM accounts;
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{}', now(), now(), false, false, '{}', now()
  FROM versions v JOIN environments e ON e.account_id = v.account_id WHERE v.version = '0.1';
INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id)
  SELECT account_id, product_id, environment_id, id, occurred_at, id FROM deployments;
ANALYZE`

// TestListsStopReading counts the entries of an index from which a list with a limit is read.
func TestListsStopReading(t *testing.T) {
	t.Parallel()
	const most = 100 // newer versions that are counted
	dsn := testdb.New(t)
	owner := connect(t, dsn)
	pool, err := postgres.OpenAPI(t.Context(), dsn, postgres.APILimits{}, postgres.Observed{})
	require.NoError(t, err)
	defer pool.Close()
	_, err = owner.Exec(t.Context(), manyVersions)
	require.NoError(t, err)
	var account uuid.UUID
	require.NoError(t, owner.QueryRow(t.Context(), "SELECT id FROM accounts WHERE slug = 'account-0'").Scan(&account))
	rows, err := pool.Tenant(account).ListEnvironmentState(t.Context(), dbgen.ListEnvironmentStateParams{AccountID: account, RowLimit: 51})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.EqualValues(t, most, rows[0].VersionsBehind)
	pool.Close() // its backend then reports what it has read
	var read int
	require.Eventually(t, func() bool {
		err := owner.QueryRow(t.Context(), "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'versions_precedence_idx'").Scan(&read)
		return err == nil && read > 0
	}, 10*time.Second, 10*time.Millisecond)
	require.LessOrEqual(t, read, 2*most)
}

func openAPI(limits postgres.APILimits) func(context.Context, string) (*postgres.TenantPool, error) {
	return func(ctx context.Context, dsn string) (*postgres.TenantPool, error) {
		return postgres.OpenAPI(ctx, dsn, limits, postgres.Observed{})
	}
}

// TestSlotsAreReleased ends statements and transactions of an account that has one slot in every way.
func TestSlotsAreReleased(t *testing.T) {
	t.Parallel()
	pool := openPool(t, openAPI(postgres.APILimits{MaxConns: 1, MaxQueued: 1}), testdb.New(t))
	account := uuid.New()
	db := pool.Tenant(account)
	statements := db.Conn()
	list := func(ctx context.Context) error {
		_, err := db.ListProducts(ctx, dbgen.ListProductsParams{AccountID: account, RowLimit: 1})
		return err
	}
	errOwn := errors.New("of the function")
	//nolint:thelper // the functions are the subtests
	for name, use := range map[string]func(t *testing.T){
		"List":          func(t *testing.T) { require.NoError(t, list(t.Context())) },
		"CancelledList": func(t *testing.T) { require.Error(t, list(cancelled(t.Context()))) },
		"Row":           func(t *testing.T) { require.NoError(t, statements.QueryRow(t.Context(), "SELECT 1").Scan(new(int))) },
		"NoRow": func(t *testing.T) {
			require.ErrorIs(t, statements.QueryRow(t.Context(), "SELECT 1 WHERE false").Scan(new(int)), pgx.ErrNoRows)
		},
		"BadRow": func(t *testing.T) { require.Error(t, statements.QueryRow(t.Context(), "SELECT 1/0").Scan(new(int))) },
		"ManyRows": func(t *testing.T) {
			require.NoError(t, statements.QueryRow(t.Context(), "SELECT generate_series(1, 1000)").Scan(new(int)))
		},
		"Exec": func(t *testing.T) {
			_, err := statements.Exec(t.Context(), "SELECT 1")
			require.NoError(t, err)
		},
		"BadExec": func(t *testing.T) {
			_, err := statements.Exec(t.Context(), "SELECT nothing")
			require.Error(t, err)
		},
		"Commit": func(t *testing.T) {
			require.NoError(t, db.WithTx(t.Context(), func(*postgres.DB) error { return nil }))
		},
		"Rollback": func(t *testing.T) {
			require.ErrorIs(t, db.WithTx(t.Context(), func(*postgres.DB) error { return errOwn }), errOwn)
		},
		"Cancelled": func(t *testing.T) {
			require.Error(t, db.WithTx(cancelled(t.Context()), func(*postgres.DB) error { return nil }))
		},
		"Savepoint": func(t *testing.T) {
			require.NoError(t, db.WithTx(t.Context(), func(tx *postgres.DB) error {
				return tx.WithTx(t.Context(), func(*postgres.DB) error { return nil })
			}))
		},
		"Panic": func(t *testing.T) {
			require.Panics(t, func() { _ = db.WithTx(t.Context(), func(*postgres.DB) error { panic("of the function") }) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			use(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, list(ctx), "the slot is free again")
		})
	}
	require.NoError(t, db.WithTx(t.Context(), func(*postgres.DB) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(list(ctx)), "a transaction holds its slot")
		return nil
	}))
}

func openOwner(ctx context.Context, dsn string) (*postgres.Pool, error) {
	return postgres.Open(ctx, dsn, postgres.Observed{})
}

func openIngest(ctx context.Context, dsn string) (*postgres.TenantPool, error) {
	return postgres.OpenIngest(ctx, dsn, postgres.Observed{})
}
