-- +goose Up

-- The digest of each migration as it was applied here.
CREATE TABLE migration_digests (
    name   text PRIMARY KEY,
    digest text NOT NULL
);

-- One row: what proves that the right master key is at hand, and which site is
-- the installation itself.
CREATE TABLE installation (
    id           integer PRIMARY KEY CHECK (id = 1),
    key_check    bytea   NOT NULL,
    site_id      text    NOT NULL,
    created_at   bigint  NOT NULL
);

CREATE TABLE users (
    id                text    PRIMARY KEY,
    email             text    NOT NULL,
    email_key         text    NOT NULL,
    email_verified_at bigint,
    name              text    NOT NULL,
    display_name      text    NOT NULL,
    phone             text    NOT NULL,
    phone_verified_at bigint,
    picture           text    NOT NULL,
    locale            text    NOT NULL,
    preferences       text    NOT NULL,
    session_version   integer NOT NULL,
    password_version  integer NOT NULL,
    version           integer NOT NULL,
    disabled_at       bigint,
    created_at        bigint  NOT NULL,
    updated_at        bigint  NOT NULL,
    last_login_at     bigint
);
CREATE UNIQUE INDEX users_email_key ON users (email_key);

CREATE TABLE passwords (
    user_id    text    PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash       text    NOT NULL,
    imported   boolean NOT NULL,
    changed_at bigint  NOT NULL
);

-- Every algorithm and cost in use, so that a failed sign-in can take as long as
-- the costliest of them.
CREATE TABLE password_schemes (
    scheme     text   PRIMARY KEY,
    created_at bigint NOT NULL
);

CREATE TABLE businesses (
    id         text   PRIMARY KEY,
    name       text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE business_members (
    business_id text   NOT NULL REFERENCES businesses (id) ON DELETE CASCADE,
    user_id     text   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role        text   NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (business_id, user_id)
);
CREATE INDEX business_members_user ON business_members (user_id);

CREATE TABLE sites (
    id           text    PRIMARY KEY,
    business_id  text    REFERENCES businesses (id),
    slug         text    NOT NULL,
    name         text    NOT NULL,
    domain       text    NOT NULL,
    region       text    NOT NULL,
    first_party  boolean NOT NULL,
    requested    text    NOT NULL,
    version      integer NOT NULL,
    created_at   bigint  NOT NULL,
    updated_at   bigint  NOT NULL,
    deleted_at   bigint
);
CREATE UNIQUE INDEX sites_slug ON sites (slug);
CREATE INDEX sites_business ON sites (business_id);

CREATE TABLE callback_urls (
    site_id    text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    url        text   NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (site_id, url)
);

CREATE TABLE site_keys (
    id           text   PRIMARY KEY,
    site_id      text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    key_hash     bytea  NOT NULL,
    name         text   NOT NULL,
    prefix       text   NOT NULL,
    scopes       text   NOT NULL,
    created_at   bigint NOT NULL,
    last_used_at bigint,
    expires_at   bigint,
    revoked_at   bigint
);
CREATE UNIQUE INDEX site_keys_hash ON site_keys (key_hash);
CREATE INDEX site_keys_site ON site_keys (site_id);

CREATE TABLE grants (
    user_id    text   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    site_id    text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    fields     text   NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    revoked_at bigint,
    PRIMARY KEY (user_id, site_id)
);
CREATE INDEX grants_site ON grants (site_id, user_id);

-- The refresh token lives in its session's row: one conditional update rotates
-- it, and the table does not grow with refreshes. No index covers a column that
-- a refresh changes.
CREATE TABLE sessions (
    id                 text    PRIMARY KEY,
    user_id            text    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    site_id            text    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    methods            text    NOT NULL,
    auth_at            bigint  NOT NULL,
    created_at         bigint  NOT NULL,
    last_seen_at       bigint  NOT NULL,
    refresh_by         bigint  NOT NULL,
    expires_at         bigint  NOT NULL,
    ended_at           bigint,
    end_reason         text    NOT NULL,
    ip                 text    NOT NULL,
    user_agent         text    NOT NULL,
    refresh_hash       bytea   NOT NULL,
    refresh_generation integer NOT NULL,
    refresh_previous   bytea,
    refresh_nonce      bytea,
    refresh_rotated_at bigint
);
CREATE INDEX sessions_live ON sessions (user_id, site_id, id) WHERE ended_at IS NULL;

CREATE TABLE signing_keys (
    id         text    PRIMARY KEY,
    purpose    text    NOT NULL,
    sequence   integer NOT NULL,
    algorithm  text    NOT NULL,
    public     text    NOT NULL,
    private    bytea   NOT NULL,
    created_at bigint  NOT NULL,
    sign_from  bigint  NOT NULL,
    revoked_at bigint
);
CREATE UNIQUE INDEX signing_keys_sequence ON signing_keys (purpose, sequence);

CREATE TABLE events (
    id         text   PRIMARY KEY,
    type       text   NOT NULL,
    user_id    text   NOT NULL,
    site_id    text   NOT NULL,
    session_id text   NOT NULL,
    data       text   NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX events_user ON events (user_id, id);
CREATE INDEX events_site ON events (site_id, id);
