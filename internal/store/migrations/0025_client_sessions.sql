-- +goose Up

-- The client a session was opened for, which alone can refresh it, and what it asked for.
ALTER TABLE sessions ADD COLUMN client text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN scope text NOT NULL DEFAULT '';
