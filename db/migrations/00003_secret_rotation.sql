-- +goose Up

-- The pepper that hashed the token: the beginning of its verifier. Null for a key of an older program, which has the pepper of
-- cluster_identity.
ALTER TABLE api_keys
  ADD COLUMN pepper_id bytea,
  ADD CONSTRAINT api_keys_pepper_id_check CHECK (length(pepper_id) = 8);

-- The last ID token of the identity provider, which signing out there asks for.
ALTER TABLE user_sessions
  ADD COLUMN encrypted_id_token bytea;
