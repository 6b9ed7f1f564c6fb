package store

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
)

// Tally adds attempts to what was counted of an endpoint before.
func (g Deliveries) Tally(ctx context.Context, counted []otl.Tally) error {
	for _, t := range counted {
		if _, err := g.exec(ctx, `INSERT INTO tallies (endpoint_id, day, took, good, bad) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (endpoint_id, day, took) DO UPDATE SET good = tallies.good + excluded.good, bad = tallies.bad + excluded.bad`,
			t.EndpointID, t.Day, t.Took, t.Good, t.Bad); err != nil {
			return err
		}
	}
	return nil
}

// Tallies gives what was counted of an endpoint from a day on, the quickest of each day first.
func (g Deliveries) Tallies(ctx context.Context, endpointID string, from int64) ([]otl.Tally, error) {
	return all(ctx, g.group, `SELECT endpoint_id, day, took, good, bad FROM tallies WHERE endpoint_id = $1 AND day >= $2 ORDER BY day, took`,
		[]any{endpointID, from}, func(t *otl.Tally) []any { return []any{&t.EndpointID, &t.Day, &t.Took, &t.Good, &t.Bad} })
}

// PruneTallies deletes what was counted before a day, at most limit rows, and says how many.
func (g Deliveries) PruneTallies(ctx context.Context, before int64, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM tallies WHERE (endpoint_id, day, took) IN (SELECT endpoint_id, day, took FROM tallies WHERE day < $1 LIMIT $2)`, before, limit)
}
