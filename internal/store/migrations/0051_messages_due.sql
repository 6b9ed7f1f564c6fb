-- +goose Up

-- Each channel has a line of its own: mails that wait are not read for SMS that are due.
CREATE INDEX messages_due_by ON messages (channel, due_at) WHERE state = 'waiting';
DROP INDEX messages_due;
