-- +goose Up

-- Texts of what sites keep of their people, in the form in which texts are compared: what a
-- site can ask for people by, under names of its own.
CREATE TABLE traits (
    site_id text NOT NULL,
    user_id text NOT NULL,
    name    text NOT NULL,
    value   text NOT NULL,
    PRIMARY KEY (site_id, user_id, name),
    FOREIGN KEY (site_id, user_id) REFERENCES records (site_id, user_id) ON DELETE CASCADE
);
CREATE INDEX traits_value ON traits (site_id, name, value);
