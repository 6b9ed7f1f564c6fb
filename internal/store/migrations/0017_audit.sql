-- +goose Up

-- Who did what an event tells of, through which site, from where and in which
-- request, and what was there before and after.
ALTER TABLE events ADD COLUMN actor_kind text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN actor_id text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN via text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN request_id text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN changes text NOT NULL DEFAULT '';

-- Where a log begins once retention took what is older: the place and the hash of
-- the last entry that is gone.
ALTER TABLE chains ADD COLUMN pruned bigint NOT NULL DEFAULT 0;
ALTER TABLE chains ADD COLUMN pruned_hash bytea NOT NULL DEFAULT '';
