package factor_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestMN07_TheMailOfAFactorNamesItInItsLanguage: set up and taken away, by its kind, or as its person calls it.
func TestMN07_TheMailOfAFactorNamesItInItsLanguage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		german := "de"
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: jane, Password: secret.NewText(otltest.Password), Profile: account.Profile{Locale: &german}})
		if err != nil {
			t.Fatal(err)
		}
		says := func(kind otl.MessageKind, want string) {
			t.Helper()
			for _, l := range w.Letters(t, jane) {
				if l.Kind == kind {
					if !strings.Contains(l.Text, ": "+want+".\n") {
						t.Errorf("%s: %s", kind, l.Text)
					}
					w.Inbox.Empty()
					return
				}
			}
			t.Errorf("no %s", kind)
		}
		for _, c := range []struct{ label, called string }{{"", "Authentifizierungs-App"}, {"My phone", "My phone"}} {
			by := w.Strong(t, m.User)
			e, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorTOTP, Label: c.label})
			if err != nil {
				t.Fatal(err)
			}
			seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Setup.Confirm(t.Context(), by, e.ID, codeOf(w, seed, 0)); err != nil {
				t.Fatal(err)
			}
			says(otl.MessageFactorAdded, c.called)
			if _, err := w.Setup.Remove(t.Context(), w.Strong(t, m.User), e.ID); err != nil {
				t.Fatal(err)
			}
			says(otl.MessageFactorRemoved, c.called)
		}
		totp(t, w, m.User)
		number := factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550143"}}
		if _, err := w.Setup.Give(t.Context(), m.User, number); err != nil {
			t.Fatal(err)
		}
		w.Letters(t, jane)
		w.Inbox.Empty()
		if _, err := w.Setup.Reset(t.Context(), m.User); err != nil {
			t.Fatal(err)
		}
		says(otl.MessageFactorRemoved, "Authentifizierungs-App, Codes per SMS")
	})
}
