-- +goose Up

-- What people prove themselves with besides what they sign in with. What must be
-- kept secret of it (the seed of an authenticator app) is sealed.
CREATE TABLE factors (
    id           text    PRIMARY KEY,
    user_id      text    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         text    NOT NULL,
    label        text    NOT NULL,
    target       text    NOT NULL,
    sealed       bytea,
    is_default   boolean NOT NULL,
    last_step    bigint  NOT NULL,
    created_at   bigint  NOT NULL,
    confirmed_at bigint,
    last_used_at bigint
);
CREATE INDEX factors_user ON factors (user_id);

-- When a site asks for a second factor: off, optional, required, or required for
-- the roles listed.
ALTER TABLE sites ADD COLUMN mfa text NOT NULL DEFAULT 'optional';
ALTER TABLE sites ADD COLUMN mfa_roles text NOT NULL DEFAULT '';
