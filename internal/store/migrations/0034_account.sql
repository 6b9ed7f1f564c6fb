-- +goose Up

-- Fields a site asks for without which it signs nobody in.
ALTER TABLE sites ADD COLUMN required text NOT NULL DEFAULT '';

-- When somebody who asked for his account to be deleted loses it for good.
ALTER TABLE users ADD COLUMN delete_at bigint;
CREATE INDEX users_delete_at ON users (delete_at) WHERE delete_at IS NOT NULL;

-- What a person let a site see, and from when to when: a row for each time he decided.
-- The one without an end is in force.
CREATE TABLE consents (
    user_id  text   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    site_id  text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    fields   text   NOT NULL,
    since_at bigint NOT NULL,
    until_at bigint
);
CREATE UNIQUE INDEX consents_open ON consents (user_id, site_id) WHERE until_at IS NULL;
CREATE INDEX consents_user ON consents (user_id, since_at);
CREATE INDEX consents_site ON consents (site_id);
INSERT INTO consents (user_id, site_id, fields, since_at, until_at)
    SELECT user_id, site_id, fields, CASE WHEN revoked_at IS NULL THEN updated_at ELSE created_at END, revoked_at FROM grants;

-- How often a site was shown the same fields of a person on one day.
CREATE TABLE readings (
    user_id  text    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    site_id  text    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    day      integer NOT NULL,
    fields   text    NOT NULL,
    times    bigint  NOT NULL,
    first_at bigint  NOT NULL,
    last_at  bigint  NOT NULL,
    PRIMARY KEY (user_id, site_id, day, fields)
);
CREATE INDEX readings_day ON readings (day);
CREATE INDEX readings_site ON readings (site_id);
