-- EnsureGovernanceState creates the row of an account that has none yet.
-- name: EnsureGovernanceState :exec
INSERT INTO governance_state (account_id)
VALUES (@account_id)
ON CONFLICT (account_id) DO NOTHING;

-- LockGovernanceState makes changes of rules and settings wait for each other, and for the starts of deployments that read them.
-- name: LockGovernanceState :one
SELECT * FROM governance_state
WHERE account_id = @account_id
FOR UPDATE;

-- IncrementGovernanceRevision makes every server read the rules again before it uses them.
-- name: IncrementGovernanceRevision :exec
UPDATE governance_state
SET revision = revision + 1
WHERE account_id = @account_id;

-- GetGovernanceSettings returns the settings of an account.
-- name: GetGovernanceSettings :one
SELECT * FROM governance_state
WHERE account_id = @account_id;

-- UpdateGovernanceSettings updates the settings and increments their revision.
-- name: UpdateGovernanceSettings :one
UPDATE governance_state
SET requester_may_approve = @requester_may_approve, break_glass_second_person = @break_glass_second_person,
  break_glass_max_minutes = @break_glass_max_minutes, approval_mails = @approval_mails,
  settings_revision = settings_revision + 1, settings_updated_at = @now::timestamptz
WHERE account_id = @account_id
RETURNING *;

-- NotifyGovernanceChange makes every server compare the revision of an account's rules. It runs after the change is committed.
-- name: NotifyGovernanceChange :exec
SELECT pg_notify('governance_changed', (@account_id::uuid)::text);
