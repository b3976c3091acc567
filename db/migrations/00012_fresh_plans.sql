-- +goose NO TRANSACTION

-- +goose Up

-- As long as a table has no statistics, all of its indexes that begin with a column of a query look the same to the planner:
-- it takes the newest one, and keeps that plan until the table is analyzed. With deployments_by_environment, each event read
-- all deployments of its environment. Where events look for a deployment, the index of its version is to be the newest.
-- This can be run again where it was interrupted, and may take its time.
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS deployments_by_version_anew;
CREATE INDEX CONCURRENTLY deployments_by_version_anew ON deployments (version_id, environment_id, created_at DESC);
DROP INDEX CONCURRENTLY IF EXISTS deployments_by_version;
ALTER INDEX deployments_by_version_anew RENAME TO deployments_by_version;

-- A team has few products and environments, and autovacuum leaves tables of less than 50 rows without statistics. Lists of
-- deployments are joined with both: the planner has to know how few there are of them.
ALTER TABLE products SET (autovacuum_analyze_threshold = 0);
ALTER TABLE environments SET (autovacuum_analyze_threshold = 0);
RESET statement_timeout;
