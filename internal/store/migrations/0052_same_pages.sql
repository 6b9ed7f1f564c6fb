-- +goose Up

-- A row stands in as many indexes whether it is somebody's or nobody's, so that writing it
-- changes as many pages and takes as long (OT-10). tickets_live stays as it is: nodes of the
-- version before name its condition.
DROP INDEX tickets_user;
CREATE INDEX tickets_user ON tickets (user_id, purpose) WHERE user_id IS NOT NULL;
DROP INDEX tickets_slot;
CREATE INDEX tickets_slot ON tickets (slot) WHERE user_id IS NOT NULL AND slot <> '' AND used_at IS NULL;
DROP INDEX messages_settled;
CREATE INDEX messages_settled ON messages (settled_at) WHERE settled_at IS NOT NULL;
