-- +goose Up

-- How a client proves itself, with which keys, and what it binds itself to.
ALTER TABLE clients ADD COLUMN auth text NOT NULL DEFAULT 'secret';
ALTER TABLE clients ADD COLUMN jwks text NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN jwks_uri text NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN require_par boolean NOT NULL DEFAULT false;
ALTER TABLE clients ADD COLUMN require_dpop boolean NOT NULL DEFAULT false;

-- The key that the refresh token of a session is bound to (RFC 9449).
ALTER TABLE sessions ADD COLUMN proof_key text NOT NULL DEFAULT '';

-- Signed tokens of others that were used, which are good once.
CREATE TABLE seen_tokens (
    digest     bytea  PRIMARY KEY,
    expires_at bigint NOT NULL
);
CREATE INDEX seen_tokens_expires ON seen_tokens (expires_at);
