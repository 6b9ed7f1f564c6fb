package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Answers is the group of statements about answers that are kept for whoever asks
// for the same thing again.
type Answers struct{ group }

// Keep writes the answer to an act beside the act; nothing for nil. Of any number
// of transactions for one key exactly one is committed, the error of the others
// is otl.ErrOnceUnderWay (MN-01).
func (g Answers) Keep(ctx context.Context, o *otl.Once, now time.Time, result any) error {
	if o == nil {
		return nil
	}
	answer, err := o.Seal(result)
	if err != nil {
		return err
	}
	n, err := g.exec(ctx, `INSERT INTO answers (id, asked, answer, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET asked = $2, answer = $3, expires_at = $4 WHERE answers.expires_at <= $5`,
		o.ID, o.Asked, answer, millis(o.Expires), millis(now))
	if err == nil && n == 0 {
		err = otl.ErrOnceUnderWay
	}
	return err
}

// Find gives a kept answer and what it was the answer to, or ErrNotFound.
func (g Answers) Find(ctx context.Context, id []byte, now time.Time) (asked, answer []byte, err error) {
	err = g.one(ctx, `SELECT asked, answer FROM answers WHERE id = $1 AND expires_at > $2`, []any{id, millis(now)}, &asked, &answer)
	return asked, answer, err
}

// Prune deletes answers that nobody may ask for any more, at most limit of them,
// and says how many.
func (g Answers) Prune(ctx context.Context, now time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE expires_at <= $1 LIMIT $2)`, millis(now), limit)
}
