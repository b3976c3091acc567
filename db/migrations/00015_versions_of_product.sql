-- +goose Up
-- A product is of one account. Without this the planner multiplies the shares of both, expects one version of a product, and reads all of them
-- from the unique key, instead of a page or the newer ones from their index. Statistics of an empty table are worse than none: the first plans would be
-- made for no rows.
CREATE STATISTICS versions_account_product_stats (dependencies) ON account_id, product_id FROM versions;
-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM versions) THEN
    ANALYZE versions;
  END IF;
END;
$$;
-- +goose StatementEnd
