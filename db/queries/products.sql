-- ListProducts returns a page of the account's products, newest first.
-- name: ListProducts :many
SELECT * FROM products
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- ListProductsByName returns a page of the account's products, by the code points of their names.
-- name: ListProductsByName :many
SELECT * FROM products
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_name')::text IS NULL OR (name COLLATE "C", id) > (sqlc.narg('after_name')::text, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
ORDER BY name COLLATE "C", id
LIMIT @row_limit;

-- GetProduct returns one product.
-- name: GetProduct :one
SELECT * FROM products
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- GetProductForUpdate returns one product and locks it against other changes until the transaction ends. Events of the product are not
-- blocked.
-- name: GetProductForUpdate :one
SELECT * FROM products
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR NO KEY UPDATE;

-- ResolveFilters returns the identifiers of the product and of the environment that filters give by identifier or by a name that
-- resolves to it; the nil UUID where there is none.
-- name: ResolveFilters :one
SELECT
  coalesce((
    SELECT p.id FROM products AS p
    WHERE p.account_id = @account_id AND p.deleted_at IS NULL
      AND (p.id = sqlc.narg('product_id')::uuid
        OR p.id = (SELECT n.product_id FROM product_names AS n WHERE n.account_id = @account_id AND n.name = @product_name::text))
    LIMIT 1
  ), '00000000-0000-0000-0000-000000000000')::uuid AS product_id,
  coalesce((
    SELECT e.id FROM environments AS e
    WHERE e.account_id = @account_id AND e.deleted_at IS NULL
      AND (e.id = sqlc.narg('environment_id')::uuid
        OR e.id = (SELECT n.environment_id FROM environment_names AS n WHERE n.account_id = @account_id AND n.name = @environment_name::text))
    LIMIT 1
  ), '00000000-0000-0000-0000-000000000000')::uuid AS environment_id;

-- CreateProduct inserts a product; its name must have been reserved.
-- name: CreateProduct :one
INSERT INTO products (account_id, id, name, description, extra_metadata, created_at, updated_at)
VALUES (@account_id, @id, @name, @description, @extra_metadata, @now, @now)
RETURNING *;

-- ReserveProductName makes a name resolve to a product and returns the product that it resolves to: a name in use is not taken over.
-- name: ReserveProductName :one
INSERT INTO product_names AS n (account_id, name, product_id)
VALUES (@account_id, @name, @product_id)
ON CONFLICT (account_id, name) DO UPDATE SET product_id = n.product_id
RETURNING product_id;

-- CountProductNames returns the number of names that resolve to a product.
-- name: CountProductNames :one
SELECT count(*) FROM product_names
WHERE account_id = @account_id AND product_id = @product_id;

-- UpdateProduct updates mutable columns and increments the revision.
-- name: UpdateProduct :one
UPDATE products
SET name = @name, description = @description, extra_metadata = @extra_metadata, revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteProduct hides a product from every view.
-- name: DeleteProduct :exec
UPDATE products
SET deleted_at = @now::timestamptz, revision = revision + 1
WHERE account_id = @account_id AND id = @id;

-- DeleteProductNames deletes every name of a product, so that the next event that mentions one creates a new product.
-- name: DeleteProductNames :exec
DELETE FROM product_names
WHERE account_id = @account_id AND product_id = @product_id;

-- GetProductForDelete returns one product and locks it against new references from events until the transaction ends. It comes after
-- LockEnvironmentStatesOfProduct: the order in which events lock.
-- name: GetProductForDelete :one
SELECT * FROM products
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- InsertProductNames reserves names that events mention for new products, where they are not taken. First of an event batch's
-- writes, in the order of the key, so that two batches never wait for each other.
-- name: InsertProductNames :exec
INSERT INTO product_names (account_id, name, product_id)
SELECT k.account_id, k.name, k.product_id
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@names::text[]), unnest(@product_ids::uuid[])) AS k (account_id, name, product_id)
ORDER BY k.account_id, k.name COLLATE "C"
ON CONFLICT (account_id, name) DO NOTHING;

-- InsertProducts inserts the products of the names that InsertProductNames has reserved, and returns the account of each.
-- name: InsertProducts :many
INSERT INTO products (account_id, id, name, created_at, updated_at)
SELECT n.account_id, n.product_id, n.name, @now, @now
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@names::text[]), unnest(@product_ids::uuid[])) AS k (account_id, name, product_id)
JOIN product_names AS n ON n.account_id = k.account_id AND n.name = k.name AND n.product_id = k.product_id
RETURNING account_id;
