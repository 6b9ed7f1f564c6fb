-- +goose Up

-- Whether a client may have people created whom nobody knows, and whether it may do
-- without PKCE.
ALTER TABLE clients ADD COLUMN signup boolean NOT NULL DEFAULT false;
ALTER TABLE clients ADD COLUMN no_pkce boolean NOT NULL DEFAULT false;
