-- +goose Up

-- The site that added a person; until another one knows him, or he has proven an
-- address, it may set what only he may set afterwards.
ALTER TABLE users ADD COLUMN created_by text NOT NULL DEFAULT '';

-- An address or a number that a site asked for, and that took the place of a proven
-- one, opens that site alone until the time to undo it is over.
ALTER TABLE users ADD COLUMN held_for text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN held_channel text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN held_until bigint;

-- Somebody may be known by a number or a username alone.
DROP INDEX users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE email_key <> '';

-- A person whom one site lets in no more.
ALTER TABLE grants ADD COLUMN suspended_at bigint;

-- What a site keeps of one of its people for itself. The data is a JSON object.
CREATE TABLE records (
    site_id     text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    user_id     text   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    external_id text   NOT NULL,
    data        text   NOT NULL,
    pending_at  bigint,
    PRIMARY KEY (site_id, user_id)
);
CREATE UNIQUE INDEX records_external_id ON records (site_id, external_id) WHERE external_id <> '';
CREATE INDEX records_user ON records (user_id);

-- Addresses somebody may still have back.
CREATE INDEX tickets_undo ON tickets (slot) WHERE purpose = 'change_undo' AND used_at IS NULL;
