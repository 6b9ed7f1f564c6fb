package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// DeviceGrants is the group of statements about devices that wait to be let in.
type DeviceGrants struct{ group }

const deviceColumns = `id, site_id, client, scope, ip, user_agent, state, user_id, holder, pause, asked_at, created_at, expires_at`

func deviceDest(d *otl.DeviceGrant) []any {
	return []any{
		&d.ID, &d.SiteID, &d.Client, &d.Scope, &d.IP, &d.UserAgent, &d.State, text(&d.UserID), &d.Holder, &d.Pause, at(&d.AskedAt), at(&d.CreatedAt), at(&d.ExpiresAt),
	}
}

// Insert adds a device, known by the digests of what it asks with and of the code that
// somebody is to enter.
func (g DeviceGrants) Insert(ctx context.Context, d otl.DeviceGrant, digest, userCode []byte) error {
	_, err := g.exec(ctx, `INSERT INTO device_grants (id, digest, user_code, site_id, client, scope, ip, user_agent, state, holder, pause, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $12)`,
		d.ID, digest, userCode, d.SiteID, d.Client, d.Scope, d.IP, d.UserAgent, string(d.State), d.Pause, millis(d.CreatedAt), millis(d.ExpiresAt))
	return err
}

// ByUserCode gives a device that waits at the given time by the code somebody entered.
func (g DeviceGrants) ByUserCode(ctx context.Context, code []byte, now time.Time) (d otl.DeviceGrant, err error) {
	err = g.one(ctx, `SELECT `+deviceColumns+` FROM device_grants WHERE user_code = $1 AND state = 'waiting' AND expires_at > $2`, []any{code, millis(now)}, deviceDest(&d)...)
	return d, err
}

// Waiting gives a device that waits at the given time.
func (g DeviceGrants) Waiting(ctx context.Context, id string, now time.Time) (d otl.DeviceGrant, err error) {
	err = g.one(ctx, `SELECT `+deviceColumns+` FROM device_grants WHERE id = $1 AND state = 'waiting' AND expires_at > $2`, []any{id, millis(now)}, deviceDest(&d)...)
	return d, err
}

// Decide lets a device in that waits, or turns it away, on behalf of a person, and reports
// whether this call did it: of any number at once one does.
func (g DeviceGrants) Decide(ctx context.Context, id string, s otl.DeviceState, userID, holder string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE device_grants SET state = $1, user_id = $2, holder = $3 WHERE id = $4 AND state = 'waiting' AND expires_at > $5`,
		string(s), orNull(userID), holder, id, millis(now))
	return n == 1, err
}

// Ask notes that the device of a client asks what became of it, and gives it. Soon is true
// where it asks before its pause was over, which is longer from then on.
func (g DeviceGrants) Ask(ctx context.Context, client string, digest []byte, longer int, now time.Time) (d otl.DeviceGrant, soon bool, err error) {
	err = g.one(ctx, `UPDATE device_grants SET asked_at = $1 WHERE digest = $2 AND client = $3 AND (asked_at IS NULL OR asked_at + pause * 1000 <= $1)
		RETURNING `+deviceColumns, []any{millis(now), digest, client}, deviceDest(&d)...)
	if err != ErrNotFound { //nolint:errorlint // it comes unwrapped
		return d, false, err
	}
	err = g.one(ctx, `UPDATE device_grants SET asked_at = $1, pause = pause + $2 WHERE digest = $3 AND client = $4
		RETURNING `+deviceColumns, []any{millis(now), longer, digest, client}, deviceDest(&d)...)
	return d, err == nil, err
}

// Use notes that the tokens of a device that was let in are fetched: of any number of
// calls one reports true.
func (g DeviceGrants) Use(ctx context.Context, id string) (bool, error) {
	n, err := g.exec(ctx, `UPDATE device_grants SET state = 'used' WHERE id = $1 AND state = 'allowed'`, id)
	return n == 1, err
}

// Prune deletes devices that expired before a time, at most limit of them.
func (g DeviceGrants) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM device_grants WHERE id IN (SELECT id FROM device_grants WHERE expires_at < $1 LIMIT $2)`, millis(before), limit)
}
