-- LockGovernanceRevisions locks the governance of accounts against other starts and changes of rules, in the order of the key, and
-- returns the revisions of their rules. An account without rules may have no row.
-- name: LockGovernanceRevisions :many
SELECT s.account_id, s.revision FROM governance_state AS s
WHERE s.account_id = ANY (@accounts::uuid[])
ORDER BY s.account_id
FOR UPDATE OF s;

-- ShareGovernanceRevisions does the same against changes of rules only.
-- name: ShareGovernanceRevisions :many
SELECT s.account_id, s.revision FROM governance_state AS s
WHERE s.account_id = ANY (@accounts::uuid[])
ORDER BY s.account_id
FOR SHARE OF s;

-- ListGovernanceRevisions returns the revisions of the rules of accounts.
-- name: ListGovernanceRevisions :many
SELECT s.account_id, s.revision FROM governance_state AS s
WHERE s.account_id = ANY (@accounts::uuid[])
ORDER BY s.account_id;

-- ListRulesInForce returns the rules of accounts that are evaluated.
-- name: ListRulesInForce :many
SELECT r.* FROM deployment_rules AS r
WHERE r.account_id = ANY (@accounts::uuid[]) AND r.deleted_at IS NULL AND r.mode <> 'disabled'
ORDER BY r.account_id, r.id;

-- ListGatedAccounts returns those of the accounts in which deployment requests block or are approved.
-- name: ListGatedAccounts :many
SELECT k.account_id::uuid AS account_id
FROM unnest(@accounts::uuid[]) AS k (account_id)
WHERE EXISTS (
  SELECT FROM deployment_requests AS r
  WHERE r.account_id = k.account_id AND r.status = ANY ('{in_progress, approved, rejected}') AND r.gate AND r.deleted_at IS NULL
);

-- ListFactProducts returns all names of the products that starts name, the present one first.
-- name: ListFactProducts :many
SELECT k.account_id::uuid AS account_id, k.product_name::text AS name_in_event, p.id, o.name
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[])) AS k (account_id, product_name)
JOIN product_names AS n ON n.account_id = k.account_id AND n.name = k.product_name
JOIN products AS p ON p.account_id = k.account_id AND p.id = n.product_id
JOIN product_names AS o ON o.account_id = k.account_id AND o.product_id = p.id
ORDER BY o.name <> p.name, o.name;

-- ListFactEnvironments returns the environments that starts name, in the same way.
-- name: ListFactEnvironments :many
SELECT k.account_id::uuid AS account_id, k.environment_name::text AS name_in_event, e.id, e.type, o.name
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@environment_names::text[])) AS k (account_id, environment_name)
JOIN environment_names AS n ON n.account_id = k.account_id AND n.name = k.environment_name
JOIN environments AS e ON e.account_id = k.account_id AND e.id = n.environment_id
JOIN environment_names AS o ON o.account_id = k.account_id AND o.environment_id = e.id
ORDER BY o.name <> e.name, o.name;

-- ListReferredEnvironments returns the names of the environments that rules refer to, by a name in any case or by the identifier. A reference
-- without an identifier has the zero one.
-- name: ListReferredEnvironments :many
SELECT n.account_id, n.environment_id, n.name
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@names::text[]), unnest(@ids::uuid[])) AS k (account_id, name, id)
JOIN environment_names AS n ON n.account_id = k.account_id
WHERE n.name = k.name OR lower(n.name) = lower(k.name) OR n.environment_id = k.id;

-- ListCurrentVersions returns the current versions of the products in the environments of starts, and when they completed last.
-- name: ListCurrentVersions :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
    AS k (account_id, product_name, environment_name)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.product_id, e.environment_id
  FROM of_products AS k
  JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
), current AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, s.current_deployment_id
  FROM of_pairs AS k
  JOIN environment_state AS s ON s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id
)
SELECT k.account_id, k.product_name, k.environment_name, d.environment_id, d.version_id, v.version, d.completed_at
FROM current AS k
JOIN deployments AS d ON d.account_id = k.account_id AND d.id = k.current_deployment_id
JOIN versions AS v ON v.account_id = k.account_id AND v.id = d.version_id;

-- ListCompletions returns when deployments of the versions of starts completed in the environments that rules refer to. It reads 50 of a
-- version in an environment from one end, those without a run, the newest first, then those of the runs with the highest identifiers, and ten
-- from the other end.
-- name: ListCompletions :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.version::text AS version, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[])) AS k (account_id, product_name, version)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_versions AS MATERIALIZED (
  SELECT DISTINCT k.account_id, k.product_name, k.version, v.id AS version_id
  FROM of_products AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
), referred AS MATERIALIZED (
  SELECT DISTINCT r.account_id::uuid AS account_id, n.environment_id
  FROM ROWS FROM (unnest(@referring_accounts::uuid[]), unnest(@names::text[]), unnest(@ids::uuid[])) AS r (account_id, name, id)
  JOIN environment_names AS n ON n.account_id = r.account_id
  WHERE n.name = r.name OR lower(n.name) = lower(r.name) OR n.environment_id = r.id
)
SELECT k.account_id, k.product_name, k.version, r.environment_id, d.completed_at::timestamptz AS completed_at
FROM of_versions AS k
JOIN referred AS r ON r.account_id = k.account_id
CROSS JOIN LATERAL (
  SELECT ARRAY(
    SELECT x.completed_at FROM deployments AS x
    WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.environment_id = r.environment_id AND x.status = 'completed'
    ORDER BY x.invoke_id DESC, x.id DESC
    LIMIT 50) AS completed_at
) AS one_end
CROSS JOIN LATERAL (
  SELECT unnest(one_end.completed_at) AS completed_at
  UNION ALL
  (SELECT x.completed_at FROM deployments AS x
    WHERE cardinality(one_end.completed_at) = 50
      AND x.account_id = k.account_id AND x.version_id = k.version_id AND x.environment_id = r.environment_id AND x.status = 'completed'
    ORDER BY x.invoke_id, x.id
    LIMIT 10)
) AS d
WHERE d.completed_at IS NOT NULL;

-- ListOccupations returns when deployments of the versions of starts completed, and when another version of the product completed there
-- afterwards: in the environments in which they must soak, and in the environment of the start unless the version is the current one there.
-- It reads the same 50 of a version in an environment. The next completion is the first one of the five that began next, and of those of the
-- twenty before that ended later. It is looked for among the next thousand deployments. A version with 50 that is still there has been there
-- since the first of them after the last completion of another version, among the newest thousand.
-- name: ListOccupations :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name, k.version::text AS version,
    k.allows_rollback::boolean AS allows_rollback, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]), unnest(@versions::text[]),
    unnest(@allows_rollback::boolean[])) AS k (account_id, product_name, environment_name, version, allows_rollback)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_versions AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.version, k.allows_rollback, k.product_id, v.id AS version_id
  FROM of_products AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.version, k.product_id, k.version_id, n.environment_id
  FROM of_versions AS k
  JOIN environment_names AS n ON n.account_id = k.account_id AND n.name = k.environment_name
  WHERE k.allows_rollback
), current AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.version, k.product_id, k.version_id, k.environment_id, s.current_deployment_id
  FROM of_pairs AS k
  JOIN environment_state AS s ON s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id
), referred AS MATERIALIZED (
  SELECT r.account_id::uuid AS account_id, n.environment_id
  FROM ROWS FROM (unnest(@referring_accounts::uuid[]), unnest(@names::text[]), unnest(@ids::uuid[])) AS r (account_id, name, id)
  JOIN environment_names AS n ON n.account_id = r.account_id
  WHERE n.name = r.name OR lower(n.name) = lower(r.name) OR n.environment_id = r.id
), wanted AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.version, k.product_id, k.version_id, k.environment_id
  FROM current AS k
  JOIN deployments AS d ON d.account_id = k.account_id AND d.id = k.current_deployment_id
  WHERE d.version_id <> k.version_id
  UNION
  SELECT k.account_id, k.product_name, k.version, k.product_id, k.version_id, r.environment_id
  FROM of_versions AS k
  JOIN referred AS r ON r.account_id = k.account_id
)
SELECT w.account_id, w.product_name, w.version, w.environment_id, d.completed_at,
  coalesce(least(later.completed_at, overlapping.completed_at), '0001-01-01 00:00:00+00')::timestamptz AS until
FROM wanted AS w
CROSS JOIN LATERAL (
  SELECT x.completed_at FROM deployments AS x
  WHERE x.account_id = w.account_id AND x.version_id = w.version_id AND x.environment_id = w.environment_id AND x.status = 'completed'
  ORDER BY x.invoke_id DESC, x.id DESC
  LIMIT 50
) AS d
LEFT JOIN LATERAL (
  SELECT min(z.completed_at) AS completed_at FROM (
    SELECT y.completed_at FROM (
      SELECT x.completed_at, x.version_id, x.status, x.occurred_at, x.id FROM deployments AS x
      WHERE x.account_id = w.account_id AND x.product_id = w.product_id AND x.environment_id = w.environment_id AND x.occurred_at >= d.completed_at
        AND x.last_rejected_at IS NULL
      ORDER BY x.occurred_at, x.id
      LIMIT 1000
    ) AS y
    WHERE y.status = 'completed' AND y.version_id <> w.version_id
    ORDER BY y.occurred_at, y.id
    LIMIT 5
  ) AS z
) AS later ON true
LEFT JOIN LATERAL (
  SELECT min(y.completed_at) AS completed_at FROM (
    SELECT x.completed_at, x.version_id, x.status FROM deployments AS x
    WHERE x.account_id = w.account_id AND x.product_id = w.product_id AND x.environment_id = w.environment_id AND x.occurred_at < d.completed_at
    ORDER BY x.occurred_at DESC, x.id DESC
    LIMIT 20
  ) AS y
  WHERE y.status = 'completed' AND y.version_id <> w.version_id AND y.completed_at > d.completed_at
) AS overlapping ON true
UNION ALL
SELECT w.account_id, w.product_name, w.version, w.environment_id, since.completed_at, '0001-01-01 00:00:00+00'::timestamptz AS until
FROM wanted AS w
CROSS JOIN LATERAL (
  SELECT count(*) AS number FROM (
    SELECT FROM deployments AS x
    WHERE x.account_id = w.account_id AND x.version_id = w.version_id AND x.environment_id = w.environment_id AND x.status = 'completed'
    LIMIT 50
  ) AS few
) AS counted
CROSS JOIN LATERAL (
  SELECT min(z.completed_at) FILTER (WHERE z.version_id = w.version_id AND z.completed_at > coalesce(z.other_completed_at, '-infinity')) AS completed_at
  FROM (
    SELECT y.completed_at, y.version_id, max(y.completed_at) FILTER (WHERE y.version_id <> w.version_id) OVER () AS other_completed_at
    FROM (
      SELECT x.completed_at, x.version_id, x.status FROM deployments AS x
      WHERE x.account_id = w.account_id AND x.product_id = w.product_id AND x.environment_id = w.environment_id AND counted.number = 50
      ORDER BY x.occurred_at DESC, x.id DESC
      LIMIT 1000
    ) AS y
    WHERE y.status = 'completed'
  ) AS z
) AS since
WHERE since.completed_at IS NOT NULL;

-- ListFactApprovals returns the newest approval of each type and environment that is not revoked, of the versions of starts, oldest first.
-- name: ListFactApprovals :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.version::text AS version, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[])) AS k (account_id, product_name, version)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_versions AS MATERIALIZED (
  SELECT DISTINCT k.account_id, k.product_name, k.version, v.id AS version_id
  FROM of_products AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
)
SELECT k.account_id, k.product_name, k.version, a.approval_type, a.decision, a.environment_id, a.created_at
FROM of_versions AS k
CROSS JOIN LATERAL (
  SELECT DISTINCT ON (x.approval_type, x.environment_id) x.id, x.approval_type, x.decision, x.environment_id, x.created_at
  FROM version_approvals AS x
  WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.revoked_at IS NULL
  ORDER BY x.approval_type, x.environment_id, x.created_at DESC, x.id DESC
) AS a
ORDER BY a.created_at, a.id;

-- ListFactRequests returns the deployment requests that name the versions and environments of starts and are neither completed nor cancelled,
-- oldest first, each with its slots for approvals: a row for every slot, or one without a slot.
-- name: ListFactRequests :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name,
    k.version::text AS version, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]), unnest(@versions::text[]))
    AS k (account_id, product_name, environment_name, version)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_versions AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.version, v.id AS version_id
  FROM of_products AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.version, k.version_id, e.environment_id
  FROM of_versions AS k
  JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
)
SELECT k.account_id, k.product_name, k.environment_name, k.version, k.version_id, k.environment_id, r.id, r.name, r.status, r.gate, (
    SELECT count(*) FROM deployment_request_steps AS s
    WHERE s.account_id = r.account_id AND s.request_id = r.id AND s.phase = 'pre' AND s.completed_at IS NULL
  ) AS open_pre_steps, a.approval_type, a.required, a.status AS slot_status, a.decided_at
FROM of_pairs AS k
JOIN deployment_request_versions AS q ON q.account_id = k.account_id AND q.version_id = k.version_id AND q.is_open
JOIN deployment_request_environments AS n ON n.account_id = q.account_id AND n.request_id = q.request_id AND n.environment_id = k.environment_id
JOIN deployment_requests AS r ON r.account_id = q.account_id AND r.id = q.request_id
LEFT JOIN deployment_request_approvals AS a ON a.account_id = r.account_id AND a.request_id = r.id
WHERE r.deleted_at IS NULL AND r.status = ANY ('{draft, in_progress, approved, rejected}')
ORDER BY r.id;

-- LockGrants returns the active break-glass grants of starts and locks them: a grant is used once.
-- name: LockGrants :many
SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name,
  g.id, g.product_id, g.environment_id, g.version, g.rule_types, coalesce(g.expires_at, g.created_at)::timestamptz AS expires_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
  AS k (account_id, product_name, environment_name)
JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
JOIN break_glass_grants AS g ON g.account_id = k.account_id AND g.product_id = p.product_id AND g.environment_id = e.environment_id
WHERE g.status = 'active' AND g.expires_at > @now::timestamptz
ORDER BY g.account_id, g.id
FOR UPDATE OF g;

-- ListGrants returns the same without locks.
-- name: ListGrants :many
SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name,
  g.id, g.product_id, g.environment_id, g.version, g.rule_types, coalesce(g.expires_at, g.created_at)::timestamptz AS expires_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
  AS k (account_id, product_name, environment_name)
JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
JOIN break_glass_grants AS g ON g.account_id = k.account_id AND g.product_id = p.product_id AND g.environment_id = e.environment_id
WHERE g.status = 'active' AND g.expires_at > @now::timestamptz
ORDER BY g.account_id, g.id;

-- ListSlotsOfPairs returns the admitted deployments of the products and environments of starts, those of a pair with two names twice. Those that
-- have ended are cleaned up by the next start.
-- name: ListSlotsOfPairs :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.environment_name::text AS environment_name, p.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
    AS k (account_id, product_name, environment_name)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_id, e.environment_id
  FROM of_products AS k
  JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
)
SELECT s.account_id, s.deployment_id, s.product_id, s.environment_id, s.heartbeat_at, coalesce(s.fingerprint, '')::bytea AS fingerprint, d.status,
  d.version_id, coalesce(d.invoke_id, '')::text AS invoke_id, coalesce(d.attempt, 0)::bigint AS attempt,
  coalesce(d.deployed_by_name, d.deployed_by, '')::text AS holder, coalesce(d.started_at, d.occurred_at)::timestamptz AS started_at, d.last_event_at
FROM of_pairs AS k
JOIN deployment_slots AS s ON s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id
JOIN deployments AS d ON d.account_id = s.account_id AND d.id = s.deployment_id;

-- ListSlotsOfAccounts returns all admitted deployments of accounts.
-- name: ListSlotsOfAccounts :many
SELECT s.account_id, s.deployment_id, s.product_id, s.environment_id, s.heartbeat_at, coalesce(s.fingerprint, '')::bytea AS fingerprint, d.status,
  d.version_id, coalesce(d.invoke_id, '')::text AS invoke_id, coalesce(d.attempt, 0)::bigint AS attempt,
  coalesce(d.deployed_by_name, d.deployed_by, '')::text AS holder, coalesce(d.started_at, d.occurred_at)::timestamptz AS started_at, d.last_event_at
FROM deployment_slots AS s
JOIN deployments AS d ON d.account_id = s.account_id AND d.id = s.deployment_id
WHERE s.account_id = ANY (@accounts::uuid[])
ORDER BY s.account_id, s.deployment_id;

-- ListSlotProducts returns the products of the admitted deployments of accounts, with all their names, the present one first.
-- name: ListSlotProducts :many
WITH of_slots AS MATERIALIZED (
  SELECT DISTINCT s.account_id, s.product_id FROM deployment_slots AS s
  WHERE s.account_id = ANY (@accounts::uuid[])
)
SELECT p.id, ARRAY(
  SELECT o.name FROM product_names AS o
  WHERE o.account_id = k.account_id AND o.product_id = k.product_id
  ORDER BY o.name <> p.name, o.name
)::text[] AS names
FROM of_slots AS k
JOIN products AS p ON p.account_id = k.account_id AND p.id = k.product_id;

-- ListSlotEnvironments returns their environments in the same way.
-- name: ListSlotEnvironments :many
WITH of_slots AS MATERIALIZED (
  SELECT DISTINCT s.account_id, s.environment_id FROM deployment_slots AS s
  WHERE s.account_id = ANY (@accounts::uuid[])
)
SELECT e.id, e.type, ARRAY(
  SELECT o.name FROM environment_names AS o
  WHERE o.account_id = k.account_id AND o.environment_id = k.environment_id
  ORDER BY o.name <> e.name, o.name
)::text[] AS names
FROM of_slots AS k
JOIN environments AS e ON e.account_id = k.account_id AND e.id = k.environment_id;

-- ListAttemptsWithoutRun returns the newest attempt of each version, product and environment of a start without a run, since a time, and
-- up to two deployments without a run that have followed it: one may be the planned one that starts.
-- name: ListAttemptsWithoutRun :many
WITH of_versions AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, e.environment_id, v.id AS version_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]), unnest(@versions::text[]))
    AS k (account_id, product_name, environment_name, version)
  JOIN product_names AS p ON p.account_id = k.account_id AND p.name = k.product_name
  JOIN environment_names AS e ON e.account_id = k.account_id AND e.name = k.environment_name
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = p.product_id AND v.version = k.version
), newest AS MATERIALIZED (
  SELECT k.*, unnest(ARRAY(
    SELECT x.id FROM deployments AS x
    WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.environment_id = k.environment_id AND x.invoke_id IS NULL
      AND x.last_rejected_at >= @since::timestamptz
    ORDER BY x.id DESC
    LIMIT 1)) AS id
  FROM of_versions AS k
), following AS MATERIALIZED (
  SELECT k.account_id, unnest(ARRAY(
    SELECT x.id FROM deployments AS x
    WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.environment_id = k.environment_id AND x.invoke_id IS NULL
      AND x.id > k.id AND x.last_rejected_at IS NULL
    LIMIT 2)) AS id
  FROM newest AS k
), wanted AS MATERIALIZED (
  SELECT account_id, id FROM newest
  UNION SELECT account_id, id FROM following
)
SELECT d.* FROM wanted AS k
JOIN deployments AS d ON d.account_id = k.account_id AND d.id = k.id;

-- UpsertSlots stores the slots of admitted deployments and their heartbeats, in the order of the key.
-- name: UpsertSlots :exec
INSERT INTO deployment_slots AS s (account_id, product_id, environment_id, deployment_id, admitted_at, heartbeat_at, fingerprint)
SELECT k.account_id, k.product_id, k.environment_id, k.deployment_id, k.at, k.at, k.fingerprint
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_ids::uuid[]), unnest(@environment_ids::uuid[]), unnest(@deployment_ids::uuid[]),
    unnest(@at::timestamptz[]), unnest(@fingerprints::bytea[]))
  AS k (account_id, product_id, environment_id, deployment_id, at, fingerprint)
ORDER BY k.account_id, k.product_id, k.environment_id, k.deployment_id
ON CONFLICT (account_id, product_id, environment_id, deployment_id) DO UPDATE
SET heartbeat_at = excluded.heartbeat_at, fingerprint = excluded.fingerprint;

-- DeleteSlots deletes the slots of deployments that are not in progress any more.
-- name: DeleteSlots :exec
DELETE FROM deployment_slots AS s
USING ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_ids::uuid[]), unnest(@environment_ids::uuid[]), unnest(@deployment_ids::uuid[]))
  AS k (account_id, product_id, environment_id, deployment_id)
WHERE s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id AND s.deployment_id = k.deployment_id;

-- DeleteSlotsOfProduct deletes the slots of a deleted product: its deployments do not count any more. Its state rows are locked.
-- name: DeleteSlotsOfProduct :exec
DELETE FROM deployment_slots
WHERE account_id = @account_id AND product_id = @product_id;

-- DeleteSlotsOfEnvironment deletes the slots of a deleted environment in the same way.
-- name: DeleteSlotsOfEnvironment :exec
DELETE FROM deployment_slots
WHERE account_id = @account_id AND environment_id = @environment_id;

-- DeleteEndedSlots deletes the slots of an account's deployments that have ended. The account's governance is locked.
-- name: DeleteEndedSlots :exec
DELETE FROM deployment_slots AS s
USING deployments AS d
WHERE s.account_id = @account_id AND d.account_id = @account_id AND d.id = s.deployment_id AND d.status <> 'started';

-- FillSlots inserts the slots of an account's unfinished deployments, for rules that did not count them so far. The account's governance is
-- locked.
-- name: FillSlots :exec
INSERT INTO deployment_slots (account_id, product_id, environment_id, deployment_id, admitted_at, heartbeat_at)
SELECT d.account_id, d.product_id, d.environment_id, d.id, coalesce(d.started_at, d.occurred_at), d.last_event_at
FROM environment_state AS s
JOIN deployments AS d ON d.account_id = @account_id AND d.id = ANY (s.open_deployment_ids)
WHERE s.account_id = @account_id AND s.open_deployment_ids <> '{}' AND d.status = 'started'
ORDER BY d.product_id, d.environment_id, d.id
ON CONFLICT (account_id, product_id, environment_id, deployment_id) DO NOTHING;

-- InsertRuleViolations appends what rules found about the starts of a batch. A zero identifier or time stands for NULL.
-- name: InsertRuleViolations :exec
INSERT INTO rule_violations (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, clears_at, certain, details,
  deployment_id, product_id, environment_id, version_id, grant_id, api_key_id)
SELECT k.account_id, k.id, k.occurred_at, nullif(k.rule_id, '00000000-0000-0000-0000-000000000000'), k.rule_name, k.rule_type, k.action, k.code,
  k.message, nullif(k.clears_at, '0001-01-01 00:00:00+00'), k.certain, k.details, k.deployment_id, k.product_id, k.environment_id, k.version_id,
  nullif(k.grant_id, '00000000-0000-0000-0000-000000000000'), nullif(k.api_key_id, '00000000-0000-0000-0000-000000000000')
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@occurred_at::timestamptz[]), unnest(@rule_ids::uuid[]),
    unnest(@rule_names::text[]), unnest(@rule_types::text[]), unnest(@actions::text[]), unnest(@codes::text[]), unnest(@messages::text[]),
    unnest(@clears_at::timestamptz[]), unnest(@certain::boolean[]), unnest(@details::jsonb[]), unnest(@deployment_ids::uuid[]),
    unnest(@product_ids::uuid[]), unnest(@environment_ids::uuid[]), unnest(@version_ids::uuid[]), unnest(@grant_ids::uuid[]), unnest(@api_key_ids::uuid[]))
  AS k (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, clears_at, certain, details,
    deployment_id, product_id, environment_id, version_id, grant_id, api_key_id);

-- UseGrants marks the grants that the starts of a batch have used. They are locked.
-- name: UseGrants :exec
UPDATE break_glass_grants AS g
SET status = 'used', used_at = k.used_at, used_deployment_id = k.deployment_id, revision = g.revision + 1, updated_at = k.used_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@deployment_ids::uuid[]), unnest(@used_at::timestamptz[]))
  AS k (account_id, id, deployment_id, used_at)
WHERE g.account_id = k.account_id AND g.id = k.id;
