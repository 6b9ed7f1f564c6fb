package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// VoidChanges makes every change of an address or a number of a person worthless that
// waits to be proven.
func (g Tickets) VoidChanges(ctx context.Context, userID string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET used_at = $1 WHERE user_id = $2 AND purpose IN ('email_change', 'phone_change') AND `+unused,
		millis(now), userID)
	return err
}

// VoidProofs makes worthless what keeps a proof of a person for later, at one site or, for
// "", at whichever: devices he trusts, second steps under way, session tokens.
func (g Tickets) VoidProofs(ctx context.Context, userID, siteID string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET expires_at = $1 WHERE user_id = $2 AND purpose IN ('trusted_device', 'second_step', 'session_token')
		AND `+unused+` AND ($3 = '' OR site_id = $3) AND expires_at > $1`, millis(now), userID, siteID)
	return err
}

// VoidLater makes tickets of a person for a purpose worthless that were given out after
// one of them, and gives what they were for.
func (g Tickets) VoidLater(ctx context.Context, t otl.Ticket, now time.Time) (data []map[string]string, err error) {
	texts, err := all(ctx, g.group, `UPDATE tickets SET used_at = $1 WHERE user_id = $2 AND purpose = $3 AND created_at >= $4 AND `+unused+` RETURNING data`,
		[]any{millis(now), t.UserID, string(t.Purpose), millis(t.CreatedAt)}, func(s *string) []any { return []any{s} })
	for _, one := range texts {
		var d map[string]string
		if err := json.Unmarshal([]byte(one), &d); err != nil {
			return nil, err
		}
		data = append(data, d)
	}
	return data, err
}

// Reserved reports whether somebody else than this person may still have an address
// back, which is given by its key.
func (g Tickets) Reserved(ctx context.Context, key, userID string, now time.Time) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM tickets WHERE slot = $1 AND slot <> '' AND purpose = 'change_undo' AND used_at IS NULL AND expires_at > $2 AND user_id <> $3`,
		[]any{key, millis(now), userID}, &n)
	return n > 0, err
}
