-- +goose Up

-- Where the scripts of a site run that call with a person's access token.
CREATE TABLE allowed_origins (
    site_id text NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    origin  text NOT NULL,
    PRIMARY KEY (site_id, origin)
);
CREATE INDEX allowed_origins_origin ON allowed_origins (origin);

CREATE INDEX sites_deleted ON sites (deleted_at) WHERE deleted_at IS NOT NULL;
