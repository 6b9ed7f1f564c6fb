-- +goose Up

-- Until when a key was made to be good, whatever became of it: its successor is good for as long.
ALTER TABLE site_keys ADD COLUMN made_until BIGINT;
