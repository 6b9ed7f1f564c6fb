-- +goose Up

-- Whether a client is held to FAPI 2.0's security profile.
ALTER TABLE clients ADD COLUMN fapi boolean NOT NULL DEFAULT false;
