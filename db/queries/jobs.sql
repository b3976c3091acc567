-- CountJobs counts the jobs of each queue that have not ended, and those that were given up, with the time at which the first one was
-- due. Not tenant-scoped: the queue belongs to no account.
-- name: CountJobs :many
SELECT j.queue, j.state::text AS state, count(*) AS jobs, min(j.scheduled_at)::timestamptz AS first_due_at
FROM river_job AS j
WHERE j.state IN ('available', 'pending', 'running', 'retryable', 'scheduled', 'discarded')
GROUP BY j.queue, j.state;

-- InsertGovernanceJob enqueues a job of deployment rules, which is due at a time. Not tenant-scoped: the queue belongs to no account.
-- name: InsertGovernanceJob :exec
INSERT INTO river_job (kind, args, queue, priority, max_attempts, metadata, scheduled_at)
VALUES (@kind, @args, @queue, 1, 1000, @metadata, @due_at);
