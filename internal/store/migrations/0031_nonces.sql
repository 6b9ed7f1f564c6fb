-- +goose Up

-- What a passkey signs that signs somebody in at a visit without a name. Visits that
-- were under way have none: no passkey opens them.
ALTER TABLE flows ADD COLUMN nonce bytea;
