package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Flows is the group of statements about visits to the hosted pages.
type Flows struct{ group }

// Insert adds a flow.
func (g Flows) Insert(ctx context.Context, f otl.Flow) error {
	asked, err := json.Marshal(f.Asked)
	if err != nil {
		return err
	}
	progress, err := json.Marshal(f.Progress)
	if err != nil {
		return err
	}
	_, err = g.exec(ctx, `INSERT INTO flows (id, browser, site_id, asked, progress, created_at, expires_at, nonce) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		f.ID, f.Browser, f.SiteID, string(asked), string(progress), millis(f.CreatedAt), millis(f.ExpiresAt), orNone(f.Nonce))
	return err
}

const flowColumns = `browser, site_id, user_id, asked, progress, created_at, expires_at, nonce`

// flow reads the one flow of an id that a statement gives, or ErrNotFound.
func (g Flows) flow(ctx context.Context, id, statement string, args ...any) (otl.Flow, error) {
	f := otl.Flow{ID: id}
	var asked, progress string
	if err := g.one(ctx, statement, args, &f.Browser, &f.SiteID, text(&f.UserID), &asked, &progress, at(&f.CreatedAt), at(&f.ExpiresAt), &f.Nonce); err != nil {
		return f, err
	}
	if err := json.Unmarshal([]byte(asked), &f.Asked); err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(progress), &f.Progress)
}

// Live gives a flow that goes on at the given time, or ErrNotFound.
func (g Flows) Live(ctx context.Context, id string, now time.Time) (otl.Flow, error) {
	return g.flow(ctx, id, `SELECT `+flowColumns+` FROM flows WHERE id = $1 AND done_at IS NULL AND expires_at > $2`, id, millis(now))
}

// Extend keeps a flow alive from now until a time and gives it, or ErrNotFound. On
// PostgreSQL it stays locked until the transaction ends.
func (g Flows) Extend(ctx context.Context, id string, now, until time.Time) (otl.Flow, error) {
	return g.flow(ctx, id, `UPDATE flows SET expires_at = $1 WHERE id = $2 AND done_at IS NULL AND expires_at > $3 RETURNING `+flowColumns,
		millis(until), id, millis(now))
}

// Claim gives a flow that nobody's browser has yet to one, from now until a time, and
// gives it, or ErrNotFound: of any number of calls one succeeds.
func (g Flows) Claim(ctx context.Context, id string, browser []byte, now, until time.Time) (otl.Flow, error) {
	f := otl.Flow{ID: id, Browser: browser, CreatedAt: now, ExpiresAt: until}
	var asked, progress string
	if err := g.one(ctx, `UPDATE flows SET browser = $1, created_at = $2, expires_at = $3
		WHERE id = $4 AND browser = $5 AND done_at IS NULL AND expires_at > $2 RETURNING site_id, asked, progress`,
		[]any{browser, millis(now), millis(until), id, []byte{}}, &f.SiteID, &asked, &progress); err != nil {
		return f, err
	}
	if err := json.Unmarshal([]byte(asked), &f.Asked); err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(progress), &f.Progress)
}

// Save writes how far a flow has come and until when it goes on. Who proved himself
// for it elsewhere stays.
func (g Flows) Save(ctx context.Context, f otl.Flow) error {
	progress, err := json.Marshal(f.Progress)
	if err != nil {
		return err
	}
	_, err = g.exec(ctx, `UPDATE flows SET progress = $1, expires_at = $2 WHERE id = $3 AND done_at IS NULL`, string(progress), millis(f.ExpiresAt), f.ID)
	return err
}

// Prove notes who proved himself for a flow in another browser, and reports whether
// it still goes on.
func (g Flows) Prove(ctx context.Context, f otl.Flow, userID string) (bool, error) {
	progress, err := json.Marshal(f.Progress)
	if err != nil {
		return false, err
	}
	n, err := g.exec(ctx, `UPDATE flows SET user_id = $1, progress = $2 WHERE id = $3 AND done_at IS NULL`, userID, string(progress), f.ID)
	return n == 1, err
}

// Take takes over who proved himself for a flow in another browser: of any number of
// calls one reports true.
func (g Flows) Take(ctx context.Context, id, userID string) (bool, error) {
	n, err := g.exec(ctx, `UPDATE flows SET user_id = NULL WHERE id = $1 AND user_id = $2 AND done_at IS NULL`, id, userID)
	return n == 1, err
}

// Forget takes back that a person proved himself for flows in another browser.
func (g Flows) Forget(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `UPDATE flows SET user_id = NULL WHERE user_id = $1`, userID)
	return err
}

// Renew replaces the nonce of a flow, which is used up by that: of any number of calls
// with one nonce one reports true (MF-10).
func (g Flows) Renew(ctx context.Context, id string, was, next []byte) (bool, error) {
	n, err := g.exec(ctx, `UPDATE flows SET nonce = $1 WHERE id = $2 AND nonce = $3 AND done_at IS NULL`, next, id, was)
	return n == 1, err
}

// Move gives a flow to another browser.
func (g Flows) Move(ctx context.Context, id string, browser []byte) error {
	_, err := g.exec(ctx, `UPDATE flows SET browser = $1 WHERE id = $2 AND done_at IS NULL`, browser, id)
	return err
}

// Finish ends a flow: of any number of calls one reports true.
func (g Flows) Finish(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE flows SET done_at = $1 WHERE id = $2 AND done_at IS NULL AND expires_at > $1`, millis(now), id)
	return n == 1, err
}

// Prune deletes flows that have expired at a time, at most limit of them, and says
// how many.
func (g Flows) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM flows WHERE id IN (SELECT id FROM flows WHERE expires_at <= $1 LIMIT $2)`, millis(before), limit)
}
