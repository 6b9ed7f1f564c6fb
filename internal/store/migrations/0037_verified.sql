-- +goose Up

-- When an endpoint showed that it is the site's. Until then nothing personal is sent to
-- it. Those that were there before are held to have done so.
ALTER TABLE endpoints ADD COLUMN verified_at bigint;
UPDATE endpoints SET verified_at = created_at;
