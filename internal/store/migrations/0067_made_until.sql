-- +goose Up

-- A key that was made to be good until an end before that was kept has the one it has, unless that is the end of
-- the time in which it is replaced: the log knows.
UPDATE site_keys SET made_until = expires_at WHERE made_until IS NULL AND expires_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM events e WHERE e.site_id = site_keys.site_id AND e.type = 'site_key.rolled' AND e.data LIKE '%"key_id":"' || site_keys.id || '"%');
