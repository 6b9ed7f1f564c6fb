package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Ledger is the group of statements about what people let sites see, and what sites
// saw.
type Ledger struct{ group }

// decided writes what a grant says from now on, where that is anything new, behind all that its person decided before: the
// clock may have been set back since, or be behind that of another node.
func (g group) decided(ctx context.Context, gr otl.Grant) error {
	if _, err := g.exec(ctx, `UPDATE consents SET until_at = $1 WHERE user_id = $2 AND site_id = $3 AND until_at IS NULL AND fields <> $4`,
		millis(gr.UpdatedAt), gr.UserID, gr.SiteID, gr.Fields.String()); err != nil {
		return err
	}
	// What a node of the program before wrote has no place: it stands before what is written from now on.
	if _, err := g.exec(ctx, `UPDATE consents SET place = (SELECT COALESCE(max(b.place), 0) FROM consents b WHERE b.user_id = $1)
		WHERE user_id = $1 AND place IS NULL`, gr.UserID); err != nil {
		return err
	}
	_, err := g.exec(ctx, `INSERT INTO consents (user_id, site_id, fields, since_at, place)
		VALUES ($1, $2, $3, $4, (SELECT COALESCE(max(place), 0) + 1 FROM consents WHERE user_id = $1))
		ON CONFLICT (user_id, site_id) WHERE until_at IS NULL DO NOTHING`, gr.UserID, gr.SiteID, gr.Fields.String(), millis(gr.UpdatedAt))
	return err
}

// withdrawn writes that a grant is none any more.
func (g group) withdrawn(ctx context.Context, userID, siteID string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE consents SET until_at = $1 WHERE user_id = $2 AND site_id = $3 AND until_at IS NULL`, millis(now), userID, siteID)
	return err
}

// Consents gives what a person let sites see, the newest decision first, whatever clocks said. Of those made at once on
// two nodes the one with the later time is.
func (g Ledger) Consents(ctx context.Context, userID string) ([]otl.Consent, error) {
	return all(ctx, g.group, `SELECT site_id, fields, since_at, until_at FROM consents WHERE user_id = $1
		ORDER BY place DESC NULLS FIRST, since_at DESC, site_id`, []any{userID}, func(c *otl.Consent) []any {
		return []any{&c.SiteID, words(&c.Fields, otl.StoredFields), at(&c.Since), at(&c.Until)}
	})
}

// Add counts what sites were shown of people. Of somebody who is gone, or for a site
// that is, nothing is kept.
func (g Ledger) Add(ctx context.Context, more []otl.Reading) error {
	return inParts(more, func(part []otl.Reading) error {
		var args []any
		for _, r := range part {
			args = append(args, r.UserID, r.SiteID, r.Day, r.Fields.String(), r.Times, millis(r.First), millis(r.Last))
		}
		_, err := g.exec(ctx, `WITH counted (user_id, site_id, day, fields, times, first_at, last_at) AS (VALUES `+
			typed("readings", "user_id", "site_id", "day", "fields", "times", "first_at", "last_at")+rows(len(part), 7)+`)
			INSERT INTO readings (user_id, site_id, day, fields, times, first_at, last_at)
			SELECT counted.user_id, counted.site_id, counted.day, counted.fields, counted.times, counted.first_at, counted.last_at FROM counted
			JOIN users u ON u.id = counted.user_id JOIN sites s ON s.id = counted.site_id WHERE counted.times > 0
			ON CONFLICT (user_id, site_id, day, fields) DO UPDATE SET times = readings.times + excluded.times,
			first_at = CASE WHEN excluded.first_at < readings.first_at THEN excluded.first_at ELSE readings.first_at END,
			last_at = CASE WHEN excluded.last_at > readings.last_at THEN excluded.last_at ELSE readings.last_at END`, args...)
		return err
	})
}

// Readings gives what sites saw of a person, the newest day first.
func (g Ledger) Readings(ctx context.Context, userID string) ([]otl.Reading, error) {
	return all(ctx, g.group, `SELECT user_id, site_id, day, fields, times, first_at, last_at FROM readings WHERE user_id = $1
		ORDER BY day DESC, last_at DESC, site_id, fields`, []any{userID}, func(r *otl.Reading) []any {
		return []any{&r.UserID, &r.SiteID, &r.Day, words(&r.Fields, otl.StoredFields), &r.Times, at(&r.First), at(&r.Last)}
	})
}

// Prune deletes readings of days before one and says how many.
func (g Ledger) Prune(ctx context.Context, before int) (int, error) {
	return g.exec(ctx, `DELETE FROM readings WHERE day < $1`, before)
}
