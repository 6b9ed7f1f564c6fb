package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Events is the group of statements about what happened.
type Events struct{ group }

const eventColumns = `id, type, user_id, site_id, session_id, data, created_at, actor_kind, actor_id, via, address, request_id, changes, COALESCE(seq, 0), hash, erased`

// eventPlaces are the same columns as they are stored, and what orders those without a place.
const eventPlaces = `id, type, user_id, site_id, session_id, data, created_at, actor_kind, actor_id, via, address, request_id, changes, seq, hash, erased, position`

func eventDest(e *otl.Event) []any {
	return rawDest(e, words(&e.Data, storedData), words(&e.Changes, storedChanges))
}

func rawDest(e *otl.Event, data, changes any) []any {
	return []any{
		&e.ID, &e.Type, &e.UserID, &e.SiteID, &e.SessionID, data, at(&e.CreatedAt),
		&e.By.Kind, &e.By.ID, &e.Via, &e.From, &e.RequestID, changes, &e.Seq, &e.Hash, &e.Erased,
	}
}

// Entry is an event as it is stored, which is what its hash is about: Data and
// Changes are the texts in the database, not what was read from them.
type Entry struct {
	otl.Event
	Data, Changes string
}

func entryDest(e *Entry) []any { return rawDest(&e.Event, &e.Data, &e.Changes) }

// Read gives the entry with its event read from the stored texts.
func (e Entry) Read() Entry {
	e.Event.Data, e.Event.Changes = storedData(e.Data), storedChanges(e.Changes)
	return e
}

// Append writes one event, in the transaction of the change it tells of. Its
// position follows those of every event without a place that is seen from here: so
// what this transaction appended before, or what it waited for, comes before it,
// whatever the clocks of nodes say (AU-07). Where a commit places its events it is
// written with its place, at the end of that (Store.AtLast): the transaction does not see it.
func (g Events) Append(ctx context.Context, e otl.Event) error {
	entry, err := stored(ctx, e)
	if err != nil || g.changes.hold(entry) {
		return err
	}
	g.changes.event()
	return g.Insert(ctx, entry)
}

// AppendLater is Append of what gets its place when the log looks by itself, which is within a tenth of
// a second: what else a request writes does not wait for that, so that it takes as long whatever was
// appended (OT-10). It stands before what is held of the same commit.
func (g Events) AppendLater(ctx context.Context, e otl.Event) error {
	entry, err := stored(ctx, e)
	if err != nil {
		return err
	}
	return g.Insert(ctx, entry)
}

// stored gives an event as it is to be stored, with whose request it came from.
func stored(ctx context.Context, e otl.Event) (Entry, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return Entry{}, err
	}
	changes, err := storeChanges(e.Changes)
	if err != nil {
		return Entry{}, err
	}
	from := otl.RequestOf(ctx)
	e.By, e.Via, e.RequestID = from.Actor(), from.SiteID, from.ID
	if e.From = ""; from.Peer.IsValid() {
		e.From = from.Peer.String()
	}
	return Entry{Event: e, Data: string(data), Changes: changes}, nil
}

func (e *Entry) values() []any {
	return []any{
		e.ID, string(e.Type), e.UserID, e.SiteID, e.SessionID, e.Data, millis(e.CreatedAt),
		string(e.By.Kind), e.By.ID, e.Via, e.From, e.RequestID, e.Changes,
	}
}

const insertEvent = `INSERT INTO events (id, type, user_id, site_id, session_id, data, created_at, actor_kind, actor_id, via, address, request_id, changes, `

// Insert writes an event that has no place yet, behind all those.
func (g Events) Insert(ctx context.Context, e Entry) error {
	_, err := g.exec(ctx, insertEvent+`position)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, COALESCE((SELECT position FROM events WHERE seq IS NULL ORDER BY position DESC LIMIT 1), 0) + 1)`,
		e.values()...)
	return err
}

// InsertPlaced writes events with their places in the log of the installation.
func (g Events) InsertPlaced(ctx context.Context, events []Entry) error {
	return inParts(events, func(part []Entry) error {
		var args []any
		for i := range part {
			args = append(append(args, part[i].values()...), part[i].Seq, part[i].Hash)
		}
		_, err := g.exec(ctx, insertEvent+`seq, hash) VALUES `+rows(len(part), 15), args...)
		return err
	})
}

// Unplaced gives events that have no place in the log yet, in the order in which
// they were appended.
func (g Events) Unplaced(ctx context.Context, limit int) ([]Entry, error) {
	found, err := all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq IS NULL ORDER BY position, id LIMIT $1`, []any{limit}, entryDest)
	for i := range found {
		found[i] = found[i].Read()
	}
	return found, err
}

// Place gives events their places in the log of the installation, once.
func (g Events) Place(ctx context.Context, events []Entry) error {
	return inFull(events, func(part []Entry) error {
		var args []any
		for _, e := range part {
			args = append(args, e.ID, e.Seq, e.Hash)
		}
		_, err := g.exec(ctx, `WITH placed (id, seq, hash) AS (VALUES `+typed("events", "id", "seq", "hash")+rows(len(part), 3)+`)
			UPDATE events SET seq = placed.seq, hash = placed.hash FROM placed WHERE events.id = placed.id AND events.seq IS NULL`, args...)
		return err
	})
}

// After gives events behind a place of the log, in its order.
func (g Events) After(ctx context.Context, seq int64, limit int) ([]otl.Event, error) {
	return all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{seq, limit}, eventDest)
}

// Stored gives entries behind a place of the log up to another, in its order, as
// they are stored.
func (g Events) Stored(ctx context.Context, after, upTo int64, limit int) ([]Entry, error) {
	return all(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`, []any{after, upTo, limit}, entryDest)
}

// Through hands over the entries that Stored gives, each until the next one.
func (g Events) Through(ctx context.Context, after, upTo int64, limit int, do func(*Entry)) error {
	return each(ctx, g.group, `SELECT `+eventColumns+` FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`, []any{after, upTo, limit}, entryDest, do)
}

// Cut removes entries behind a place up to another.
func (g Events) Cut(ctx context.Context, after, upTo int64) error {
	_, err := g.exec(ctx, `DELETE FROM events WHERE seq > $1 AND seq <= $2`, after, upTo)
	return err
}

// Newest gives when the newest entry was made, the zero time where there is none.
func (g Events) Newest(ctx context.Context) (time.Time, error) {
	var made time.Time
	err := g.one(ctx, `SELECT created_at FROM events ORDER BY id DESC LIMIT 1`, nil, at(&made))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return made, err
}

// List gives events before the one with an id ("" for the newest), newest first.
// Naming a person or a site, or both, leaves only their events.
func (g Events) List(ctx context.Context, userID, siteID, before string, limit int) ([]otl.Event, error) {
	return g.Select(ctx, EventQuery{UserID: userID, SiteID: siteID, Before: before, Limit: limit})
}

// EventQuery says which events are wanted.
type EventQuery struct {
	UserID, SiteID string
	Type           otl.EventType
	From           string    // the lowest id, which says from when; "" for any
	Before         string    // the event before which they stand in the log; "" for none
	Since          time.Time // by the clock of its time; zero for any
	Limit          int
}

// Select gives the events a query is for, newest first: in the order of the log, whatever clocks said
// (AU-07), before all those that have no place in it yet, in the order in which they will get one. There are none
// before an event that is not in the log. It is one statement, so that what gets its place meanwhile is neither left out nor
// given twice. From where on it reads the log, where From says so, all events from there on say, and none before: what came
// after a clock was set back can stand anywhere; not the index of places, which is as long as the log.
func (g Events) Select(ctx context.Context, q EventQuery) ([]otl.Event, error) {
	whose, since := "", int64(0)
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	switch {
	case q.UserID != "" && q.SiteID != "":
		whose = `user_id = $4 AND site_id = $5 AND `
	case q.UserID != "":
		whose = `user_id = $4 AND `
	case q.SiteID != "":
		whose = `site_id = $5 AND `
	}
	return all(ctx, g.group, `SELECT `+eventColumns+` FROM (
		SELECT `+eventPlaces+` FROM (SELECT `+eventPlaces+` FROM events WHERE seq IS NULL
			AND (position, id) < (CASE WHEN $1 = '' THEN 9223372036854775807 ELSE (SELECT b.position FROM events b WHERE b.id = $1 AND b.seq IS NULL) END, $1)
			AND id >= $2 AND ($3 = '' OR type = $3) AND ($4 = '' OR user_id = $4) AND ($5 = '' OR site_id = $5) AND created_at >= $6 ORDER BY position DESC, id DESC LIMIT $7) AS first
		UNION ALL SELECT `+eventPlaces+` FROM (SELECT `+eventPlaces+` FROM events WHERE `+whose+`seq >= CASE WHEN $2 = '' THEN 0 ELSE (SELECT min(b.seq + 0) FROM events b WHERE b.id >= $2) END
			AND seq < CASE WHEN $1 = '' THEN 9223372036854775807 ELSE (SELECT COALESCE(b.seq, 9223372036854775807) FROM events b WHERE b.id = $1) END
			AND id >= $2 AND ($3 = '' OR type = $3) AND created_at >= $6 ORDER BY seq DESC LIMIT $7) AS placed) AS page
		ORDER BY seq IS NULL DESC, seq DESC, position DESC, id DESC LIMIT $7`,
		[]any{q.Before, q.From, string(q.Type), q.UserID, q.SiteID, since, q.Limit}, eventDest)
}

// Known reports whether there is an event with an id.
func (g Events) Known(ctx context.Context, id string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM events WHERE id = $1`, []any{id}, &n)
	return n > 0, err
}

func storedData(s string) map[string]string {
	out := map[string]string{}
	_ = json.Unmarshal([]byte(s), &out) // written by Append; a damaged row shows as empty
	return out
}

// storeChanges gives the stored form of changes: "" for none, else a list of
// field, before and after.
func storeChanges(changes []otl.Change) (string, error) {
	if len(changes) == 0 {
		return "", nil
	}
	var rows [][3]string
	for _, c := range changes {
		rows = append(rows, [3]string{c.Field, c.Before, c.After})
	}
	raw, err := json.Marshal(rows)
	return string(raw), err
}

func storedChanges(s string) (out []otl.Change) {
	var rows [][3]string
	_ = json.Unmarshal([]byte(s), &rows) // a damaged row shows as empty
	for _, r := range rows {
		out = append(out, otl.Change{Field: r[0], Before: r[1], After: r[2]})
	}
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

// Span gives where the log of a site begins and ends, as Head does but without
// keeping anybody waiting.
func (g Logs) Span(ctx context.Context, siteID string) (otl.Span, error) {
	var s otl.Span
	err := g.one(ctx, `SELECT pruned, pruned_hash, faded, length, hash FROM chains WHERE site_id = $1`, []any{siteID}, &s.Pruned.Length, &s.Pruned.Hash, &s.Faded, &s.Head.Length, &s.Head.Hash)
	return s, err
}

// Sites gives the sites that have a log, by id, behind one.
func (g Logs) Sites(ctx context.Context, after string, limit int) ([]string, error) {
	return all(ctx, g.group, `SELECT site_id FROM chains WHERE site_id > $1 ORDER BY site_id LIMIT $2`, []any{after, limit}, func(s *string) []any { return []any{s} })
}

// SetHead writes it.
func (g Logs) SetHead(ctx context.Context, siteID string, h otl.Head) error {
	_, err := g.exec(ctx, `INSERT INTO chains (site_id, length, hash) VALUES ($1, $2, $3)
		ON CONFLICT (site_id) DO UPDATE SET length = $2, hash = $3`, siteID, h.Length, h.Hash)
	return err
}

// Hearing is how many events about a person a site is told of.
type Hearing struct {
	SiteID, UserID string
	N              int64
}

// Heard adds numbers of events about people that sites are told of, each pair of
// site and person once, and gives how many they are then.
func (g Logs) Heard(ctx context.Context, more []Hearing) (now []Hearing, err error) {
	err = inParts(more, func(part []Hearing) error {
		var args []any
		for _, h := range part {
			args = append(args, h.SiteID, h.UserID, h.N)
		}
		found, err := all(ctx, g.group, `INSERT INTO site_people (site_id, user_id, heard) VALUES `+rows(len(part), 3)+`
			ON CONFLICT (site_id, user_id) DO UPDATE SET heard = site_people.heard + excluded.heard RETURNING site_id, user_id, heard`, args,
			func(h *Hearing) []any { return []any{&h.SiteID, &h.UserID, &h.N} })
		now = append(now, found...)
		return err
	})
	return now, err
}

// Append adds entries to the logs of sites.
func (g Logs) Append(ctx context.Context, entries []otl.SiteEvent) error {
	return inParts(entries, func(part []otl.SiteEvent) error {
		var args []any
		for _, e := range part {
			args = append(args, e.SiteID, e.Seq, e.Event.ID, e.UserSeq, e.Told, e.Hash)
		}
		_, err := g.exec(ctx, `INSERT INTO site_events (site_id, seq, event_id, user_seq, told, hash) VALUES `+rows(len(part), 6), args...)
		return err
	})
}

const siteEventColumns = `l.site_id, l.seq, l.user_seq, l.told, l.hash,
	e.id, e.type, e.user_id, e.site_id, e.session_id, e.data, e.created_at, e.actor_kind, e.actor_id, e.via, e.address, e.request_id, e.changes, COALESCE(e.seq, 0), e.hash, e.erased`

func siteEventDest(s *otl.SiteEvent) []any {
	return append([]any{&s.SiteID, &s.Seq, &s.UserSeq, &s.Told, &s.Hash}, eventDest(&s.Event)...)
}

// Of gives the entries of a site's log behind a number, in its order; only those
// the site is told of where told is true.
func (g Logs) Of(ctx context.Context, siteID string, after int64, told bool, limit int) ([]otl.SiteEvent, error) {
	return all(ctx, g.group, `SELECT `+siteEventColumns+` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.seq > $2 AND (l.told OR NOT $3) ORDER BY l.seq LIMIT $4`, []any{siteID, after, told, limit}, siteEventDest)
}

// Find gives the entries of a site's log from a place to another that a filter wants, one more
// than its limit; only those the site is told of where told is true.
func (g Logs) Find(ctx context.Context, siteID string, told bool, f otl.LogFilter, span [2]int64) ([]otl.SiteEvent, error) {
	const columns = `SELECT ` + siteEventColumns + ` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.seq >= $2 AND l.seq <= $3 AND (l.told OR NOT $4) AND ($5 = '' OR e.type = $5) AND ($6 = '' OR e.user_id = $6) AND e.created_at >= $7 `
	text := columns + `ORDER BY l.seq LIMIT $8`
	if f.Newest {
		text = columns + `ORDER BY l.seq DESC LIMIT $8`
	}
	since := int64(0)
	if !f.Since.IsZero() {
		since = f.Since.UnixMilli()
	}
	return all(ctx, g.group, text, []any{siteID, span[0], span[1], told, string(f.Type), f.UserID, since, f.Limit + 1}, siteEventDest)
}

// Since gives the place of the first entry of a site's log whose event has an id or one
// behind it, 0 where there is none.
func (g Logs) Since(ctx context.Context, siteID, eventID string) (seq int64, err error) {
	err = g.one(ctx, `SELECT seq FROM site_events WHERE event_id >= $1 AND site_id = $2 ORDER BY event_id LIMIT 1`, []any{eventID, siteID}, &seq)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return seq, err
}

// SiteEntry is an entry of a site's log as it is stored.
type SiteEntry struct {
	otl.SiteEvent
	Data, Changes string
}

// Through hands over entries of a site's log behind a number up to another, in its
// order, as they are stored, each until the next one.
func (g Logs) Through(ctx context.Context, siteID string, after, upTo int64, limit int, do func(*SiteEntry)) error {
	return each(ctx, g.group, `SELECT `+siteEventColumns+` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.seq > $2 AND l.seq <= $3 ORDER BY l.seq LIMIT $4`, []any{siteID, after, upTo, limit}, func(s *SiteEntry) []any {
		return append([]any{&s.SiteID, &s.SiteEvent.Seq, &s.UserSeq, &s.Told, &s.SiteEvent.Hash}, rawDest(&s.Event, &s.Data, &s.Changes)...)
	}, do)
}

// Cut removes the entries of every site's log about events behind a place of the
// installation's log up to another, and gives site, place and hash of each.
func (g Logs) Cut(ctx context.Context, after, upTo int64) ([]otl.SiteEvent, error) {
	return all(ctx, g.group, `DELETE FROM site_events WHERE event_id IN (SELECT id FROM events WHERE seq > $1 AND seq <= $2)
		RETURNING site_id, seq, hash`, []any{after, upTo}, func(s *otl.SiteEvent) []any { return []any{&s.SiteID, &s.Seq, &s.Hash} })
}

// SetBeginning writes up to where a log was pruned.
func (g Logs) SetBeginning(ctx context.Context, siteID string, h otl.Head) error {
	_, err := g.exec(ctx, `UPDATE chains SET pruned = $1, pruned_hash = $2 WHERE site_id = $3`, h.Length, h.Hash, siteID)
	return err
}

// SetFaded writes up to where entries of the installation's log lost their addresses.
func (g Logs) SetFaded(ctx context.Context, seq int64) error {
	_, err := g.exec(ctx, `UPDATE chains SET faded = $1 WHERE site_id = ''`, seq)
	return err
}

// ByEvent gives the entry of an event in the log of a site that is told of it.
func (g Logs) ByEvent(ctx context.Context, siteID, eventID string) (otl.SiteEvent, error) {
	var s otl.SiteEvent
	err := g.one(ctx, `SELECT `+siteEventColumns+` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.event_id = $2 AND l.told`, []any{siteID, eventID}, siteEventDest(&s)...)
	return s, err
}

// Newest gives the number of the newest entry in the log of a site, 0 where there is
// none.
func (g Logs) Newest(ctx context.Context, siteID string) (int64, error) {
	var n int64
	err := g.one(ctx, `SELECT COALESCE(max(length), 0) FROM chains WHERE site_id = $1`, []any{siteID}, &n)
	return n, err
}
