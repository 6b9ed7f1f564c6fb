-- +goose Up

-- The origins of the redirect URIs of clients: what pages may read the answers to them. A
-- browser asks for one before it knows for which client.
CREATE TABLE client_origins (
    client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    origin    text NOT NULL,
    PRIMARY KEY (client_id, origin)
);
CREATE INDEX client_origins_origin ON client_origins (origin);

-- Those there are stand as words, which are taken apart letter by letter: an origin ends
-- before the third slash, or where the word does.
INSERT INTO client_origins (client_id, origin)
WITH RECURSIVE letters (id, word, rest, slashes) AS (
    SELECT id, '', redirect_uris || ' ', 0 FROM clients WHERE revoked_at IS NULL
    UNION ALL
    SELECT id, CASE WHEN substr(rest, 1, 1) = ' ' THEN '' ELSE word || substr(rest, 1, 1) END, substr(rest, 2),
        CASE substr(rest, 1, 1) WHEN ' ' THEN 0 WHEN '/' THEN slashes + 1 ELSE slashes END
    FROM letters WHERE rest <> ''
)
SELECT DISTINCT id, word FROM letters
WHERE slashes = 2 AND word LIKE 'http%' AND word NOT LIKE '%?%' AND substr(rest, 1, 1) IN ('/', '?', ' ');
