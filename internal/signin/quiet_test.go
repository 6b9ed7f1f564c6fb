package signin_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// quietly asks for a code as the hosted pages do.
func quietly(ctx context.Context, w *otltest.World, email string) error {
	_, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail, Quiet: true})
	return err
}

// TestOT10_PW13_PagesTellNobodyWhoIsKnown: where a site's mails are used up, whoever is signed in
// where a request comes from gets his, nobody else does, and the answers are the same, also to what
// follows at once.
func TestOT10_PW13_PagesTellNobodyWhoIsKnown(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "joe@dev.test", w.Notes.Site)
		here := signedIn(t, w, "jane@dev.test", "198.51.100.7")
		w.Codes.Mail.PerMinute, w.Codes.Mail.PerDay = 1, 1
		if err := quietly(from(t, "203.0.113.9"), w, "first@dev.test"); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			for _, email := range []string{"jane@dev.test", "joe@dev.test", "nobody@dev.test"} {
				if err := quietly(here, w, email); err != nil {
					t.Errorf("%s: %v", email, err)
				}
			}
			w.Clock.Advance(10 * time.Second)
		}
		if len(w.Letters(t, "jane@dev.test")) != 2 || len(w.Letters(t, "joe@dev.test"))+len(w.Letters(t, "nobody@dev.test")) != 0 {
			t.Errorf("%d, %d, %d letters", len(w.Letters(t, "jane@dev.test")), len(w.Letters(t, "joe@dev.test")), len(w.Letters(t, "nobody@dev.test")))
		}
		ip := netip.MustParseAddr("198.51.100.7")
		site := otl.WithRequest(t.Context(), &otl.Request{Client: ip, Peer: ip, SiteID: w.Notes.Site.ID, SiteKeyID: w.Notes.KeyRow.ID})
		if _, err := w.Codes.Send(site, signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail}); otl.As(err).Kind != otl.Limited {
			t.Errorf("a site learns who is signed in behind its own address: %v", err)
		}
		refused := map[string]int{} // the household is told, whomever it asks for
		for i := range 60 {
			if err := quietly(here, w, []string{"jane@dev.test", "joe@dev.test", "nobody@dev.test"}[i%3]); err != nil {
				refused[otl.As(err).Code]++
			}
		}
		if err := quietly(here, w, "jane@dev.test"); otl.As(err).Kind != otl.Limited || len(refused) != 1 {
			t.Errorf("beyond what a household may ask for: %v, %v", err, refused)
		}
	}, limited)
}

// TestOT10_WhatSeemedToBeSentIsGuessedAtLikeNobodys: guesses at a code that was never sent count
// for the household, whether or not there is somebody.
func TestOT10_WhatSeemedToBeSentIsGuessedAtLikeNobodys(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Codes.Mail.PerMinute, w.Codes.Mail.PerDay = 1, 1
		here := from(t, "198.51.100.7")
		if err := quietly(here, w, "first@dev.test"); err != nil {
			t.Fatal(err)
		}
		guess := func(email string) string {
			_, err := w.Codes.Verify(here, signin.CodeAttempt{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Code: secret.NewText("x")})
			return otl.As(err).Code
		}
		for i := range 12 {
			email := fmt.Sprintf("p%d@dev.test", i)
			if i%2 == 0 {
				w.Person(t, email, w.Notes.Site)
			}
			if err := quietly(here, w, email); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if got := guess(email); got != "code_invalid" {
					t.Fatalf("%s: %s", email, got)
				}
			}
		}
		if got := guess("p0@dev.test"); got != "rate_limited" {
			t.Errorf("after 60 wrong codes of a household: %s", got)
		}
	}, limited)
}

// asksIn asks for a code for a visit as the hosted pages do, and entersIn gives what a code for it
// comes to.
func asksIn(ctx context.Context, w *otltest.World, email, visit string) error {
	_, err := w.Codes.Send(ctx, signin.CodeRequest{
		Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail, Quiet: true, Data: map[string]string{"flow": visit},
	})
	return err
}

func entersIn(ctx context.Context, w *otltest.World, email, visit, code string) string {
	_, err := w.Codes.Verify(ctx, signin.CodeAttempt{
		Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Code: secret.NewText(code), Flow: visit,
	})
	if err != nil {
		return otl.As(err).Code
	}
	return ""
}

// spends uses up a part of a household's budget of wrong codes.
func spends(ctx context.Context, t *testing.T, w *otltest.World, n int) {
	t.Helper()
	for j := range n {
		who := signin.Identifier{Type: signin.ByEmail, Value: fmt.Sprintf("p%d@dev.test", j)}
		if _, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Shop.Site, Who: who, Channel: otl.ChannelDirect}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Codes.Verify(ctx, signin.CodeAttempt{Site: w.Shop.Site, Who: who, Code: secret.NewText("x")}); !otl.Is(err, "code_invalid") {
			t.Fatal(err)
		}
	}
}

// TestOT10_ACodeFromBeforeIsGuessedAtLikeNobodys: where a second code only seems to be sent, five guesses
// count for whoever has one from before, for nobody, and for whoever is known and got it; the household's
// budget, which has room for seven, tells none of them from the others.
func TestOT10_ACodeFromBeforeIsGuessedAtLikeNobodys(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "joe@dev.test", w.Notes.Site)
		w.Codes.Mail.PerMinute, w.Codes.Mail.PerDay = 1, 0
		said, letters := map[string][]string{}, map[string]int{"jane@dev.test": 2, "joe@dev.test": 1, "nobody@dev.test": 0}
		for i, email := range []string{"jane@dev.test", "joe@dev.test", "nobody@dev.test"} {
			w.Clock.Advance(time.Hour)
			address := fmt.Sprintf("198.51.100.%d", i+1)
			here := from(t, address)
			if email == "jane@dev.test" {
				here = signedIn(t, w, email, address)
			}
			for range 2 {
				if err := asksIn(here, w, email, "one"); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(31 * time.Second) // less than the minute of the site
			}
			if n := len(w.Letters(t, email)); n != letters[email] {
				t.Errorf("%s: %d letters", email, n)
			}
			spends(here, t, w, 53)
			for range 12 {
				said[email] = append(said[email], entersIn(here, w, email, "one", "x"))
			}
		}
		for email, got := range said {
			if !slices.Equal(got, slices.Repeat([]string{"code_invalid"}, 12)) {
				t.Errorf("%s: %v", email, got)
			}
		}
	}, limited)
}

// TestPW13_WhatIsWithheldEndsNobodysCode: what strangers ask for while nothing is sent leaves a code as
// good as it was in the visit it was sent for.
func TestPW13_WhatIsWithheldEndsNobodysCode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "joe@dev.test", w.Notes.Site)
		w.Codes.Mail.PerMinute, w.Codes.Mail.PerDay = 1, 0
		here, elsewhere := from(t, "198.51.100.7"), from(t, "203.0.113.9")
		if err := asksIn(here, w, "joe@dev.test", "his"); err != nil {
			t.Fatal(err)
		}
		code := w.Newest(t, "joe@dev.test").Code
		w.Clock.Advance(31 * time.Second)
		if err := asksIn(elsewhere, w, "joe@dev.test", "theirs"); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			if got := entersIn(elsewhere, w, "joe@dev.test", "theirs", wrong(code)); got != "code_invalid" {
				t.Error(got)
			}
		}
		if got := entersIn(elsewhere, w, "joe@dev.test", "theirs", code); got != "code_invalid" {
			t.Errorf("his code in the visit of another: %q", got)
		}
		if got := entersIn(here, w, "joe@dev.test", "his", code); got != "" {
			t.Errorf("his code in his visit: %s", got)
		}
	}, limited)
}

// textsIn asks for an SMS for a visit as the hosted pages do.
func textsIn(ctx context.Context, w *otltest.World, email, visit string) error {
	_, err := w.Codes.Send(ctx, signin.CodeRequest{
		Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelSMS, Proven: true, Quiet: true, Data: map[string]string{"flow": visit},
	})
	return err
}

// TestPW13_SMSThatAreUsedUpEndNobodysCode: what strangers ask for when the SMS of a day are used up leaves
// the code of a mail as good as it was in the visit it was sent for, whether or not its person has a number.
func TestPW13_SMSThatAreUsedUpEndNobodysCode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hold(t, w, "jane@dev.test", "+491705550122", false, w.Notes.Site)
		hold(t, w, "joe@dev.test", "+491715550122", false, w.Notes.Site)
		w.Person(t, "jim@dev.test", w.Notes.Site)
		here, elsewhere := from(t, "198.51.100.7"), from(t, "203.0.113.9")
		if err := textsIn(elsewhere, w, "jane@dev.test", "hers"); err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"joe@dev.test", "jim@dev.test"} {
			if err := asksIn(here, w, email, "his"); err != nil {
				t.Fatal(err)
			}
			code := w.Newest(t, email).Code
			w.Clock.Advance(31 * time.Second)
			if err := textsIn(elsewhere, w, email, "theirs"); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				if got := entersIn(elsewhere, w, email, "theirs", wrong(code)); got != "code_invalid" {
					t.Error(got)
				}
			}
			if got := entersIn(here, w, email, "his", code); got != "" {
				t.Errorf("%s: the code of the mail in its visit: %s", email, got)
			}
		}
		if n := len(w.Letters(t, "+491715550122")); n != 0 {
			t.Errorf("%d SMS beyond those of the day", n)
		}
	}, limited, func(o *node.Options) { o.SMSDailyCap = 1 })
}

// TestOT10_SMSAreGuessedAtAlikeInAllVisits: a mail in one visit and an SMS in another leave as many guesses
// to whoever has a number, whoever has none, and nobody: five while SMS are sent, and five in each visit
// when those of the day are used up. The household's budget has room for seven.
func TestOT10_SMSAreGuessedAtAlikeInAllVisits(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hold(t, w, "first@dev.test", "+491725550122", false, w.Notes.Site)
		for i, full := range []bool{false, true} {
			if full {
				w.Codes.SMS.DailyCap = 1
				if err := textsIn(from(t, "203.0.113.9"), w, "first@dev.test", "first"); err != nil {
					t.Fatal(err)
				}
			}
			number, none, nobody := fmt.Sprintf("number%d@dev.test", i), fmt.Sprintf("none%d@dev.test", i), fmt.Sprintf("nobody%d@dev.test", i)
			hold(t, w, number, fmt.Sprintf("+4917%d5550122", i), false, w.Notes.Site)
			w.Person(t, none, w.Notes.Site)
			for j, email := range []string{number, none, nobody} {
				here := from(t, fmt.Sprintf("198.51.100.%d", 10*i+j+1))
				if err := asksIn(here, w, email, "one"); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(31 * time.Second)
				if err := textsIn(here, w, email, "two"); err != nil {
					t.Fatal(err)
				}
				spends(here, t, w, 53)
				var got []string
				for k := range 12 {
					got = append(got, entersIn(here, w, email, []string{"two", "one"}[k/6], "x"))
				}
				want := slices.Repeat([]string{"code_invalid"}, 12)
				if full {
					want = append(slices.Repeat([]string{"code_invalid"}, 8), slices.Repeat([]string{"rate_limited"}, 4)...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("used up %v, %s: %v", full, email, got)
				}
			}
		}
	}, limited)
}

// TestOT10_ANumberOthersWereTextedAtTellsNobodyWhoseItIs: what was sent to a number for others keeps
// an SMS from its holder, and is not told to whoever asked by an address alone.
func TestOT10_ANumberOthersWereTextedAtTellsNobodyWhoseItIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550122", false, w.Notes.Site)
		joe := w.Person(t, "joe@dev.test", w.Notes.Site)
		text := func(email string) signin.CodeRequest {
			return signin.CodeRequest{Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelSMS, Proven: true}
		}
		elsewhere := signin.CodeRequest{Who: signin.Identifier{Type: signin.ByID, Value: joe.ID}, Channel: otl.ChannelSMS, Known: true, To: jane.Phone}
		if paced(t, w, elsewhere) || paced(t, w, text("jane@dev.test")) || paced(t, w, text("nobody@dev.test")) {
			t.Error("an answer depends on whose number it is")
		}
		if n := len(w.Letters(t, jane.Phone)); n != 1 {
			t.Errorf("%d SMS within 30 seconds", n)
		}
		w.Clock.Advance(time.Minute)
		if paced(t, w, text("jane@dev.test")) || len(w.Letters(t, jane.Phone)) != 2 {
			t.Error("none a minute later")
		}
	}, limited, func(o *node.Options) { o.SMSDailyCap = 10 })
}

// TestFollow_NoCodeWhereLinksAreOff: a link without a page whose site takes none any more leads
// nowhere, instead of to a code that is refused.
func TestFollow_NoCodeWhereLinksAreOff(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Proven(t, w.Person(t, "jane@dev.test", w.Notes.Site))
		r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Redirect: back}, Confirm: otl.ConfirmNever}
		if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		link := strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer+"/l/")
		ways := func(off otl.Ways) {
			t.Helper()
			write(t, w, func(ctx context.Context, tx *store.Tx) error {
				now, err := tx.Sites.ByID(ctx, w.Notes.Site.ID)
				if err != nil {
					return err
				}
				now.Off = off
				_, err = tx.Sites.Update(ctx, now)
				return err
			})
		}
		ways(otl.Ways{otl.WayLink})
		if to, err := w.Codes.Follow(t.Context(), link); !otl.Is(err, otl.ErrWay.Code) {
			t.Errorf("%q %v", to, err)
		}
		ways(nil)
		if to, err := w.Codes.Follow(t.Context(), link); err != nil || !strings.HasPrefix(to, back+"?code=") {
			t.Errorf("the link is not as good as before: %q %v", to, err)
		}
	})
}

// TestTries_ANameThatStandsThereIsNotWrittenAgain: a wrong password after the other writes nothing
// of the visit; a right one keeps it alive.
func TestTries_ANameThatStandsThereIsNotWrittenAgain(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		tries, browser := signin.Tries{Flows: w.Flows}, signin.NewBrowser()
		f, err := w.Flows.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{})
		if err != nil {
			t.Fatal(err)
		}
		visit := func() signin.Visit {
			t.Helper()
			v, err := w.Flows.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for i, one := range []struct {
			note  func(context.Context, signin.Visit, string) error
			name  string
			kept  string
			wrote bool
		}{
			{tries.Mistaken, "jane@dev.test", "jane@dev.test", true},
			{tries.Mistaken, "jane@dev.test", "jane@dev.test", false},
			{tries.Mistaken, "no address", "jane@dev.test", false},
			{tries.Named, "jane@dev.test", "jane@dev.test", true},
			{tries.Named, "joe@dev.test", "joe@dev.test", true},
			{tries.Mistaken, "jane@dev.test", "jane@dev.test", true},
		} {
			w.Clock.Advance(time.Second)
			before := visit()
			if err := one.note(t.Context(), before, one.name); err != nil {
				t.Fatal(err)
			}
			if after := visit(); after.Progress.Name != one.kept || after.ExpiresAt.Equal(before.ExpiresAt) == one.wrote {
				t.Errorf("%d: %q, written %v", i, after.Progress.Name, !one.wrote)
			}
		}
	})
}
