-- +goose Up

-- Which providers refused a message that another one may still take: they are not handed it again.
ALTER TABLE messages ADD COLUMN refused_by text NOT NULL DEFAULT '';
