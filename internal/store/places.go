package store

import (
	"context"
	"time"
)

// SeenPlaces is the group of statements about what people signed in from.
type SeenPlaces struct{ group }

// Known gives how many of two places a person was seen at, and at how many at all.
func (g SeenPlaces) Known(ctx context.Context, userID string, a, b []byte) (these, all int, err error) {
	err = g.one(ctx, `SELECT count(*) FILTER (WHERE place IN ($2, $3)), count(*) FROM seen_places WHERE user_id = $1`, []any{userID, a, b}, &these, &all)
	return these, all, err
}

// See notes that a person was seen at a place.
func (g SeenPlaces) See(ctx context.Context, userID string, place []byte, now time.Time) error {
	_, err := g.exec(ctx, `INSERT INTO seen_places (user_id, place, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, place) DO UPDATE SET seen_at = excluded.seen_at`, userID, place, millis(now))
	return err
}

// Prune forgets at most limit places where nobody was seen since a time, and says how many.
func (g SeenPlaces) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM seen_places WHERE (user_id, place) IN (SELECT user_id, place FROM seen_places WHERE seen_at < $1 LIMIT $2)`, millis(before), limit)
}
