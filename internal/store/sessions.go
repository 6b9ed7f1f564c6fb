package store

import (
	"context"
	"net/netip"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Sessions is the group of statements about sessions and their refresh tokens.
type Sessions struct{ group }

const sessionColumns = `e.id, e.user_id, e.site_id, e.methods, e.auth_at, e.created_at, e.last_seen_at, e.refresh_by,
	e.expires_at, e.ended_at, e.end_reason, e.ip, e.user_agent, e.refresh_hash, e.refresh_generation,
	e.refresh_previous, e.refresh_nonce, e.refresh_rotated_at, e.refresh_paid_to, e.client, e.scope, e.claims, e.proof_key, e.holder,
	e.handed_by`

func sessionDest(s *otl.Session) []any {
	return []any{
		&s.ID, &s.UserID, &s.SiteID, words(&s.Methods, otl.StoredMethods), at(&s.AuthAt), at(&s.CreatedAt),
		at(&s.LastSeenAt), at(&s.RefreshBy), at(&s.ExpiresAt), at(&s.EndedAt), &s.EndReason, &s.IP, &s.UserAgent,
		&s.Refresh.Digest, &s.Refresh.Generation, &s.Refresh.Previous, &s.Refresh.Nonce, at(&s.Refresh.RotatedAt), at(&s.Refresh.PaidTo),
		&s.Client, &s.Scope, &s.Claims, &s.ProofKey, &s.Holder, &s.HandedBy,
	}
}

// Insert adds a session.
func (g Sessions) Insert(ctx context.Context, s otl.Session) error {
	_, err := g.exec(ctx, `INSERT INTO sessions (id, user_id, site_id, methods, auth_at, created_at, last_seen_at,
		refresh_by, expires_at, end_reason, ip, user_agent, refresh_hash, refresh_generation, client, scope, claims, proof_key, holder, handed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		s.ID, s.UserID, s.SiteID, s.Methods.String(), millis(s.AuthAt), millis(s.CreatedAt), millis(s.LastSeenAt),
		millis(s.RefreshBy), millis(s.ExpiresAt), s.IP, s.UserAgent, s.Refresh.Digest, s.Refresh.Generation, s.Client, s.Scope, s.Claims, s.ProofKey, s.Holder, s.HandedBy)
	return err
}

// Standing is a session with everything that decides whether it still counts.
type Standing struct {
	Session otl.Session
	User    otl.User
	Site    otl.Site
	Grant   otl.Grant
}

// Barred reports whether the person may use no session of this site: he is disabled, or
// asked for his account to be deleted, which he can take back at our own pages alone.
func (s Standing) Barred() bool {
	return !s.User.DisabledAt.IsZero() || !s.User.DeleteAt.IsZero() && !s.Site.FirstParty
}

// Standing gives a session, its person, its site and the grant between them, in
// one read. A deleted site is none.
func (g Sessions) Standing(ctx context.Context, id string) (Standing, error) {
	var st Standing
	dest := append(sessionDest(&st.Session), userDest(&st.User)...)
	dest = append(append(dest, siteDest(&st.Site)...), grantDest(&st.Grant)...)
	err := g.one(ctx, `SELECT `+sessionColumns+`, `+userColumns+`, `+siteColumns+`, `+grantColumns+`
		FROM sessions e
		JOIN users u ON u.id = e.user_id
		JOIN sites s ON s.id = e.site_id AND s.deleted_at IS NULL
		LEFT JOIN grants g ON g.user_id = e.user_id AND g.site_id = e.site_id
		WHERE e.id = $1`, []any{id}, dest...)
	return st, err
}

// Rotate exchanges the refresh token of a live session: what was read of it is replaced
// by r. It reports whether this call did it; of any number of calls that read the same
// exactly one does, for a token that stays the same too, if each pays for its use (SE-10, D15).
func (g Sessions) Rotate(ctx context.Context, id string, was, r otl.Rotation, refreshBy time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE sessions SET refresh_hash = $1, refresh_generation = $2, refresh_previous = $3,
		refresh_nonce = $4, refresh_rotated_at = $5, last_seen_at = $5, refresh_by = $6, refresh_paid_to = $7
		WHERE id = $8 AND refresh_hash = $3 AND refresh_paid_to IS NOT DISTINCT FROM $9 AND ended_at IS NULL`,
		r.Digest, r.Generation, was.Digest, r.Nonce, millis(r.RotatedAt), millis(refreshBy), millis(r.PaidTo), id, millis(was.PaidTo))
	if n == 1 {
		g.changes.rotated(id, r, refreshBy)
	}
	return n == 1, err
}

// Hold writes the digest of the cookie that holds a session which was just inserted.
func (g Sessions) Hold(ctx context.Context, id string, digest []byte) error {
	_, err := g.exec(ctx, `UPDATE sessions SET refresh_hash = $1 WHERE id = $2`, digest, id)
	return err
}

// Seen notes the use of a live session and until when it may stay unused.
func (g Sessions) Seen(ctx context.Context, s otl.Session) error {
	g.changes.person(s.UserID)
	_, err := g.exec(ctx, `UPDATE sessions SET last_seen_at = $1, refresh_by = $2 WHERE id = $3 AND ended_at IS NULL`,
		millis(s.LastSeenAt), millis(s.RefreshBy), s.ID)
	return err
}

// AddMethod notes one more way in which the person of a live session proved who he
// is, now.
func (g Sessions) AddMethod(ctx context.Context, s otl.Session, m otl.Methods, now time.Time) error {
	g.changes.person(s.UserID)
	_, err := g.exec(ctx, `UPDATE sessions SET methods = $1, auth_at = $2 WHERE id = $3 AND ended_at IS NULL`, m.String(), millis(now), s.ID)
	return err
}

// Live gives the sessions of a person that have not ended, newest first, before
// the given id ("" for the newest), on one site or on all of them for "".
func (g Sessions) Live(ctx context.Context, userID, siteID, before string, now time.Time, limit int) ([]otl.Session, error) {
	return all(ctx, g.group, `SELECT `+sessionColumns+` FROM sessions e
		WHERE e.user_id = $1 AND ($2 = '' OR e.site_id = $2) AND ($3 = '' OR e.id < $3) AND e.ended_at IS NULL
		AND e.expires_at > $4 AND e.refresh_by > $4
		ORDER BY e.id DESC LIMIT $5`, []any{userID, siteID, before, millis(now), limit}, sessionDest)
}

// Ended names a session that has just ended.
type Ended struct {
	ID, UserID, SiteID, Client string
	Reason                     otl.EndReason
}

func endedDest(e *Ended) []any { return []any{&e.ID, &e.UserID, &e.SiteID, &e.Client, &e.Reason} }

// End marks one session as ended. It fails with ErrNotFound when the session
// does not exist or had ended.
func (g Sessions) End(ctx context.Context, id string, reason otl.EndReason, now time.Time) (Ended, error) {
	var e Ended
	err := g.one(ctx, `UPDATE sessions SET ended_at = $1, end_reason = $2
		WHERE id = $3 AND ended_at IS NULL RETURNING id, user_id, site_id, client, end_reason`,
		[]any{millis(now), string(reason), id}, endedDest(&e)...)
	g.changes.person(e.UserID)
	return e, err
}

// EndAll marks every session of a person as ended, on one site with those that its session
// tokens opened, or on all of them for "", except the one to keep ("" for none), and names
// them.
func (g Sessions) EndAll(ctx context.Context, userID, siteID, keep string, reason otl.EndReason, now time.Time) ([]Ended, error) {
	g.changes.person(userID)
	return all(ctx, g.group, `UPDATE sessions SET ended_at = $1, end_reason = $2
		WHERE user_id = $3 AND ($4 = '' OR site_id = $4 OR handed_by = $4) AND id <> $5 AND ended_at IS NULL
		RETURNING id, user_id, site_id, client, end_reason`, []any{millis(now), string(reason), userID, siteID, keep}, endedDest)
}

// Overrule gives the browser sessions of a person in whose place others came another reason for
// their end. The row of the person must be locked.
func (g Sessions) Overrule(ctx context.Context, userID string, reason otl.EndReason) error {
	g.changes.person(userID)
	_, err := g.exec(ctx, `UPDATE sessions SET end_reason = $1
		WHERE user_id = $2 AND end_reason = 'superseded' AND site_id = (SELECT site_id FROM installation WHERE id = 1)`, string(reason), userID)
	return err
}

// EndHeld marks a browser session of a person as ended, for one reason, and those that
// clients opened from it, for another, and names them.
func (g Sessions) EndHeld(ctx context.Context, userID, id string, reason, held otl.EndReason, now time.Time) ([]Ended, error) {
	g.changes.person(userID)
	return all(ctx, g.group, `UPDATE sessions SET ended_at = $1, end_reason = CASE WHEN id = $4 THEN $2 ELSE $5 END
		WHERE user_id = $3 AND (id = $4 OR holder = $4 AND holder <> '') AND ended_at IS NULL
		RETURNING id, user_id, site_id, client, end_reason`, []any{millis(now), string(reason), userID, id, string(held)}, endedDest)
}

// LiveFrom reports whether a person has a live session from an address at a site that no other
// site opened.
func (g Sessions) LiveFrom(ctx context.Context, userID, siteID, ip string, now time.Time) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM sessions WHERE user_id = $1 AND ip = $2 AND ended_at IS NULL AND refresh_by > $3 AND site_id = $4 AND handed_by IN ('', $4)`,
		[]any{userID, ip, millis(now), siteID}, &n)
	return n > 0, err
}

// LiveAddresses gives the addresses a person has live sessions from, at most 1000.
func (g Sessions) LiveAddresses(ctx context.Context, userID string, now time.Time) ([]netip.Addr, error) {
	stored, err := all(ctx, g.group, `SELECT DISTINCT ip FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND refresh_by > $2 LIMIT 1000`,
		[]any{userID, millis(now)}, func(s *string) []any { return []any{s} })
	var addrs []netip.Addr
	for _, s := range stored {
		if a, bad := netip.ParseAddr(s); bad == nil { // of some none is known
			addrs = append(addrs, a)
		}
	}
	return addrs, err
}

// Excess gives the live sessions of a person on a site, of those that session tokens of
// another opened or for "" of the others, beyond the newest ones to keep, oldest last.
func (g Sessions) Excess(ctx context.Context, userID, siteID, handedBy string, keep int) ([]string, error) {
	return all(ctx, g.group, `SELECT id FROM sessions
		WHERE user_id = $1 AND site_id = $2 AND handed_by = $3 AND ended_at IS NULL
		ORDER BY id DESC LIMIT 1000 OFFSET $4`, []any{userID, siteID, handedBy, keep},
		func(s *string) []any { return []any{s} })
}

// Faded gives the id up to which sessions say no more from where and with what they were
// opened.
func (g Sessions) Faded(ctx context.Context) (id string, err error) {
	err = g.one(ctx, `SELECT faded FROM installation WHERE id = 1`, nil, &id)
	return id, err
}

// Aged gives sessions behind an id and before another, by id.
func (g Sessions) Aged(ctx context.Context, after, before string, limit int) ([]Ended, error) {
	return all(ctx, g.group, `SELECT id, user_id, site_id, client, end_reason FROM sessions WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3`, []any{after, before, limit}, endedDest)
}

// Fade takes from a session from where and with what it was opened.
func (g Sessions) Fade(ctx context.Context, s Ended) error {
	g.changes.person(s.UserID)
	_, err := g.exec(ctx, `UPDATE sessions SET ip = '', user_agent = '' WHERE id = $1`, s.ID)
	return err
}

// SetFaded notes up to which id that was done.
func (g Sessions) SetFaded(ctx context.Context, id string) error {
	_, err := g.exec(ctx, `UPDATE installation SET faded = $1 WHERE id = 1`, id)
	return err
}

// Prune deletes sessions whose id is older than before: their absolute end is
// long past. It deletes at most limit of them and says how many.
func (g Sessions) Prune(ctx context.Context, before string, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM sessions WHERE id IN
		(SELECT id FROM sessions WHERE id < $1 ORDER BY id LIMIT $2)`, before, limit)
}
