package signin_test

import (
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestMF10_OfTwoPasskeysTheOneThatSignedIsNoted: what is kept of the other stays what it is, and both go on to let their person in.
func TestMF10_OfTwoPasskeysTheOneThatSignedIsNoted(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		by := w.Strong(t, h.User)
		keys := []*passkey{newPasskey(&folk{holder: h}), newPasskey(&folk{holder: h})}
		for _, k := range keys {
			e, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorKey})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Setup.Confirm(t.Context(), by, e.ID, k.made(t, e.Options)); err != nil {
				t.Fatal(err)
			}
		}
		s := signin.Arrivals{Flows: w.Flows}
		enters := func(k *passkey, counter uint32) error {
			browser := signin.NewBrowser()
			f, err := s.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{Redirect: back})
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			options, err := s.Invite(v)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Passkey(t.Context(), v, k.signed(t, options, counter, true))
			return err
		}
		wantCode(t, "the second", enters(keys[1], 7), "")
		wantCode(t, "the first, whose counter is its own", enters(keys[0], 1), "")
		wantCode(t, "the second again", enters(keys[1], 8), "")
		wantCode(t, "a copy of the second", enters(keys[1], 8), "mfa_code_invalid")
		wantCode(t, "the first again", enters(keys[0], 2), "")
	})
}
