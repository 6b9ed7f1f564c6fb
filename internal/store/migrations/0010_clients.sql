-- +goose Up

-- Programs of a site that prove themselves with an id and a secret (RFC 6749).
CREATE TABLE clients (
    id            text   PRIMARY KEY,
    site_id       text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name          text   NOT NULL,
    digest        bytea  NOT NULL,
    scopes        text   NOT NULL,
    redirect_uris text   NOT NULL,
    resources     text   NOT NULL,
    created_at    bigint NOT NULL,
    revoked_at    bigint
);
CREATE INDEX clients_site ON clients (site_id);
