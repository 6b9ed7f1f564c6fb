-- +goose Up
-- What the time of an attempt went into, in milliseconds: looking the name up, connecting, the TLS
-- handshake, waiting for the answer.

ALTER TABLE attempts ADD COLUMN lookup_ms    integer NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN connect_ms   integer NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN handshake_ms integer NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN wait_ms      integer NOT NULL DEFAULT 0;
