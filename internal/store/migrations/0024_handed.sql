-- +goose Up

-- Browser sessions that a site's session token opened: that site may end them.
CREATE TABLE handed_sessions (
    session_id text PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    site_id    text NOT NULL
);
