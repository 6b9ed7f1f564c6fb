-- +goose Up

-- Where a decision stands among those of its person, whatever clocks said. What there is stands in the order of its
-- times; a row without a place is of a node of the program before, which still runs.
ALTER TABLE consents ADD COLUMN place bigint;
UPDATE consents SET place = (SELECT count(*) FROM consents b WHERE b.user_id = consents.user_id
    AND (b.since_at < consents.since_at OR b.since_at = consents.since_at AND COALESCE(b.until_at, 9223372036854775807) <= COALESCE(consents.until_at, 9223372036854775807)));
CREATE INDEX consents_place ON consents (user_id, place);
DROP INDEX consents_user;
