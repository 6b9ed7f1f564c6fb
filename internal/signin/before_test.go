package signin_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

// busies has a site send an SMS to somebody's number for another of its people, so that the next within
// 30 seconds is withheld.
func busies(t *testing.T, w *otltest.World, other otl.User, number string) {
	t.Helper()
	who := signin.Identifier{Type: signin.ByID, Value: other.ID}
	if paced(t, w, signin.CodeRequest{Who: who, Channel: otl.ChannelSMS, Known: true, To: number}) {
		t.Fatal("the number was texted before")
	}
}

// TestPW13_WhatIsSentToNobodyEndsNobodysCode: what strangers ask for by SMS leaves the code of a mail as good as it
// was in the visit it was sent for, where the number of its person was texted too often and where he has none;
// five guesses at it are made there at most. One that is sent takes its place (OT-04).
func TestPW13_WhatIsSentToNobodyEndsNobodysCode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		other := w.Person(t, "other@dev.test", w.Notes.Site)
		here, elsewhere := from(t, "198.51.100.7"), from(t, "203.0.113.9")
		for i, one := range []struct {
			email string
			texts int    // guesses that strangers make in their visit
			wrong int    // and somebody in his
			want  string // what the code of the mail comes to there
		}{
			{"busy0@dev.test", 6, 0, ""},
			{"busy1@dev.test", 6, 4, ""},
			{"busy2@dev.test", 0, 5, "code_invalid"},
			{"busy3@dev.test", 6, 5, "code_invalid"},
			{"none4@dev.test", 6, 4, ""},
			{"none5@dev.test", 0, 5, "code_invalid"},
			{"sent6@dev.test", 0, 0, "code_invalid"},
		} {
			w.Clock.Advance(time.Hour)
			number := fmt.Sprintf("+4917%d5550122", i)
			if one.email[:4] == "none" {
				w.Person(t, one.email, w.Notes.Site)
			} else {
				hold(t, w, one.email, number, false, w.Notes.Site)
			}
			if err := asksIn(here, w, one.email, "his"); err != nil {
				t.Fatal(err)
			}
			code := w.Newest(t, one.email).Code
			w.Clock.Advance(31 * time.Second)
			sent := 1
			switch one.email[:4] {
			case "busy":
				busies(t, w, other, number)
			case "none":
				sent = 0
			}
			if err := textsIn(elsewhere, w, one.email, "theirs"); err != nil {
				t.Fatal(err)
			}
			if n := len(w.Letters(t, number)); n != sent {
				t.Errorf("%s: %d SMS", one.email, n)
			}
			for range one.texts {
				if got := entersIn(elsewhere, w, one.email, "theirs", wrong(code)); got != "code_invalid" {
					t.Errorf("%s: %s", one.email, got)
				}
			}
			if got := entersIn(elsewhere, w, one.email, "theirs", code); got != "code_invalid" {
				t.Errorf("%s: his code in the visit of another: %q", one.email, got)
			}
			for range one.wrong {
				if got := entersIn(here, w, one.email, "his", wrong(code)); got != "code_invalid" {
					t.Errorf("%s: %s", one.email, got)
				}
			}
			if got := entersIn(here, w, one.email, "his", code); got != one.want {
				t.Errorf("%s: his code in his visit: %q, want %q", one.email, got, one.want)
			}
			if got := entersIn(here, w, one.email, "his", code); got != "code_invalid" {
				t.Errorf("%s: a second time: %q", one.email, got)
			}
		}
	}, limited)
}

// TestOT10_ANumberThatIsUsedUpLeavesAsManyGuesses: a mail in one visit and an SMS in another leave five guesses, in
// whichever order, to whoever got the SMS, to whose number was texted too often, to who has none, and to nobody:
// the budget of a household, which has room for seven, counts no more of ten in each visit.
func TestOT10_ANumberThatIsUsedUpLeavesAsManyGuesses(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		other := w.Person(t, "other@dev.test", w.Notes.Site)
		for i, order := range [][]string{{"one", "two"}, {"two", "one"}} {
			for j, kind := range []string{"sent", "busy", "none", "nobody"} {
				w.Clock.Advance(time.Hour)
				email, number := fmt.Sprintf("%s%d@dev.test", kind, i), fmt.Sprintf("+4917%d%d550122", i, j)
				switch kind {
				case "sent", "busy":
					hold(t, w, email, number, false, w.Notes.Site)
				case "none":
					w.Person(t, email, w.Notes.Site)
				}
				here := from(t, fmt.Sprintf("198.51.100.%d", 10*i+j+1))
				if err := asksIn(here, w, email, "one"); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(31 * time.Second)
				if kind == "busy" {
					busies(t, w, other, number)
				}
				if err := textsIn(here, w, email, "two"); err != nil {
					t.Fatal(err)
				}
				spends(here, t, w, 53)
				var got []string
				for k := range 20 {
					got = append(got, entersIn(here, w, email, order[k/10], "x"))
				}
				if !slices.Equal(got, slices.Repeat([]string{"code_invalid"}, 20)) {
					t.Errorf("%s, %v: %v", kind, order, got)
				}
			}
		}
	}, limited)
}
