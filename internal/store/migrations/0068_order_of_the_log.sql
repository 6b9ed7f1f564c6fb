-- +goose Up

-- What happened to a person, or at a site, is listed in the order of the log, whatever clocks said (AU-07).
CREATE INDEX events_user_seq ON events (user_id, seq);
CREATE INDEX events_site_seq ON events (site_id, seq);
DROP INDEX events_user;
DROP INDEX events_site;
