package store

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Messages is the group of statements about messages to people.
type Messages struct{ group }

// StoredMessage is a message with its data as it is kept: sealed.
type StoredMessage struct {
	otl.Message
	Sealed []byte
}

const messageColumns = `id, kind, channel, user_id, site_id, recipient, locale, data, created_at, expires_at,
	state, tries, due_at, settled_at, provider, problem, refused_by`

func messageDest(m *StoredMessage) []any {
	return []any{
		&m.ID, &m.Kind, &m.Channel, text(&m.UserID), &m.SiteID, &m.Recipient, &m.Locale, &m.Sealed, at(&m.CreatedAt), at(&m.ExpiresAt),
		&m.State, &m.Tries, at(&m.DueAt), at(&m.SettledAt), &m.Provider, &m.Problem, words(&m.RefusedBy, refusals),
	}
}

// refusedBy writes refusals as a column holds them: a word says by whom, and the next one, after "=", what was said. A node
// of a program that knows the first ones alone keeps both as words.
func refusedBy(all []otl.Refusal) string {
	var out []string
	for _, one := range all {
		if out = append(out, one.By); one.Said != "" {
			out = append(out, "="+url.QueryEscape(one.Said))
		}
	}
	return strings.Join(out, " ")
}

// refusals reads what refusedBy writes.
func refusals(s string) (all []otl.Refusal) {
	for _, word := range strings.Fields(s) {
		said, is := strings.CutPrefix(word, "=")
		switch {
		case !is:
			all = append(all, otl.Refusal{By: word})
		case len(all) > 0:
			all[len(all)-1].Said, _ = url.QueryUnescape(said) // "" of what nobody wrote
		}
	}
	return all
}

// Insert queues a message, or writes one that is settled already.
func (g Messages) Insert(ctx context.Context, m StoredMessage) error {
	user, id := owner(4, m.UserID, m.ID)
	_, err := g.exec(ctx, `INSERT INTO messages (id, kind, channel, user_id, site_id, recipient, locale, data, created_at, expires_at, state, due_at, settled_at)
		VALUES ($1, $2, $3, `+user+`, $5, $6, $7, $8, $9, $10, $11, $9, $12)`,
		m.ID, string(m.Kind), string(m.Channel), id, m.SiteID, m.Recipient, m.Locale, m.Sealed, millis(m.CreatedAt), millis(m.ExpiresAt),
		string(m.State), millis(m.SettledAt))
	return err
}

// Due reports whether a message of a channel is to be sent by now.
func (g Messages) Due(ctx context.Context, channel otl.Channel, now time.Time) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'waiting' AND due_at <= $1 AND channel = $2 LIMIT 1) AS due`, []any{millis(now), string(channel)}, &n)
	return n > 0, err
}

// mostCounted bounds what is counted of what waits.
const mostCounted = 10000

// Waiting gives how many messages of a channel are to be sent, now or again later, at most 10,000,
// and when the first of them is due.
func (g Messages) Waiting(ctx context.Context, channel otl.Channel) (n int, due time.Time, err error) {
	err = g.one(ctx, `SELECT count(*), min(due_at) FROM
		(SELECT due_at FROM messages WHERE state = 'waiting' AND channel = $1 ORDER BY due_at LIMIT $2) AS due`,
		[]any{string(channel), mostCounted}, &n, at(&due))
	return n, due, err
}

// Claim takes messages of a channel that are due, counts a try and keeps them from other nodes
// until the lease ends. A node that dies meanwhile leaves them to the others.
func (g Messages) Claim(ctx context.Context, channel otl.Channel, now time.Time, lease time.Duration, limit int) ([]StoredMessage, error) {
	return all(ctx, g.group, `UPDATE messages SET due_at = $1, tries = tries + 1
		WHERE state = 'waiting' AND due_at <= $2 AND id IN
			(SELECT id FROM messages WHERE state = 'waiting' AND due_at <= $2 AND channel = $4 ORDER BY due_at LIMIT $3)
		RETURNING `+messageColumns, []any{millis(now.Add(lease)), millis(now), limit, string(channel)}, messageDest)
}

// Settle ends a message if this is still the try it was claimed for. Its data is
// replaced by what Sealed holds by then, and who refused it is forgotten: Problem says what is of use.
func (g Messages) Settle(ctx context.Context, m StoredMessage) (bool, error) {
	n, err := g.exec(ctx, `UPDATE messages SET state = $1, settled_at = $2, provider = $3, problem = $4, data = $5, refused_by = ''
		WHERE id = $6 AND state = 'waiting' AND tries = $7`,
		string(m.State), millis(m.SettledAt), m.Provider, m.Problem, m.Sealed, m.ID, m.Tries)
	return n > 0, err
}

// Drop deletes a message if this is still the try it was claimed for.
func (g Messages) Drop(ctx context.Context, m otl.Message) error {
	_, err := g.exec(ctx, `DELETE FROM messages WHERE id = $1 AND state = 'waiting' AND tries = $2`, m.ID, m.Tries)
	return err
}

// Defer has a message tried again later.
func (g Messages) Defer(ctx context.Context, m otl.Message) error {
	_, err := g.exec(ctx, `UPDATE messages SET due_at = $1, problem = $2, refused_by = $3 WHERE id = $4 AND state = 'waiting' AND tries = $5`,
		millis(m.DueAt), m.Problem, refusedBy(m.RefusedBy), m.ID, m.Tries)
	return err
}

// Postpone has a message looked at again later as if it had not been tried: nobody could be handed it.
func (g Messages) Postpone(ctx context.Context, m otl.Message) error {
	_, err := g.exec(ctx, `UPDATE messages SET due_at = $1, problem = $2, refused_by = $3, tries = tries - 1 WHERE id = $4 AND state = 'waiting' AND tries = $5`,
		millis(m.DueAt), m.Problem, refusedBy(m.RefusedBy), m.ID, m.Tries)
	return err
}

// List gives messages before an id, newest first; those in one state, or all but void
// ones for "".
func (g Messages) List(ctx context.Context, state otl.MessageState, before string, limit int) ([]StoredMessage, error) {
	return all(ctx, g.group, `SELECT `+messageColumns+` FROM messages
		WHERE ($1 = '' AND state <> 'void' OR state = $1) AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`,
		[]any{string(state), before, limit}, messageDest)
}

// Retry has a message that was given up tried again, from the first try on and by every
// provider. It is false for any other, and for one whose data is gone.
func (g Messages) Retry(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE messages SET state = 'waiting', tries = 0, refused_by = '', due_at = $1, settled_at = NULL WHERE id = $2 AND state = 'dead' AND length(data) > 0`,
		millis(now), id)
	return n > 0, err
}

// Prune deletes messages that were settled before a time, at most limit of them,
// and says how many.
func (g Messages) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE settled_at < $1 LIMIT $2)`, millis(before), limit)
}
