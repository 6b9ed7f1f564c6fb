-- +goose Up

-- A password that was given to somebody and is to be replaced before it lets him in.
ALTER TABLE passwords ADD COLUMN temporary boolean NOT NULL DEFAULT false;
