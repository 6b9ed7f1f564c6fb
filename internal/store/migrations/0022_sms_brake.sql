-- +goose Up

-- How many codes by SMS a site sent to a range of numbers in five minutes, and how many
-- of those were entered.
CREATE TABLE sms_counts (
    site_id text    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    prefix  text    NOT NULL,
    since   bigint  NOT NULL,
    sent    integer NOT NULL,
    proven  integer NOT NULL,
    PRIMARY KEY (site_id, prefix, since)
);
CREATE INDEX sms_counts_since ON sms_counts (since);

-- Ranges a site may send to no more, because hardly any of what it sent was entered.
CREATE TABLE sms_stops (
    site_id    text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    prefix     text   NOT NULL,
    stopped_at bigint NOT NULL,
    PRIMARY KEY (site_id, prefix)
);
