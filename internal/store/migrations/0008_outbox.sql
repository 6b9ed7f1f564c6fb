-- +goose Up

-- What became of a message. One that waits is sent when it is due; whoever takes
-- it up moves that moment ahead, which is the lease.
ALTER TABLE messages ADD COLUMN state text NOT NULL DEFAULT 'waiting';
ALTER TABLE messages ADD COLUMN tries integer NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN due_at bigint NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN expires_at bigint;
ALTER TABLE messages ADD COLUMN settled_at bigint;
ALTER TABLE messages ADD COLUMN provider text NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN problem text NOT NULL DEFAULT '';
CREATE INDEX messages_due ON messages (due_at) WHERE state = 'waiting';
CREATE INDEX messages_settled ON messages (settled_at);
CREATE INDEX messages_created ON messages (created_at);
