-- How an event becomes history: one call, one round trip, one transaction for each event (contract.md §6).

-- +goose Up

-- A recorded event with the deployment or build it belongs to: what the recording functions return. is_repeat is true
-- when the same event had been recorded before and nothing was written.
CREATE VIEW recorded_deployment_events AS
SELECT e.id AS event_id, e.received_at AS event_received_at, e.effect, false AS is_repeat, d.*
FROM events e
JOIN deployment_records d ON d.account_id = e.account_id AND d.id = e.deployment_id;

CREATE VIEW recorded_build_events AS
SELECT e.id AS event_id, e.received_at AS event_received_at, e.effect, false AS is_repeat, b.*
FROM events e
JOIN build_records b ON b.account_id = e.account_id AND b.id = e.build_id;

-- The state machine: what an event does to the record (deployment or build) that it was matched with. record_status is
-- NULL when nothing matched. The caller matches finished records by invoke_id alone.
--
--   opened        a new record begins: nothing matched, or the CI run was started again
--   advanced      an unfinished record moved on, or learned more
--   finished      an unfinished record reached its end
--   repeated      a finished record ended as it already had: kept in the log, changes nothing
--   late          it was overtaken by a later status: kept in the log, changes nothing
--   contradicted  a finished record ended otherwise before: kept and flagged in the log, the first end stands
--
-- A run that is started again keeps its invoke_id. Its attempt tells it from a late event where the CI system sends one;
-- otherwise a status that the finished record has seen already can only come from another run.
-- +goose StatementBegin
CREATE FUNCTION event_effect(record_status text, record_seen text[], record_attempt bigint, event_status text, event_attempt bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN record_status IS NULL THEN 'opened'
    WHEN record_status IN ('pending', 'started') THEN CASE
      WHEN event_status NOT IN ('pending', 'started') THEN 'finished'
      WHEN record_status = 'started' AND event_status = 'pending' THEN 'late'
      ELSE 'advanced' END
    WHEN event_attempt > coalesce(record_attempt, 1) THEN 'opened'
    WHEN event_status = record_status THEN 'repeated'
    WHEN event_status NOT IN ('pending', 'started') THEN 'contradicted'
    WHEN event_attempt IS NULL AND event_status = ANY (record_seen) THEN 'opened'
    ELSE 'late'
  END
$$;
-- +goose StatementEnd

-- Whether an event whose fingerprint is known, and which matches no other record than it did then (a retry that names no
-- run would match any that has begun since), is the same event sent again rather than a new one that happens to be equal. Clients retry for about two minutes (four tries of 30 seconds), so
-- within three minutes it always is. Later on it still is while the record is unfinished, and when it would change
-- nothing; a redeploy without invoke_id, or a run that was started again, is a new event.
-- +goose StatementBegin
CREATE FUNCTION is_repeat(age interval, record_status text, effect text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT age < interval '3 minutes'
    OR age < interval '1 day' AND record_status IN ('pending', 'started')
    OR effect IN ('repeated', 'late', 'contradicted')
$$;
-- +goose StatementEnd

-- Metadata of successive events is merged key by key, the newer value wins. What would outgrow four times the limit of one
-- event is not merged: the newest event's stands alone (each event's own is in its body).
-- +goose StatementBegin
CREATE FUNCTION merge_metadata(older jsonb, newer jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN newer = '{}' THEN older WHEN octet_length((older || newer)::text) > 1048576 THEN newer ELSE older || newer END
$$;
-- +goose StatementEnd

-- The product of that name, made on first mention. Concurrent first mentions wait for each other on the name.
-- +goose StatementBegin
CREATE FUNCTION resolve_product(p_account_id uuid, p_name text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  found_id uuid;
BEGIN
  LOOP
    SELECT product_id INTO found_id FROM product_names WHERE account_id = p_account_id AND name = p_name;
    IF FOUND THEN RETURN found_id; END IF;
    INSERT INTO product_names (account_id, name, product_id) VALUES (p_account_id, p_name, new_id())
      ON CONFLICT DO NOTHING RETURNING product_id INTO found_id;
    IF FOUND THEN
      INSERT INTO products (account_id, id, name) VALUES (p_account_id, found_id, p_name);
      RETURN found_id;
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION resolve_environment(p_account_id uuid, p_name text, p_type text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  found_id uuid;
BEGIN
  LOOP
    SELECT environment_id INTO found_id FROM environment_names WHERE account_id = p_account_id AND name = p_name;
    IF FOUND THEN RETURN found_id; END IF;
    INSERT INTO environment_names (account_id, name, environment_id) VALUES (p_account_id, p_name, new_id())
      ON CONFLICT DO NOTHING RETURNING environment_id INTO found_id;
    IF FOUND THEN
      INSERT INTO environments (account_id, id, name, type) VALUES (p_account_id, found_id, p_name, p_type);
      RETURN found_id;
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION resolve_version(p_account_id uuid, p_product_id uuid, p_version text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  found_id uuid;
BEGIN
  LOOP
    SELECT id INTO found_id FROM versions
      WHERE account_id = p_account_id AND product_id = p_product_id AND version = p_version;
    IF FOUND THEN RETURN found_id; END IF;
    INSERT INTO versions (account_id, product_id, version) VALUES (p_account_id, p_product_id, p_version)
      ON CONFLICT DO NOTHING RETURNING id INTO found_id;
    IF FOUND THEN RETURN found_id; END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Hours between the first time that the version was completely deployed in the nearest lower type of environment
-- (dev < test < staging < production) and now; NULL where there is no lower type or the version never ran there.
-- +goose StatementBegin
CREATE FUNCTION soak_time_hours(p_account_id uuid, p_version_id uuid, p_environment_id uuid) RETURNS double precision LANGUAGE sql STABLE AS $$
  WITH ranked AS (
    SELECT id, array_position(ARRAY['dev', 'test', 'staging', 'production'], type) AS rank
    FROM environments WHERE account_id = p_account_id
  )
  SELECT greatest(extract(epoch FROM clock_timestamp() - d.completed_at) / 3600, 0)
  FROM deployments d
  JOIN ranked lower_one ON lower_one.id = d.environment_id
  JOIN ranked this_one ON this_one.id = p_environment_id
  WHERE d.account_id = p_account_id AND d.version_id = p_version_id AND d.status = 'completed'
    AND lower_one.rank < this_one.rank
  ORDER BY lower_one.rank DESC, d.completed_at
  LIMIT 1
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION record_deployment_event(
  p_account_id uuid, p_api_key_id uuid, p_fingerprint bytea, p_body json,
  p_product_name text, p_version text, p_environment_name text, p_environment_type text, p_status text,
  p_invoke_id text, p_attempt bigint, p_source_system text, p_build_number text,
  p_scm_sha text, p_scm_branch text, p_scm_repository text, p_deploy_url text,
  p_deployed_by text, p_deployed_by_email text, p_deployed_by_name text,
  p_completed_at timestamptz, p_extra_metadata jsonb)
RETURNS SETOF recorded_deployment_events LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
  terminal CONSTANT boolean := p_status NOT IN ('pending', 'started');
  received timestamptz;
  ended timestamptz;
  pair_product uuid;
  pair_environment uuid;
  the_version uuid;
  current_since timestamptz;
  effective timestamptz;
  replaces boolean;
  target deployments;
  target_effect text;
  known event_fingerprints;
  the_event uuid;
  result recorded_deployment_events;
BEGIN
  pair_product := resolve_product(p_account_id, p_product_name);
  pair_environment := resolve_environment(p_account_id, p_environment_name, p_environment_type);
  the_version := resolve_version(p_account_id, pair_product, p_version);
  LOOP
    SELECT since INTO current_since FROM current_state
      WHERE account_id = p_account_id AND product_id = pair_product AND environment_id = pair_environment FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO current_state (account_id, product_id, environment_id)
      VALUES (p_account_id, pair_product, pair_environment) ON CONFLICT DO NOTHING;
  END LOOP;
  received := clock_timestamp(); -- after the lock, so that the log's order is the order of the effects

  -- A deployment of the same run and attempt; else an unfinished one where either side names no run. A start that names
  -- no run does not continue what nobody has heard of for a day.
  SELECT d.* INTO target FROM deployments d
    WHERE d.account_id = p_account_id AND d.version_id = the_version AND d.environment_id = pair_environment
      AND (d.invoke_id = p_invoke_id AND (d.attempt = p_attempt) IS NOT FALSE
        OR d.status IN ('pending', 'started') AND (d.invoke_id IS NULL OR p_invoke_id IS NULL)
          AND (terminal OR d.updated_at > received - interval '1 day'))
    ORDER BY (d.invoke_id = p_invoke_id) IS TRUE DESC, (d.attempt = p_attempt) IS TRUE DESC, d.created_at DESC, d.id DESC
    LIMIT 1;
  target_effect := event_effect(target.status, target.seen, target.attempt, p_status, p_attempt);

  SELECT * INTO known FROM event_fingerprints WHERE account_id = p_account_id AND fingerprint = p_fingerprint;
  IF FOUND AND (coalesce(target.id, known.record_id) = known.record_id
      OR p_invoke_id IS NULL AND target.invoke_id IS NOT NULL AND received - known.event_received_at < interval '3 minutes') THEN
    SELECT r.* INTO result FROM recorded_deployment_events r
      WHERE r.account_id = p_account_id AND r.event_id = known.event_id AND r.event_received_at = known.event_received_at
        AND r.id = known.record_id;
    IF FOUND AND is_repeat(received - known.event_received_at, result.status, target_effect) THEN
      result.is_repeat := true;
      RETURN NEXT result;
      RETURN;
    END IF;
  END IF;

  IF terminal THEN
    ended := coalesce(p_completed_at, received);
  END IF;

  IF target_effect = 'opened' THEN
    INSERT INTO deployments (account_id, product_id, version_id, environment_id, status, seen, invoke_id, attempt,
        source_system, build_number, scm_sha, scm_branch, scm_repository, deploy_url,
        deployed_by, deployed_by_email, deployed_by_name, soak_time_hours,
        deployed_at, started_at, completed_at, extra_metadata, created_at, updated_at)
      VALUES (p_account_id, pair_product, the_version, pair_environment, p_status, ARRAY[p_status], p_invoke_id, p_attempt,
        p_source_system, p_build_number, p_scm_sha, p_scm_branch, p_scm_repository, p_deploy_url,
        p_deployed_by, p_deployed_by_email, p_deployed_by_name, soak_time_hours(p_account_id, the_version, pair_environment),
        coalesce(ended, received), CASE WHEN p_status = 'started' THEN received END, ended, p_extra_metadata, received, received)
      RETURNING * INTO target;
  ELSIF target_effect IN ('advanced', 'finished') THEN
    UPDATE deployments SET
        status = p_status,
        seen = CASE WHEN p_status = ANY (target.seen) THEN target.seen ELSE target.seen || p_status END,
        invoke_id = coalesce(invoke_id, p_invoke_id),
        attempt = coalesce(attempt, p_attempt),
        source_system = coalesce(p_source_system, source_system),
        build_number = coalesce(p_build_number, build_number),
        scm_sha = coalesce(p_scm_sha, scm_sha),
        scm_branch = coalesce(p_scm_branch, scm_branch),
        scm_repository = coalesce(p_scm_repository, scm_repository),
        deploy_url = coalesce(p_deploy_url, deploy_url),
        deployed_by = coalesce(p_deployed_by, deployed_by),
        deployed_by_email = coalesce(p_deployed_by_email, deployed_by_email),
        deployed_by_name = coalesce(p_deployed_by_name, deployed_by_name),
        started_at = coalesce(started_at, CASE WHEN p_status = 'started' THEN received END),
        completed_at = ended,
        deployed_at = coalesce(ended, started_at, received),
        extra_metadata = merge_metadata(extra_metadata, p_extra_metadata),
        updated_at = received
      WHERE account_id = p_account_id AND id = target.id
      RETURNING * INTO target;
  ELSIF p_status <> ALL (target.seen) THEN
    UPDATE deployments SET seen = seen || p_status WHERE account_id = p_account_id AND id = target.id;
  END IF;

  -- What is reported more than an hour after it ended is history being filled in: it does not replace what ended later.
  IF target_effect IN ('opened', 'advanced', 'finished') THEN
    effective := CASE WHEN ended < received - interval '1 hour' THEN ended ELSE received END;
    replaces := p_status = 'completed' AND effective >= coalesce(current_since, '-infinity');
    UPDATE current_state SET
        deployment_id = CASE WHEN replaces THEN target.id ELSE deployment_id END,
        since = CASE WHEN replaces THEN effective ELSE since END,
        in_progress_id = CASE WHEN terminal THEN nullif(in_progress_id, target.id) ELSE target.id END
      WHERE account_id = p_account_id AND product_id = pair_product AND environment_id = pair_environment;
  END IF;

  INSERT INTO events (account_id, received_at, api_key_id, status, effect, deployment_id, body)
    VALUES (p_account_id, received, p_api_key_id, p_status, target_effect, target.id, p_body)
    RETURNING id INTO the_event;
  INSERT INTO event_fingerprints (account_id, fingerprint, event_id, event_received_at, record_id)
    VALUES (p_account_id, p_fingerprint, the_event, received, target.id)
    ON CONFLICT (account_id, fingerprint) DO UPDATE
      SET event_id = excluded.event_id, event_received_at = excluded.event_received_at, record_id = excluded.record_id;

  -- Every key is given, so that no statistics are needed to find the rows by their primary keys.
  RETURN QUERY SELECT r.* FROM recorded_deployment_events r
    WHERE r.account_id = p_account_id AND r.event_id = the_event AND r.event_received_at = received
      AND r.id = target.id AND r.product_id = pair_product AND r.version_id = the_version AND r.environment_id = pair_environment;
  IF NOT FOUND THEN -- what the event names was deleted meanwhile: tried again, it makes it anew
    RAISE EXCEPTION 'deleted while the event was recorded' USING ERRCODE = 'serialization_failure';
  END IF;
END
$$;
-- +goose StatementEnd

-- Whether two commit identifiers name the same commit: equal but for case, or one abbreviates the other to no fewer than
-- the four characters that Git itself accepts.
-- +goose StatementBegin
CREATE FUNCTION same_commit(one text, other text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(one) = lower(other)
    OR least(length(one), length(other)) >= 4
      AND left(lower(one), least(length(one), length(other))) = left(lower(other), least(length(one), length(other)))
$$;
-- +goose StatementEnd

-- Returns no row, and writes nothing, when the version exists with another commit.
-- +goose StatementBegin
CREATE FUNCTION record_build_event(
  p_account_id uuid, p_api_key_id uuid, p_fingerprint bytea, p_body json,
  p_product_name text, p_version text, p_status text,
  p_invoke_id text, p_attempt bigint, p_source_system text, p_build_number text,
  p_scm_sha text, p_scm_branch text, p_scm_repository text, p_build_url text,
  p_built_by text, p_built_by_email text, p_built_by_name text,
  p_error_message text, p_error_code text,
  p_started_at timestamptz, p_completed_at timestamptz, p_extra_metadata jsonb)
RETURNS SETOF recorded_build_events LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
  terminal CONSTANT boolean := p_status NOT IN ('pending', 'started');
  received timestamptz;
  began timestamptz;
  ended timestamptz;
  the_product uuid;
  the_version_id uuid;
  the_version versions;
  target builds;
  target_effect text;
  known event_fingerprints;
  the_event uuid;
  result recorded_build_events;
BEGIN
  the_product := resolve_product(p_account_id, p_product_name);
  the_version_id := resolve_version(p_account_id, the_product, p_version);
  SELECT * INTO the_version FROM versions WHERE account_id = p_account_id AND id = the_version_id
    FOR NO KEY UPDATE; -- which deployments of the version, that refer to it, need not wait for
  received := clock_timestamp(); -- after the lock, so that the log's order is the order of the effects

  -- A build of the same run and attempt; else an unfinished one where either side names no run. A start that names no run
  -- does not continue what nobody has heard of for a day.
  SELECT b.* INTO target FROM builds b
    WHERE b.account_id = p_account_id AND b.version_id = the_version.id
      AND (b.invoke_id = p_invoke_id AND (b.attempt = p_attempt) IS NOT FALSE
        OR b.status IN ('pending', 'started') AND (b.invoke_id IS NULL OR p_invoke_id IS NULL)
          AND (terminal OR b.updated_at > received - interval '1 day'))
    ORDER BY (b.invoke_id = p_invoke_id) IS TRUE DESC, (b.attempt = p_attempt) IS TRUE DESC, b.created_at DESC, b.id DESC
    LIMIT 1;
  target_effect := event_effect(target.status, target.seen, target.attempt, p_status, p_attempt);

  SELECT * INTO known FROM event_fingerprints WHERE account_id = p_account_id AND fingerprint = p_fingerprint;
  IF FOUND AND (coalesce(target.id, known.record_id) = known.record_id
      OR p_invoke_id IS NULL AND target.invoke_id IS NOT NULL AND received - known.event_received_at < interval '3 minutes') THEN
    SELECT r.* INTO result FROM recorded_build_events r
      WHERE r.account_id = p_account_id AND r.event_id = known.event_id AND r.event_received_at = known.event_received_at
        AND r.id = known.record_id;
    IF FOUND AND is_repeat(received - known.event_received_at, result.status, target_effect) THEN
      result.is_repeat := true;
      RETURN NEXT result;
      RETURN;
    END IF;
  END IF;

  IF NOT same_commit(the_version.scm_sha, p_scm_sha) THEN
    RETURN;
  END IF;
  IF length(p_scm_sha) > coalesce(length(the_version.scm_sha), 0) THEN
    UPDATE versions SET scm_sha = p_scm_sha WHERE account_id = p_account_id AND id = the_version.id;
  END IF;

  began := coalesce(p_started_at, CASE WHEN p_status = 'started' THEN received END);
  IF terminal THEN
    ended := coalesce(p_completed_at, received);
  END IF;

  IF target_effect = 'opened' THEN
    INSERT INTO builds (account_id, product_id, version_id, status, seen, invoke_id, attempt,
        source_system, build_number, scm_sha, scm_branch, scm_repository, build_url,
        built_by, built_by_email, built_by_name, error_message, error_code,
        started_at, completed_at, extra_metadata, created_at, updated_at)
      VALUES (p_account_id, the_product, the_version.id, p_status, ARRAY[p_status], p_invoke_id, p_attempt,
        p_source_system, p_build_number, p_scm_sha, p_scm_branch, p_scm_repository, p_build_url,
        p_built_by, p_built_by_email, p_built_by_name, p_error_message, p_error_code,
        began, ended, p_extra_metadata, received, received)
      RETURNING * INTO target;
  ELSIF target_effect IN ('advanced', 'finished') THEN
    UPDATE builds SET
        status = p_status,
        seen = CASE WHEN p_status = ANY (target.seen) THEN target.seen ELSE target.seen || p_status END,
        invoke_id = coalesce(invoke_id, p_invoke_id),
        attempt = coalesce(attempt, p_attempt),
        source_system = coalesce(p_source_system, source_system),
        build_number = coalesce(p_build_number, build_number),
        scm_sha = coalesce(p_scm_sha, scm_sha),
        scm_branch = coalesce(p_scm_branch, scm_branch),
        scm_repository = coalesce(p_scm_repository, scm_repository),
        build_url = coalesce(p_build_url, build_url),
        built_by = coalesce(p_built_by, built_by),
        built_by_email = coalesce(p_built_by_email, built_by_email),
        built_by_name = coalesce(p_built_by_name, built_by_name),
        error_message = coalesce(p_error_message, error_message),
        error_code = coalesce(p_error_code, error_code),
        started_at = least(started_at, began),
        completed_at = ended,
        extra_metadata = merge_metadata(extra_metadata, p_extra_metadata),
        updated_at = received
      WHERE account_id = p_account_id AND id = target.id
      RETURNING * INTO target;
  ELSIF p_status <> ALL (target.seen) THEN
    UPDATE builds SET seen = seen || p_status WHERE account_id = p_account_id AND id = target.id;
  END IF;

  INSERT INTO events (account_id, received_at, api_key_id, status, effect, build_id, body)
    VALUES (p_account_id, received, p_api_key_id, p_status, target_effect, target.id, p_body)
    RETURNING id INTO the_event;
  INSERT INTO event_fingerprints (account_id, fingerprint, event_id, event_received_at, record_id)
    VALUES (p_account_id, p_fingerprint, the_event, received, target.id)
    ON CONFLICT (account_id, fingerprint) DO UPDATE
      SET event_id = excluded.event_id, event_received_at = excluded.event_received_at, record_id = excluded.record_id;

  -- Every key is given, so that no statistics are needed to find the rows by their primary keys.
  RETURN QUERY SELECT r.* FROM recorded_build_events r
    WHERE r.account_id = p_account_id AND r.event_id = the_event AND r.event_received_at = received
      AND r.id = target.id AND r.product_id = the_product AND r.version_id = the_version.id;
  IF NOT FOUND THEN -- what the event names was deleted meanwhile: tried again, it makes it anew
    RAISE EXCEPTION 'deleted while the event was recorded' USING ERRCODE = 'serialization_failure';
  END IF;
END
$$;
-- +goose StatementEnd

SELECT prepare_event_partitions(3);
