-- +goose Up

-- When an endpoint was first asked by itself to show that it is the site's. Those that were
-- there before are left to whoever calls.
ALTER TABLE endpoints ADD COLUMN asked_at bigint;
UPDATE endpoints SET asked_at = created_at;
