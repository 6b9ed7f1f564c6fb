-- +goose Up

-- The site whose session token opened a browser session: it may end it, and a session
-- of which it saw the proof lets nobody change what the account is proven with.
ALTER TABLE sessions ADD COLUMN handed_by text NOT NULL DEFAULT '';
UPDATE sessions SET handed_by = (SELECT h.site_id FROM handed_sessions h WHERE h.session_id = sessions.id)
WHERE id IN (SELECT session_id FROM handed_sessions);
DROP TABLE handed_sessions;
