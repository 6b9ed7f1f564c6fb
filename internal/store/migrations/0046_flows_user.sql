-- +goose Up

-- Visits for which somebody has proven himself in another browser, by whom.
CREATE INDEX flows_user ON flows (user_id) WHERE user_id IS NOT NULL;
