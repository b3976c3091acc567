-- The columns of River's job table that queries insert or read. River's own migrations create the table; this file only lets sqlc check
-- the queries.
CREATE TABLE river_job (
  kind text NOT NULL,
  args jsonb NOT NULL,
  queue text NOT NULL,
  priority smallint NOT NULL,
  max_attempts smallint NOT NULL,
  metadata jsonb NOT NULL,
  state text NOT NULL,
  scheduled_at timestamptz NOT NULL
);
