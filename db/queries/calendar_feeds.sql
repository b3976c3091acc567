-- GetCalendarFeedByHMAC finds the feed of a presented token, by its hash under any of the peppers. Cross-tenant: the row authorises.
-- name: GetCalendarFeedByHMAC :one
SELECT sqlc.embed(f), a.slug AS account_slug, a.requests_per_hour, a.moving_since
FROM calendar_feeds AS f
JOIN accounts AS a ON a.id = f.account_id
WHERE f.token_hmac = ANY (@token_hmacs::bytea[]) AND f.revoked_at IS NULL;

-- ListCalendarFeeds returns a page of the account's feeds that are not revoked, newest first: those of one user, or all.
-- name: ListCalendarFeeds :many
SELECT * FROM calendar_feeds
WHERE account_id = @account_id AND revoked_at IS NULL
  AND (sqlc.narg('owner_id')::uuid IS NULL OR created_by = sqlc.narg('owner_id')::uuid)
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- CreateCalendarFeed stores a new feed, by the hash of its token.
-- name: CreateCalendarFeed :one
INSERT INTO calendar_feeds (account_id, id, name, token_hmac, pepper_id, created_by, created_by_name, created_at)
VALUES (@account_id, @id, @name, @token_hmac, @pepper_id, @created_by::uuid, @created_by_name, @now)
RETURNING *;

-- RevokeCalendarFeed revokes a feed of one user, or of any user. It returns no row when there is none, or it is revoked.
-- name: RevokeCalendarFeed :one
UPDATE calendar_feeds
SET revoked_at = @now::timestamptz
WHERE account_id = @account_id AND id = @id AND revoked_at IS NULL
  AND (sqlc.narg('owner_id')::uuid IS NULL OR created_by = sqlc.narg('owner_id')::uuid)
RETURNING *;

-- TouchCalendarFeed records the use of a feed.
-- name: TouchCalendarFeed :exec
UPDATE calendar_feeds
SET last_used_at = @now::timestamptz
WHERE account_id = @account_id AND id = @id;

-- RehashCalendarFeed stores the hash of a token under the first pepper, unless it has changed concurrently.
-- name: RehashCalendarFeed :exec
UPDATE calendar_feeds
SET token_hmac = @token_hmac, pepper_id = @pepper_id
WHERE account_id = @account_id AND id = @id AND token_hmac = @former::bytea;

-- CountCalendarFeedsOfOtherPeppers counts the feeds that were hashed with another pepper than the given one and are not revoked. Cross-tenant.
-- name: CountCalendarFeedsOfOtherPeppers :one
SELECT count(*) FROM calendar_feeds
WHERE revoked_at IS NULL AND pepper_id <> @pepper_id::bytea;
