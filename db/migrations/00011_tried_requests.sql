-- Requests that name themselves, and whose first try has left no answer.

-- +goose Up

-- Since when the request may have been carried out without an answer being kept: its server died, or the database left open
-- whether it was. Null when this is its first try.
ALTER TABLE idempotency_keys ADD COLUMN tried_since timestamptz;

-- Which try has claimed the name: a server that was not told whether its claim came through recognises it.
ALTER TABLE idempotency_keys ADD COLUMN claim_id uuid;
