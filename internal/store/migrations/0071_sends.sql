-- +goose Up

-- When the last ten messages went to whom or where, the newest first, 0 for none: how many went in any time
-- is known exactly, as the rates of messages are meant. Those that were counted in rates before are
-- pruned there within a day.
CREATE TABLE sends (
    name text   PRIMARY KEY,
    t1   bigint NOT NULL,
    t2   bigint NOT NULL DEFAULT 0,
    t3   bigint NOT NULL DEFAULT 0,
    t4   bigint NOT NULL DEFAULT 0,
    t5   bigint NOT NULL DEFAULT 0,
    t6   bigint NOT NULL DEFAULT 0,
    t7   bigint NOT NULL DEFAULT 0,
    t8   bigint NOT NULL DEFAULT 0,
    t9   bigint NOT NULL DEFAULT 0,
    t10  bigint NOT NULL DEFAULT 0
);
CREATE INDEX sends_t1 ON sends (t1);
