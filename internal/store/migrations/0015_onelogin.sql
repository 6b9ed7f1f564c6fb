-- +goose Up

-- Pairs of tokens that clients call the OneLogin wire with: digests only.
CREATE TABLE api_tokens (
    id         text   PRIMARY KEY,
    client_id  text   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    access     bytea  NOT NULL,
    refresh    bytea  NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    refresh_by bigint NOT NULL,
    revoked_at bigint
);
CREATE UNIQUE INDEX api_tokens_access ON api_tokens (access);
CREATE INDEX api_tokens_client ON api_tokens (client_id, id) WHERE revoked_at IS NULL;
CREATE INDEX api_tokens_refresh_by ON api_tokens (refresh_by);

-- Integers that stand for ids of ours on wires whose clients read an id into an
-- int. None is given out twice, also after what it stood for is gone.
CREATE TABLE numbers (
    number integer PRIMARY KEY,
    kind   text    NOT NULL,
    ref    text    NOT NULL
);
CREATE UNIQUE INDEX numbers_ref ON numbers (kind, ref);
INSERT INTO counters (name, value) VALUES ('numbers', 0);
