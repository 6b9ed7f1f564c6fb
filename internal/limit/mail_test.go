package limit_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// from is a request from an address, of a browser.
func from(t *testing.T, address string) context.Context {
	t.Helper()
	ip := netip.MustParseAddr(address)
	return otl.WithRequest(t.Context(), &otl.Request{Client: ip, Peer: ip})
}

// named is a request of a site that names an address.
func named(t *testing.T, siteID, address string) context.Context {
	t.Helper()
	return otl.WithRequest(t.Context(), &otl.Request{Client: netip.MustParseAddr(address), Peer: netip.MustParseAddr("192.0.2.1"), SiteID: siteID})
}

// told gives how often the log says that mails of a site are refused.
func told(t *testing.T, w *otltest.World, siteID string) (n int) {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), "", siteID, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Type == otl.EventMailStopped {
			n++
		}
	}
	return n
}

// TestPW13_StrangersDoNotUseUpTheWayBack: who asks for nobody over and over uses up a site's
// mails, and keeps nobody from a new password who is known where he is. Its owners and the operator hear of it, once a day.
func TestPW13_StrangersDoNotUseUpTheWayBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		owner := w.Person(t, "owner@dev.test")
		shop := w.Register(t, site.Registration{Name: "Owned", Owner: owner.ID, Callbacks: []string{"https://owned.test/callback"}})
		jane := w.Person(t, "jane@dev.test", shop.Site)
		home, elsewhere := named(t, shop.Site.ID, "198.51.100.7"), from(t, "203.0.113.9")
		sent, err := w.Codes.Send(home, signin.CodeRequest{Site: shop.Site, Who: signin.Identifier{Type: signin.ByID, Value: jane.ID}, Channel: otl.ChannelDirect})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Codes.Verify(home, signin.CodeAttempt{Site: shop.Site, Who: signin.Identifier{Type: signin.ByID, Value: jane.ID}, Code: sent.Code}); err != nil {
			t.Fatal(err)
		}
		forgot := func(ctx context.Context, email string) bool {
			t.Helper()
			err := w.Accounts.Forgot(ctx, shop.Site.ID, email)
			if err != nil && otl.As(err).Kind != otl.Limited {
				t.Fatal(err)
			}
			return err == nil
		}
		for _, email := range []string{"a@dev.test", "b@dev.test"} {
			if !forgot(elsewhere, email) {
				t.Fatalf("%s is refused", email)
			}
		}
		if told(t, w, shop.Site.ID) != 0 {
			t.Error("told before anything was refused")
		}
		for _, email := range []string{"c@dev.test", "jane@dev.test", "d@dev.test"} {
			if forgot(elsewhere, email) {
				t.Errorf("a stranger who asks for %s", email)
			}
		}
		if !forgot(home, "jane@dev.test") {
			t.Error("from where she is signed in")
		}
		w.Clock.Advance(30 * time.Second)
		made := from(t, "198.51.100.7")
		forgot(made, "i@dev.test") // the one that there is room for again
		if forgot(made, "jane@dev.test") {
			t.Error("an address that a site made up is one of the pages, too")
		}
		var device secret.Text
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			device, err = w.Factors.Trust(ctx, tx, jane.ID, w.Factors.Home, time.Hour)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		signin.FromDevice(made, device)
		if !forgot(made, "jane@dev.test") {
			t.Error("on a device that she trusts")
		}
		if n := told(t, w, shop.Site.ID); n != 1 {
			t.Errorf("told %d times", n)
		}
		for _, to := range []string{"owner@dev.test", "root@dev.test"} {
			all := w.Letters(t, to)
			if len(all) != 1 || all[0].Subject != "Mails of Owned are held back" {
				t.Errorf("%s: %+v", to, all)
			}
		}
		if told(t, w, w.Notes.Site.ID) != 0 || w.Accounts.Forgot(elsewhere, w.Notes.Site.ID, "e@dev.test") != nil {
			t.Error("another site is held back with it")
		}
		w.Clock.Advance(25 * time.Hour)
		for _, email := range []string{"f@dev.test", "g@dev.test", "h@dev.test"} {
			forgot(elsewhere, email)
		}
		if n := told(t, w, shop.Site.ID); n != 2 {
			t.Errorf("told %d times the day after", n)
		}
	}, limited, func(o *node.Options) {
		o.Mail = limit.Mail{PerMinute: 2, PerDay: 100}
		o.Operator = "root@dev.test"
	})
}

// TestInvitationsAreCountedApart: a site's own do not wait for what strangers asked for, and have a limit
// of their own.
func TestInvitationsAreCountedApart(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		m, never := w.Codes.Mail, func() (bool, error) { return false, nil }
		var got []bool
		for range 3 {
			got = append(got, m.Take(t.Context(), "s", never) == nil)
		}
		for range 3 {
			got = append(got, m.Invite(t.Context(), "s") == nil)
		}
		if !slices.Equal(got, []bool{true, true, false, true, true, false}) {
			t.Errorf("%v", got)
		}
		m.PerMinute, m.PerDay = 0, 0
		if err := m.Take(t.Context(), "s", never); err != nil {
			t.Errorf("without limits: %v", err)
		}
	}, limited, func(o *node.Options) { o.Mail = limit.Mail{PerDay: 2} })
}
