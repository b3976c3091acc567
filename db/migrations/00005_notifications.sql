-- Notifications: where to, about what, and what became of each. The jobs that deliver them are River's (migration 4).

-- +goose Up

-- What a channel's configuration holds may be secret (the address of a Slack webhook is a password), so all of it is
-- sealed with AES-GCM and only the server can read it. A deleted channel stays for the history, without it.
CREATE TABLE notification_channels (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  name text NOT NULL,
  channel_type text NOT NULL CHECK (channel_type IN ('slack_webhook', 'webhook', 'email')),
  sealed_config bytea NOT NULL,
  enabled boolean NOT NULL,
  disabled_reason text CHECK (disabled_reason IN ('gone', 'failing')),
  disabled_at timestamptz,
  failing_since timestamptz, -- the first failure since the last success
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at timestamptz,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX notification_channels_by_age ON notification_channels (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- Which events a channel is told about. An empty filter lets everything pass. Filters hold names, which need not exist
-- yet, or identifiers.
CREATE TABLE notification_preferences (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  channel_id uuid NOT NULL,
  event_type text NOT NULL,
  environments text[] NOT NULL,
  products text[] NOT NULL,
  statuses text[] NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, channel_id) REFERENCES notification_channels (account_id, id)
);
CREATE INDEX notification_preferences_by_age ON notification_preferences (account_id, created_at DESC, id DESC);
CREATE INDEX notification_preferences_by_event ON notification_preferences (event_type, account_id);
CREATE INDEX notification_preferences_by_channel ON notification_preferences (channel_id, created_at DESC, id DESC);

-- One row for each notice and channel. The notice is what was true when it happened: the same for every attempt.
CREATE TABLE notification_deliveries (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  channel_id uuid NOT NULL, -- no foreign key: all that is told to one channel would lock its one row; it is never removed
  event_type text NOT NULL,
  event_id uuid,  -- no foreign key: the event log is partitioned by a time that is not known here
  record_id uuid, -- the deployment or build
  notice jsonb NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
  round integer NOT NULL DEFAULT 1,    -- how many times it was asked for
  tries integer NOT NULL DEFAULT 0,    -- of this round
  attempts integer NOT NULL DEFAULT 0, -- of all rounds
  response_status integer,
  error_class text,
  latency_ms integer,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_attempt_at timestamptz,
  next_attempt_at timestamptz,
  finished_at timestamptz,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX notification_deliveries_by_age ON notification_deliveries (account_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_by_channel ON notification_deliveries (channel_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_to_forget ON notification_deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- A channel hears of each status of a deployment or build once, whatever events repeat it.
CREATE UNIQUE INDEX notification_deliveries_once ON notification_deliveries (record_id, channel_id, event_type) WHERE record_id IS NOT NULL;

-- The job of a delivery, as River's client would insert it but for the NOTIFY, which would slow down everything that commits
-- at the same time: the workers look every quarter of a second. A job may be tried often because only what is wrong with us
-- counts as a try for River; how often a receiver is tried is decided in internal/notify.
-- +goose StatementBegin
CREATE FUNCTION delivery_job(p_account_id uuid, p_channel_id uuid, p_delivery_id uuid, p_round integer)
RETURNS TABLE (kind text, args jsonb, queue text, priority smallint, max_attempts smallint) LANGUAGE sql IMMUTABLE AS $$
  SELECT 'deliver_notification', jsonb_build_object(
    'account_id', p_account_id, 'channel_id', p_channel_id, 'delivery_id', p_delivery_id, 'round', p_round), 'notifications', 1::smallint, 1000::smallint
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION enqueue_delivery(p_account_id uuid, p_channel_id uuid, p_delivery_id uuid, p_round integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    SELECT j.kind, j.args, j.queue, j.priority, j.max_attempts FROM delivery_job(p_account_id, p_channel_id, p_delivery_id, p_round) AS j
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION enqueue_owner_mail(p_account_id uuid, p_user_id uuid, p_text text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    VALUES ('mail_owner', jsonb_build_object('account_id', p_account_id, 'user_id', p_user_id, 'text', p_text), 'notifications', 2, 12)
$$;
-- +goose StatementEnd

-- Whether a product or an environment has one of these names, a former one too, or identifiers.
-- +goose StatementBegin
CREATE FUNCTION is_product(p_account_id uuid, p_id uuid, p_names text[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_id::text = ANY (p_names) OR EXISTS (
    SELECT FROM product_names WHERE account_id = p_account_id AND name = ANY (p_names) AND product_id = p_id);
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION is_environment(p_account_id uuid, p_id uuid, p_names text[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_id::text = ANY (p_names) OR EXISTS (
    SELECT FROM environment_names WHERE account_id = p_account_id AND name = ANY (p_names) AND environment_id = p_id);
END
$$;
-- +goose StatementEnd

-- The notices of events and their jobs are made in the transaction of the events: no event without its notices, no notice
-- without its event. An event that changed nothing gives none. Events that share a transaction have theirs made together,
-- which costs each of them half as much: the first trigger remembers, in a setting that lasts as long as the transaction,
-- which events somebody may want to hear of; the second one runs for the same events when the transaction commits, and the
-- first of those runs does the work for all. OFFSET 0 keeps the planner from joining whole tables: a plan that is made while
-- they are small is kept while they grow.
-- +goose StatementBegin
CREATE FUNCTION remember_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  the_type CONSTANT text := CASE WHEN NEW.deployment_id IS NULL THEN 'build.' ELSE 'deployment.' END || NEW.status;
BEGIN
  IF EXISTS (SELECT FROM notification_preferences WHERE account_id = NEW.account_id AND event_type = the_type) THEN
    PERFORM set_config('versioner.remembered', concat(current_setting('versioner.remembered', true),
      concat_ws(',', NEW.account_id, NEW.id, NEW.deployment_id IS NULL, coalesce(NEW.deployment_id, NEW.build_id), NEW.status, NEW.received_at), ';'), true);
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION remembered_events(p_remembered text)
RETURNS TABLE (account_id uuid, id uuid, is_build boolean, record_id uuid, event_type text, status text, received_at timestamptz) ROWS 10 LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN QUERY SELECT part[1]::uuid, part[2]::uuid, part[3]::boolean, part[4]::uuid,
    CASE WHEN part[3]::boolean THEN 'build.' ELSE 'deployment.' END || part[5], part[5], part[6]::timestamptz
  FROM string_to_table(rtrim(p_remembered, ';'), ';') AS entry, string_to_array(entry, ',') AS part;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION notify_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  remembered CONSTANT text := current_setting('versioner.remembered', true);
BEGIN
  IF coalesce(remembered, '') = '' THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('versioner.remembered', '', true);
  IF strpos(remembered, ',f,') > 0 THEN
    WITH made AS (
      INSERT INTO notification_deliveries (account_id, channel_id, event_type, event_id, record_id, notice, next_attempt_at)
      SELECT DISTINCT ON (e.id, c.id) e.account_id, c.id, e.event_type, e.id, e.record_id, jsonb_build_object(
        'id', d.id, 'status', e.status, 'product', d.product_name, 'version', d.version, 'environment', d.environment_name,
        'occurred_at', CASE WHEN e.status IN ('pending', 'started') THEN e.received_at ELSE d.deployed_at END,
        'deployer', coalesce(d.deployed_by_name, d.deployed_by, d.deployed_by_email),
        'repository', d.scm_repository, 'commit_sha', d.scm_sha, 'source_url', d.deploy_url,
        'preflight_status', d.extra_metadata -> 'preflight_status' ->> 'status', 'error', left(d.extra_metadata ->> 'error', 4000),
        'took_seconds', CASE WHEN e.status NOT IN ('pending', 'started') THEN extract(epoch FROM d.completed_at - d.started_at) END), clock_timestamp()
      FROM remembered_events(remembered) e
      CROSS JOIN LATERAL (SELECT * FROM deployment_records r WHERE r.account_id = e.account_id AND r.id = e.record_id OFFSET 0) d
      CROSS JOIN LATERAL (SELECT * FROM notification_preferences r WHERE r.account_id = e.account_id AND r.event_type = e.event_type OFFSET 0) p
      JOIN notification_channels c ON c.account_id = p.account_id AND c.id = p.channel_id AND c.enabled AND c.deleted_at IS NULL
      WHERE NOT e.is_build AND (p.statuses = '{}' OR e.status = ANY (p.statuses))
        AND (p.products = '{}' OR is_product(p.account_id, d.product_id, p.products))
        AND (p.environments = '{}' OR is_environment(p.account_id, d.environment_id, p.environments))
      ON CONFLICT (record_id, channel_id, event_type) WHERE record_id IS NOT NULL DO NOTHING
      RETURNING account_id, channel_id, id
    )
    INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    SELECT j.kind, j.args, j.queue, j.priority, j.max_attempts FROM made, delivery_job(made.account_id, made.channel_id, made.id, 1) AS j;
  END IF;
  IF strpos(remembered, ',t,') > 0 THEN
    WITH made AS (
      INSERT INTO notification_deliveries (account_id, channel_id, event_type, event_id, record_id, notice, next_attempt_at)
      SELECT DISTINCT ON (e.id, c.id) e.account_id, c.id, e.event_type, e.id, e.record_id, jsonb_build_object(
        'id', b.id, 'status', e.status, 'product', b.product_name, 'version', b.version,
        'occurred_at', CASE WHEN e.status IN ('pending', 'started') THEN e.received_at ELSE coalesce(b.completed_at, e.received_at) END,
        'deployer', coalesce(b.built_by_name, b.built_by, b.built_by_email),
        'repository', b.scm_repository, 'commit_sha', b.scm_sha, 'source_url', b.build_url,
        'error', left(coalesce(b.error_message, b.extra_metadata ->> 'error'), 4000),
        'took_seconds', CASE WHEN e.status NOT IN ('pending', 'started') THEN extract(epoch FROM b.completed_at - b.started_at) END), clock_timestamp()
      FROM remembered_events(remembered) e
      CROSS JOIN LATERAL (SELECT * FROM build_records r WHERE r.account_id = e.account_id AND r.id = e.record_id OFFSET 0) b
      CROSS JOIN LATERAL (SELECT * FROM notification_preferences r WHERE r.account_id = e.account_id AND r.event_type = e.event_type OFFSET 0) p
      JOIN notification_channels c ON c.account_id = p.account_id AND c.id = p.channel_id AND c.enabled AND c.deleted_at IS NULL
      WHERE e.is_build AND (p.statuses = '{}' OR e.status = ANY (p.statuses))
        AND (p.products = '{}' OR is_product(p.account_id, b.product_id, p.products))
      ON CONFLICT (record_id, channel_id, event_type) WHERE record_id IS NOT NULL DO NOTHING
      RETURNING account_id, channel_id, id
    )
    INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    SELECT j.kind, j.args, j.queue, j.priority, j.max_attempts FROM made, delivery_job(made.account_id, made.channel_id, made.id, 1) AS j;
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_remember AFTER INSERT ON events
  FOR EACH ROW WHEN (NEW.effect IN ('opened', 'advanced', 'finished')) EXECUTE FUNCTION remember_event();
CREATE CONSTRAINT TRIGGER events_notify AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.effect IN ('opened', 'advanced', 'finished')) EXECUTE FUNCTION notify_of_events();

-- A delivery with the channel it goes to: what the history shows.
CREATE VIEW notification_records AS
SELECT d.*, c.name AS channel_name, c.channel_type
FROM notification_deliveries d
JOIN notification_channels c ON c.account_id = d.account_id AND c.id = d.channel_id;
