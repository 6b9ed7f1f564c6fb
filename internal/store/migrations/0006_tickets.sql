-- +goose Up

-- Every one-time secret: what it is for, whose it is, its digest. A row is used
-- by one conditional update, once.
CREATE TABLE tickets (
    id         text    PRIMARY KEY,
    purpose    text    NOT NULL,
    user_id    text    REFERENCES users (id) ON DELETE CASCADE,
    site_id    text    NOT NULL,
    digest     bytea   NOT NULL,
    created_at bigint  NOT NULL,
    expires_at bigint  NOT NULL,
    used_at    bigint
);
CREATE UNIQUE INDEX tickets_digest ON tickets (digest);
CREATE INDEX tickets_user ON tickets (user_id, purpose);
CREATE INDEX tickets_expires ON tickets (expires_at);

-- Messages to people, written in the transaction of what they tell of. What is in
-- them is sealed: it may hold a one-time secret.
CREATE TABLE messages (
    id         text   PRIMARY KEY,
    kind       text   NOT NULL,
    channel    text   NOT NULL,
    user_id    text   REFERENCES users (id) ON DELETE CASCADE,
    site_id    text   NOT NULL,
    recipient  text   NOT NULL,
    locale     text   NOT NULL,
    data       bytea  NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX messages_user ON messages (user_id);
