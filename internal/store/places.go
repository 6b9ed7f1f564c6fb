package store

import (
	"context"
	"time"
)

// SeenPlaces is the group of statements about what people signed in from.
type SeenPlaces struct{ group }

// Known reports whether a person was seen at both of two places.
func (g SeenPlaces) Known(ctx context.Context, userID string, a, b []byte) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM seen_places WHERE user_id = $1 AND place IN ($2, $3)`, []any{userID, a, b}, &n)
	return n == 2, err
}

// See notes that a person was seen at a place.
func (g SeenPlaces) See(ctx context.Context, userID string, place []byte, now time.Time) error {
	_, err := g.exec(ctx, `INSERT INTO seen_places (user_id, place, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, place) DO UPDATE SET seen_at = excluded.seen_at`, userID, place, millis(now))
	return err
}

// Forget forgets every place of a person.
func (g SeenPlaces) Forget(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `DELETE FROM seen_places WHERE user_id = $1`, userID)
	return err
}

// Prune forgets at most limit places where nobody was seen since a time, and says how many.
func (g SeenPlaces) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM seen_places WHERE (user_id, place) IN (SELECT user_id, place FROM seen_places WHERE seen_at < $1 LIMIT $2)`, millis(before), limit)
}
