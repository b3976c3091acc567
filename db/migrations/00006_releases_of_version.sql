-- +goose Up
-- The releases that contain a version.
CREATE INDEX release_versions_version_idx ON release_versions (account_id, version_id);
