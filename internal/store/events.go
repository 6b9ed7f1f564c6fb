package store

import (
	"context"
	"encoding/json"

	"github.com/onetimelogin/otl/internal/otl"
)

// Events is the group of statements about what happened.
type Events struct{ group }

const eventColumns = `id, type, user_id, site_id, session_id, data, created_at, COALESCE(seq, 0), hash`

func eventDest(e *otl.Event) []any {
	return []any{&e.ID, &e.Type, &e.UserID, &e.SiteID, &e.SessionID, words(&e.Data, storedData), at(&e.CreatedAt), &e.Seq, &e.Hash}
}

// Append writes one event, in the transaction of the change it tells of. Its
// position follows those of every event without a place that is seen from here: so
// what this transaction appended before, or what it waited for, comes before it,
// whatever the clocks of nodes say (AU-07).
func (g Events) Append(ctx context.Context, e otl.Event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return err
	}
	g.changes.event()
	_, err = g.exec(ctx, `INSERT INTO events (id, type, user_id, site_id, session_id, data, created_at, position)
		VALUES ($1, $2, $3, $4, $5, $6, $7, COALESCE((SELECT position FROM events WHERE seq IS NULL ORDER BY position DESC LIMIT 1), 0) + 1)`,
		e.ID, string(e.Type), e.UserID, e.SiteID, e.SessionID, string(data), millis(e.CreatedAt))
	return err
}

// Unplaced gives events that have no place in the log yet, in the order in which
// they were appended.
func (g Events) Unplaced(ctx context.Context, limit int) ([]otl.Event, error) {
	return all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq IS NULL ORDER BY position, id LIMIT $1`, []any{limit}, eventDest)
}

// Place gives an event its place in the log of the installation, once.
func (g Events) Place(ctx context.Context, e otl.Event) error {
	_, err := g.exec(ctx, `UPDATE events SET seq = $1, hash = $2 WHERE id = $3 AND seq IS NULL`, e.Seq, e.Hash, e.ID)
	return err
}

// After gives events behind a place of the log, in its order.
func (g Events) After(ctx context.Context, seq int64, limit int) ([]otl.Event, error) {
	return all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{seq, limit}, eventDest)
}

// List gives events before the given id ("" for the newest), newest first.
// Naming a person or a site, or both, leaves only their events.
func (g Events) List(ctx context.Context, userID, siteID, before string, limit int) ([]otl.Event, error) {
	if before == "" {
		before = "evt_~" // after every id
	}
	const columns = `SELECT ` + eventColumns + ` FROM events `
	const order = ` AND id < $1 ORDER BY id DESC LIMIT $2`
	text, args := columns+`WHERE true`+order, []any{before, limit}
	switch {
	case userID != "" && siteID != "":
		text, args = columns+`WHERE user_id = $3 AND site_id = $4`+order, append(args, userID, siteID)
	case userID != "":
		text, args = columns+`WHERE user_id = $3`+order, append(args, userID)
	case siteID != "":
		text, args = columns+`WHERE site_id = $3`+order, append(args, siteID)
	}
	return all(ctx, g.group, text, args, eventDest)
}

func storedData(s string) map[string]string {
	out := map[string]string{}
	_ = json.Unmarshal([]byte(s), &out) // written by Append; a damaged row shows as empty
	return out
}

// Logs is the group of statements about the logs: the one of the installation and
// those of its sites.
type Logs struct{ group }

// Head gives how long the log of a site is and the hash of its newest entry; ""
// is the installation, whose row stays locked until the end of the transaction.
func (g Logs) Head(ctx context.Context, siteID string) (otl.Head, error) {
	var h otl.Head
	err := g.one(ctx, `UPDATE chains SET length = length WHERE site_id = $1 RETURNING length, hash`, []any{siteID}, &h.Length, &h.Hash)
	return h, err
}

// SetHead writes it.
func (g Logs) SetHead(ctx context.Context, siteID string, h otl.Head) error {
	_, err := g.exec(ctx, `INSERT INTO chains (site_id, length, hash) VALUES ($1, $2, $3)
		ON CONFLICT (site_id) DO UPDATE SET length = $2, hash = $3`, siteID, h.Length, h.Hash)
	return err
}

// Heard counts one more event about a person that a site is told of, and gives its
// number.
func (g Logs) Heard(ctx context.Context, siteID, userID string) (int64, error) {
	var n int64
	err := g.one(ctx, `INSERT INTO site_people (site_id, user_id, heard) VALUES ($1, $2, 1)
		ON CONFLICT (site_id, user_id) DO UPDATE SET heard = site_people.heard + 1 RETURNING heard`, []any{siteID, userID}, &n)
	return n, err
}

// Append adds an entry to the log of a site.
func (g Logs) Append(ctx context.Context, e otl.SiteEvent) error {
	_, err := g.exec(ctx, `INSERT INTO site_events (site_id, seq, event_id, user_seq, told, hash) VALUES ($1, $2, $3, $4, $5, $6)`,
		e.SiteID, e.Seq, e.Event.ID, e.UserSeq, e.Told, e.Hash)
	return err
}

const siteEventColumns = `l.site_id, l.seq, l.user_seq, l.told, l.hash,
	e.id, e.type, e.user_id, e.site_id, e.session_id, e.data, e.created_at, COALESCE(e.seq, 0), e.hash`

func siteEventDest(s *otl.SiteEvent) []any {
	return append([]any{&s.SiteID, &s.Seq, &s.UserSeq, &s.Told, &s.Hash}, eventDest(&s.Event)...)
}

// Of gives the entries of a site's log behind a number, in its order; only those
// the site is told of where told is true.
func (g Logs) Of(ctx context.Context, siteID string, after int64, told bool, limit int) ([]otl.SiteEvent, error) {
	return all(ctx, g.group, `SELECT `+siteEventColumns+` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.seq > $2 AND (l.told OR NOT $3) ORDER BY l.seq LIMIT $4`, []any{siteID, after, told, limit}, siteEventDest)
}
