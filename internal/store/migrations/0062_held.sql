-- +goose Up

-- Whether a site was turned off by whoever runs the server: its owner cannot turn it on again.
ALTER TABLE sites ADD COLUMN held boolean NOT NULL DEFAULT false;
