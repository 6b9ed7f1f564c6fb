package factor

import (
	"cmp"
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Places are where people are known.
type Places struct{ *Factors }

// maxPlaces is how many devices of a person Of gives at most.
const maxPlaces = 1000

// At names where a request to a site comes from, if a person is known there: the network
// address, if he has a live session of our own pages from it, or the device that he trusts; ""
// where he is not known. It is the same work for nobody. An address that a site names counts for
// its own sessions alone, or it could ask from where people are signed in at others; and all of
// them are one place, because it may name as many as it likes (D1, PW-11).
func (f Places) At(ctx context.Context, tx *store.Tx, st store.Standing) (string, error) {
	from := otl.RequestOf(ctx)
	if from.Client.IsValid() {
		at, place := f.Home, from.Client.String()
		if from.Named() {
			at, place = st.Site.ID, named(st.Site.ID)
		}
		if live, err := tx.Sessions.LiveFrom(ctx, st.User.ID, at, from.Client.String(), f.Now()); err != nil || live {
			return place, err
		}
	}
	t, err := f.held(ctx, tx, st, from.Device)
	return t.ID, err
}

// Opened names where a request with a session comes from, if that is where the session was
// opened: the network address for one of our own pages, what At names for one that a site
// opened; "" for elsewhere.
func (f Places) Opened(ctx context.Context, s otl.Session) string {
	from := otl.RequestOf(ctx)
	switch {
	case !from.Client.IsValid() || from.Client.String() != s.IP:
		return ""
	case s.SiteID == f.Home && s.HandedBy == "" && !from.Named():
		return s.IP
	}
	return named(cmp.Or(s.HandedBy, s.SiteID))
}

// named is the one place of all addresses that a site names.
func named(siteID string) string { return "site " + siteID }

// Knows reports whether a person is known where a request to a site comes from.
func (f Places) Knows(ctx context.Context, tx *store.Tx, st store.Standing) (bool, error) {
	place, err := f.At(ctx, tx, st)
	return place != "", err
}

// Trusts reports whether a request to a site comes from a device that a person trusts there,
// however long the site would have it spare him the second step.
func (f Places) Trusts(ctx context.Context, tx *store.Tx, st store.Standing) (bool, error) {
	t, err := f.held(ctx, tx, st, otl.RequestOf(ctx).Device)
	return t.ID != "", err
}

// Of gives every place that At and Opened may name of a person, at most 1000 of each kind.
func (f Places) Of(ctx context.Context, tx *store.Tx, userID string) ([]string, error) {
	addresses, err := tx.Sessions.LiveAddresses(ctx, userID, f.Now())
	if err != nil {
		return nil, err
	}
	devices, err := tx.Tickets.Of(ctx, userID, otl.PurposeDevice, "", f.Now(), maxPlaces)
	if err != nil {
		return nil, err
	}
	sites, err := tx.Grants.OfPerson(ctx, userID)
	out := []string{named(f.Home)}
	for _, g := range sites {
		out = append(out, named(g.SiteID))
	}
	for _, a := range addresses {
		out = append(out, a.String())
	}
	for _, d := range devices {
		out = append(out, d.ID)
	}
	return out, err
}
