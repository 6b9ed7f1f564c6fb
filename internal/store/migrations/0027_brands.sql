-- +goose Up

-- How the mails of a site look. Logos are long, and a site is read at every request:
-- they stand apart. The data is JSON.
CREATE TABLE brands (
    site_id text PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
    data    text NOT NULL
);
