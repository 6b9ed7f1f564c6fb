-- +goose Up

-- For how many days a site lets somebody trust a device, 0 for never.
ALTER TABLE sites ADD COLUMN trust_days integer NOT NULL DEFAULT 30;

-- Whose recovery codes were asked for first has another factor that is, the oldest.
UPDATE factors SET is_default = TRUE WHERE id IN (
    SELECT min(id) FROM factors WHERE confirmed_at IS NOT NULL AND kind <> 'recovery_code'
    GROUP BY user_id HAVING sum(CASE WHEN is_default THEN 1 ELSE 0 END) = 0
);
