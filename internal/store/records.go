package store

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
)

// Records is the group of statements about what sites keep of people for themselves.
type Records struct{ group }

const recordColumns = `r.external_id, r.data, r.pending_at`

// recordDest scans the columns of a joined record that may be missing.
func recordDest(r *otl.Record) []any {
	return []any{text(&r.ExternalID), text(&r.Data), at(&r.PendingAt)}
}

// Put writes what a site keeps of one of its people. It fails with ErrTaken where
// another of them has the external id.
func (g Records) Put(ctx context.Context, siteID, userID string, r otl.Record) error {
	_, err := g.exec(ctx, `INSERT INTO records (site_id, user_id, external_id, data, pending_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (site_id, user_id) DO UPDATE SET external_id = $3, data = $4, pending_at = $5`,
		siteID, userID, r.ExternalID, r.Data, millis(r.PendingAt))
	return err
}

// Trait keeps a text by which a site finds one of its people, of whom it has a record, under a
// name of its own; "" takes it away.
func (g Records) Trait(ctx context.Context, siteID, userID, name, text string) error {
	if text == "" {
		_, err := g.exec(ctx, `DELETE FROM traits WHERE site_id = $1 AND user_id = $2 AND name = $3`, siteID, userID, name)
		return err
	}
	_, err := g.exec(ctx, `INSERT INTO traits (site_id, user_id, name, value) VALUES ($1, $2, $3, $4)
		ON CONFLICT (site_id, user_id, name) DO UPDATE SET value = $4`, siteID, userID, name, clipped(otl.Fold(text)))
	return err
}

// Labels gives what a site calls the texts that it keeps of its people, where that is not their name, by name.
func (g Records) Labels(ctx context.Context, siteID string) (map[string]string, error) {
	type row struct{ name, label string }
	found, err := all(ctx, g.group, `SELECT name, label FROM attribute_labels WHERE site_id = $1`, []any{siteID}, func(r *row) []any { return []any{&r.name, &r.label} })
	out := map[string]string{}
	for _, r := range found {
		out[r.name] = r.label
	}
	return out, err
}

// Label says what a site calls a text that it keeps of its people; "" for its name.
func (g Records) Label(ctx context.Context, siteID, name, label string) error {
	if label == "" {
		_, err := g.exec(ctx, `DELETE FROM attribute_labels WHERE site_id = $1 AND name = $2`, siteID, name)
		return err
	}
	_, err := g.exec(ctx, `INSERT INTO attribute_labels (site_id, name, label) VALUES ($1, $2, $3)
		ON CONFLICT (site_id, name) DO UPDATE SET label = $3`, siteID, name, label)
	return err
}

// maxTrait is how many code points of a trait are compared: what an index of PostgreSQL has room for.
const maxTrait = 500

func clipped(s string) string {
	if r := []rune(s); len(r) > maxTrait {
		return string(r[:maxTrait])
	}
	return s
}

// Holder gives the id of the one of a site's people whom it calls this, or ErrNotFound.
func (g Records) Holder(ctx context.Context, siteID, externalID string) (id string, err error) {
	err = g.one(ctx, `SELECT user_id FROM records WHERE site_id = $1 AND external_id = $2 AND external_id <> ''`, []any{siteID, externalID}, &id)
	return id, err
}

// Delete forgets what a site keeps of a person, and what it finds him by.
func (g Records) Delete(ctx context.Context, siteID, userID string) error {
	_, err := g.exec(ctx, `DELETE FROM records WHERE site_id = $1 AND user_id = $2`, siteID, userID)
	return err
}
