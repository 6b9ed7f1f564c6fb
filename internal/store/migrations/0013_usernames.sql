-- +goose Up

-- What a person may sign in with besides his address, and its form for look-ups.
ALTER TABLE users ADD COLUMN username text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN username_key text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_username_key ON users (username_key) WHERE username_key <> '';
