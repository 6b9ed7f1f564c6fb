-- +goose Up

-- Where an event stands in the log of the installation, and the hash that chains
-- it to all before. Whoever appends one leaves both open: numbers given out in the
-- transactions of the changes would make those wait for each other. Until it has
-- its place, position says after which others it was appended.
ALTER TABLE events ADD COLUMN position bigint NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN seq bigint;
ALTER TABLE events ADD COLUMN hash bytea;
CREATE INDEX events_unplaced ON events (position, id) WHERE seq IS NULL;
CREATE UNIQUE INDEX events_seq ON events (seq);

-- The end of each log; '' is the installation's.
CREATE TABLE chains (
    site_id text   PRIMARY KEY,
    length  bigint NOT NULL,
    hash    bytea  NOT NULL
);
INSERT INTO chains (site_id, length, hash) VALUES ('', 0, '');

-- The log of each site: what concerns it, and whether it is told of it. No
-- reference to sites: what happened at a site outlives it.
CREATE TABLE site_events (
    site_id  text    NOT NULL,
    seq      bigint  NOT NULL,
    event_id text    NOT NULL REFERENCES events (id),
    user_seq bigint  NOT NULL,
    told     boolean NOT NULL,
    hash     bytea   NOT NULL,
    PRIMARY KEY (site_id, seq)
);
CREATE INDEX site_events_event ON site_events (event_id, site_id);

-- How many events about a person a site was told of.
CREATE TABLE site_people (
    site_id text   NOT NULL,
    user_id text   NOT NULL,
    heard   bigint NOT NULL,
    PRIMARY KEY (site_id, user_id)
);
