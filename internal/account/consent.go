package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Consents keeps what people let sites see.
type Consents struct{ *Accounts }

// Consent sets what a person lets a site see, of what the site asks for and what it
// saw so far. The first time it makes him one of the site's people, with the roles
// everybody has there. What he left out is not asked for again (grant.Asked). What the
// site requires must be among it.
func (a Consents) Consent(ctx context.Context, userID string, site otl.Site, chosen otl.Fields) (otl.Grant, error) {
	if len(site.Lacks(chosen)) > 0 {
		return otl.Grant{}, otl.InvalidField("fields", "required", "must hold what the site requires: "+site.Required.String())
	}
	return a.decide(ctx, userID, site, chosen, true)
}

// decide writes what a site may see. Where the person has not let it in he does so by it,
// if joins; otherwise the site is unknown.
func (a Consents) decide(ctx context.Context, userID string, site otl.Site, chosen otl.Fields, joins bool) (g otl.Grant, err error) {
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := a.Now()
		g, err = tx.Grants.Of(ctx, userID, site.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		first := !g.Live()
		if first && !joins {
			return otl.NoSuch("site")
		}
		if first {
			g = otl.Grant{UserID: userID, SiteID: site.ID, CreatedAt: now}
		}
		was := g.Fields
		may := was.With(site.Requested...)
		g.Fields, g.Asked, g.UpdatedAt = nil, may, now
		for _, f := range may {
			if slices.Contains(chosen, f) {
				g.Fields = g.Fields.With(f)
			}
		}
		if first {
			if g, err = a.Sessions.Join(ctx, tx, g); err != nil {
				return err
			}
			return session.TellConnected(ctx, tx, a.Sessions, session.Connection{UserID: userID, Site: site, Fields: g.Fields, Home: a.Factors.Home})
		}
		if err := tx.Grants.Put(ctx, g); err != nil || slices.Equal(was, g.Fields) {
			return err
		}
		if err := tx.Events.Append(ctx, a.event(otl.EventConsentGranted, userID, site.ID, map[string]string{otl.DataFields: g.Fields.String()})); err != nil || len(site.Lacks(g.Fields)) == 0 {
			return err
		}
		_, err = a.Sessions.EndAll(ctx, tx, userID, site.ID, "", otl.EndConsentWithdrawn)
		return err
	})
	return g, err
}

// Connected is a site that a person let in.
type Connected struct {
	Site  otl.Site
	Grant otl.Grant
}

// Sites gives the sites a person let in, by name.
func (a Consents) Sites(ctx context.Context, userID string) ([]Connected, error) {
	grants, err := a.Store.Read.Grants.OfPerson(ctx, userID)
	if err != nil {
		return nil, err
	}
	out := make([]Connected, 0, len(grants))
	for _, g := range grants {
		s, err := a.Store.Read.Sites.ByID(ctx, g.SiteID)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Connected{s, g})
	}
	slices.SortFunc(out, func(a, b Connected) int { return strings.Compare(otl.Fold(a.Site.Name), otl.Fold(b.Site.Name)) })
	return out, nil
}

// Connected gives a site that a person let in. Any other is as unknown as one that never
// was.
func (a Consents) Connected(ctx context.Context, userID, siteID string) (Connected, error) {
	if !secret.ValidID(siteID) {
		return Connected{}, otl.NoSuch("site")
	}
	g, err := a.Granted(ctx, userID, siteID)
	if err != nil {
		return Connected{}, err
	}
	s, err := a.Store.Read.Sites.ByID(ctx, siteID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !g.Live() {
		return Connected{}, otl.NoSuch("site")
	}
	return Connected{s, g}, err
}

// Granted gives what a person let a site see, the zero grant where he never decided.
func (a Consents) Granted(ctx context.Context, userID, siteID string) (otl.Grant, error) {
	g, err := a.Store.Read.Grants.Of(ctx, userID, siteID)
	if errors.Is(err, store.ErrNotFound) {
		return otl.Grant{}, nil
	}
	return g, err
}

// PasswordSince gives when a person's password was set, the zero time where he has none.
func (a Consents) PasswordSince(ctx context.Context, userID string) (time.Time, error) {
	return a.Store.Read.Passwords.ChangedAt(ctx, userID)
}

// Limit sets what a site that a person let in may see from now on. Where he withdraws
// what it requires his sessions there end, and the next sign-in asks for it. A site he
// did not let in is as unknown as one that never was.
func (a Consents) Limit(ctx context.Context, userID, siteID string, chosen otl.Fields) error {
	if !secret.ValidID(siteID) {
		return otl.NoSuch("site")
	}
	site, err := a.Store.Read.Sites.ByID(ctx, siteID)
	if errors.Is(err, store.ErrNotFound) {
		return otl.NoSuch("site")
	}
	if err != nil {
		return err
	}
	_, err = a.decide(ctx, userID, site, chosen, false)
	return err
}

// Readings gives what sites were shown of a person in the last 90 days, the newest day
// first.
func (a Consents) Readings(ctx context.Context, userID string) ([]otl.Reading, error) {
	return a.Ledger.Of(ctx, userID)
}

// Ledgered gives what a person let sites see, the newest decision first.
func (a Consents) Ledgered(ctx context.Context, userID string) ([]otl.Consent, error) {
	return a.Store.Read.Ledger.Consents(ctx, userID)
}

// shownFor is how long the activity of a person is shown to him.
const shownFor = 90 * 24 * time.Hour

// Activity gives what happened to a person's account in the last 90 days, newest first,
// before an event ("" for the newest), and whether there is more. What a clock that was set back says is longer
// ago is among it, where something of those days happened before.
func (a Consents) Activity(ctx context.Context, userID, before string, limit int) ([]otl.Event, bool, error) {
	found, err := a.Store.Read.Events.List(ctx, userID, "", before, limit+1)
	if err != nil {
		return nil, false, err
	}
	since, shown := a.Now().Add(-shownFor), len(found)
	for shown > 0 && found[shown-1].CreatedAt.Before(since) {
		shown--
	}
	if shown < len(found) && len(found) > limit {
		next, err := a.Store.Read.Events.Select(ctx, store.EventQuery{UserID: userID, Before: found[limit].ID, Since: since, Limit: 1})
		if err != nil {
			return nil, false, err
		}
		if len(next) > 0 {
			shown = len(found)
		}
	}
	return found[:min(limit, shown)], shown > limit, nil
}

// Names gives the names of sites by id; one that is gone has its id.
func (a Consents) Names(ctx context.Context, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for _, id := range ids {
		if _, known := out[id]; known || id == "" {
			continue
		}
		s, err := a.Store.Read.Sites.ByID(ctx, id)
		if out[id] = s.Name; errors.Is(err, store.ErrNotFound) {
			out[id], err = id, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
