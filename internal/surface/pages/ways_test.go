package pages_test

import (
	"maps"
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

// takes switches all ways of a site off but some.
func takes(t *testing.T, w *otltest.World, on ...otl.Way) {
	t.Helper()
	names := otl.Ways(on).Strings()
	if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Ways: &names}); err != nil {
		t.Fatal(err)
	}
}

// choices tells what the sign-in page of a visit offers.
func choices(p otltest.Page) otl.Ways {
	var out otl.Ways
	for _, one := range []struct {
		way   otl.Way
		holds string
	}{
		{otl.WayPassword, `name="way" value="password"`},
		{otl.WayCode, ">Email me a code<"},
		{otl.WayLink, ">Send a link<"},
		{otl.WaySMS, `name="way" value="sms"`},
		{otl.WayPasskey, `id="passkey"`},
	} {
		if strings.Contains(string(p.Raw), one.holds) {
			out = append(out, one.way)
		}
	}
	return out
}

// TestAVisitOffersTheWaysThatAreOn and refuses the others when they are posted all the
// same; at our own pages everything is on, whatever a site has switched off.
func TestAVisitOffersTheWaysThatAreOn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for _, off := range otl.AllWays() {
			takes(t, w, otl.Ways{off}.Others()...)
			b := w.Browser(t)
			p := b.Get(request(w.Notes, nil))
			want := slices.DeleteFunc(otl.Ways{off}.Others(), func(one otl.Way) bool { return one == otl.WayLink }) // with the code
			if off == otl.WayCode {
				want = otl.Ways{otl.WayPassword, otl.WayLink, otl.WaySMS, otl.WayPasskey}
			}
			if got := choices(p); got.String() != want.String() {
				t.Errorf("without %s: %v, want %v", off, got, want)
			}
			if has := strings.Contains(string(p.Raw), "Forgot password?"); has == (off == otl.WayPassword) {
				t.Errorf("without %s: %v", off, has)
			}
			fields, path := p.Fields("/signin"), "/signin"
			fields.Set("identifier", jane)
			switch off {
			case otl.WayPassword:
				fields.Set("way", "password")
				fields.Set("password", otltest.Password)
			case otl.WaySMS:
				fields.Set("way", "sms")
			case otl.WayPasskey:
				fields, path = url.Values{"f": fields["f"], "token": fields["token"], "credential": {"{}"}}, "/signin/passkey"
			default:
				continue // the other of the two is sent, see below
			}
			if r := b.Send(path, fields); off != otl.WayPasskey && (r.Status != http.StatusForbidden || r.Title != "Sign in" || !strings.Contains(string(r.Raw), "Use another way")) || r.Status < 400 {
				t.Errorf("%s posted all the same: %d %s", off, r.Status, r.Title)
			}
			if got := w.Browser(t).Get("/signin"); len(choices(got)) != 4 {
				t.Errorf("our own page without %s at a site: %v", off, choices(got))
			}
		}
		if all := w.Letters(t, ""); len(all) != 0 {
			t.Errorf("%d letters", len(all))
		}
	})
}

// TestACodeAloneAndALinkAlone are mailed where the site has switched the other off, and
// nothing where it has both: nobody becomes a person there then.
func TestACodeAloneAndALinkAlone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		mailed := func(b *otltest.Browser) otltest.Page {
			return b.Submit(b.Get(request(w.Notes, nil)), "/signin", map[string]string{"identifier": jane, "way": "code"})
		}
		takes(t, w, otl.WayCode)
		b := w.Browser(t)
		p := mailed(b)
		l := letter(t, w, jane)
		if l.Link != "" || l.Code == "" || p.Fields("continue") != nil || !strings.Contains(string(p.Raw), "a code is on its way") {
			t.Fatalf("%+v\n%s", l, p.Raw)
		}
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": l.Code}), w.Notes)

		w.Clock.Advance(time.Minute)
		takes(t, w, otl.WayLink)
		b = w.Browser(t)
		p = mailed(b)
		l = letter(t, w, jane)
		if l.Link == "" || l.Code != "" || p.Fields("code-form") != nil || p.Fields("continue") == nil || !strings.Contains(string(p.Raw), "a link is on its way") {
			t.Fatalf("%+v\n%s", l, p.Raw)
		}
		takes(t, w, otl.WayPasskey) // what was sent before
		if r := b.Submit(b.Get(strings.TrimPrefix(l.Link, otltest.Issuer)), "", nil); r.Left != nil || r.Status != http.StatusForbidden {
			t.Errorf("a link that is off: %d %s %v", r.Status, r.Path, r.Left)
		}

		p = w.Browser(t).Get(request(w.Notes, nil))
		if strings.Contains(string(p.Raw), "/signup") || p.Fields("/signin") != nil || choices(p).String() != "passkey" {
			t.Errorf("%s", p.Raw)
		}
		takes(t, w, otl.WayPassword)
		b = w.Browser(t)
		p = b.Get(strings.Replace(b.Get(request(w.Notes, nil)).Path, "/signin", "/signup", 1))
		if r := b.Submit(p, "/signup", map[string]string{"email": "new@dev.test", "name": "New", "password": otltest.Password}); r.Status != http.StatusForbidden {
			t.Errorf("nobody could prove his address: %d", r.Status)
		}
		if _, err := w.Accounts.Find(t.Context(), "new@dev.test"); !otl.Is(err, "not_found") {
			t.Errorf("somebody was registered: %v", err)
		}
	})
}

// TestSomebodyIsCreatedWithoutAPassword where the site takes none.
func TestSomebodyIsCreatedWithoutAPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		takes(t, w, otl.WayCode, otl.WayPasskey)
		b := w.Browser(t)
		p := b.Get(strings.Replace(b.Get(request(w.Notes, nil)).Path, "/signin", "/signup", 1))
		if strings.Contains(string(p.Raw), `name="password"`) {
			t.Errorf("%s", p.Raw)
		}
		fields := maps.Clone(p.Fields("/signup"))
		fields.Set("email", "new@dev.test")
		fields.Set("password", otltest.Password)
		if r := b.Send("/signup", fields); r.Status != http.StatusForbidden {
			t.Errorf("a password posted all the same: %d", r.Status)
		}
		p = b.Submit(p, "/signup", map[string]string{"email": "new@dev.test", "name": "New"})
		l := letter(t, w, "new@dev.test")
		if l.Subject != "Confirm your email for Notes" || l.Link != "" || !strings.Contains(l.Text, "Enter this code where you are signing in:") {
			t.Errorf("%s", l.Text)
		}
		p = b.Submit(p, "code-form", map[string]string{"code": l.Code})
		arrives(t, b.Submit(p, "consent", nil), w.Notes)
	})
}

// TestANewPersonIsToldWhatWasSent: both, a code alone or a link alone. It is for whom he wrote
// that he is, with no "if".
func TestANewPersonIsToldWhatWasSent(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for on, says := range map[string]string{
		"email_code link": "We sent a link and a code to \u2068new@dev.test\u2069. The code works for 5 minutes, the link for 15 minutes.",
		"email_code":      "We sent a code to \u2068new@dev.test\u2069. It works for 5 minutes.",
		"link":            "We sent a link to \u2068new@dev.test\u2069. It works for 15 minutes.",
	} {
		names := strings.Fields(on)
		if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Ways: &names}); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Hour) // as many mails as one likes
		b := w.Browser(t)
		p := b.Get(strings.Replace(b.Get(request(w.Notes, nil)).Path, "/signin", "/signup", 1))
		p = b.Submit(p, "/signup", map[string]string{"email": "new@dev.test", "name": "New"})
		if p.Title != "Confirm your email" || !strings.Contains(string(p.Raw), says) {
			t.Errorf("%s: %s\n%s", on, p.Title, p.Raw)
		}
	}
}

// TestAPageWithNoWaySaysSo: the only one that the site takes does not work at this server.
func TestAPageWithNoWaySaysSo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { delete(o.Senders, otl.ChannelSMS) })
	takes(t, w, otl.WaySMS)
	p := w.Browser(t).Get(request(w.Notes, nil))
	if says := "Nobody can sign in to \u2068Notes\u2069 here at the moment."; len(choices(p)) != 0 || !strings.Contains(string(p.Raw), says) {
		t.Errorf("%s", p.Raw)
	}
	takes(t, w, otl.WayPasskey)
	if p = w.Browser(t).Get(request(w.Notes, nil)); strings.Contains(string(p.Raw), "Nobody can") {
		t.Errorf("%s", p.Raw)
	}
}

// TestASessionOfAWayThatIsOffIsNotEnough: who signed in elsewhere with what the site has
// switched off proves himself anew in another way, and is asked nothing more afterwards.
func TestASessionOfAWayThatIsOffIsNotEnough(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		takes(t, w, otl.WayCode, otl.WayPasskey)
		b := w.Browser(t)
		arrives(t, password(b, b.Get(request(w.Shop, nil))), w.Shop)
		p := b.Get(request(w.Notes, nil))
		if p.Title != "Confirm it's you" || choices(p).Has(otl.WayPassword) {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		p = b.Submit(p, "/signin", map[string]string{"identifier": jane, "way": "code"})
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code}), w.Notes)
		for _, s := range []site.Registered{w.Notes, w.Shop} {
			arrives(t, b.Get(request(s, nil)), s)
		}
	})
}
