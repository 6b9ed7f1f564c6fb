-- +goose Up

-- Until when a factor that is being set up can be confirmed: a site may say so. Recovery
-- codes stand in for the other factors and are never the one that is asked for first.
ALTER TABLE factors ADD COLUMN confirm_by bigint;
UPDATE factors SET confirm_by = created_at + 900000 WHERE confirmed_at IS NULL;
UPDATE factors SET is_default = FALSE WHERE kind = 'recovery_code';
