-- +goose Up
-- The history of a product in an environment, and the neighbours of a deployment in it, however many deployments of the product are elsewhere.
CREATE INDEX deployments_pair_occurred_at_idx ON deployments (product_id, environment_id, occurred_at DESC, id DESC);
