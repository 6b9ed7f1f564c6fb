-- +goose Up

-- What an entry said before what identifies a person was taken out of it, as a hash: the
-- chain goes on to hold.
ALTER TABLE events ADD COLUMN erased bytea;

-- People who were deleted, and of whom the log still says more than their id.
CREATE TABLE erasures (
    user_id text PRIMARY KEY
);
