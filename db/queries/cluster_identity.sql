-- EnsureClusterIdentity returns the pepper verifier of the first server that used this database; the first one stores its
-- own. Not tenant-scoped.
-- name: EnsureClusterIdentity :one
INSERT INTO cluster_identity (pepper_verifier, created_at)
VALUES (@pepper_verifier, @now)
ON CONFLICT (singleton) DO UPDATE SET pepper_verifier = cluster_identity.pepper_verifier
RETURNING pepper_verifier;

-- ReplacePepperVerifier stores the verifier of a new pepper, unless it has changed concurrently. Not tenant-scoped.
-- name: ReplacePepperVerifier :execrows
UPDATE cluster_identity
SET pepper_verifier = @pepper_verifier
WHERE pepper_verifier = @former::bytea;
