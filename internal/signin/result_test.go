package signin_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestMN01_AResultIsMadeAndRedeemedOnce, however many ask at once; it is good for a
// minute (OT-15), for its client and address alone.
func TestMN01_AResultIsMadeAndRedeemedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		const to = "https://notes.test/callback?a=1"
		who := signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}
		send := func() signin.Result {
			t.Helper()
			w.Clock.Advance(time.Minute)
			w.Letters(t, "") // that a code was used twice is told, too
			w.Inbox.Empty()
			if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelMail, Client: "c1", Redirect: to}); err != nil {
				t.Fatal(err)
			}
			return signin.Result{CodeAttempt: signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(w.Newest(t, "jane@dev.test").Code)}, Client: "c1", Nonce: "n", Answer: "code"}
		}
		r := send()
		var all sync.WaitGroup
		made := make(chan secret.Text, 20)
		for range 20 {
			all.Go(func() {
				if code, err := (signin.Results{Codes: w.Codes}).Enter(t.Context(), r); err == nil {
					made <- code
				} else if !otl.Is(err, "code_invalid") {
					t.Error(err)
				}
			})
		}
		if all.Wait(); len(made) != 1 {
			t.Fatalf("%d results of one code", len(made))
		}
		code := <-made
		for range 3 { // looking uses nothing up
			if l, err := (signin.Results{Codes: w.Codes}).Land(t.Context(), code); err != nil || l.To != to+"&code="+code.Reveal() || l.Client != "c1" || l.Redirect != to {
				t.Errorf("%+v %v", l, err)
			}
		}
		for _, a := range []signin.LinkAttempt{
			{Site: w.Shop.Site, Client: "c1", Code: code},
			{Site: w.Notes.Site, Client: "c2", Code: code},
			{Site: w.Notes.Site, Code: code},
			{Site: w.Notes.Site, Client: "c1", Code: code, Redirect: "https://notes.test/callback"},
			{Site: w.Notes.Site, Client: "c1", Code: secret.NewText(code.Reveal() + "x")},
		} {
			if _, err := w.Codes.Redeem(t.Context(), a); !otl.Is(err, "link_invalid") {
				t.Errorf("%+v: %v", a, err)
			}
		}
		var won atomic.Int32
		for range 20 {
			all.Go(func() {
				p, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Client: "c1", Code: code, Redirect: to})
				if err == nil && p.Nonce() == "n" && p.Session.Methods.String() == "eotp" {
					won.Add(1)
				}
			})
		}
		if all.Wait(); won.Load() != 1 {
			t.Errorf("%d redeemed it", won.Load())
		}
		r = send()
		late, err := (signin.Results{Codes: w.Codes}).Enter(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		if _, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Client: "c1", Code: late}); !otl.Is(err, "link_invalid") {
			t.Error(err)
		}
		if _, err := (signin.Results{Codes: w.Codes}).Land(t.Context(), late); !otl.Is(err, "link_invalid") {
			t.Error(err)
		}
		// Another client enters nothing, and the guess is counted.
		r = send()
		r.Client = "c2"
		if _, err := (signin.Results{Codes: w.Codes}).Enter(t.Context(), r); !otl.Is(err, "code_invalid") {
			t.Error(err)
		}
	})
}
