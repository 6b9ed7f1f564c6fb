package account_test

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// invited sends a link to an address, in the name of a site, that of a newcomer where it is none of the site's people, and gives its secret.
func invited(t *testing.T, w *otltest.World, s otl.Site, address string) string {
	t.Helper()
	w.Clock.Advance(time.Minute)
	if _, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{CodeRequest: signin.CodeRequest{
		Site: s, Who: signin.Identifier{Type: signin.ByEmail, Value: address}, Channel: otl.ChannelMail, Known: true, Newcomer: true, Redirect: "https://notes.test/callback",
	}}); err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(w.Newest(t, address).Link, "/l/")
	return token
}

// presses follows such a link and has the site redeem its code.
func presses(ctx context.Context, t *testing.T, w *otltest.World, s otl.Site, token string) signin.Proven {
	t.Helper()
	to, err := w.Codes.Confirm(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{
		Site: s, Code: secret.NewText(u.Query().Get("code")), Add: account.Newcomers{Accounts: w.Accounts}.Of(s),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPR05_ALinkToANewcomerKeepsNoAddress: that it was opened or refused is in the log, but not from where and with what browser, which
// belongs to nobody who could have it erased, and which no site is to read of whoever it only wrote to. Of its own people's links it
// stands there, and goes with them. Nor is it kept to where the mail went, once it has, and its tickets are pruned.
func TestPR05_ALinkToANewcomerKeepsNoAddress(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			var at string
			w := otltest.New(t, e, func(o *node.Options) { at = o.Store.URL })
			ip := netip.MustParseAddr("203.0.113.77")
			ctx := otl.WithRequest(t.Context(), &otl.Request{ID: "r1", Peer: ip, Client: ip, UserAgent: "CanaryBrowser/1"})
			look := func(token, how string) {
				t.Helper()
				if _, err := w.Codes.Look(ctx, token, how); err != nil {
					t.Fatal(err)
				}
			}
			entries := func(of otl.Site, want int, with bool) {
				t.Helper()
				all, err := w.Store.Read.Events.List(t.Context(), "", of.ID, "", 100)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, e := range all {
					if e.Type != otl.EventLinkOpened && e.Type != otl.EventLinkDenied {
						continue
					}
					n++
					opened := e.Type == otl.EventLinkOpened && with
					if (e.From == ip.String()) != with || (e.Data[otl.DataIP] == ip.String()) != opened || (e.Data[otl.DataUserAgent] == "CanaryBrowser/1") != opened ||
						e.RequestID != "r1" || e.By.Kind != otl.ActorAnybody || (e.UserID != "") != with {
						t.Errorf("%+v", e)
					}
				}
				if n != want {
					t.Errorf("%d entries, want %d", n, want)
				}
			}
			token := invited(t, w, w.Notes.Site, "fresh@dev.test")
			look(token, "")
			look(token, "prefetch")
			if err := w.Codes.Deny(ctx, token); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Codes.Look(ctx, token, ""); err == nil {
				t.Error("what was refused opens")
			}
			token = invited(t, w, w.Notes.Site, "fresh@dev.test")
			look(token, "")
			id := presses(ctx, t, w, w.Notes.Site, token).Ticket.UserID
			entries(w.Notes.Site, 5, false)
			jane := proven(t, w, "jane@dev.test", w.Shop.Site)
			token = invited(t, w, w.Shop.Site, "jane@dev.test")
			look(token, "")
			if err := w.Codes.Deny(ctx, token); err != nil {
				t.Fatal(err)
			}
			entries(w.Shop.Site, 2, true)
			w.Deliver(t)
			w.Clock.Advance(26 * time.Hour)
			if err := w.Accounts.PruneTickets(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{id, jane.ID} {
				if err := (account.Erasures{Accounts: w.Accounts}).Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			w.Deliver(t)
			if err := w.Events.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			gone(t, stored(t, e, at), "CanaryBrowser", ip.String(), "fresh@dev.test")
		})
	}
}

// TestWhoHasAnAccountIsToldWhatALinkToANewcomerConnected, and what the site sees: the mail of the link is the same for everybody, and
// says nothing of what whoever has an account lets it see. Whoever is added by it is told nothing more, nor who has connected the site meanwhile.
func TestWhoHasAnAccountIsToldWhatALinkToANewcomerConnected(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		proven(t, w, "jane@dev.test", w.Shop.Site)
		ann := proven(t, w, "ann@dev.test")
		for address, want := range map[string]int{"jane@dev.test": 1, "ann@dev.test": 0, "fresh@dev.test": 0} {
			token := invited(t, w, w.Notes.Site, address)
			if address == ann.Email.Address { // she connects the site before she presses
				if _, err := (account.Consents{Accounts: w.Accounts}).Consent(t.Context(), ann.ID, w.Notes.Site, otl.MinimalFields()); err != nil {
					t.Fatal(err)
				}
			}
			heard(t, w, address)
			if p := presses(t.Context(), t, w, w.Notes.Site, token); p.Added != (address == "fresh@dev.test") {
				t.Errorf("%s: added %v", address, p.Added)
			}
			told := heard(t, w, address)
			if len(told) != want {
				t.Errorf("%s: %+v", address, told)
			}
			for _, l := range told {
				if l.Kind != otl.MessageSiteConnected || l.Subject != "You connected "+w.Notes.Site.Name || !strings.Contains(l.Text, w.Notes.Site.Name+" sees: Email address, Name.") {
					t.Errorf("%+v", l)
				}
			}
		}
	})
}
