-- +goose Up

-- Events without a place are not in the index of places: SQLite would look for the
-- last of them there, among all of them, instead of at the end of theirs.
DROP INDEX events_seq;
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;
