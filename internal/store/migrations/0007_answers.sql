-- +goose Up

-- Answers to requests that carried an Idempotency-Key, sealed, each written in
-- the transaction of what it tells of.
CREATE TABLE answers (
    id         bytea  PRIMARY KEY,
    asked      bytea  NOT NULL,
    answer     bytea  NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX answers_expires ON answers (expires_at);
