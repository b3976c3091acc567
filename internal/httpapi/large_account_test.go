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

// oneLargeAccount fills 300 accounts with 10 deployments and deliveries each, and one, with as few products, environments and channels, with
// 9,000. The planner multiplies shares that are not independent: the account has most rows, and so has each of its channels.
const oneLargeAccount = `
INSERT INTO accounts (id, slug, created_at) SELECT gen_random_uuid(), 'account-' || n, now() FROM generate_series(0, 300) n;
INSERT INTO products (account_id, id, name, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'product ' || n, now(), now() FROM accounts a, generate_series(1, 3) n;
INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'env ' || n, 'production', now(), now() FROM accounts a, generate_series(1, 3) n;
INSERT INTO versions (account_id, id, product_id, version, created_at) SELECT account_id, gen_random_uuid(), id, '1.0.0', now() FROM products;
INSERT INTO notification_channels (account_id, id, name, channel_type, encrypted_config, enabled, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'channel ' || n, 'webhook', '', true, now(), now() FROM accounts a, generate_series(1, 3) n;
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, payload, status, generation, attempts_in_generation, total_attempts, created_at)
  SELECT c.account_id, gen_random_uuid(), c.id, 'build.failed', '{}', (ARRAY['delivered', 'failed'])[1 + n % 2], 1, 1, 1, now() - make_interval(secs => n * 11)
  FROM accounts a JOIN notification_channels c ON c.account_id = a.id CROSS JOIN LATERAL generate_series(1, CASE a.slug WHEN 'account-0' THEN 3000 ELSE 3 END) n;
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, (ARRAY['completed', 'completed', 'completed', 'failed'])[1 + n % 4], '{}', at, at, false, false, '{}', at
  FROM accounts a JOIN versions v ON v.account_id = a.id JOIN environments e ON e.account_id = a.id
  CROSS JOIN LATERAL generate_series(1, CASE a.slug WHEN 'account-0' THEN 1000 ELSE 1 END) n CROSS JOIN LATERAL (SELECT now() - make_interval(secs => n * 11) AS at) t;
ANALYZE`

// TestListsOfALargeAccount reads the first page of lists of an account that has most of all rows.
func TestListsOfALargeAccount(t *testing.T) {
	t.Parallel()
	const page = 51
	conn, err := pgx.Connect(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), oneLargeAccount)
	require.NoError(t, err)
	var account, product, environment uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT p.account_id, p.id, e.id FROM products p JOIN environments e USING (account_id)
		WHERE account_id = (SELECT id FROM accounts WHERE slug = 'account-0') LIMIT 1`).Scan(&account, &product, &environment))
	_, err = conn.Exec(t.Context(), "SET ROLE versioner_app; SET app.account_ids = '{"+account.String()+"}'")
	require.NoError(t, err)
	plans := &planner{Conn: conn, t: t}
	db := dbgen.New(plans)
	failed, delivered, event := "failed", "delivered", "build.failed"

	for name, params := range map[string]dbgen.ListNotificationHistoryParams{
		"listNotificationHistory":                          {},
		"listNotificationHistory of a frequent status":     {Status: &delivered},
		"listNotificationHistory of a frequent event type": {EventType: &event},
	} {
		t.Run(name, func(t *testing.T) {
			params.AccountID, params.RowLimit = account, page
			found, err := db.ListNotificationHistory(t.Context(), params)
			require.NoError(t, err)
			require.Len(t, found, page)
			require.LessOrEqual(t, plans.plan.read("notification_deliveries"), 3.0*page, "plan: %+v", plans.plan)
		})
	}
	for name, params := range map[string]dbgen.ListDeploymentsParams{
		"listDeployments":                                {},
		"listDeployments of a product":                   {ProductID: &product},
		"listDeployments of an environment":              {EnvironmentID: &environment},
		"listDeployments of a frequent status":           {Status: &failed},
		"listDeployments of a product and a status":      {ProductID: &product, Status: &failed},
		"listDeployments of an environment and a status": {EnvironmentID: &environment, Status: &failed},
		"listDeployments of a pair":                      {ProductID: &product, EnvironmentID: &environment},
	} {
		t.Run(name, func(t *testing.T) {
			params.AccountID, params.RowLimit = account, page
			found, err := db.ListDeployments(t.Context(), params)
			require.NoError(t, err)
			require.Len(t, found, page)
			require.LessOrEqual(t, plans.plan.read("deployments"), 13.0*page, "plan: %+v", plans.plan)
		})
	}
}
