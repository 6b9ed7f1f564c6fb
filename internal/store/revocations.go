package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Revocations is the group of statements about the feed of ended sessions.
type Revocations struct{ group }

// Append adds entries to the feed. Their numbers follow the order in which
// transactions commit, so that a reader who has seen one has seen all before it:
// the counter's row stays locked until the end of the transaction, of which
// this should be the last statement.
func (g Revocations) Append(ctx context.Context, all []otl.Revocation) error {
	var last int64
	err := g.one(ctx, `UPDATE counters SET value = value + $1 WHERE name = 'revocations' RETURNING value`, []any{len(all)}, &last)
	if err != nil {
		return err
	}
	for i, r := range all {
		if _, err := g.exec(ctx, `INSERT INTO revocations (seq, user_id, site_id, session_id, session_version, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			last-int64(len(all)-1-i), r.UserID, r.SiteID, r.SessionID, r.SessionVersion, millis(r.At)); err != nil {
			return err
		}
	}
	return nil
}

// Newest gives the number of the newest entry, 0 where there is none.
func (g Revocations) Newest(ctx context.Context) (int64, error) {
	var n int64
	err := g.one(ctx, `SELECT value FROM counters WHERE name = 'revocations'`, nil, &n)
	return n, err
}

// Of gives the entries after one number up to another that concern a site: those
// of people who are or were its members. The session is named only where it was
// one of the site (TE-11).
func (g Revocations) Of(ctx context.Context, siteID string, after, upTo int64, limit int) ([]otl.Revocation, error) {
	return all(ctx, g.group, `SELECT r.seq, r.user_id, CASE WHEN r.site_id = $1 THEN r.session_id ELSE '' END, r.session_version, r.created_at
		FROM revocations r JOIN grants g ON g.user_id = r.user_id AND g.site_id = $1
		WHERE r.seq > $2 AND r.seq <= $3 AND (r.site_id = $1 OR r.session_version > 0) ORDER BY r.seq LIMIT $4`,
		[]any{siteID, after, upTo, limit}, func(r *otl.Revocation) []any {
			return []any{&r.Seq, &r.UserID, &r.SessionID, &r.SessionVersion, at(&r.At)}
		})
}

// Prune deletes entries older than before, at most limit of them, and says how
// many.
func (g Revocations) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE created_at < $1 LIMIT $2)`,
		millis(before), limit)
}
