-- +goose Up
-- The lists of products and environments by name.
CREATE INDEX products_account_name_idx ON products (account_id, name COLLATE "C", id) WHERE deleted_at IS NULL;
CREATE INDEX environments_account_name_idx ON environments (account_id, name COLLATE "C", id) WHERE deleted_at IS NULL;
