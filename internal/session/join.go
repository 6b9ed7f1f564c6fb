package session

import (
	"context"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
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

// Connection is a site that a person connected to his account, or connects no more.
type Connection struct {
	UserID string
	Site   otl.Site
	Fields otl.Fields // that the site sees
	Home   string     // id of the first-party site, in whose name he is told
}

// TellConnected tells a person by mail which site was connected to his account and what it sees. It is
// told by the server, not in the look of the site: that would word what warns of itself. Who connects
// one over and over is told three times a day; of no other site is he told less for that.
func TellConnected(ctx context.Context, tx *store.Tx, s *Sessions, c Connection) error {
	return c.tell(ctx, tx, s, otl.MessageSiteConnected)
}

// TellLeft tells a person by mail which site is connected to his account no more. The rest is as in TellConnected.
func TellLeft(ctx context.Context, tx *store.Tx, s *Sessions, c Connection) error {
	return c.tell(ctx, tx, s, otl.MessageSiteLeft)
}

func (c Connection) tell(ctx context.Context, tx *store.Tx, s *Sessions, kind otl.MessageKind) error {
	u, err := tx.Users.ByID(ctx, c.UserID)
	if err != nil || u.EmailVerifiedAt.IsZero() {
		return err
	}
	err = s.Limits.TakeIn(ctx, tx, limit.Use{Rate: limit.Connections, By: []string{u.ID, c.Site.ID, string(kind)}})
	if err != nil && otl.As(err).Kind == otl.Limited {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Messages.Mail(ctx, tx, kind, u, c.Home, map[string]string{message.DataName: c.Site.Name, message.DataShared: c.Fields.String()})
}
