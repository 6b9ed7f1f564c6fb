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

// Holder gives the id of the one of a site's people whom it calls this, or ErrNotFound.
func (g Records) Holder(ctx context.Context, siteID, externalID string) (id string, err error) {
	err = g.one(ctx, `SELECT user_id FROM records WHERE site_id = $1 AND external_id = $2 AND external_id <> ''`, []any{siteID, externalID}, &id)
	return id, err
}

// Delete forgets what a site keeps of a person.
func (g Records) Delete(ctx context.Context, siteID, userID string) error {
	_, err := g.exec(ctx, `DELETE FROM records WHERE site_id = $1 AND user_id = $2`, siteID, userID)
	return err
}
