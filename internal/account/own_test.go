package account_test

import (
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOT10_WhatSomebodyElseHasIsAskedForLikeAnythingElse: whoever asks for an address that somebody has is told of it by mail and in
// the copy of his data as if nobody had it, and can take nothing back that is not there. Whoever has it is sent nothing.
func TestOT10_WhatSomebodyElseHasIsAskedForLikeAnythingElse(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "bob@dev.test", w.Shop.Site)
		told := map[string][]otl.MessageKind{}
		for _, to := range []string{"bob@dev.test", "free@dev.test"} {
			u, home := reached(t, w, "asks-"+to, true, false)
			if err := w.Members.Changes.AskOwn(t.Context(), home, u, account.Own{Email: to}); err != nil {
				t.Fatal(err)
			}
			if n, want := len(w.Letters(t, to)), map[string]int{"free@dev.test": 1}[to]; n != want {
				t.Errorf("%d letters to %s, want %d", n, to, want)
			}
			if l := w.Letters(t, u.Email.Address); len(l) != 1 || l[0].Kind != otl.MessageChangeAsked {
				t.Errorf("for %s: %v", to, l)
			}
			undo := undoing(t, w, u.Email.Address, otl.MessageChangeAsked)
			w.Clock.Advance(time.Minute)
			e, err := (account.Consents{Accounts: w.Accounts}).Export(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range e.Messages {
				told[to] = append(told[to], m.Kind)
			}
			if err := w.Members.Changes.Follow(t.Context(), undo); err != nil {
				t.Error(err)
			}
			if is := found(t, w, u.ID); is.Email != u.Email {
				t.Errorf("%s is %s", u.Email.Address, is.Email.Address)
			}
		}
		if a, b := told["bob@dev.test"], told["free@dev.test"]; len(a) != 1 || len(b) != 1 || a[0] != b[0] {
			t.Errorf("copies of data tell of %v and of %v", a, b)
		}
	})
}
