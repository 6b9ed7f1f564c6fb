package session

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Join writes a person's first grant to a site, or the first since he left it, with
// the site's default roles, and gives it.
func (s *Sessions) Join(ctx context.Context, tx *store.Tx, g otl.Grant) (otl.Grant, error) {
	g, err := tx.Grants.Join(ctx, g)
	if err != nil {
		return g, err
	}
	return g, tx.Events.Append(ctx, s.event(otl.EventConsentGranted, g.UserID, g.SiteID, "", map[string]string{otl.DataFields: g.Fields.String()}))
}
