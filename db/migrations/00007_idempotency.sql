-- Requests that name themselves, and how they were answered.

-- +goose Up

CREATE TABLE idempotency_keys (
  account_id uuid NOT NULL REFERENCES accounts (id),
  operation text NOT NULL,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  sealed_response bytea, -- null while the first request is under way; sealed because an answer may hold a new API key
  claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (key, operation, account_id)
);
CREATE INDEX idempotency_keys_to_forget ON idempotency_keys (claimed_at);
