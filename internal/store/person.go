package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// SetDeleteAt notes when the account of a person is deleted for good, or, for the zero
// time, that it is not, and reports whether that changed anything.
func (g Users) SetDeleteAt(ctx context.Context, id string, at time.Time) (bool, error) {
	g.changes.person(id)
	n, err := g.exec(ctx, `UPDATE users SET delete_at = $1 WHERE id = $2 AND (delete_at IS NULL) = $3`, millis(at), id, !at.IsZero())
	return n == 1, err
}

// Leaving gives people whose accounts are to be deleted by now, at most limit of them.
func (g Users) Leaving(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return all(ctx, g.group, `SELECT id FROM users WHERE delete_at <= $1 ORDER BY delete_at, id LIMIT $2`, []any{millis(now), limit},
		func(s *string) []any { return []any{s} })
}

// Claim takes a person whose account is to be deleted by now for the rest of the
// transaction, and reports whether there is one: of several nodes that try one does, and
// whoever takes the account back in this moment comes first or finds it gone.
func (g Users) Claim(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE users SET delete_at = delete_at WHERE id = $1 AND delete_at <= $2`, id, millis(now))
	return n == 1, err
}

// OfPerson gives what sites keep of a person, by site.
func (g Records) OfPerson(ctx context.Context, userID string) (map[string]otl.Record, error) {
	type row struct {
		siteID string
		otl.Record
	}
	found, err := all(ctx, g.group, `SELECT site_id, `+recordColumns+` FROM records r WHERE r.user_id = $1`, []any{userID},
		func(r *row) []any { return append([]any{&r.siteID}, recordDest(&r.Record)...) })
	out := map[string]otl.Record{}
	for _, r := range found {
		out[r.siteID] = r.Record
	}
	return out, err
}

// ChangedAt gives when a person's password was set, the zero time where he has none.
func (g Passwords) ChangedAt(ctx context.Context, userID string) (time.Time, error) {
	found, err := all(ctx, g.group, `SELECT changed_at FROM passwords WHERE user_id = $1`, []any{userID}, func(t *time.Time) []any { return []any{at(t)} })
	if err != nil || len(found) == 0 {
		return time.Time{}, err
	}
	return found[0], nil
}

// Membership is a business a person belongs to.
type Membership struct {
	otl.Business
	Role string
}

// OfPerson gives the businesses a person belongs to, by id.
func (g Businesses) OfPerson(ctx context.Context, userID string) ([]Membership, error) {
	return all(ctx, g.group, `SELECT b.id, b.name, b.created_at, m.role FROM businesses b JOIN business_members m ON m.business_id = b.id
		WHERE m.user_id = $1 ORDER BY b.id`, []any{userID}, func(m *Membership) []any { return []any{&m.ID, &m.Name, at(&m.CreatedAt), &m.Role} })
}

// OfPerson gives the messages to a person that are still kept, newest first.
func (g Messages) OfPerson(ctx context.Context, userID string, limit int) ([]StoredMessage, error) {
	return all(ctx, g.group, `SELECT `+messageColumns+` FROM messages WHERE user_id = $1 AND state <> 'void' ORDER BY id DESC LIMIT $2`,
		[]any{userID, limit}, messageDest)
}
