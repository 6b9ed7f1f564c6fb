-- +goose Up

-- What is sent to nobody is a ticket too, so that asking for it and guessing at its code
-- is the same work: one in each slot, which is named by what nobody was called.
CREATE UNIQUE INDEX tickets_nobody ON tickets (slot, purpose, site_id) WHERE user_id IS NULL AND used_at IS NULL AND slot <> '';
