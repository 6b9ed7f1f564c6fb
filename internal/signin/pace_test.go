package signin_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

func limited(o *node.Options) { o.Limits = true }

// paced sends a code and reports whether it was one too many.
func paced(t *testing.T, w *otltest.World, r signin.CodeRequest) bool {
	t.Helper()
	r.Site = w.Notes.Site
	_, err := w.Codes.Send(t.Context(), r)
	if err != nil && otl.As(err).Kind != otl.Limited {
		t.Fatal(err)
	}
	return err != nil
}

// TestOT19_APersonIsOneHoweverHeIsCalled: ten messages a day to him, whichever of his
// names they were asked for by and wherever they go; and to an address that strangers
// are said to have, no more than to anybody's.
func TestOT19_APersonIsOneHoweverHeIsCalled(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550122", false, w.Notes.Site)
		name, mail := "jane", otl.ChannelMail
		if _, err := w.Accounts.Update(t.Context(), jane.ID, jane.Version, otl.AllFields(), account.Profile{Username: &name}); err != nil {
			t.Fatal(err)
		}
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			g, err := tx.Grants.Of(ctx, jane.ID, w.Notes.Site.ID)
			if err != nil {
				return err
			}
			g.Fields = otl.AllFields()
			return tx.Grants.Put(ctx, g)
		})
		names := []signin.CodeRequest{
			{Who: signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, Channel: mail},
			{Who: signin.Identifier{Type: signin.ByEmail, Value: " Jane@DEV.test "}, Channel: mail},
			{Who: signin.Identifier{Type: signin.ByUsername, Value: "JANE"}, Channel: mail},
			{Who: signin.Identifier{Type: signin.ByID, Value: jane.ID}, Channel: mail, Known: true},
			{Who: signin.Identifier{Type: signin.ByPhone, Value: "+491705550122"}, Channel: otl.ChannelSMS},
			{Who: signin.Identifier{Type: signin.ByID, Value: jane.ID}, Channel: mail, Known: true, To: "Elsewhere@dev.test"},
		}
		for i, one := range names {
			w.Clock.Advance(4 * time.Minute)
			if paced(t, w, one) {
				t.Fatalf("%+v comes too soon", one)
			}
			for _, other := range names {
				if !paced(t, w, other) {
					t.Errorf("%d: another message within the same 30 seconds, to %+v", i, other)
				}
			}
		}
		for sent := len(names); sent < 10; sent++ {
			w.Clock.Advance(4 * time.Minute)
			if paced(t, w, names[sent%len(names)]) {
				t.Fatalf("only %d a day", sent)
			}
		}
		w.Clock.Advance(4 * time.Minute)
		for _, one := range names {
			if !paced(t, w, one) {
				t.Errorf("an eleventh a day, to %+v", one)
			}
		}
		// What goes to an address counts there, whoever it is said to be for.
		w.Person(t, "joe@dev.test", w.Notes.Site)
		w.Person(t, "jim@dev.test", w.Notes.Site)
		at := func(who, to string) bool {
			return paced(t, w, signin.CodeRequest{Who: signin.Identifier{Type: signin.ByEmail, Value: who}, Channel: mail, Known: true, To: to})
		}
		if !at("joe@dev.test", "JANE@dev.test") || at("joe@dev.test", "new@dev.test") || !at("jim@dev.test", "New@dev.test") {
			t.Error("an address is flooded in the name of others")
		}
		// And mails to choose a new password are such messages.
		w.Clock.Advance(4 * time.Minute)
		if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, "Jim@dev.test"); err != nil {
			t.Fatal(err)
		}
		if !paced(t, w, signin.CodeRequest{Who: signin.Identifier{Type: signin.ByEmail, Value: "jim@dev.test"}, Channel: mail}) {
			t.Error("a code beside a mail to choose a password")
		}
	}, limited)
}

// TestOT19_NobodyIsCountedAsSomebody: when the next message may follow tells nothing.
func TestOT19_NobodyIsCountedAsSomebody(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hold(t, w, "jane@dev.test", "+491705550122", false, w.Notes.Site)
		for _, who := range []signin.CodeRequest{
			{Who: signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, Channel: otl.ChannelMail},
			{Who: signin.Identifier{Type: signin.ByEmail, Value: "nobody@dev.test"}, Channel: otl.ChannelMail},
			{Who: signin.Identifier{Type: signin.ByPhone, Value: "+491705550123"}, Channel: otl.ChannelSMS},
			{Who: signin.Identifier{Type: signin.ByUsername, Value: "nobody"}, Channel: otl.ChannelMail},
		} {
			if paced(t, w, who) || !paced(t, w, who) {
				t.Errorf("%+v", who)
			}
			w.Clock.Advance(30 * time.Second)
			if paced(t, w, who) {
				t.Errorf("%+v has to wait longer", who)
			}
		}
	}, limited)
}

// TestOT20_TheSMSOfADayAreThoseThatAreSent: asking for nobody, or at a number that nobody has
// proven, uses up none, and the codes of second factors are counted apart. Beyond them the
// answer is as ever.
func TestOT20_TheSMSOfADayAreThoseThatAreSent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550122", false, w.Notes.Site)
		joe := hold(t, w, "joe@dev.test", "+491715550122", false, w.Notes.Site)
		jim := w.Person(t, "jim@dev.test", w.Notes.Site)
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			jim.Phone = jane.Phone // planted
			_, err := tx.Users.UpdateProfile(ctx, jim)
			return err
		})
		text := func(email string) signin.CodeRequest {
			return signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelSMS, Proven: true}
		}
		for _, email := range []string{"a@dev.test", "b@dev.test", "c@dev.test", "jim@dev.test", "jane@dev.test", "joe@dev.test"} {
			if paced(t, w, text(email)) {
				t.Errorf("a code for %s", email)
			}
		}
		if n := len(w.Letters(t, jane.Phone)); n != 1 {
			t.Errorf("%d SMS to her", n)
		}
		if n := len(w.Letters(t, joe.Phone)); n != 0 {
			t.Errorf("%d SMS beyond those of the day", n)
		}
		w.Clock.Advance(time.Minute)
		known := text("joe@dev.test")
		if known.Known, known.Proven = true, false; !paced(t, w, known) {
			t.Error("whoever may know of him is not told")
		}
		one, err := w.Setup.Give(t.Context(), joe.User, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: joe.Phone}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Factors.Send(t.Context(), factor.Prompt{User: joe.User, SiteID: w.Notes.Site.ID, FactorID: one.ID, Slot: "one"}); err != nil {
			t.Errorf("a second factor: %v", err)
		}
	}, limited, func(o *node.Options) { o.SMSDailyCap = 1 })
}

// TestOT20_WhatIsRefusedCountsNothing: SMS that are asked for when those of a site are used up silence no
// number and no range of numbers for other sites.
func TestOT20_WhatIsRefusedCountsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		text := func(at otl.Site, n int) {
			t.Helper()
			_, err := w.Codes.Send(t.Context(), signin.CodeRequest{
				Site: at, Who: signin.Identifier{Type: signin.ByEmail, Value: fmt.Sprintf("p%d@dev.test", n)}, Channel: otl.ChannelSMS, Proven: true,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range 7 {
			hold(t, w, fmt.Sprintf("p%d@dev.test", n), fmt.Sprintf("+49170555012%d", n), false, w.Notes.Site)
		}
		text(w.Notes.Site, 0)
		for range 5 {
			for n := range 5 {
				text(w.Notes.Site, n+1)
			}
			w.Clock.Advance(31 * time.Second)
		}
		text(w.Shop.Site, 6)
		if n := len(w.Letters(t, "+491705550126")); n != 1 {
			t.Errorf("%d SMS of another site", n)
		}
		if n := len(w.Letters(t, "")); n != 2 {
			t.Errorf("%d SMS", n)
		}
	}, limited, func(o *node.Options) { o.SMSDailyCap = 1 })
}

// TestPW13_StrangersDoNotUseUpASitesMails: who is known where he is gets his, whatever others
// asked for.
func TestPW13_StrangersDoNotUseUpASitesMails(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		home := signedIn(t, w, "jane@dev.test", "198.51.100.7")
		w.Codes.Mail.PerMinute, w.Codes.Mail.PerDay = 1, 2
		mail := func(ctx context.Context, email string) error {
			_, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail})
			return err
		}
		elsewhere := from(t, "203.0.113.9")
		if err := mail(elsewhere, "nobody@dev.test"); err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"somebody@dev.test", "jane@dev.test"} {
			if err := mail(elsewhere, email); otl.As(err).Kind != otl.Limited {
				t.Errorf("a stranger who asks for %s: %v", email, err)
			}
		}
		if err := mail(home, "jane@dev.test"); err != nil {
			t.Errorf("from where she is signed in: %v", err)
		}
	}, limited)
}
