-- AddNotificationUsage adds to what an account has used of a quota on a day, and returns the sum and the account's own limit of
-- deliveries. Concurrent transactions wait for each other: the sums are exact.
-- name: AddNotificationUsage :one
INSERT INTO notification_usage AS u (account_id, day, kind, used)
VALUES (@account_id, @day, @kind, @amount)
ON CONFLICT (account_id, day, kind) DO UPDATE SET used = u.used + excluded.used
RETURNING used, (SELECT a.deliveries_per_day FROM accounts AS a WHERE a.id = @account_id) AS deliveries_per_day;

-- DeleteNotificationUsage deletes the counts of former days. Cross-tenant.
-- name: DeleteNotificationUsage :exec
DELETE FROM notification_usage
WHERE day < @before;
