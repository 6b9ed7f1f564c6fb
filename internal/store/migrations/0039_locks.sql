-- +goose Up

-- When a site lets somebody in again whom it has barred for a time.
ALTER TABLE grants ADD COLUMN suspended_until bigint;
CREATE INDEX grants_locked ON grants (suspended_until) WHERE suspended_until IS NOT NULL;
