-- +goose Up

-- By which ids a client knows people: their own, or such that no other site has.
ALTER TABLE clients ADD COLUMN subject_type text NOT NULL DEFAULT 'public';

-- What the latter are made with, sealed; it is made at the next start.
ALTER TABLE installation ADD COLUMN subject_key bytea;
