package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// from is the context of a request from an address.
func from(t *testing.T, address string) context.Context {
	t.Helper()
	a := netip.MustParseAddr(address)
	return otl.WithRequest(t.Context(), &otl.Request{Client: a, Peer: a})
}

// named is the context of a request of a site that names an address.
func named(t *testing.T, at otl.Site, address string) context.Context {
	t.Helper()
	return otl.WithRequest(t.Context(), &otl.Request{Client: netip.MustParseAddr(address), Peer: netip.MustParseAddr("192.0.2.1"), SiteID: at.ID})
}

// signedIn has a person signed in at the hosted pages from an address.
func signedIn(t *testing.T, w *otltest.World, email, address string) context.Context {
	t.Helper()
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx := from(t, address)
	p, err := w.SignIn.Prove(ctx, signin.Attempt{Site: home, Email: email, Password: secret.NewText(otltest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn.Second.Open(ctx, p); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// sprays asks for a code of whoever has an address and guesses at it, at a site, and
// reports whether the guess was looked at.
func sprays(t *testing.T, ctx context.Context, w *otltest.World, at otl.Site, email string) bool {
	t.Helper()
	who := signin.Identifier{Type: signin.ByEmail, Value: email}
	if _, err := w.Codes.Send(ctx, signin.CodeRequest{Site: at, Who: who, Channel: otl.ChannelDirect}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Codes.Verify(ctx, signin.CodeAttempt{Site: at, Who: who, Code: secret.NewText("x")})
	switch {
	case errors.Is(err, signin.ErrCode):
		return true
	case otl.As(err).Kind != otl.Limited || otl.As(err).RetryAfter <= 0:
		t.Fatal(err)
	}
	return false
}

// enters has Jane enter a code that a channel brought her, at a site.
func enters(t *testing.T, ctx context.Context, w *otltest.World, at otl.Site, by otl.Channel) error {
	t.Helper()
	sent, err := w.Codes.Send(ctx, signin.CodeRequest{Site: at, Who: byJane(), Channel: by})
	if err != nil {
		t.Fatal(err)
	}
	if by == otl.ChannelMail {
		sent.Code = secret.NewText(w.Newest(t, "jane@dev.test").Code)
	}
	_, err = w.Codes.Verify(ctx, signin.CodeAttempt{Site: at, Who: byJane(), Code: sent.Code})
	return err
}

// TestOT09_Spray tries one code of each of 1,500 people from as many households: after
// 1,200 in an hour none is looked at any more at that site, whoever's it is. Who is known
// where he is comes in all the same, and right codes make room.
func TestOT09_Spray(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		home := signedIn(t, w, "jane@dev.test", "198.51.100.7")
		looked := 0
		for i := range 1500 {
			if i == 1199 { // of people as of nobody
				if !sprays(t, from(t, "203.0.113.9"), w, w.Notes.Site, "jane@dev.test") {
					t.Error("the 1,200th guess is not looked at")
				}
				looked++
				continue
			}
			if looked >= 1200 && i%100 != 0 {
				continue // one in a hundred shows that it stays so
			}
			if sprays(t, from(t, fmt.Sprintf("2001:db8:%x::1", i)), w, w.Notes.Site, fmt.Sprintf("p%d@dev.test", i)) {
				looked++
			}
		}
		if looked != 1200 {
			t.Errorf("%d guesses were looked at in an hour, want 1200", looked)
		}
		elsewhere := from(t, "203.0.113.10")
		if sprays(t, elsewhere, w, w.Notes.Site, "jane@dev.test") || sprays(t, elsewhere, w, w.Notes.Site, "nobody@dev.test") {
			t.Error("a guess beyond the budget of the site")
		}
		if err := enters(t, elsewhere, w, w.Notes.Site, otl.ChannelDirect); otl.As(err).Kind != otl.Limited {
			t.Errorf("a right code from where nobody knows her: %v", err)
		}
		if err := enters(t, home, w, w.Notes.Site, otl.ChannelDirect); err != nil {
			t.Errorf("from where she is signed in: %v", err)
		}
		if sprays(t, elsewhere, w, w.Notes.Site, "nobody@dev.test") {
			t.Error("a code that the site was handed makes room")
		}
		pages := signedIn(t, w, "jane@dev.test", "198.51.100.9")
		notes, shop := named(t, w.Notes.Site, "198.51.100.8"), named(t, w.Shop.Site, "198.51.100.8")
		if err := enters(t, shop, w, w.Shop.Site, otl.ChannelDirect); err != nil {
			t.Fatal(err)
		}
		for what, ctx := range map[string]context.Context{
			"where she is signed in at the pages": named(t, w.Notes.Site, "198.51.100.9"), "where she is at another site": notes, "what a site made up": from(t, "198.51.100.8"),
		} {
			if err := enters(t, ctx, w, w.Notes.Site, otl.ChannelDirect); otl.As(err).Kind != otl.Limited {
				t.Errorf("a site learns or says %s (D1): %v", what, err)
			}
		}
		if err := enters(t, pages, w, w.Notes.Site, otl.ChannelDirect); err != nil {
			t.Errorf("from where she is signed in at the pages: %v", err)
		}
		if err := enters(t, home, w, w.Notes.Site, otl.ChannelMail); err != nil { // and it gives one back
			t.Errorf("from where she is signed in: %v", err)
		}
		if !sprays(t, elsewhere, w, w.Notes.Site, "nobody@dev.test") || sprays(t, elsewhere, w, w.Notes.Site, "nobody@dev.test") {
			t.Error("one right code does not make room for one wrong one")
		}
		if err := enters(t, elsewhere, w, w.Shop.Site, otl.ChannelDirect); err != nil {
			t.Errorf("at another site: %v", err)
		}
		w.Clock.Advance(time.Hour)
		if err := enters(t, elsewhere, w, w.Notes.Site, otl.ChannelDirect); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	}, limited)
}

// TestPW13_ATrustedDevicePassesItsHousehold: a colleague who guesses shuts nobody out whose
// device is trusted at the site, or everywhere; one of another site is worth nothing here (D1).
func TestPW13_ATrustedDevicePassesItsHousehold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		device := func(siteID string) context.Context {
			t.Helper()
			var token secret.Text
			write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
				token, err = w.Factors.Trust(ctx, tx, jane.ID, siteID, time.Hour)
				return err
			})
			ctx := from(t, "203.0.113.9")
			signin.FromDevice(ctx, token)
			return ctx
		}
		here, there, home := device(w.Notes.Site.ID), device(w.Shop.Site.ID), device(w.Factors.Home)
		for i := range 60 {
			if !sprays(t, from(t, "203.0.113.9"), w, w.Notes.Site, fmt.Sprintf("p%d@dev.test", i)) {
				t.Fatalf("guess %d is not looked at", i)
			}
		}
		if sprays(t, from(t, "203.0.113.9"), w, w.Notes.Site, "jane@dev.test") || sprays(t, there, w, w.Notes.Site, "jane@dev.test") {
			t.Error("a guess of nobody's device, or of another site's")
		}
		if !sprays(t, here, w, w.Notes.Site, "jane@dev.test") || !sprays(t, home, w, w.Notes.Site, "jane@dev.test") {
			t.Error("a trusted device is shut out with its household")
		}
		if sprays(t, here, w, w.Notes.Site, "joe@dev.test") {
			t.Error("her device guesses at others")
		}
	}, limited)
}

// TestOT09_AHousehold guesses 60 times in 15 minutes, at whatever sites and codes.
func TestOT09_AHousehold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		sites := []otl.Site{w.Notes.Site, w.Shop.Site}
		for i := range 60 {
			if !sprays(t, from(t, fmt.Sprintf("2001:db8:1:2::%x", i+1)), w, sites[i%2], fmt.Sprintf("p%d@dev.test", i)) {
				t.Fatalf("guess %d is not looked at", i)
			}
		}
		if sprays(t, from(t, "2001:db8:1:2:ffff::1"), w, w.Notes.Site, "p@dev.test") {
			t.Error("a 61st guess")
		}
		if !sprays(t, from(t, "2001:db8:1:3::1"), w, w.Notes.Site, "p@dev.test") {
			t.Error("another household")
		}
		w.Clock.Advance(15 * time.Second)
		if !sprays(t, from(t, "2001:db8:1:2::1"), w, w.Notes.Site, "p@dev.test") {
			t.Error("a guess each 15 seconds")
		}
	}, limited)
}

// TestPW13_StrangersDoNotUseUpAPersonsMessages: where he is known three more a day are his,
// with the pauses of all others.
func TestPW13_StrangersDoNotUseUpAPersonsMessages(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		home := named(t, w.Notes.Site, "198.51.100.7")
		if _, err := w.SignIn.Password(home, signin.Attempt{Site: w.Notes.Site, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)}); err != nil {
			t.Fatal(err)
		}
		send := func(ctx context.Context, email string) bool {
			t.Helper()
			w.Clock.Advance(4 * time.Minute)
			_, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail})
			if err != nil && otl.As(err).Kind != otl.Limited {
				t.Fatal(err)
			}
			return err == nil
		}
		stranger := from(t, "203.0.113.9")
		for i := range 10 {
			if !send(stranger, "jane@dev.test") || !send(stranger, "nobody@dev.test") {
				t.Fatalf("message %d", i)
			}
		}
		if send(stranger, "jane@dev.test") || send(home, "nobody@dev.test") {
			t.Error("an eleventh message of strangers, or of nobody")
		}
		var device secret.Text
		write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			device, err = w.Factors.Trust(ctx, tx, jane.ID, w.Notes.Site.ID, time.Hour)
			return err
		})
		trusted := from(t, "203.0.113.9")
		signin.FromDevice(trusted, device)
		if !send(home, "jane@dev.test") || !send(trusted, "jane@dev.test") {
			t.Error("no message to whoever is known")
		}
		w.Clock.Advance(-4 * time.Minute)
		if send(home, "jane@dev.test") {
			t.Error("two within 30 seconds")
		}
		if !send(home, "jane@dev.test") || send(home, "jane@dev.test") {
			t.Error("want three more a day")
		}
		forged := from(t, "203.0.113.9")
		signin.FromDevice(forged, secret.NewText("otl_td_x"))
		if send(forged, "jane@dev.test") {
			t.Error("a device that nobody trusts")
		}
	}, limited)
}

// TestOT09_ManyWrongCodesOfAllSitesAreTold in the log, once an hour, and refuse nobody: one
// site could keep all others from signing people in (D1).
func TestOT09_ManyWrongCodesOfAllSitesAreTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		told := func() int {
			t.Helper()
			all, err := w.Store.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventCodesGuessed, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		n := 0
		miss := func() {
			t.Helper()
			n++
			if !sprays(t, from(t, "203.0.113.9"), w, w.Shop.Site, fmt.Sprintf("p%d@dev.test", n)) {
				t.Errorf("guess %d is refused", n)
			}
		}
		for hour := range 2 {
			miss()
			if got := told(); got != hour {
				t.Errorf("hour %d: told %d times of one", hour, got)
			}
			w.Clock.Advance(time.Second)
			write(t, w, func(ctx context.Context, tx *store.Tx) error { // as many as are told of nobody
				return w.Limits.TakeIn(ctx, tx, limit.Use{Rate: limit.Rate{Name: "wrong-codes-all", Uses: 1, Per: time.Hour}, By: []string{"all"}})
			})
			miss()
			miss()
			if got := told(); got != hour+1 {
				t.Errorf("hour %d: told %d times", hour, got)
			}
			w.Clock.Advance(3 * time.Hour)
		}
		if all := w.Letters(t, "root@dev.test"); len(all) != 1 || all[0].Subject != "One-time codes are being guessed" || !strings.Contains(all[0].Text, "otl audit list --type signin.failed") {
			t.Errorf("the operator hears of it once a day: %+v", all)
		}
	}, limited, func(o *node.Options) { o.Operator = "root@dev.test" })
}
