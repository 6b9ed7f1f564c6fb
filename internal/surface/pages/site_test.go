package pages_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// ownPages are the ends of the paths of the pages about a site.
func ownPages() []string {
	return []string{"ways", "details", "addresses", "look", "keys", "clients", "off"}
}

// ownAt gives the path of a page about a site.
func ownAt(of otl.Site, page string) string { return "/account/sites/" + of.ID + "/" + page }

// fills sends the form of a page about a site with some fields set, each to as many values as it
// is given.
func fills(b *otltest.Browser, p otltest.Page, id string, change url.Values) otltest.Page {
	form := url.Values{}
	for name, values := range p.Fields(id) {
		form[name] = values
	}
	for name, values := range change {
		if form[name] = values; len(values) == 0 {
			form.Del(name)
		}
	}
	path, _, _ := strings.Cut(p.Path, "?")
	return b.Send(path, form)
}

// refusal is what the page says of a form that was sent with some fields changed.
type refusal struct {
	change url.Values
	want   string
}

// refuses sends forms that make nothing: nothing secret is shown, and what is wrong stands at its field.
func refuses(t *testing.T, b *otltest.Browser, p otltest.Page, id string, all map[string]refusal) {
	t.Helper()
	for name, c := range all {
		if got := fills(b, p, id, c.change); got.Status != http.StatusBadRequest || shownKey(got).Reveal() != "" {
			t.Errorf("%s: %d", name, got.Status)
		} else {
			holds(t, got, c.want)
		}
	}
}

// stored gives a site as it is.
func stored(t *testing.T, w *otltest.World, of otl.Site) otl.Site {
	t.Helper()
	got, err := w.Sites.Get(t.Context(), of.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAU01_AnOwnerSaysHowPeopleSignIn: the ways and the second factor of a site are set on a page
// without a script, the same as by the API, and stand in the log with who set them.
func TestAU01_AnOwnerSaysHowPeopleSignIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "ways")
		holds(t, b.Get("/account"), "Mine", at)
		p := b.Get(at)
		holds(t, p, "Signing in to Mine", `aria-label="Mine"`, `href="`+at+`" aria-current="page"`, ownAt(mine, "webhooks"), "Codes by email", "Links by email", "Codes by SMS", "We email a link.", "Over Transmit Security&#39;s API nobody can be asked for it",
			`value="password" checked`, `value="passkey" checked`, `value="optional" checked`, `name="trust_days" type="number" min="0" max="365" required value="30"`, `!value="roles"`, "!Saved.")
		w.Clock.Advance(time.Second) // of one moment none is the last
		p = fills(b, p, "ways", url.Values{"ways": {"link", "passkey"}, "mfa_policy": {"required"}, "trust_days": {"0"}})
		holds(t, p, "Saved.", `value="link" checked`, `!value="password" checked`, `value="required" checked`, `value="0"`)
		got := stored(t, w, mine)
		if got.Off.String() != "password email_code sms_code" || got.MFA != otl.MFARequired || got.TrustDays != 0 || got.Name != "Mine" {
			t.Fatalf("%+v", got)
		}
		all, err := w.Store.Read.Events.List(t.Context(), "", mine.ID, "", 1)
		if err != nil || all[0].Type != otl.EventSiteUpdated || all[0].By.Kind != otl.ActorPerson || all[0].Data[otl.DataChanged] != "mfa_policy sign_in_ways trust_days" {
			t.Errorf("%+v %v", all, err)
		}
		roles := &site.Roles{Store: w.Store, Now: w.Clock.Now}
		for _, name := range []string{"editor", "admin"} {
			if _, err := roles.Create(t.Context(), otl.Role{SiteID: mine.ID, Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		p = b.Get(at)
		holds(t, p, `name="roles" value="admin"><bdi>admin`, `name="roles" value="editor"`)
		p = fills(b, p, "ways", url.Values{"mfa_policy": {"roles"}})
		holds(t, p, `id="roles-wrong">Tick at least one role.`, `value="roles" checked`)
		p = fills(b, p, "ways", url.Values{"mfa_policy": {"roles"}, "roles": {"admin", "editor"}})
		if holds(t, p, "Saved.", `value="admin" checked`); !slices.Equal(stored(t, w, mine).MFARoles, []string{"admin", "editor"}) {
			t.Errorf("%+v", stored(t, w, mine))
		}
	})
}

// TestNobodyIsShutOut: a form without any way that works here is refused at its field, and so is
// everything else that is wrong with it; nothing of it is done.
func TestNobodyIsShutOut(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { delete(o.Senders, otl.ChannelSMS) })
	b, mine := keeper(t, w)
	p := b.Get(ownAt(mine, "ways"))
	holds(t, p, "Codes by SMS<span>Not available: this server isn&#39;t set up for it.", `!value="sms_code"`, `<input type="checkbox" disabled>`)
	for _, c := range []struct {
		change url.Values
		want   string
	}{
		{url.Values{"ways": nil}, `id="ways-wrong">Leave at least one way that works here.`},
		{url.Values{"ways": {"sms_code"}}, `id="ways-wrong">Leave at least one way`}, // it does not work here
		{url.Values{"ways": {"password", "telepathy"}}, `id="ways-wrong"`},
		{url.Values{"mfa_policy": {"sometimes"}}, `id="policy-wrong">Choose one of the list.`},
		{url.Values{"mfa_policy": {"roles"}}, "Tick at least one role."},
		{url.Values{"mfa_policy": {"optional"}, "roles": {"<b>"}}, "Check what you entered here."},
		{url.Values{"trust_days": {"366"}}, `id="trust-wrong">Enter a number from 0 to 365.`},
		{url.Values{"trust_days": {"a year"}}, `value="a year"`},
	} {
		if got := fills(b, p, "ways", c.change); got.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", c.change, got.Status)
		} else {
			holds(t, got, c.want, `role="alert"`, "!Saved.")
		}
	}
	if got := stored(t, w, mine); got.Version != mine.Version || len(got.Off) != 0 {
		t.Errorf("something was done: %+v", got)
	}
	holds(t, fills(b, p, "ways", url.Values{"ways": {"password"}}), "Saved.")
	if got := stored(t, w, mine).Off; got.String() != "email_code link passkey" {
		t.Errorf("what was not offered changed: off are %s", got)
	}
}

// TestTwoOwnersAtOnce: who saves what he read before somebody else changed it is told, sees what it
// is now, and has changed nothing.
func TestTwoOwnersAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		name := "Theirs"
		for page, change := range map[string]url.Values{"ways": {"trust_days": {"77"}}, "details": {"domain": {"mine.test"}}, "look": {"footer": {"Late"}}} {
			p := b.Get(ownAt(mine, page))
			if _, err := w.Sites.Set(t.Context(), mine.ID, site.Change{Name: &name}); err != nil {
				t.Fatal(err)
			}
			got := fills(b, p, page, change)
			if got.Status != http.StatusConflict {
				t.Errorf("%s: %d", page, got.Status)
			}
			holds(t, got, "This was changed meanwhile. Look through it and save again.", "Theirs", "!mine.test", "!Late", `!value="77"`)
			holds(t, fills(b, got, page, change), "Saved.")
		}
		if got := stored(t, w, mine); got.TrustDays != 77 || got.Domain != "mine.test" || got.Brand.Footer != "Late" || got.Name != "Theirs" {
			t.Errorf("%+v", got)
		}
		form := b.Get(ownAt(mine, "ways")).Fields("ways")
		form.Set("version", "x")
		if got := b.Send(ownAt(mine, "ways"), form); got.Status != http.StatusBadRequest {
			t.Errorf("a version that is none: %d", got.Status)
		}
	})
}

// TestAnOwnerDescribesHisSite: its name, its host name and what it asks people for.
func TestAnOwnerDescribesHisSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		p := b.Get(ownAt(mine, "details"))
		holds(t, p, "Details of Mine", `value="Mine"`, `name="ask_phone"`, `href="`+ownAt(mine, "off")+`"`)
		if asked := p.Fields("details"); asked.Get("ask_email") != "asked" || asked.Get("ask_name") != "asked" || asked.Get("ask_phone") != "" || !asked.Has("ask_phone") {
			t.Errorf("%v", asked)
		}
		for name, c := range map[string]struct{ field, value, want string }{
			"no name":            {"name", " ", `id="name-wrong">Enter a name.`},
			"a long name":        {"name", strings.Repeat("x", 101), `id="name-wrong"`},
			"no host name":       {"domain", "not a host", `id="domain-wrong">Enter a host name, such as shop.example.com.`},
			"no choice of ours":  {"ask_email", "perhaps", `id="asks-wrong">Choose one of the list.`},
			"a field for a word": {"ask_email", "phone", `id="asks-wrong"`},
		} {
			if got := b.Submit(p, "details", map[string]string{c.field: c.value}); got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, got.Status)
			} else {
				holds(t, got, c.want)
			}
		}
		if got := stored(t, w, mine); got.Version != mine.Version {
			t.Fatalf("something was done: %+v", got)
		}
		holds(t, b.Submit(p, "details", map[string]string{"name": "Corner Shop", "domain": "Shop.Example.COM", "ask_email": "required", "ask_name": "", "ask_phone": "asked"}), "Saved.", "Details of Corner Shop", `value="shop.example.com"`)
		got := stored(t, w, mine)
		if got.Name != "Corner Shop" || got.Domain != "shop.example.com" || got.Requested.String() != "email name phone" || got.Required.String() != "email" {
			t.Errorf("%+v", got)
		}
		form := b.Get(ownAt(mine, "details")).Fields("details")
		form["ask_name"] = []string{""}
		b.Send(ownAt(mine, "details"), form)
		if got := stored(t, w, mine); got.Requested.String() != "email phone" {
			t.Errorf("%+v", got.Requested)
		}
	})
}

// TestSE13_AnOwnerTurnsHisSiteOff, sees that it is, and turns it on again; what whoever runs the
// server turned off he is told of, and cannot.
func TestSE13_AnOwnerTurnsHisSiteOff(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		off := ownAt(mine, "off")
		p := b.Get(off)
		holds(t, p, "Turn off Mine?", "is deleted for good", "!Turn it on again")
		p = b.Submit(p, "ask", nil)
		holds(t, p, "Mine is turned off", "you can turn it on again")
		if _, err := w.Sites.Get(t.Context(), mine.ID); !otl.Is(err, "not_found") {
			t.Fatalf("it is on: %v", err)
		}
		holds(t, b.Get("/account"), "Mine", "Turned off", off, "!"+ownAt(mine, "ways"))
		for _, page := range []string{"ways", "details", "addresses", "look", "keys", "clients", "webhooks"} {
			if got := b.Get(ownAt(mine, page)); got.Status != http.StatusNotFound {
				t.Errorf("%s of what is off: %d", page, got.Status)
			}
		}
		holds(t, b.Submit(p, "ask", nil), "Signing in to Mine")
		if _, err := (site.Operator{Sites: w.Sites}).TurnOff(t.Context(), mine.ID); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get(off), "Mine is turned off", "Whoever runs this server turned it off, and alone can turn it on again.", `!id="ask"`)
		form := p.Fields("ask")
		if got := b.Send(off, form); got.Status != http.StatusForbidden {
			t.Errorf("the operator's: %d", got.Status)
		} else {
			holds(t, got, "alone can turn it on again")
		}
		if _, err := w.Sites.Get(t.Context(), mine.ID); !otl.Is(err, "not_found") {
			t.Fatalf("it is on: %v", err)
		}
		form.Set("do", "x")
		if got := b.Send(off, form); got.Status != http.StatusNotFound {
			t.Errorf("anything else: %d", got.Status)
		}
	})
}

// TestTE01_NobodyElsesSite: of a site that is not one's own there is no page and no form, whether
// it is on, off or never was; no form from elsewhere counts (AD-01).
func TestTE01_NobodyElsesSite(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	token := b.Get(ownAt(mine, "ways")).Fields("ways").Get("token")
	if _, err := (site.Operator{Sites: w.Sites}).TurnOff(t.Context(), w.Shop.Site.ID); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {token}, "version": {"1"}, "ways": {"password"}, "mfa_policy": {"off"}, "trust_days": {"1"}, "name": {"Stolen"}, "footer": {"Stolen"}, "do": {"off"}}
	for _, page := range ownPages() {
		for _, of := range []otl.Site{w.Notes.Site, w.Shop.Site, {ID: strings.Repeat("0", 26)}, {ID: "x"}} {
			if got := b.Get(ownAt(of, page)); got.Status != http.StatusNotFound || strings.Contains(string(got.Raw), "Notes") {
				t.Errorf("GET %s: %d", got.Path, got.Status)
			}
			if got := b.Send(ownAt(of, page), form); got.Status != http.StatusNotFound {
				t.Errorf("POST %s: %d", got.Path, got.Status)
			}
		}
		forged := url.Values{"token": {strings.Repeat("A", 43)}}
		for name, values := range form {
			if name != "token" {
				forged[name] = values
			}
		}
		if got := b.Send(ownAt(mine, page), forged); got.Status != http.StatusForbidden {
			t.Errorf("%s with another's token: %d", page, got.Status)
		}
		if got := w.Browser(t).Get(ownAt(mine, page)); got.Title != "Sign in" {
			t.Errorf("nobody sees %s", got.Title)
		}
	}
	if got := stored(t, w, w.Notes.Site); got.Version != w.Notes.Site.Version || got.MFA != otl.MFAOptional {
		t.Errorf("%+v", got)
	}
	if got := stored(t, w, mine); got.Version != mine.Version {
		t.Errorf("%+v", got)
	}
}

// TestD2_APageAboutASiteAsksWhoItIs before anything is filled in: a form is not lost for it. Who
// has no second factor sets one up first.
func TestD2_APageAboutASiteAsksWhoItIs(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	p := b.Get(ownAt(mine, "ways"))
	w.Clock.Advance(8 * time.Minute) // what is opened now can be filled in for at least seven
	if got := b.Get(ownAt(mine, "ways")); got.Title != "Confirm it's you" {
		t.Errorf("after eight minutes: %s", got.Title)
	}
	w.Clock.Advance(6 * time.Minute)
	p = fills(b, p, "ways", url.Values{"trust_days": {"8"}})
	if holds(t, p, "Saved.", `value="8"`); stored(t, w, mine).TrustDays != 8 {
		t.Error("what was opened in time is lost")
	}
	w.Clock.Advance(2 * time.Minute)
	for _, page := range ownPages() {
		if got := b.Get(ownAt(mine, page)); got.Title != "Confirm it's you" {
			t.Errorf("%s: %s", page, got.Title)
		}
	}
	if got := fills(b, p, "ways", url.Values{"ways": {"password"}}); got.Title != "Confirm it's you" || len(stored(t, w, mine).Off) > 0 {
		t.Errorf("%s", got.Title)
	}
	plain := w.Person(t, "plain@dev.test")
	own := w.Register(t, site.Registration{Name: "Plain", Owner: plain.ID}).Site
	b = w.Browser(t)
	got := b.Submit(b.Get(ownAt(own, "ways")), "/signin", map[string]string{"identifier": "plain@dev.test", "password": otltest.Password})
	if !strings.HasPrefix(got.Path, "/mfa/setup") {
		t.Errorf("with one factor: %s", got.Path)
	}
}
