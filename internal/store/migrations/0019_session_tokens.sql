-- +goose Up

-- Origins that a session token names, and until when one that does is good: what a
-- browser asks before it lets a page's script present one. The time runs ahead of the
-- tokens, so that few of them write here.
CREATE TABLE announced_origins (
    origin text   PRIMARY KEY,
    until  bigint NOT NULL
);
