-- +goose Up

-- The code beside a link ends before the link does; NULL where both end together.
ALTER TABLE tickets ADD COLUMN code_until bigint;

-- The digest of the link that this ticket took the place of, and until when that one can
-- be used in its stead: mails cross.
ALTER TABLE tickets ADD COLUMN crossed bytea;
ALTER TABLE tickets ADD COLUMN crossed_until bigint;
CREATE INDEX tickets_crossed ON tickets (crossed) WHERE crossed IS NOT NULL;
