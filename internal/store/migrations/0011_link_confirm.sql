-- +goose Up

-- Whether the page of a one-time link asks for a press: auto, always or never.
ALTER TABLE clients ADD COLUMN link_confirm text NOT NULL DEFAULT 'auto';
