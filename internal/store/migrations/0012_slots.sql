-- +goose Up

-- Tickets of one person, purpose and site that share a slot replace one another:
-- one code at a time. Those that may be many at once have slots of their own.
ALTER TABLE tickets ADD COLUMN slot text NOT NULL DEFAULT '';
DROP INDEX tickets_live;
CREATE UNIQUE INDEX tickets_live ON tickets (user_id, purpose, site_id, slot) WHERE used_at IS NULL;
