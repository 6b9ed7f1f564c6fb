-- +goose Up

-- A client may have whoever holds an address added to its site by a link that was sent there (contract 3.3, ADR 59).
ALTER TABLE clients ADD COLUMN auto_create boolean NOT NULL DEFAULT false;

-- Such a link is for nobody whom anybody looked up: who holds the address is found, or added, once it is redeemed.
ALTER TABLE tickets ADD COLUMN newcomer boolean NOT NULL DEFAULT false;
