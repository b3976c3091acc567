-- Transactions that record several events lock what these name before they record the first, in an order that is the same for all.

-- +goose Up

-- The order of the locks. Of the transactions that record events, any two lock what both need in the same order, so that none
-- waits in a circle:
--
--   1. the account;
--   2. within it, names of products, by name: where they are missing, they are made;
--   3. names of environments, by name;
--   4. versions, by product and version: where they are missing, they are made;
--   5. what events of the same kind take turns at: of deployments the rows of current_state, by product and environment; of
--      builds the rows of versions, by identifier.
--
-- A transaction takes its accounts one after the other (internal/tracking/recorder.go). An account with one event in it needs
-- nothing from here, as the functions that record events take their locks in that order. An account with more begins with one
-- of these functions, which takes every lock that its events will want. Afterwards they wait for nobody: the rows that they
-- write belong to rows locked in step 5, deployments and their notices to a pair of current_state, builds and theirs to a version,
-- fingerprints to the same names; and what foreign keys lock is not locked against each other, nor by step 5.
--
-- Names that are made stay only if the transaction does. The one event that is refused without ending it, a build with another
-- commit, is of a version that was there, or that another event of the transaction gives its commit.
--
-- Whoever changes a product or an environment locks its row against all of that; it is waited for here rather than later.
-- p_patience is how long each lock is waited for, as lock_timeout takes it.
-- +goose StatementBegin
CREATE FUNCTION lock_deployment_events(p_account_id uuid, p_patience text,
  p_product_names text[], p_versions text[], p_environment_names text[], p_environment_types text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  names_of_products CONSTANT text[] := ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(p_product_names) AS name ORDER BY 1);
  names_of_environments CONSTANT text[] := ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(p_environment_names) AS name ORDER BY 1);
  product_ids uuid[];
  environment_ids uuid[];
  one_name text;
  one_product uuid;
  one_environment uuid;
BEGIN
  PERFORM set_config('lock_timeout', p_patience, true);
  FOREACH one_name IN ARRAY names_of_products LOOP
    product_ids := product_ids || resolve_product(p_account_id, one_name);
  END LOOP;
  PERFORM FROM products WHERE account_id = p_account_id AND id = ANY (product_ids) FOR KEY SHARE;
  FOREACH one_name IN ARRAY names_of_environments LOOP
    environment_ids := environment_ids
      || resolve_environment(p_account_id, one_name, p_environment_types[array_position(p_environment_names, one_name)]);
  END LOOP;
  PERFORM FROM environments WHERE account_id = p_account_id AND id = ANY (environment_ids) FOR KEY SHARE;

  FOR one_product, one_name IN
    SELECT DISTINCT product_ids[array_position(names_of_products, e.product_name)], e.version COLLATE "C"
    FROM unnest(p_product_names, p_versions) AS e (product_name, version) ORDER BY 1, 2
  LOOP
    PERFORM resolve_version(p_account_id, one_product, one_name);
  END LOOP;

  FOR one_product, one_environment IN
    SELECT DISTINCT product_ids[array_position(names_of_products, e.product_name)],
      environment_ids[array_position(names_of_environments, e.environment_name)]
    FROM unnest(p_product_names, p_environment_names) AS e (product_name, environment_name) ORDER BY 1, 2
  LOOP
    LOOP
      PERFORM FROM current_state
        WHERE account_id = p_account_id AND product_id = one_product AND environment_id = one_environment FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO current_state (account_id, product_id, environment_id)
        VALUES (p_account_id, one_product, one_environment) ON CONFLICT DO NOTHING;
    END LOOP;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION lock_build_events(p_account_id uuid, p_patience text, p_product_names text[], p_versions text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  names_of_products CONSTANT text[] := ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(p_product_names) AS name ORDER BY 1);
  product_ids uuid[];
  version_ids uuid[];
  one_name text;
  one_id uuid;
BEGIN
  PERFORM set_config('lock_timeout', p_patience, true);
  FOREACH one_name IN ARRAY names_of_products LOOP
    product_ids := product_ids || resolve_product(p_account_id, one_name);
  END LOOP;
  PERFORM FROM products WHERE account_id = p_account_id AND id = ANY (product_ids) FOR KEY SHARE;

  FOR one_id, one_name IN
    SELECT DISTINCT product_ids[array_position(names_of_products, e.product_name)], e.version COLLATE "C"
    FROM unnest(p_product_names, p_versions) AS e (product_name, version) ORDER BY 1, 2
  LOOP
    version_ids := version_ids || resolve_version(p_account_id, one_id, one_name);
  END LOOP;

  FOR one_id IN SELECT id FROM unnest(version_ids) AS id ORDER BY id LOOP
    PERFORM FROM versions WHERE account_id = p_account_id AND id = one_id FOR NO KEY UPDATE;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- What waits for a lock longer than that is set aside and tried again, so that others need not wait as long.
ALTER FUNCTION record_deployment_event SET lock_timeout = '1s';
ALTER FUNCTION record_build_event SET lock_timeout = '1s';
