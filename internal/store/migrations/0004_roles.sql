-- +goose Up

-- What a person is called, in the form searches compare: folded in Go, so that
-- both engines find the same.
ALTER TABLE users ADD COLUMN name_key text NOT NULL DEFAULT '';

-- A grant is also where a site keeps what a person is to it.
ALTER TABLE grants ADD COLUMN roles text NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN last_login_at bigint;

CREATE TABLE roles (
    site_id     text    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name        text    NOT NULL,
    description text    NOT NULL,
    permissions text    NOT NULL,
    is_default  boolean NOT NULL,
    created_at  bigint  NOT NULL,
    PRIMARY KEY (site_id, name)
);
