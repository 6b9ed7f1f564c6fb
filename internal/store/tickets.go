package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Tickets is the group of statements about one-time secrets: there is no other
// table and no other place for them.
type Tickets struct{ group }

const ticketColumns = `id, purpose, user_id, site_id, created_at, expires_at`

func ticketDest(t *otl.Ticket) []any {
	return []any{&t.ID, &t.Purpose, text(&t.UserID), &t.SiteID, at(&t.CreatedAt), at(&t.ExpiresAt)}
}

// Insert adds a ticket, known by its digest only. One without a person opens
// nothing: it is written where nobody was found, so that it takes as long.
func (g Tickets) Insert(ctx context.Context, t otl.Ticket, digest []byte) error {
	_, err := g.exec(ctx, `INSERT INTO tickets (id, purpose, user_id, site_id, digest, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.ID, string(t.Purpose), orNull(t.UserID), t.SiteID, digest, millis(t.CreatedAt), millis(t.ExpiresAt))
	return err
}

// Live gives a ticket that can be used at the given time, or ErrNotFound.
func (g Tickets) Live(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	var t otl.Ticket
	err := g.one(ctx, `SELECT `+ticketColumns+` FROM tickets
		WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 AND user_id IS NOT NULL`,
		[]any{digest, string(p), millis(now)}, ticketDest(&t)...)
	return t, err
}

// Use uses a ticket up and gives it, or ErrNotFound: of any number of calls with
// one secret exactly one succeeds (MN-01).
func (g Tickets) Use(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	var t otl.Ticket
	err := g.one(ctx, `UPDATE tickets SET used_at = $1
		WHERE digest = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $1 AND user_id IS NOT NULL
		RETURNING `+ticketColumns, []any{millis(now), digest, string(p)}, ticketDest(&t)...)
	return t, err
}

// Void makes every ticket of a person for a purpose worthless.
func (g Tickets) Void(ctx context.Context, userID string, p otl.Purpose, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET used_at = $1 WHERE user_id = $2 AND purpose = $3 AND used_at IS NULL`,
		millis(now), userID, string(p))
	return err
}

// Prune deletes tickets that expired before a time, at most limit of them, and
// says how many.
func (g Tickets) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE expires_at < $1 LIMIT $2)`, millis(before), limit)
}
