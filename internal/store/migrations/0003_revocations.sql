-- +goose Up

-- Numbers that are given out in the order of commits: the row is locked until
-- the transaction that took one ends.
CREATE TABLE counters (
    name  text   PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO counters (name, value) VALUES ('revocations', 0);

-- What sites that verify tokens offline need to know: sessions that ended, and
-- the session version below which a person's tokens are void.
CREATE TABLE revocations (
    seq             bigint  PRIMARY KEY,
    user_id         text    NOT NULL,
    site_id         text    NOT NULL,
    session_id      text    NOT NULL,
    session_version integer NOT NULL,
    created_at      bigint  NOT NULL
);
CREATE INDEX revocations_created_at ON revocations (created_at);
