package signin

import (
	"context"
	"net/netip"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// placesKept is how long at most it is remembered what somebody signed in from.
const placesKept = 90 * 24 * time.Hour

// announce tells a person of a sign-in at our own pages from what he has not signed in from
// lately: a browser, as far as they are told apart by what they call themselves (their kind
// and system, not their version), or a network, by the part of an address that a provider
// has rather than a household, which gets another one every day. The first sign-in of all is
// no news, nor is one by what went to the mailbox that would be told, nor one on a device
// that he trusts. More than a few a day are noise. First says that he never came before.
func announce(ctx context.Context, tx *store.Tx, s *SecondStep, p Proved, first bool) error {
	from := otl.RequestOf(ctx)
	if !from.Client.IsValid() {
		return nil
	}
	key := s.Factors.Master.Derive("places")
	browser, network := place(key, p.User.ID, "browser "+otl.Agent(from.UserAgent)), place(key, p.User.ID, "network "+provider(from.Client))
	known, err := tx.SeenPlaces.Known(ctx, p.User.ID, browser, network)
	for _, one := range [][]byte{browser, network} {
		if err == nil {
			err = tx.SeenPlaces.See(ctx, p.User.ID, one, s.Now())
		}
	}
	way := p.Methods.Way()
	if err != nil || known || first || way == otl.WayCode || way == otl.WayLink {
		return err
	}
	if trusted, err := places(s).Trusts(ctx, tx, p.Standing); err != nil || trusted {
		return err
	}
	if err := s.Limits.TakeIn(ctx, tx, limit.Use{Rate: limit.NewDevices, By: []string{p.User.ID}}); err != nil {
		if otl.As(err).Kind == otl.Limited {
			return nil
		}
		return err
	}
	return s.Factors.Messages.Mail(ctx, tx, otl.MessageNewDevice, p.User, p.Site.ID, nil)
}

// place is what is kept of one: keyed, because there are so few.
func place(key []byte, userID, what string) []byte {
	return secret.CodeDigest(key, what, userID)[:16]
}

// provider gives the part of an address that tells the network of a provider.
func provider(a netip.Addr) string {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 16
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// grant lets the site of a proof see what firstGrant says. Where that connects the site to the account its person is
// told, who may not know that it did: but not by a mail after the one whose code or link he has just used there, which named it. That of a
// newcomer names to whoever has an account not what the site sees of him.
func grant(ctx context.Context, tx *store.Tx, s *SecondStep, p *Proved) (err error) {
	was := p.Grant.Live()
	if p.Grant, err = firstGrant(ctx, tx, s.Sessions, p.Standing, s.Now()); err != nil || was || p.Site.FirstParty {
		return err
	}
	if way := p.Methods.Way(); !p.known && (way == otl.WayCode || way == otl.WayLink) {
		return nil
	}
	return session.TellConnected(ctx, tx, s.Sessions, session.Connection{UserID: p.User.ID, Site: p.Site, Fields: p.Grant.Fields, Home: s.Factors.Home})
}
