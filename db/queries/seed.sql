-- SetProductTimes backdates a product of the sample data.
-- name: SetProductTimes :exec
UPDATE products SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetEnvironmentTimes backdates an environment of the sample data.
-- name: SetEnvironmentTimes :exec
UPDATE environments SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetReleaseTimes backdates a release of the sample data.
-- name: SetReleaseTimes :exec
UPDATE releases SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetAPIKeyCreatedAt backdates the API key of the sample data.
-- name: SetAPIKeyCreatedAt :exec
UPDATE api_keys SET created_at = @at
WHERE account_id = @account_id AND id = @id;
