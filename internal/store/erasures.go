package store

import (
	"context"
	"encoding/json"
)

// Forget notes that a person was deleted, of whom the log is to say no more than his id.
func (g Events) Forget(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `INSERT INTO erasures (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING`, userID)
	return err
}

// Forgotten gives people of whom the log is to say no more than their ids, and says more.
func (g Events) Forgotten(ctx context.Context, limit int) ([]string, error) {
	return all(ctx, g.group, `SELECT user_id FROM erasures ORDER BY user_id LIMIT $1`, []any{limit}, func(s *string) []any { return []any{s} })
}

// Forgot notes that the log says no more of a person than his id.
func (g Events) Forgot(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `DELETE FROM erasures WHERE user_id = $1`, userID)
	return err
}

// About gives entries about a person behind a place of the log, in its order, as they are stored, and
// whether there are some that have no place yet: these were looked for before.
func (g Events) About(ctx context.Context, userID string, after int64, limit int) (found []Entry, waiting bool, err error) {
	var n int
	if err := g.one(ctx, `SELECT count(*) FROM events WHERE user_id = $1 AND seq IS NULL`, []any{userID}, &n); err != nil {
		return nil, false, err
	}
	found, err = all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE user_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, []any{userID, after, limit}, entryDest)
	for i := range found {
		found[i] = found[i].Read()
	}
	return found, n > 0, err
}

// Erase takes the address an entry came from, and members of its data, out of it once.
// Said is the hash of what it said until then.
func (g Events) Erase(ctx context.Context, e Entry, said []byte) error {
	data, err := json.Marshal(e.Event.Data)
	if err != nil {
		return err
	}
	_, err = g.exec(ctx, `UPDATE events SET data = $1, address = '', erased = $2 WHERE id = $3 AND erased IS NULL`, string(data), said, e.ID)
	return err
}
