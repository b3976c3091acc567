-- +goose Up
-- Entries name their object, and have the values before and after the change: an array of
-- {"field", "before", "after", "truncated"}, without secrets. Earlier entries, and those of servers before this migration, have neither.
ALTER TABLE audit_log
  ADD COLUMN object_name text,
  ADD COLUMN changed_values jsonb NOT NULL DEFAULT '[]';
