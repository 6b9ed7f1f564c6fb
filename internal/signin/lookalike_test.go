package signin_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestOT13_ALookAlikeReachesNobodyElse: of addresses that are not the same to the letter
// only the case of letters, and the ASCII form of a domain, make no difference. What is
// sent goes to the address on record, never to the one that was typed.
func TestOT13_ALookAlikeReachesNobodyElse(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const mike, kim, fuss, munich = "mike@dev.test", "kim@kiosk.test", "fuss@strasse.test", "anna@münchen.test"
		for _, one := range []string{mike, kim, fuss, munich} {
			w.Person(t, one, w.Notes.Site)
		}
		for typed, to := range map[string]string{
			"MIKE@DEV.TEST":              mike,
			" Mike@dev.test ":            mike,
			"anna@MÜNCHEN.test":          munich,
			"anna@mu\u0308nchen.test":    munich, // u and a combining diaeresis
			"anna@xn--mnchen-3ya.test":   munich,
			"m\u0131ke@dev.test":         "", // dotless i
			"M\u0130KE@dev.test":         "", // I with a dot
			"\uff4d\uff49ke@dev.test":    "", // fullwidth letters
			"mike@\uff44ev.test":         mike,
			"mike\uff20dev.test":         "", // fullwidth @
			"mike@dev\u3002test":         "", // ideographic full stop
			"\u212aim@kiosk.test":        "", // Kelvin sign
			"kim@\u212aiosk.test":        kim,
			"fu\u00df@strasse.test":      "", // sharp s
			"fuss@stra\u00dfe.test":      "", // another domain (IDNA 2008)
			"fu\u017fs@strasse.test":     "", // long s
			"m\u0456ke@dev.test":         "", // Cyrillic i
			"mike@d\u0435v.test":         "", // Cyrillic e
			"mike@dev.test\u200b":        "", // zero width space
			"mi\u00adke@dev.test":        "", // soft hyphen
			"mike@dev.test.":             "",
			"mike@dev.test, kim@x.test":  "",
			"mike@dev.test\nkim@x.test":  "",
			"\"mike\"@dev.test":          "",
			"mike+x@dev.test":            "",
			"m.ike@dev.test":             "",
			"munich@muenchen.test":       "",
			"anna@munchen.test":          "",
			"mike@dev.test\x00@evil.tld": "",
		} {
			w.Letters(t, "")
			w.Inbox.Empty()
			_, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: typed}, Channel: otl.ChannelMail})
			if err != nil && otl.As(err).Kind != otl.Invalid {
				t.Fatalf("%q: %v", typed, err)
			}
			var got string
			for _, l := range w.Letters(t, "") {
				got += l.To
			}
			if got != to {
				t.Errorf("a code for %q went to %q, want %q", typed, got, to)
			}
			// And nobody becomes a second person with an address that reaches the first.
			if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: typed, Site: &w.Notes.Site}); (to != "") != otl.Is(err, otl.ErrEmailTaken.Code) {
				t.Errorf("%q is taken: %v", typed, err)
			}
		}
	})
}

// TestOT06_AThousandGuessesAtOnce: five of them are looked at, on however many nodes, and
// then the right code is refused.
func TestOT06_AThousandGuessesAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		nodes := []*otltest.World{w}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t), w.Again(t))
		}
		code := sent(t, w, otl.ChannelMail)
		var all sync.WaitGroup
		var let atomic.Int32
		for i := range 1000 {
			all.Go(func() {
				_, err := nodes[i%len(nodes)].Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: byJane(), Code: secret.NewText(wrong(code))})
				if err == nil {
					let.Add(1)
				} else if !otl.Is(err, "code_invalid") {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := w.Store.Read.Tickets.Newest(t.Context(), jane.ID, otl.PurposeSignIn, w.Notes.Site.ID, "")
		if err != nil || got.Tries != 5 || let.Load() != 0 {
			t.Errorf("%d guesses were looked at, want 5; %d let in (%v)", got.Tries, let.Load(), err)
		}
		if err := types(t, w, code); !otl.Is(err, "code_locked") {
			t.Errorf("the right code after them: %v", err)
		}
	})
}
