-- +goose Up

-- Rates: the moment up to which what was used so far is paid for (GCRA). A row
-- in the past counts like none.
CREATE TABLE rates (
    name    text   PRIMARY KEY,
    paid_to bigint NOT NULL
);
CREATE INDEX rates_paid_to ON rates (paid_to);

-- Consecutive failures to prove something, and when the next try is due.
CREATE TABLE failures (
    name    text    PRIMARY KEY,
    tries   integer NOT NULL,
    last_at bigint  NOT NULL,
    next_at bigint  NOT NULL
);
CREATE INDEX failures_last_at ON failures (last_at);

-- The rate of refreshes is kept in the session, whose row a refresh writes
-- anyway.
ALTER TABLE sessions ADD COLUMN refresh_paid_to bigint;
