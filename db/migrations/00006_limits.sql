-- How much an account and a key may do, where that differs from what the server says. 0 is without a limit.

-- +goose Up

ALTER TABLE accounts ADD COLUMN requests_per_hour integer CHECK (requests_per_hour >= 0);
ALTER TABLE api_keys ADD COLUMN requests_per_minute integer CHECK (requests_per_minute >= 0);

DROP TRIGGER api_key_changed ON api_keys;
CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF token_hmac, expires_at, revoked_at, requests_per_minute ON api_keys
  FOR EACH ROW EXECUTE FUNCTION notify_api_key_change();

-- Servers remember the account's limit with each of its keys.
-- +goose StatementBegin
CREATE FUNCTION notify_account_limit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('api_key_changed', id::text) FROM api_keys WHERE account_id = NEW.id AND revoked_at IS NULL;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER account_limit_changed AFTER UPDATE OF requests_per_hour ON accounts
  FOR EACH ROW EXECUTE FUNCTION notify_account_limit_change();
