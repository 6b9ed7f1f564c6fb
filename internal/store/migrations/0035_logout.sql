-- +goose Up

-- The browser session that a client's session was opened from: who signs out of the one
-- is signed out of the other.
ALTER TABLE sessions ADD COLUMN holder text NOT NULL DEFAULT '';
CREATE INDEX sessions_holder ON sessions (holder) WHERE holder <> '' AND ended_at IS NULL;

-- The client that an endpoint belongs to, which is told at it of its sessions that end
-- (OpenID Connect Back-Channel Logout); empty for a site's own.
ALTER TABLE endpoints ADD COLUMN client text NOT NULL DEFAULT '';
