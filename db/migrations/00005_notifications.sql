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
  channel_id uuid NOT NULL,
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
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, channel_id) REFERENCES notification_channels (account_id, id)
);
CREATE INDEX notification_deliveries_by_age ON notification_deliveries (account_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_by_channel ON notification_deliveries (channel_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_to_forget ON notification_deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- A channel hears of each status of a deployment or build once, whatever events repeat it.
CREATE UNIQUE INDEX notification_deliveries_once ON notification_deliveries (record_id, channel_id, event_type) WHERE record_id IS NOT NULL;

-- Puts the job of a delivery in the queue, as River's client would but for the NOTIFY, which would slow down everything
-- that commits at the same time: the workers look every quarter of a second. A job may be tried often because only what
-- is wrong with us counts as a try for River; how often a receiver is tried is decided in internal/notify.
-- +goose StatementBegin
CREATE FUNCTION enqueue_delivery(p_account_id uuid, p_channel_id uuid, p_delivery_id uuid, p_round integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    VALUES ('deliver_notification', jsonb_build_object(
      'account_id', p_account_id, 'channel_id', p_channel_id, 'delivery_id', p_delivery_id, 'round', p_round), 'notifications', 1, 1000)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION enqueue_owner_mail(p_account_id uuid, p_user_id uuid, p_text text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO river_job (kind, args, queue, priority, max_attempts)
    VALUES ('mail_owner', jsonb_build_object('account_id', p_account_id, 'user_id', p_user_id, 'text', p_text), 'notifications', 2, 12)
$$;
-- +goose StatementEnd

-- The notices of an event, in its transaction: no event without its notices, no notice without its event. An event that
-- changed nothing gives none.
-- +goose StatementBegin
CREATE FUNCTION notify_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  the_type CONSTANT text := CASE WHEN NEW.deployment_id IS NULL THEN 'build.' ELSE 'deployment.' END || NEW.status;
  the_product uuid;
  the_environment uuid;
  the_notice jsonb;
  made record;
BEGIN
  IF NOT EXISTS (SELECT FROM notification_preferences p WHERE p.account_id = NEW.account_id AND p.event_type = the_type) THEN
    RETURN NULL;
  END IF;
  IF NEW.deployment_id IS NOT NULL THEN
    SELECT d.product_id, d.environment_id, jsonb_strip_nulls(jsonb_build_object(
        'id', d.id, 'status', NEW.status, 'occurred_at', d.deployed_at, 'product', d.product_name, 'version', d.version, 'environment', d.environment_name,
        'deployer', coalesce(d.deployed_by_name, d.deployed_by, d.deployed_by_email),
        'repository', d.scm_repository, 'commit_sha', d.scm_sha, 'source_url', d.deploy_url,
        'preflight_status', d.extra_metadata -> 'preflight_status' ->> 'status',
        'error', left(d.extra_metadata ->> 'error', 4000),
        'took_seconds', extract(epoch FROM d.completed_at - d.started_at)))
      INTO the_product, the_environment, the_notice
      FROM deployment_records d WHERE d.account_id = NEW.account_id AND d.id = NEW.deployment_id;
  ELSE
    SELECT b.product_id, jsonb_strip_nulls(jsonb_build_object(
        'id', b.id, 'status', NEW.status, 'occurred_at', coalesce(b.completed_at, b.started_at, b.created_at), 'product', b.product_name, 'version', b.version,
        'deployer', coalesce(b.built_by_name, b.built_by, b.built_by_email),
        'repository', b.scm_repository, 'commit_sha', b.scm_sha, 'source_url', b.build_url,
        'error', left(coalesce(b.error_message, b.extra_metadata ->> 'error'), 4000),
        'took_seconds', extract(epoch FROM b.completed_at - b.started_at)))
      INTO the_product, the_notice
      FROM build_records b WHERE b.account_id = NEW.account_id AND b.id = NEW.build_id;
  END IF;
  FOR made IN
    INSERT INTO notification_deliveries (account_id, channel_id, event_type, event_id, record_id, notice, next_attempt_at)
    SELECT DISTINCT NEW.account_id, p.channel_id, the_type, NEW.id, coalesce(NEW.deployment_id, NEW.build_id), the_notice, clock_timestamp()
    FROM notification_preferences p
    JOIN notification_channels c ON c.account_id = p.account_id AND c.id = p.channel_id AND c.enabled AND c.deleted_at IS NULL
    WHERE p.account_id = NEW.account_id AND p.event_type = the_type
      AND (p.statuses = '{}' OR NEW.status = ANY (p.statuses))
      AND (p.products = '{}' OR the_product::text = ANY (p.products) OR EXISTS (
        SELECT FROM product_names n WHERE n.account_id = p.account_id AND n.name = ANY (p.products) AND n.product_id = the_product))
      AND (p.environments = '{}' OR the_environment::text = ANY (p.environments) OR EXISTS (
        SELECT FROM environment_names n WHERE n.account_id = p.account_id AND n.name = ANY (p.environments) AND n.environment_id = the_environment))
    ON CONFLICT (record_id, channel_id, event_type) WHERE record_id IS NOT NULL DO NOTHING
    RETURNING channel_id, id
  LOOP
    PERFORM enqueue_delivery(NEW.account_id, made.channel_id, made.id, 1);
  END LOOP;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_notify AFTER INSERT ON events
  FOR EACH ROW WHEN (NEW.effect IN ('opened', 'advanced', 'finished')) EXECUTE FUNCTION notify_of_event();

-- A delivery with the channel it goes to: what the history shows.
CREATE VIEW notification_records AS
SELECT d.*, c.name AS channel_name, c.channel_type
FROM notification_deliveries d
JOIN notification_channels c ON c.account_id = d.account_id AND c.id = d.channel_id;
