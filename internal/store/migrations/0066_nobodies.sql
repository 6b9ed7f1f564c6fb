-- +goose Up

-- Rows in the place of a person where somebody asks for an account with an address that has one. They stand in
-- as many indexes as a new person and are deleted within the hour: time does not tell who has an account.
CREATE TABLE nobodies (
    id      text PRIMARY KEY,
    address text NOT NULL,
    filler  text NOT NULL
);
CREATE UNIQUE INDEX nobodies_address ON nobodies (address);
