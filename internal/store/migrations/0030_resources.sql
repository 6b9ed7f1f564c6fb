-- +goose Up

-- Which site a resource belongs to, an audience of access tokens: the first whose client
-- named it, until that site is purged. Whoever believes the tokens of an audience believes
-- that site.
CREATE TABLE resources (
    resource   text   PRIMARY KEY,
    site_id    text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    created_at bigint NOT NULL
);

-- Clients hold theirs as words, which are taken apart letter by letter: no function for
-- that is known to both engines.
INSERT INTO resources (resource, site_id, created_at)
WITH RECURSIVE letters (id, site_id, created_at, word, rest) AS (
    SELECT id, site_id, created_at, '', resources || ' ' FROM clients WHERE revoked_at IS NULL
    UNION ALL
    SELECT id, site_id, created_at, CASE WHEN substr(rest, 1, 1) = ' ' THEN '' ELSE word || substr(rest, 1, 1) END, substr(rest, 2)
    FROM letters WHERE rest <> ''
)
SELECT word, site_id, created_at FROM letters WHERE word <> '' AND substr(rest, 1, 1) = ' ' ORDER BY created_at, id
ON CONFLICT (resource) DO NOTHING;
