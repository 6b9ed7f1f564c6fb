-- +goose Up

-- When a site last read what it is told of instead of being told, exact to an hour: it hears
-- of what happens anywhere in the network, too.
ALTER TABLE sites ADD COLUMN pulled_at bigint;
CREATE INDEX sites_pulled ON sites (pulled_at) WHERE pulled_at IS NOT NULL;
