package httpapi_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/testdb"
)

// manyAccounts fills 40 accounts with 20 products of 60 versions, the newest of which is everywhere: none is frequent enough for the planner
// to know its number of versions.
const manyAccounts = `
INSERT INTO accounts (id, slug, created_at) SELECT gen_random_uuid(), 'account-' || n, now() FROM generate_series(1, 40) n;
INSERT INTO products (account_id, id, name, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'product ' || n, now(), now() FROM accounts a, generate_series(1, 20) n;
INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'production', 'production', now(), now() FROM accounts a;
INSERT INTO versions (account_id, id, product_id, version, semver_key, occurred_at, first_completed_at, created_at)
  SELECT p.account_id, gen_random_uuid(), p.id, '1.' || n, to_char(n, 'FM00'), at, at, at
  FROM generate_series(1, 60) n CROSS JOIN products p CROSS JOIN LATERAL (SELECT now() - make_interval(hours => 60 - n) AS at) t;
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken,
    extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{}', v.occurred_at, v.occurred_at, false, false, '{}', v.occurred_at
  FROM versions v JOIN environments e ON e.account_id = v.account_id WHERE v.semver_key = '60';
INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id)
  SELECT account_id, product_id, environment_id, id, occurred_at, id FROM deployments;
ANALYZE`

// TestVersionsOfAProductAreReadFromAnIndex reads the versions of a product, and counts the newer ones, in one of many accounts.
func TestVersionsOfAProductAreReadFromAnIndex(t *testing.T) {
	t.Parallel()
	const page, products = 11, 20
	conn, err := pgx.Connect(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), manyAccounts)
	require.NoError(t, err)
	var account, product uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT account_id, id FROM products LIMIT 1").Scan(&account, &product))
	// As requests for lists do.
	_, err = conn.Exec(t.Context(), "SET ROLE versioner_app; SET app.account_ids = '{"+account.String()+"}'; SET plan_cache_mode = force_custom_plan; SET enable_bitmapscan = off")
	require.NoError(t, err)
	plans := &planner{Conn: conn, t: t}
	db := dbgen.New(plans)

	versions, err := db.ListVersions(t.Context(), dbgen.ListVersionsParams{AccountID: account, ProductID: &product, RowLimit: page})
	require.NoError(t, err)
	require.Len(t, versions, page)
	require.Equal(t, "1.60", versions[0].Version)
	require.LessOrEqual(t, plans.plan.read("versions"), float64(page), "plan: %+v", plans.plan)

	states, err := db.ListEnvironmentState(t.Context(), dbgen.ListEnvironmentStateParams{AccountID: account, RowLimit: products})
	require.NoError(t, err)
	require.Len(t, states, products)
	require.LessOrEqual(t, plans.plan.read("versions"), float64(2*products), "plan: %+v", plans.plan) // the current ones
}
