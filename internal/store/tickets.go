package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Tickets is the group of statements about one-time secrets: there is no other
// table and no other place for them.
type Tickets struct{ group }

const ticketColumns = `id, purpose, user_id, site_id, slot, channel, tries, data, created_at, expires_at, used_at, newcomer`

// opens leaves out what stands for nobody and opens nothing.
const opens = `(user_id IS NOT NULL OR newcomer)`

func ticketDest(t *otl.Ticket, data *string) []any {
	return []any{
		&t.ID, &t.Purpose, text(&t.UserID), &t.SiteID, &t.Slot, &t.Channel, &t.Tries, data, at(&t.CreatedAt), at(&t.ExpiresAt), at(&t.UsedAt), &t.Newcomer,
	}
}

// ticket runs a statement that gives one ticket, and what else dest is for.
func (g Tickets) ticket(ctx context.Context, statement string, args []any, more ...any) (otl.Ticket, error) {
	var t otl.Ticket
	var data string
	if err := g.one(ctx, statement, args, append(ticketDest(&t, &data), more...)...); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(data), &t.Data)
}

// Insert adds a ticket, known by the digests of its secret and of its code, if it has them.
// It takes the place of the one that the person has for the same purpose
// at the same site in the same slot (OT-04), in one statement; the secret of that one can be
// used until CrossedUntil if what goes with both is the same. One without a person opens
// nothing, but for a newcomer's: it is written where nobody was found, so that it takes as long, and in a slot
// takes the place of nobody's before it.
func (g Tickets) Insert(ctx context.Context, t otl.Ticket, digest, code []byte) error {
	data, err := json.Marshal(t.Data)
	if err != nil {
		return err
	}
	if digest == nil {
		digest = []byte("no secret " + t.ID) // no digest is so long; beside its neighbours it is one page less to write than a random one
	}
	place := `(user_id, purpose, site_id, slot) WHERE used_at IS NULL`
	if t.UserID == "" && t.Slot != "" {
		place = `(slot, purpose, site_id) WHERE user_id IS NULL AND used_at IS NULL AND slot <> ''`
	}
	user, id := owner(3, t.UserID, t.ID)
	_, err = g.exec(ctx, `INSERT INTO tickets (id, purpose, user_id, site_id, channel, digest, code, data, created_at, expires_at, slot, code_until, newcomer)
		VALUES ($1, $2, `+user+`, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14)
		ON CONFLICT `+place+` DO UPDATE
		SET id = $1, channel = $5, digest = $6, code = $7, data = $8, created_at = $9, expires_at = $10, tries = 0, code_until = $12, newcomer = $14,
			crossed = CASE WHEN tickets.created_at < $13 AND tickets.data = $8 THEN tickets.digest END, crossed_until = CASE WHEN tickets.expires_at < $13 THEN tickets.expires_at ELSE $13 END`,
		t.ID, string(t.Purpose), id, t.SiteID, string(t.Channel), digest, orNone(code), string(data), millis(t.CreatedAt), millis(t.ExpiresAt), t.Slot,
		millis(t.CodeUntil), millis(t.CrossedUntil), t.Newcomer)
	return err
}

// owner gives the value of a reference to a person in parameter n, and its argument.
// Where there is nobody a person is looked for all the same, by an id that nobody has:
// the engine looks for one that is referred to, and it is to take as long (OT-10).
func owner(n int, userID, nobodys string) (value, arg string) {
	value = "$" + strconv.Itoa(n)
	if userID == "" {
		return "(SELECT id FROM users WHERE id = " + value + ")", nobodys
	}
	return value, userID
}

// orNone is the stored form of bytes that may be missing.
func orNone(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Live gives a ticket that can be used at the given time, or ErrNotFound.
func (g Tickets) Live(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets
		WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 AND `+opens,
		[]any{digest, string(p), millis(now)})
}

// Use uses a ticket up and gives it, or ErrNotFound: of any number of calls with
// one secret exactly one succeeds (MN-01).
func (g Tickets) Use(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	return g.ticket(ctx, `UPDATE tickets SET used_at = $1
		WHERE digest = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $1 AND `+opens+`
		RETURNING `+ticketColumns, []any{millis(now), digest, string(p)})
}

// Crossed gives the ticket that took the place of the one with this digest, as long as
// that one can be used in its stead, or ErrNotFound.
func (g Tickets) Crossed(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets
		WHERE crossed = $1 AND purpose = $2 AND used_at IS NULL AND crossed_until > $3 AND `+opens,
		[]any{digest, string(p), millis(now)})
}

// Replacing gives the ticket that took the place of the one with a secret, whatever became
// of it, or ErrNotFound.
func (g Tickets) Replacing(ctx context.Context, p otl.Purpose, digest []byte) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets WHERE crossed = $1 AND purpose = $2 AND `+opens, []any{digest, string(p)})
}

// UseCrossed uses such a ticket up: of any number of calls with either secret exactly
// one succeeds.
func (g Tickets) UseCrossed(ctx context.Context, p otl.Purpose, digest []byte, now time.Time) (otl.Ticket, error) {
	return g.ticket(ctx, `UPDATE tickets SET used_at = $1
		WHERE crossed = $2 AND purpose = $3 AND used_at IS NULL AND crossed_until > $1 AND `+opens+`
		RETURNING `+ticketColumns, []any{millis(now), digest, string(p)})
}

// Guess counts a guess at the code of the ticket in a slot of a person for a purpose
// at a site, and gives the ticket with the digest of its code. Where slots of nobody's are
// named, it is the newest ticket of all of them, which is the person's or nobody's: what only
// seemed to be sent took the place of what was sent before, and in one statement it is the same
// work whoever it is (OT-10). It is ErrNotFound when there is none that can be used, or most
// guesses were made: of any number of guesses at once no more are let through than one after
// the other would be (OT-06). On PostgreSQL the ticket stays locked until the transaction ends.
func (g Tickets) Guess(ctx context.Context, userID string, p otl.Purpose, siteID, slot string, now time.Time, most int, nobodys []string) (otl.Ticket, []byte, error) {
	const own = `user_id = $1 AND purpose = $2 AND site_id = $3 AND slot = $4 AND used_at IS NULL`
	which, args := own, []any{userID, string(p), siteID, slot, millis(now), most}
	if len(nobodys) > 0 {
		which = `id = (SELECT id FROM (SELECT id, created_at FROM tickets WHERE ` + own + ` UNION ALL
			SELECT id, created_at FROM tickets WHERE user_id IS NULL AND slot <> '' AND slot IN ($7, $8) AND purpose = $2 AND site_id = $3 AND used_at IS NULL)
			AS placed ORDER BY created_at DESC, id DESC LIMIT 1) AND used_at IS NULL`
		args = append(args, nobodys[0], nobodys[len(nobodys)-1])
	}
	var code []byte
	t, err := g.ticket(ctx, `UPDATE tickets SET tries = tries + 1
		WHERE `+which+` AND expires_at > $5 AND COALESCE(code_until, expires_at) > $5 AND tries < $6 AND code IS NOT NULL
		RETURNING `+ticketColumns+`, code`, args, &code)
	return t, code, err
}

// GuessIn counts a guess at the code of a ticket that was sent to a person for a flow, unless it is
// the one with an id, and gives the ticket with the digest of its code; member is what the ticket's
// data calls the flow. As with Guess it is ErrNotFound when there is none that can be used, or
// most guesses were made.
func (g Tickets) GuessIn(ctx context.Context, id, member, userID string, p otl.Purpose, siteID, but string, now time.Time, most int) (otl.Ticket, []byte, error) {
	var code []byte
	t, err := g.ticket(ctx, `UPDATE tickets SET tries = tries + 1
		WHERE user_id = $1 AND purpose = $2 AND site_id = $3 AND slot = '' AND used_at IS NULL AND id <> $4 AND data LIKE $5
			AND expires_at > $6 AND COALESCE(code_until, expires_at) > $6 AND tries < $7 AND code IS NOT NULL
		RETURNING `+ticketColumns+`, code`,
		[]any{userID, string(p), siteID, but, `%"` + member + `":"` + id + `"%`, millis(now), most}, &code)
	return t, code, err
}

// Newest gives the latest ticket that a person was given for a purpose at a site in
// a slot, in whatever state. One that is unused is the latest, whatever clocks say: it took the place of the others.
func (g Tickets) Newest(ctx context.Context, userID string, p otl.Purpose, siteID, slot string) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets WHERE user_id = $1 AND purpose = $2 AND site_id = $3 AND slot = $4
		ORDER BY used_at IS NOT NULL, created_at DESC, id DESC LIMIT 1`, []any{userID, string(p), siteID, slot})
}

// Spent gives a ticket that was used, or ErrNotFound.
func (g Tickets) Spent(ctx context.Context, p otl.Purpose, digest []byte) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets WHERE digest = $1 AND purpose = $2 AND used_at IS NOT NULL`, []any{digest, string(p)})
}

// Any gives a ticket in whatever state, or ErrNotFound.
func (g Tickets) Any(ctx context.Context, p otl.Purpose, digest []byte) (otl.Ticket, error) {
	return g.ticket(ctx, `SELECT `+ticketColumns+` FROM tickets WHERE digest = $1 AND purpose = $2 AND `+opens, []any{digest, string(p)})
}

// Note writes what goes with a ticket anew.
func (g Tickets) Note(ctx context.Context, t otl.Ticket) error {
	data, err := json.Marshal(t.Data)
	if err != nil {
		return err
	}
	_, err = g.exec(ctx, `UPDATE tickets SET data = $1 WHERE id = $2`, string(data), t.ID)
	return err
}

// Try counts a guess at what a ticket asks for besides its secret, and gives the
// ticket. It is ErrNotFound when it cannot be used, or most guesses were made: of any
// number of guesses at once no more are let through than one after the other would
// be. On PostgreSQL the ticket stays locked until the transaction ends.
func (g Tickets) Try(ctx context.Context, p otl.Purpose, digest []byte, now time.Time, most int) (otl.Ticket, error) {
	return g.ticket(ctx, `UPDATE tickets SET tries = tries + 1
		WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 AND tries < $4 AND user_id IS NOT NULL
		RETURNING `+ticketColumns, []any{digest, string(p), millis(now), most})
}

// Count gives how many tickets a person has for a purpose that can be used.
func (g Tickets) Count(ctx context.Context, userID string, p otl.Purpose, now time.Time) (int, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM tickets WHERE user_id = $1 AND purpose = $2 AND `+unused+` AND expires_at > $3`,
		[]any{userID, string(p), millis(now)}, &n)
	return n, err
}

// Spend uses up a ticket whose code was guessed right, and reports whether it was
// the first to.
func (g Tickets) Spend(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE tickets SET used_at = $1 WHERE id = $2 AND used_at IS NULL`, millis(now), id)
	return n == 1, err
}

// unused leads to the index tickets_live, past all that a person has used up: by itself SQLite
// takes the one of all he ever had for a purpose. Every id of a site is behind "".
const unused = `site_id >= '' AND used_at IS NULL`

// Of gives the tickets of a person for a purpose at a site or, for "", at any, that can be
// used, the latest first, at most limit of them.
func (g Tickets) Of(ctx context.Context, userID string, p otl.Purpose, siteID string, now time.Time, limit int) ([]otl.Ticket, error) {
	type row struct {
		otl.Ticket
		data string
	}
	rows, err := all(ctx, g.group, `SELECT `+ticketColumns+` FROM tickets
		WHERE user_id = $1 AND purpose = $2 AND `+unused+` AND ($3 = '' OR site_id = $3) AND expires_at > $4 ORDER BY id DESC LIMIT $5`,
		[]any{userID, string(p), siteID, millis(now), limit}, func(r *row) []any { return ticketDest(&r.Ticket, &r.data) })
	out := make([]otl.Ticket, len(rows))
	for i := range rows {
		if err := json.Unmarshal([]byte(rows[i].data), &rows[i].Data); err != nil {
			return nil, err
		}
		out[i] = rows[i].Ticket
	}
	return out, err
}

// Drop is Void of one ticket of a person for a purpose. It gives it, or ErrNotFound where it could not be used
// any more.
func (g Tickets) Drop(ctx context.Context, userID string, p otl.Purpose, id string, now time.Time) (otl.Ticket, error) {
	return g.ticket(ctx, `UPDATE tickets SET used_at = $1, expires_at = $1 WHERE id = $2 AND user_id = $3 AND purpose = $4 AND used_at IS NULL AND expires_at > $1
		RETURNING `+ticketColumns, []any{millis(now), id, userID, string(p)})
}

// Void makes every ticket of a person for a purpose worthless. It expires with that, and was
// not used: one that was used had not expired then. Those at one site may be left, "" leaves none.
func (g Tickets) Void(ctx context.Context, userID string, p otl.Purpose, left string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET used_at = $1, expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END
		WHERE user_id = $2 AND purpose = $3 AND `+unused+` AND ($4 = '' OR site_id <> $4)`, millis(now), userID, string(p), left)
	return err
}

// VoidNewcomers is Void of all links and their codes that name an address and no person.
func (g Tickets) VoidNewcomers(ctx context.Context, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET used_at = $1, expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END
		WHERE user_id IS NULL AND newcomer AND `+unused, millis(now))
	return err
}

// VoidChanges makes every change of an address or a number of a person worthless that
// waits to be proven.
func (g Tickets) VoidChanges(ctx context.Context, userID string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET used_at = $1 WHERE user_id = $2 AND purpose IN ('email_change', 'phone_change') AND `+unused,
		millis(now), userID)
	return err
}

// VoidProofs makes worthless what keeps a proof of a person for later, at one site or, for
// "", at whichever: devices he trusts, second steps under way, session tokens, and those of one purpose more.
func (g Tickets) VoidProofs(ctx context.Context, userID, siteID string, more otl.Purpose, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE tickets SET expires_at = $1 WHERE user_id = $2 AND purpose IN ('trusted_device', 'second_step', 'session_token', $4)
		AND `+unused+` AND ($3 = '' OR site_id = $3) AND expires_at > $1`, millis(now), userID, siteID, string(more))
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

// Prune deletes tickets that expired before a time, at most limit of them, and
// says how many.
func (g Tickets) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE expires_at < $1 LIMIT $2)`, millis(before), limit)
}
