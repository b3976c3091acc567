-- History can be filled in: what a transaction writes may have happened earlier, as what `versionerd demo` invents did. It
-- goes through the same functions and rules as what happens now; only the time is another one.

-- +goose Up

-- When what is written happens: now, unless the transaction says that it was earlier (internal/postgres/past.go). It never
-- was in the future, and for versioner_app, who carries out what requests ask for, it always is now: nobody can write
-- history over HTTP.
-- +goose StatementBegin
CREATE FUNCTION record_time() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT least(
    CASE WHEN current_user <> 'versioner_app' THEN nullif(current_setting('versioner.past', true), '')::timestamptz END,
    clock_timestamp())
$$;
-- +goose StatementEnd

-- The functions that record events, and what they call, ask that clock. Nothing else in them changes.
-- +goose StatementBegin
DO $$
DECLARE
  one regproc;
  definition text;
BEGIN
  FOREACH one IN ARRAY '{new_id, soak_time_hours, record_deployment_event, record_build_event}'::regproc[] LOOP
    definition := pg_get_functiondef(one);
    IF array_length(string_to_array(definition, 'clock_timestamp()'), 1) <> 2 THEN
      RAISE EXCEPTION '% does not ask for the time exactly once', one;
    END IF;
    EXECUTE replace(definition, 'clock_timestamp()', 'record_time()');
  END LOOP;
END
$$;
-- +goose StatementEnd

ALTER TABLE accounts ALTER COLUMN created_at SET DEFAULT record_time();
ALTER TABLE api_keys ALTER COLUMN created_at SET DEFAULT record_time();
ALTER TABLE users ALTER COLUMN created_at SET DEFAULT record_time(), ALTER COLUMN last_seen_at SET DEFAULT record_time();
ALTER TABLE products ALTER COLUMN created_at SET DEFAULT record_time(), ALTER COLUMN updated_at SET DEFAULT record_time();
ALTER TABLE environments ALTER COLUMN created_at SET DEFAULT record_time(), ALTER COLUMN updated_at SET DEFAULT record_time();
ALTER TABLE versions ALTER COLUMN created_at SET DEFAULT record_time();
ALTER TABLE releases ALTER COLUMN created_at SET DEFAULT record_time(), ALTER COLUMN updated_at SET DEFAULT record_time();
ALTER TABLE audit_log ALTER COLUMN at SET DEFAULT record_time();

-- Nobody is told of what happened long ago.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION remember_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  the_type CONSTANT text := CASE WHEN NEW.deployment_id IS NULL THEN 'build.' ELSE 'deployment.' END || NEW.status;
BEGIN
  IF EXISTS (SELECT FROM notification_preferences WHERE account_id = NEW.account_id AND event_type = the_type)
    AND coalesce(current_setting('versioner.past', true), '') = ''
  THEN
    PERFORM set_config('versioner.remembered', concat(current_setting('versioner.remembered', true),
      concat_ws(',', NEW.account_id, NEW.id, NEW.deployment_id IS NULL, coalesce(NEW.deployment_id, NEW.build_id), NEW.status, NEW.received_at), ';'), true);
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Prepares the partitions of the months from since to the last one; prepare_event_partitions does so from this month on, and
-- gives up likewise rather than make events wait.
-- +goose StatementBegin
CREATE FUNCTION prepare_past_event_partitions(since timestamptz) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  month timestamp; -- in UTC
  partition text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('prepare_event_partitions', 0));
  FOR month IN SELECT generate_series(date_trunc('month', since AT TIME ZONE 'UTC'), now() AT TIME ZONE 'UTC', interval '1 month') LOOP
    partition := 'events_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
        partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    EXCEPTION WHEN check_violation THEN
      RAISE WARNING 'the events of % stay in the default partition', to_char(month, 'YYYY-MM');
    END;
  END LOOP;
END
$$;
-- +goose StatementEnd
