-- +goose Up

-- What a site calls the custom attributes that it keeps of its people, where that is not their name.
CREATE TABLE attribute_labels (
    site_id text NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name    text NOT NULL,
    label   text NOT NULL,
    PRIMARY KEY (site_id, name)
);
