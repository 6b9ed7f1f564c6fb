package pages_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// secondFactors gives a person an authenticator app and his telephone.
func secondFactors(t *testing.T, w *otltest.World, u otl.User) secret.Text {
	t.Helper()
	seed := secret.NewTOTPSeed()
	for _, g := range []factor.Given{
		{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed},
		{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550100"}},
	} {
		if _, err := w.Setup.Give(t.Context(), u, g); err != nil {
			t.Fatal(err)
		}
	}
	return seed
}

// TestASecondStepOnThePages: H6. A right password alone opens nothing; one factor at a
// time, another for the asking.
func TestASecondStepOnThePages(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		seed := secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
		code := func() string { return secret.TOTP(seed, w.Clock.Now()) }
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		if p.Title != "One more step" || b.Cookies["__Host-otl_session"] != "" || !strings.Contains(string(p.Raw), "authenticator app") {
			t.Fatalf("%s %v\n%s", p.Title, b.Cookies, p.Raw)
		}
		if got := b.Get("/account"); got.Title != "Sign in" {
			t.Errorf("signed in by one factor: %s", got.Title)
		}
		if got := b.Submit(p, "second", map[string]string{"code": "000000"}); got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "Check it and try again") {
			t.Errorf("a wrong code: %d", got.Status)
		}
		back := arrives(t, b.Submit(p, "second", map[string]string{"code": code()}), w.Notes)
		r := exchange(t, w, w.Notes, back).Want(t, http.StatusOK)
		got := w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: w.Notes.Key, Body: map[string]string{"token": r.Text("access_token")}})
		if !strings.Contains(string(got.Raw), `"mfa"`) {
			t.Errorf("%s", got.Raw)
		}

		// Whose clock is off is told so after two misses, and who has lost his device what to do.
		lost := w.Browser(t)
		p = password(lost, lost.Get(request(w.Notes, nil)))
		for i := range 3 {
			says := "clock by itself"
			if i < 2 {
				says = "!" + says
			}
			holds(t, p, says)
			p = lost.Submit(p, "second", map[string]string{"code": "000000"})
		}
		// By SMS, in another browser that may not use the first one's step.
		w.Clock.Advance(time.Minute)
		other := w.Browser(t)
		p = password(other, other.Get(request(w.Notes, nil)))
		i := strings.Index(string(p.Raw), "&amp;with=")
		if i < 0 {
			t.Fatalf("no other way on\n%s", p.Raw)
		}
		with := string(p.Raw)[i+len("&amp;with="):][:26]
		p = other.Get(p.Path + "&with=" + with)
		if p.Fields("second") != nil || !strings.Contains(string(p.Raw), "we text to you") {
			t.Fatalf("%s", p.Raw)
		}
		p = other.Submit(p, "send", nil)
		l := letter(t, w, "+491705550100")
		arrives(t, other.Submit(p, "second", map[string]string{"code": l.Code}), w.Notes)

		// Five wrong codes end the step, and the password is asked for again.
		third := w.Browser(t)
		p = password(third, third.Get(request(w.Notes, nil)))
		for range 5 {
			third.Submit(p, "second", map[string]string{"code": "000000"})
		}
		if got := third.Submit(p, "second", map[string]string{"code": code()}); got.Title != "Sign in" {
			t.Errorf("after five wrong codes: %s", got.Title)
		}
	})
}

// TestASiteMayDemandASecondFactor: the network's session is raised, not begun anew;
// who has none is to set one up.
func TestASiteMayDemandASecondFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		shop := w.Shop.Site
		shop.MFA = otl.MFARequired
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Update(ctx, shop)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		arrives(t, password(b, b.Get(request(w.Notes, nil))), w.Notes)
		if p := b.Get(request(w.Shop, nil)); p.Title != "Protect your account" || !strings.Contains(string(p.Raw), "asks for a second step") {
			t.Fatalf("%d %s", p.Status, p.Raw)
		}
		seed := secondFactors(t, w, u)
		before := b.Cookies["__Host-otl_session"]
		p := b.Get(request(w.Shop, nil))
		if p.Title != "One more step" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		arrives(t, b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())}), w.Shop)
		if before == "" || b.Cookies["__Host-otl_session"] == before {
			t.Error("SE-04: the cookie is that of the lower level")
		}
	})
}

// TestTheAccountPage: what sites see can be narrowed and taken back, sessions end.
func TestTheAccountPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		b := w.Browser(t)
		if p := b.Get("/account"); p.Title != "Sign in" {
			t.Fatalf("nobody sees %s", p.Title)
		} else if p = password(b, p); p.Title != "Your account" || !strings.Contains(string(p.Raw), "Hi \u2068Jane Doe\u2069.") {
			t.Fatalf("%s", p.Raw)
		}
		shop := w.Login(t, w.Shop, jane)
		me := func() otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: shop.Text("access_token")})
		}
		if me().Text("name") != "Jane Doe" {
			t.Fatalf("%s", me().Raw)
		}
		p := b.Get("/account")
		done := b.Submit(p, "/account/sites/"+w.Shop.Site.ID, map[string]string{"fields": "email"})
		if !strings.Contains(string(done.Raw), "Saved.") || me().Text("name") != "" || me().Text("email") != jane {
			t.Errorf("a field that was taken back: %s", me().Raw)
		}
		// Another browser's session, a stranger's, one that never was.
		p = b.Get("/account/sessions")
		live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, w.Shop.Site.ID, "", w.Clock.Now(), 10)
		if err != nil || len(live) != 1 {
			t.Fatal(live, err)
		}
		b.Submit(p, "/account/sessions/"+live[0].ID+"/end", nil)
		if me().Status != http.StatusUnauthorized {
			t.Error("the session goes on")
		}
		again := w.Login(t, w.Shop, jane)
		ask := b.Get("/account/sites/" + w.Shop.Site.ID + "/disconnect")
		holds(t, ask, "Disconnect \u2068Shop\u2069?", "keeps what it has stored", `<a class="button second" href="/account">`)
		b.Submit(ask, "ask", nil)
		if r := w.Refresh(t, w.Shop, again.Text("refresh_token")); r.Status != http.StatusUnauthorized {
			t.Errorf("a site that was let go refreshes: %d", r.Status)
		}
		if got := b.Get("/account"); strings.Contains(string(got.Raw), w.Shop.Site.ID) {
			t.Error("a site that was let go is listed")
		}
		stranger := w.Browser(t)
		w.Person(t, "joe@dev.test")
		stranger.Submit(stranger.Get("/account"), "/signin", map[string]string{"identifier": "joe@dev.test", "password": otltest.Password})
		mine, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10)
		if err != nil || len(mine) == 0 {
			t.Fatal(mine, err)
		}
		form := stranger.Get("/signout")
		for _, path := range []string{"/account/sessions/" + mine[0].ID + "/end", "/account/sites/" + w.Notes.Site.ID, "/account/sites/" + w.Notes.Site.ID + "/disconnect", "/account/sessions/x/end", "/account/sites/x"} {
			if got := stranger.Send(path, form.Fields("signout")); got.Status != http.StatusNotFound {
				t.Errorf("TE-01 %s: %d", path, got.Status)
			}
		}
		for _, path := range []string{"/account/sites/" + w.Notes.Site.ID + "/disconnect", "/account/sites/x/disconnect"} {
			if got := stranger.Get(path); got.Status != http.StatusNotFound {
				t.Errorf("TE-01 %s: %d", path, got.Status)
			}
		}
	})
}

// TestASessionTokenThatWasNoGood: H19, whoever is signed in.
func TestASessionTokenThatWasNoGood(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for path, says := range map[string]string{"/signin?error=session_token": "took too long", "/signin?error=session_token_used": "was used already"} {
		p := w.Browser(t).Get(path)
		if p.Status != http.StatusOK || p.Path != path || !strings.Contains(string(p.Raw), says) {
			t.Errorf("%d %s %s", p.Status, p.Path, p.Raw)
		}
		holds(t, p, `id="reference"`, `class="button second" href="/account">Your account</a>`, "!Sign in again") // it leads to no site
	}
	p := w.Browser(t).Get("/signin?error=mfa_required")
	holds(t, p, "asks for a second step, which was left out", `class="button" href="/signin">Sign in</a>`, "!took too long")
}

// TestSigningOut: here, or everywhere.
func TestSigningOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b, other := w.Browser(t), w.Browser(t)
		in := func(b *otltest.Browser) { password(b, b.Get("/account")) }
		in(b)
		in(other)
		p := b.Get("/signout")
		holds(t, p, "everywhere: on all your devices", `href="/account">Your account</a>`)
		if got := b.Submit(p, "signout", map[string]string{"where": "here"}); got.Title != "You're signed out" || b.Cookies["__Host-otl_session"] != "" {
			t.Fatalf("%s %v", got.Title, b.Cookies)
		}
		if other.Get("/account").Title != "Your account" {
			t.Error("the other browser was signed out as well")
		}
		in(b)
		site := w.Login(t, w.Notes, jane)
		b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "everywhere"})
		if other.Get("/account").Title != "Sign in" {
			t.Error("the other browser is still signed in")
		}
		if r := w.Refresh(t, w.Notes, site.Text("refresh_token")); r.Status != http.StatusUnauthorized {
			t.Errorf("a site's session goes on: %d", r.Status)
		}
	})
}
