-- +goose Up

-- A row stands in as many indexes whether it is somebody's or nobody's, so that writing it
-- changes as many pages and takes as long (OT-10).
DROP INDEX tickets_live;
CREATE UNIQUE INDEX tickets_live ON tickets (user_id, purpose, site_id, slot) WHERE user_id IS NOT NULL AND used_at IS NULL;
DROP INDEX tickets_slot;
CREATE INDEX tickets_slot ON tickets (slot) WHERE user_id IS NOT NULL AND slot <> '' AND used_at IS NULL;
DROP INDEX messages_settled;
CREATE INDEX messages_settled ON messages (settled_at) WHERE settled_at IS NOT NULL;
