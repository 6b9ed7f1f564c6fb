-- +goose Up

-- A condition that compares with a text makes SQLite plan every statement anew that
-- compares the same column with a parameter, each time it runs; "<>" does not.
DROP INDEX tickets_undo;
CREATE INDEX tickets_slot ON tickets (slot) WHERE slot <> '' AND used_at IS NULL;
