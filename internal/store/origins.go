package store

import (
	"context"
	"time"
)

// Origins is the group of statements about the origins whose pages may call: those that sites
// allow, and those that what was made for a while names.
type Origins struct{ group }

// Of gives the origins a site allows.
func (g Origins) Of(ctx context.Context, siteID string) ([]string, error) {
	return all(ctx, g.group, `SELECT origin FROM allowed_origins WHERE site_id = $1 ORDER BY origin`, []any{siteID},
		func(s *string) []any { return []any{s} })
}

// Add allows an origin; twice is once.
func (g Origins) Add(ctx context.Context, siteID, origin string) error {
	_, err := g.exec(ctx, `INSERT INTO allowed_origins (site_id, origin) VALUES ($1, $2) ON CONFLICT (site_id, origin) DO NOTHING`, siteID, origin)
	return err
}

// Remove no longer allows an origin.
func (g Origins) Remove(ctx context.Context, siteID, origin string) error {
	_, err := g.exec(ctx, `DELETE FROM allowed_origins WHERE site_id = $1 AND origin = $2`, siteID, origin)
	return err
}

// Allows reports whether a site, or any for "", allows an origin.
func (g Origins) Allows(ctx context.Context, siteID, origin string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM allowed_origins o JOIN sites s ON s.id = o.site_id AND s.deleted_at IS NULL
		WHERE o.origin = $1 AND ($2 = '' OR o.site_id = $2)`, []any{origin, siteID}, &n)
	return n > 0, err
}

// aheadOf is how far an announcement of an origin runs ahead of what it is for.
const aheadOf = 10 * time.Minute

// Announce notes that a ticket which is good until a time names an origin.
func (g Origins) Announce(ctx context.Context, origin string, until time.Time) error {
	_, err := g.exec(ctx, `INSERT INTO announced_origins (origin, until) VALUES ($1, $2)
		ON CONFLICT (origin) DO UPDATE SET until = $2 WHERE announced_origins.until < $3`,
		origin, millis(until.Add(aheadOf)), millis(until))
	return err
}

// Announced reports whether a ticket that is good at the given time, or was a few
// minutes before, names an origin.
func (g Origins) Announced(ctx context.Context, origin string, now time.Time) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM announced_origins WHERE origin = $1 AND until > $2`, []any{origin, millis(now)}, &n)
	return n > 0, err
}

// Prune deletes announcements of tickets that were good until a time.
func (g Origins) Prune(ctx context.Context, before time.Time) error {
	_, err := g.exec(ctx, `DELETE FROM announced_origins WHERE until < $1`, millis(before))
	return err
}
