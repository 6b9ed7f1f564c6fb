-- +goose Up

-- Where a client may have people sent who signed out, besides its redirect URIs.
ALTER TABLE clients ADD COLUMN post_logout_uris text NOT NULL DEFAULT '';
