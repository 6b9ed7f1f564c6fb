-- +goose Up

-- How many attempts an endpoint had on one day (UTC), apart by how long they took: what they
-- were is not kept for it. took is a step of time, day the number of days since 1970.
CREATE TABLE tallies (
    endpoint_id text    NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    day         bigint  NOT NULL,
    took        integer NOT NULL,
    good        bigint  NOT NULL,
    bad         bigint  NOT NULL,
    PRIMARY KEY (endpoint_id, day, took)
);
CREATE INDEX tallies_day ON tallies (day);
