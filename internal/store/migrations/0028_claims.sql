-- +goose Up

-- Claims that the client of a session asked for by name, beside its scope.
ALTER TABLE sessions ADD COLUMN claims text NOT NULL DEFAULT '';
