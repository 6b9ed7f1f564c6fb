package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// SMSCounts is the group of statements about how many codes by SMS are entered.
type SMSCounts struct{ group }

// Add counts codes a site sent to a range of numbers, and those that were entered, in
// the minutes that began at a time.
func (g SMSCounts) Add(ctx context.Context, siteID, prefix string, since time.Time, sent, proven int) error {
	_, err := g.exec(ctx, `INSERT INTO sms_counts (site_id, prefix, since, sent, proven) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (site_id, prefix, since) DO UPDATE SET sent = sms_counts.sent + $4, proven = sms_counts.proven + $5`,
		siteID, prefix, millis(since), sent, proven)
	return err
}

// Sum gives what was counted between two times.
func (g SMSCounts) Sum(ctx context.Context, siteID, prefix string, from, until time.Time) (sent, proven int, err error) {
	err = g.one(ctx, `SELECT COALESCE(sum(sent), 0), COALESCE(sum(proven), 0) FROM sms_counts WHERE site_id = $1 AND prefix = $2 AND since >= $3 AND since <= $4`,
		[]any{siteID, prefix, millis(from), millis(until)}, &sent, &proven)
	return sent, proven, err
}

// Stop has a site send to a range no more, and reports whether it was the first to.
func (g SMSCounts) Stop(ctx context.Context, siteID, prefix string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO sms_stops (site_id, prefix, stopped_at) VALUES ($1, $2, $3) ON CONFLICT (site_id, prefix) DO NOTHING`,
		siteID, prefix, millis(now))
	return n == 1, err
}

// Stopped reports whether a site may send to a range no more.
func (g SMSCounts) Stopped(ctx context.Context, siteID, prefix string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM sms_stops WHERE site_id = $1 AND prefix = $2`, []any{siteID, prefix}, &n)
	return n > 0, err
}

// Stops gives all there are, the newest first.
func (g SMSCounts) Stops(ctx context.Context) ([]otl.SMSStop, error) {
	return all(ctx, g.group, `SELECT site_id, prefix, stopped_at FROM sms_stops ORDER BY stopped_at DESC, site_id LIMIT 1000`, nil,
		func(s *otl.SMSStop) []any { return []any{&s.SiteID, &s.Prefix, at(&s.At)} })
}

// Lift lets a site send to a range again, counting anew, and reports whether it could not.
func (g SMSCounts) Lift(ctx context.Context, siteID, prefix string) (bool, error) {
	if _, err := g.exec(ctx, `DELETE FROM sms_counts WHERE site_id = $1 AND prefix = $2`, siteID, prefix); err != nil {
		return false, err
	}
	n, err := g.exec(ctx, `DELETE FROM sms_stops WHERE site_id = $1 AND prefix = $2`, siteID, prefix)
	return n == 1, err
}

// Prune deletes counts from before a time, at most limit of them, and says how many.
func (g SMSCounts) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM sms_counts WHERE (site_id, prefix, since) IN
		(SELECT site_id, prefix, since FROM sms_counts WHERE since < $1 LIMIT $2)`, millis(before), limit)
}
