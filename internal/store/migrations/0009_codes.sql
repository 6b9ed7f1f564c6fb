-- +goose Up

-- A ticket may be known by a short code as well, whose digest holds the ticket's
-- own id: it is found by whose it is, and guesses at it are counted. What waits
-- to be used lives for minutes only, so none of it is carried over.
DELETE FROM tickets;
ALTER TABLE tickets ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN code bytea;
ALTER TABLE tickets ADD COLUMN tries integer NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN data text NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX tickets_live ON tickets (user_id, purpose, site_id) WHERE used_at IS NULL;

CREATE INDEX users_phone ON users (phone) WHERE phone <> '';
