-- +goose Up

-- Sessions in whose place others came: they are found again when all sessions of their person
-- end on purpose.
CREATE INDEX sessions_superseded ON sessions (user_id) WHERE end_reason = 'superseded';
