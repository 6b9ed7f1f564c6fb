-- +goose Up

-- How the tokens of a client are signed.
ALTER TABLE clients ADD COLUMN signing_alg text NOT NULL DEFAULT 'RS256';
