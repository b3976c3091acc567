-- ListProducts returns a page of the account's products, newest first.
-- name: ListProducts :many
SELECT * FROM products
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetProduct returns one product.
-- name: GetProduct :one
SELECT * FROM products
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- GetProductForUpdate returns one product, which nobody else can change until the transaction ends.
-- name: GetProductForUpdate :one
SELECT * FROM products
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- FindProduct returns the identifier of a product by its own, or by a name that it answers to.
-- name: FindProduct :one
SELECT t.id FROM products AS t
WHERE t.account_id = @account_id AND t.deleted_at IS NULL
  AND (t.id = sqlc.narg('id')::uuid
    OR t.id = (SELECT n.product_id FROM product_names AS n WHERE n.account_id = @account_id AND n.name = @name::text))
LIMIT 1;

-- CreateProduct makes a product; its name must have been claimed.
-- name: CreateProduct :one
INSERT INTO products (account_id, id, name, description, extra_metadata)
VALUES (@account_id, @id, @name, @description, @extra_metadata)
RETURNING *;

-- ClaimProductName makes a name lead to a product and returns the product that it leads to: another one's name stays.
-- name: ClaimProductName :one
INSERT INTO product_names AS n (account_id, name, product_id)
VALUES (@account_id, @name, @product_id)
ON CONFLICT (account_id, name) DO UPDATE SET product_id = n.product_id
RETURNING product_id;

-- UpdateProduct writes what may change and counts the revision on.
-- name: UpdateProduct :one
UPDATE products
SET name = @name, description = @description, extra_metadata = @extra_metadata, revision = revision + 1, updated_at = record_time()
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteProduct takes a product out of every view.
-- name: DeleteProduct :exec
UPDATE products
SET deleted_at = clock_timestamp(), revision = revision + 1
WHERE account_id = @account_id AND id = @id;

-- ReleaseProductNames frees every name of a product, so that the next event that mentions one makes a new product.
-- name: ReleaseProductNames :exec
DELETE FROM product_names
WHERE account_id = @account_id AND product_id = @product_id;
