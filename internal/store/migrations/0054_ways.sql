-- +goose Up

-- The ways that people do not sign in to a site with, separated by blanks.
ALTER TABLE sites ADD COLUMN ways_off text NOT NULL DEFAULT '';
