-- +goose Up

-- Devices without a browser that wait for somebody to let them in elsewhere (RFC 8628):
-- what they were given to ask with, and the code that somebody is to enter.
CREATE TABLE device_grants (
    id         text    PRIMARY KEY,
    digest     bytea   NOT NULL UNIQUE,
    user_code  bytea   NOT NULL UNIQUE,
    site_id    text    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    client     text    NOT NULL,
    scope      text    NOT NULL,
    ip         text    NOT NULL,
    user_agent text    NOT NULL,
    state      text    NOT NULL,
    user_id    text    REFERENCES users (id) ON DELETE CASCADE,
    holder     text    NOT NULL,
    pause      integer NOT NULL,
    asked_at   bigint,
    created_at bigint  NOT NULL,
    expires_at bigint  NOT NULL
);
CREATE INDEX device_grants_expires ON device_grants (expires_at);

-- Whether a client may ask in that way.
ALTER TABLE clients ADD COLUMN device boolean NOT NULL DEFAULT false;
