package pages_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// demand makes a site ask everybody for a second factor.
func demand(t *testing.T, w *otltest.World, s otl.Site) {
	t.Helper()
	s.MFA = otl.MFARequired
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Sites.Update(ctx, s)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestATrustedDeviceIsNotAsked for 30 days, for the person who said so, where the site
// does not demand a second factor; the site's exchange knows of it too.
func TestATrustedDeviceIsNotAsked(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		seed := secondFactors(t, w, w.Person(t, jane, w.Notes.Site, w.Shop.Site))
		b := w.Browser(t)
		step := func() otltest.Page { return password(b, b.Get(request(w.Notes, nil))) }
		p := step()
		if !strings.Contains(timed.ReplaceAllString(string(p.Raw), "$1"), "Trust this device until \u2068"+w.Clock.Now().Add(30*24*time.Hour).Format("2 January 2006")) {
			t.Fatalf("nothing to tick\n%s", p.Raw)
		}
		arrives(t, b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now()), "trust": "1"}), w.Notes)
		device := b.Cookies["__Host-otl_device"]
		forget := func() { b.Cookies = map[string]string{"__Host-otl_device": device} }
		if forget(); device == "" {
			t.Fatal("no device is trusted")
		}
		r := exchange(t, w, w.Notes, arrives(t, step(), w.Notes)).Want(t, http.StatusOK)
		if got := introspected(t, w, r); !strings.Contains(got, `"amr":["pwd"]`) {
			t.Errorf("%s", got)
		}
		exchange(t, w, w.Notes, arrives(t, b.Get(request(w.Notes, nil)), w.Notes)).Want(t, http.StatusOK) // signed in already

		demand(t, w, w.Shop.Site)
		p = b.Get(request(w.Shop, nil))
		if p.Title != "One more step" || strings.Contains(string(p.Raw), "Trust this device") {
			t.Errorf("where it is demanded: %s\n%s", p.Title, p.Raw)
		}
		john := w.Person(t, "john@dev.test", w.Notes.Site)
		secondFactors(t, w, john)
		forget()
		if p := b.Submit(b.Get(request(w.Notes, nil)), "/signin", map[string]string{"identifier": "john@dev.test", "password": otltest.Password}); p.Title != "One more step" {
			t.Errorf("another person on the device: %s", p.Title)
		}
		forget()
		b.Cookies["__Host-otl_device"] = device[:len(device)-1]
		if p := step(); p.Title != "One more step" {
			t.Errorf("SE-06: a token that was cut: %s", p.Title)
		}
		forget()
		w.Clock.Advance(30 * 24 * time.Hour)
		if p := step(); p.Title != "One more step" {
			t.Errorf("after 30 days: %s", p.Title)
		}
	})
}

// TestAD06_ATrustedDeviceIsNoSecondFactor (MF-08): what takes something away, hands
// something out or changes how somebody is reached takes both of his, once.
func TestAD06_ATrustedDeviceIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		seed := secondFactors(t, w, u)
		b := w.Browser(t)
		p := password(b, b.Get("/account"))
		b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now()), "trust": "1"})
		b.Cookies = map[string]string{"__Host-otl_device": b.Cookies["__Host-otl_device"]}
		if p = password(b, b.Get("/account")); p.Title != "Your account" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10)
		if err != nil || len(live) == 0 {
			t.Fatal(live, err)
		}
		const step = "One more step"
		form := p.Fields("/account/sites/" + w.Notes.Site.ID)
		own, err := w.Setup.List(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		factor := "/account/security/factors/" + own.Factors[0].ID
		for _, path := range []string{
			"/account/sites/" + w.Notes.Site.ID, "/account/sites/" + w.Notes.Site.ID + "/disconnect", "/account/sessions/" + live[0].ID + "/end",
			"/account/data/export", "/account/data/delete", "/account/email", "/account/phone", factor + "/remove", factor + "/rename", factor + "/prefer", "/account/security/codes",
		} {
			if got := b.Send(path, form); got.Title != step || strings.Contains(string(got.Raw), "Trust this device") {
				t.Errorf("%s: %d %s", path, got.Status, got.Title)
			}
		}
		for _, path := range []string{"/account/email", "/account/phone"} {
			if got := b.Get(path); got.Title != step {
				t.Errorf("%s: %s", path, got.Title)
			}
		}
		if still, err := w.Store.Read.Grants.Of(t.Context(), u.ID, w.Notes.Site.ID); err != nil || !still.Live() {
			t.Fatalf("%+v %v", still, err)
		}
		w.Clock.Advance(time.Minute)
		p = b.Submit(b.Send("/account/data/export", form), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		if p.Path != "/account/data?proven=1" || !strings.Contains(string(p.Raw), "Now press again") {
			t.Fatalf("then at %s", p.Path)
		}
		if got := b.Submit(p, "export", map[string]string{"format": "json"}); got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("after both: %s", got.Raw)
		}
	})
}

// TestMF13_TrustedDevicesAreTakenBack: each stands on the page with what it is, and asks for
// a second step again once it is taken back.
func TestMF13_TrustedDevicesAreTakenBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		seed := secondFactors(t, w, u)
		b := w.Browser(t)
		b.Headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		p := password(b, b.Get(ways))
		p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now()), "trust": "1"})
		holds(t, p, "Trusted devices", "Firefox", "!<script>", "!\u2068Notes\u2069")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := w.Factors.Trust(ctx, tx, u.ID, w.Notes.Site.ID, time.Hour)
			if err == nil {
				_, err = w.Factors.Trust(ctx, tx, u.ID, w.Flows.FirstParty, time.Hour)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get(ways), "an unknown browser</strong> <span class=\"muted\">since", "an app of the site</strong> <span class=\"muted\">\u2068Notes\u2069, since")
		holds(t, b.Get(ways), "!not trusted at present")
		none := 0
		if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &none}); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get(ways), ", not trusted at present</span>") // it can be taken back before it is again
		var forget string
		for _, action := range p.Actions() {
			if strings.HasSuffix(action, "/forget") {
				forget = action
			}
		}
		if p = b.Submit(p, forget, nil); p.Title != "Ways to sign in" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		holds(t, p, "Saved.", "!Firefox")
		holds(t, b.Get("/account/activity"), "A device is trusted no more at \u2068OneTimeLogin\u2069", "A device is trusted at \u2068OneTimeLogin\u2069", "\u2068Firefox, Linux\u2069",
			"A device is trusted at \u2068Notes\u2069", "\u2068an app of the site\u2069")
		if got := b.Send(forget, p.Fields("add")); got.Status != http.StatusNotFound {
			t.Errorf("twice: %d", got.Status)
		}
		b.Cookies = map[string]string{"__Host-otl_device": b.Cookies["__Host-otl_device"]}
		if p = password(b, b.Get(ways)); p.Title != "One more step" {
			t.Errorf("let in all the same: %s", p.Title)
		}
		if _, err := w.SignIn.RevokeAll(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		b.Submit(password(b, b.Get(ways)), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		holds(t, b.Get("/account/activity"), "Devices that are trusted no more: 2")
	})
}

// TestMF13_PagesAskAsLongAsTheSiteSays: a device is trusted no longer than the site of the
// visit allows, and not offered to be where that is no time.
func TestMF13_PagesAskAsLongAsTheSiteSays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		seed := secondFactors(t, w, w.Person(t, jane, w.Notes.Site, w.Shop.Site))
		days := func(n int) {
			t.Helper()
			if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &n}); err != nil {
				t.Fatal(err)
			}
		}
		code := func() map[string]string {
			w.Clock.Advance(time.Minute)
			return map[string]string{"code": secret.TOTP(seed, w.Clock.Now()), "trust": "1"}
		}
		b := w.Browser(t)
		days(0)
		p := password(b, b.Get(request(w.Notes, nil)))
		holds(t, p, "!Trust this device")
		arrives(t, b.Submit(p, "second", code()), w.Notes)
		if b.Cookies["__Host-otl_device"] != "" {
			t.Error("a device is trusted that was not offered to be")
		}
		days(7)
		b = w.Browser(t)
		p = password(b, b.Get(request(w.Notes, nil)))
		holds(t, p, "Trust this device until "+w.Clock.Now().Add(7*24*time.Hour).Format("2 January 2006"))
		arrives(t, b.Submit(p, "second", code()), w.Notes)
		again := func(s otltest.Page) otltest.Page {
			return password(b, s)
		}
		device := b.Cookies["__Host-otl_device"]
		fresh := func() { b.Cookies = map[string]string{"__Host-otl_device": device} }
		fresh()
		w.Clock.Advance(3 * 24 * time.Hour)
		arrives(t, again(b.Get(request(w.Notes, nil))), w.Notes)
		days(2) // at once: our own pages trust it still, this site does not
		fresh()
		if p = again(b.Get(request(w.Notes, nil))); p.Title != "One more step" {
			t.Errorf("trusted for longer than the site says: %s", p.Title)
		}
		fresh()
		arrives(t, again(b.Get(request(w.Shop, nil))), w.Shop)
		w.Clock.Advance(4 * 24 * time.Hour)
		fresh()
		if p = again(b.Get(request(w.Shop, nil))); p.Title != "One more step" {
			t.Errorf("trusted for longer than was said: %s", p.Title)
		}
	})
}

// TestMF13_AShorterTrustTakesNoLongerOnesPlace: a site of one day that a trusted device signs in to
// has it for that day, and the others for as long as was said to them before.
func TestMF13_AShorterTrustTakesNoLongerOnesPlace(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		seed, one, day := secondFactors(t, w, u), 1, 24*time.Hour
		if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &one}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		comes := func(s site.Registered, after time.Duration) otltest.Page {
			w.Clock.Advance(after)
			b.Cookies = map[string]string{"__Host-otl_device": b.Cookies["__Host-otl_device"]}
			return password(b, b.Get(request(s, nil)))
		}
		trusts := func(p otltest.Page) otltest.Page {
			return b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now()), "trust": "1"})
		}
		arrives(t, trusts(comes(w.Shop, 0)), w.Shop)
		first := b.Cookies["__Host-otl_device"]
		p := comes(w.Notes, 2*day)
		holds(t, p, "Trust this device until "+w.Clock.Now().Add(day).Format("2 January 2006"))
		arrives(t, trusts(p), w.Notes)
		arrives(t, comes(w.Notes, day/2), w.Notes)
		arrives(t, comes(w.Shop, 20*day), w.Shop)
		if p := comes(w.Notes, 0); p.Title != "One more step" {
			t.Errorf("for longer than the site says: %s", p.Title)
		}
		if all, err := w.Store.Read.Tickets.Of(t.Context(), u.ID, otl.PurposeDevice, "", w.Clock.Now(), 10); err != nil || len(all) != 1 {
			t.Errorf("%d devices are listed (%v)", len(all), err)
		}
		second := b.Cookies["__Host-otl_device"]
		b.Cookies["__Host-otl_device"] = first
		if p := comes(w.Shop, 0); p.Title != "One more step" {
			t.Errorf("the token that made room: %s", p.Title)
		}
		b.Cookies["__Host-otl_device"] = second
		if p := comes(w.Shop, 8*day); p.Title != "One more step" {
			t.Errorf("for longer than was said: %s", p.Title)
		}
	})
}

// TestMF01_ACodeThatWasUsedIsCalledThat: whoever types a code twice is told to wait, and not
// that it is wrong.
func TestMF01_ACodeThatWasUsedIsCalledThat(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		seed := secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
		code := map[string]string{"code": secret.TOTP(seed, w.Clock.Now())}
		step := func() otltest.Page {
			b := w.Browser(t)
			return b.Submit(password(b, b.Get(request(w.Notes, nil))), "second", code)
		}
		arrives(t, step(), w.Notes)
		if p := step(); p.Status != http.StatusUnauthorized || !strings.Contains(string(p.Raw), "That code was just used. Wait for the next one.") {
			t.Errorf("%d %s", p.Status, p.Raw)
		}
		code["code"] = "000000"
		if p := step(); p.Status != http.StatusUnauthorized || strings.Contains(string(p.Raw), "just used") {
			t.Errorf("%d %s", p.Status, p.Raw)
		}
	})
}

// TestSE13_WhoIsSuspendedIsTold and can only go back; he is not asked for consent,
// which would lead nowhere.
func TestSE13_WhoIsSuspendedIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, yes := w.Person(t, jane, w.Notes.Site), true
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Suspended: &yes}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		if p.Status != http.StatusForbidden || p.Title != "You can't sign in to \u2068Notes\u2069" {
			t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
		}
		fields := maps.Clone(p.Fields("back"))
		fields.Set("decision", "connect")
		if got := b.Send("/consent", fields); got.Left != nil || got.Title != p.Title {
			t.Errorf("consent leads to %s %v", got.Title, got.Left)
		}
		back := b.Submit(p, "back", nil)
		if back.Left == nil || back.Left.Host != "notes.test" || back.Left.Query().Get("error") != "access_denied" {
			t.Errorf("back to %v", back.Left)
		}
		if p := b.Get(request(w.Shop, nil)); !strings.HasPrefix(p.Title, "\u2068Shop\u2069 wants") {
			t.Errorf("another site: %s", p.Title)
		}
	})
}

// TestOA04_ARequestWithoutPKCEIsToldSo by the name of what is missing.
func TestOA04_ARequestWithoutPKCEIsToldSo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	p := w.Browser(t).Get(request(w.Notes, map[string]string{"code_challenge": "", "code_challenge_method": ""}))
	if p.Left == nil || p.Left.Query().Get("error") != "invalid_request" || !strings.HasPrefix(p.Left.Query().Get("error_description"), "code_challenge is missing: this server asks for PKCE") {
		t.Errorf("%v", p.Left)
	}
}
