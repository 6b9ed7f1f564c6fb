-- +goose Up

-- Of which application a session was opened by is read at each sign-in, to end the oldest
-- beyond the most: from the index alone, not from each row.
DROP INDEX sessions_live;
CREATE INDEX sessions_live ON sessions (user_id, site_id, handed_by, id) WHERE ended_at IS NULL;
