-- ClaimInstance returns what the first server to use this database left as a check on its pepper; the first one leaves
-- its own. It concerns no tenant.
-- name: ClaimInstance :one
INSERT INTO instance (pepper_check)
VALUES (@pepper_check)
ON CONFLICT (singleton) DO UPDATE SET pepper_check = instance.pepper_check
RETURNING pepper_check;
