-- +goose Up

-- Browsers and networks that a person signed in from at the hosted pages, as digests.
CREATE TABLE seen_places (
    user_id text   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    place   bytea  NOT NULL,
    seen_at bigint NOT NULL,
    PRIMARY KEY (user_id, place)
);
CREATE INDEX seen_places_seen ON seen_places (seen_at);
