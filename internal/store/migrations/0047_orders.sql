-- +goose Up

-- What can be ordered, at what price: a price is set anew, and what was ordered before keeps
-- the one it had. Amounts are in the smallest unit of the currency.
CREATE TABLE plans (
    name       text   PRIMARY KEY,
    amount     bigint NOT NULL CHECK (amount >= 0),
    currency   text   NOT NULL,
    updated_at bigint NOT NULL
);

-- What sites ordered. No reference to sites: an order outlives its site.
CREATE TABLE orders (
    id           text   PRIMARY KEY,
    site_id      text   NOT NULL,
    plan         text   NOT NULL,
    amount       bigint NOT NULL CHECK (amount >= 0),
    currency     text   NOT NULL,
    status       text   NOT NULL,
    created_at   bigint NOT NULL,
    completed_at bigint
);
CREATE INDEX orders_site ON orders (site_id, id);
-- Up to which place of the installation's log entries have no address any more, and up to
-- which id sessions have none: ids begin with the time.
ALTER TABLE chains ADD COLUMN faded bigint NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN faded text NOT NULL DEFAULT '';
