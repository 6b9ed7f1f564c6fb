-- +goose Up

-- Visits of browsers to the hosted pages: what the site asked for, how far they
-- have come. Nothing in them is a secret that opens anything by itself.
CREATE TABLE flows (
    id         text   PRIMARY KEY,
    browser    bytea  NOT NULL,
    site_id    text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    user_id    text   REFERENCES users (id) ON DELETE CASCADE,
    asked      text   NOT NULL,
    progress   text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    done_at    bigint
);
CREATE INDEX flows_expires ON flows (expires_at);

-- What a site asked for when the person last decided: fields he left out then are
-- not asked for again.
ALTER TABLE grants ADD COLUMN asked text NOT NULL DEFAULT '';
