-- +goose Up
-- Lists whose filters few of an account's rows match: an index by age alone would be read to its end.

-- The conditions of these indexes hold for every row. Without statistics, all indexes that begin with the account or the product cost
-- the same, and the look-ups by key of ingestion would use one of these: a look-up by key does not imply the condition, a filter does.

-- Versions by name. Their text is compared by bytes, as prefixes are, whatever the collation of the database is.
CREATE INDEX versions_account_version_idx ON versions (account_id, version COLLATE pg_catalog."C", id) WHERE version COLLATE pg_catalog."C" <> '';
CREATE INDEX versions_product_version_idx ON versions (product_id, version COLLATE pg_catalog."C", id) WHERE version COLLATE pg_catalog."C" <> '';

-- A version has a few events of builds: a change of the status, which has new entries in every index, is rare.
CREATE INDEX builds_account_status_idx ON builds (account_id, status, occurred_at DESC, id DESC) WHERE status <> '';
CREATE INDEX builds_product_status_idx ON builds (product_id, status, occurred_at DESC, id DESC) WHERE status <> '';

CREATE INDEX releases_account_status_idx ON releases (account_id, status, created_at DESC, id DESC);

CREATE INDEX audit_log_actor_idx ON audit_log (account_id, actor_id, occurred_at DESC, id DESC);
CREATE INDEX audit_log_action_idx ON audit_log (account_id, action, occurred_at DESC, id DESC);
CREATE INDEX audit_log_object_idx ON audit_log (account_id, object_id, occurred_at DESC, id DESC);

-- A delivery that ends has a new entry in the index of its end anyway.
CREATE INDEX notification_deliveries_status_idx ON notification_deliveries (account_id, status, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_event_type_idx ON notification_deliveries (account_id, event_type, created_at DESC, id DESC);

-- The versions of a product that are newer than another one, by precedence or by time. Only the first completed deployment of a version
-- changes what they contain.
CREATE INDEX versions_precedence_idx ON versions (product_id, semver_key, occurred_at) WHERE first_completed_at IS NOT NULL;
CREATE INDEX versions_product_occurred_at_idx ON versions (product_id, occurred_at) WHERE first_completed_at IS NOT NULL;
