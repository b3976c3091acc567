-- +goose Up
-- Since when the account is moved to another database: its requests are answered 503. Null for an account that is served.
ALTER TABLE accounts
  ADD COLUMN moving_since timestamptz;
