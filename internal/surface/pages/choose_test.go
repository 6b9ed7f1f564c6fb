package pages_test

import (
	"database/sql"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
)

const (
	bob    = "bob@dev.test"
	eve    = "eve@dev.test"
	asJane = "j***@dev.test" // as much as a page says before she has signed in
	asBob  = "b***@dev.test"
	janeAs = `<bdi>Jane Doe</bdi> <bdi class="hint">` // before an address
)

// inAs signs somebody in on the page of a sign-in, whoever is already.
func inAs(b *otltest.Browser, p otltest.Page, who string) otltest.Page {
	flow := "f=" + strings.SplitN(strings.SplitN(p.Path, "f=", 2)[1], "&", 2)[0]
	return b.Submit(b.Get("/signin?as=new&"+flow), "/signin", map[string]string{"identifier": who, "password": otltest.Password})
}

// chooser has a site ask as whom somebody goes on, and gives the page.
func chooser(b *otltest.Browser) otltest.Page {
	b.World.Clock.Advance(time.Second) // otherwise he has just proven himself
	return b.Get(request(b.World.Notes, map[string]string{"prompt": "select_account"}))
}

// former gives the ids of the forms of those who can sign in again.
func former(p otltest.Page) []string {
	var out []string
	for part := range strings.SplitSeq(string(p.Raw), `id="former-`) {
		if id, _, ok := strings.Cut(part, `"`); ok && len(id) == 26 {
			out = append(out, id)
		}
	}
	return out
}

// has fails the test for each text that a page lacks, or has though it begins with "!".
func has(t *testing.T, p otltest.Page, texts ...string) {
	t.Helper()
	for _, one := range texts {
		text, not := strings.CutPrefix(one, "!")
		if strings.Contains(string(p.Raw), text) == not {
			t.Errorf("%s (%s): %q\n%s", p.Path, p.Title, one, p.Raw)
		}
	}
}

// TestH14_ABrowserKnowsWhoWasSignedIn: whose place another took is offered to sign in again,
// by a hint, and signs in without writing the address anew; the page of the second code too.
func TestH14_ABrowserKnowsWhoWasSignedIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Person(t, bob, w.Notes.Site)
		b := w.Browser(t)
		arrives(t, password(b, b.Get(request(w.Notes, nil))), w.Notes)
		p := chooser(b)
		has(t, p, janeAs+jane, "!Sign in again", "!>Signed in<")
		arrives(t, inAs(b, p, bob), w.Notes)
		p = chooser(b)
		has(t, p, janeAs+bob, asJane, "Sign in again", ">Signed in<", "!"+jane)
		arrives(t, b.Submit(p, "choose", nil), w.Notes)

		p = chooser(b)
		id := former(p)[0]
		p = b.Submit(p, "former-"+id, map[string]string{"as": id})
		has(t, p, asJane, `type="hidden" name="identifier"`, "!New here?", "!"+jane, "Use another account")
		has(t, b.Get(p.In("de")), asJane, "Anmelden", "!"+jane)
		has(t, b.Get(strings.Replace(p.Path, "as=other", "as=new", 1)), "!"+asJane, `input id="identifier"`)
		wrong := b.Submit(p, "/signin", map[string]string{"password": "wrong-horse-7"})
		has(t, wrong, asJane, `type="hidden" name="identifier"`, "!"+jane)
		has(t, b.Get(strings.Replace(p.Path, "/signin", "/forgot", 1)), asJane, "!"+jane)
		has(t, b.Get(strings.Replace(p.Path, "/signin", "/signup", 1)), "!"+asJane, "!"+jane)
		code := b.Submit(p, "/signin", map[string]string{"way": "code"})
		has(t, code, asJane, "!"+jane)
		arrives(t, b.Submit(code, "code-form", map[string]string{"code": letter(t, w, jane).Code}), w.Notes)
		has(t, chooser(b), janeAs+jane, asBob)
		// The password does as well, and what somebody else writes is meant.
		p = chooser(b)
		id = former(p)[0]
		p = b.Submit(p, "former-"+id, map[string]string{"as": id})
		arrives(t, b.Submit(p, "/signin", map[string]string{"password": otltest.Password}), w.Notes)
		has(t, chooser(b), janeAs+bob, asJane)
	})
}

// TestH14_ASharedComputer: who signs out is not among those who can be chosen, who signs out
// everywhere leaves nobody behind; one can be removed, and so can a session that expired.
func TestH14_ASharedComputer(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for _, who := range []string{jane, bob, eve} {
			w.Person(t, who, w.Notes.Site)
		}
		b := w.Browser(t)
		everybody := func() {
			for _, who := range []string{jane, bob, eve} {
				inAs(b, chooser(b), who)
			}
		}
		everybody()
		p := chooser(b)
		if n := len(former(p)); n != 2 {
			t.Fatalf("%d can be chosen\n%s", n, p.Raw)
		}
		id := former(p)[0]
		has(t, b.Submit(p, "former-"+id, map[string]string{"remove": id}), asJane, "!"+asBob)
		b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "here"})
		p = chooser(b)
		has(t, p, asJane, "!"+asBob, "!e***@", "!Jane Doe")
		id = former(p)[0]
		if p = b.Submit(p, "former-"+id, map[string]string{"remove": id}); p.Title != "Sign in" {
			t.Errorf("nobody is left, and there is %q", p.Title)
		}
		everybody()
		b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "everywhere"})
		if p = chooser(b); p.Title != "Sign in" {
			t.Errorf("after a sign-out everywhere there is %q", p.Title)
		}
		arrives(t, password(b, p), w.Notes)
		w.Clock.Advance(31 * 24 * time.Hour)
		p = chooser(b)
		has(t, p, asJane, "!"+jane)
		id = former(p)[0]
		if p = b.Submit(p, "former-"+id, map[string]string{"remove": id}); p.Title != "Sign in" || b.Cookies["__Host-otl_session"] != "" {
			t.Errorf("an expired session is still there: %s", p.Title)
		}
	})
}

// TestH14_NobodyIsChosenWhoWasNotThere: what the browser keeps opens nothing, and shows nobody
// who was signed out elsewhere, disabled, or never signed in in it.
func TestH14_NobodyIsChosenWhoWasNotThere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		other := w.Person(t, bob, w.Notes.Site)
		b, thief := w.Browser(t), w.Browser(t)
		inAs(b, chooser(b), jane)
		inAs(b, chooser(b), bob)
		kept := b.Cookies["__Host-otl_former"]
		if !strings.HasPrefix(kept, "otl_bs_") {
			t.Fatalf("kept %q", kept)
		}
		for _, name := range []string{"__Host-otl_session", "__Host-otl_across"} {
			thief.Cookies[name] = kept
			if p := thief.Get("/account"); p.Title != "Sign in" {
				t.Errorf("%s opens %q", name, p.Title)
			}
			delete(thief.Cookies, name)
		}
		live := b.Cookies["__Host-otl_session"]
		for _, forged := range []string{"x", ".", kept[:len(kept)-2] + "!!", live, strings.Repeat(kept+".", 50) + "x", "otl_bs_" + strings.Repeat("0", 69)} {
			thief.Cookies = map[string]string{"__Host-otl_former": forged}
			p := chooser(thief)
			if n := len(former(p)); n > 1 || n == 1 && !strings.HasPrefix(forged, kept+".") {
				t.Errorf("%.20q shows %d", forged, n)
			}
		}
		p := chooser(b)
		for _, id := range []string{"x", strings.Repeat("0", 26)} {
			form := p.Fields("former-" + former(p)[0])
			form.Set("as", id)
			if got := b.Send("/choose", form); got.Title != "Choose an account" || got.Status != http.StatusOK {
				t.Errorf("%q leads to %q", id, got.Title)
			}
		}
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		has(t, chooser(b), "!"+asJane)
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn.RevokeAll(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		has(t, chooser(b), asJane, "!"+asBob)
		// Nor one whose place Bob had taken before.
		if _, err := w.SignIn.RevokeAll(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		has(t, chooser(b), "!"+asJane, "!"+asBob)
	})
}

// TestH14_FormersKeepNobodyOut: where those from before cannot be read, whoever signs in is
// signed in all the same, and they stay in the browser.
func TestH14_FormersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane, w.Notes.Site)
	w.Person(t, bob, w.Notes.Site)
	b := w.Browser(t)
	inAs(b, chooser(b), jane)
	inAs(b, chooser(b), bob)
	kept := b.Cookies["__Host-otl_former"]
	w = w.Again(t, func(o *node.Options) {
		db, err := sql.Open("sqlite", o.Store.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), `UPDATE users SET created_at = 'x' WHERE id = $1`, u.ID); err != nil {
			t.Fatal(err)
		}
	})
	b = w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	b.Cookies["__Host-otl_former"] = kept
	arrives(t, b.Submit(p, "/signin", map[string]string{"identifier": bob, "password": otltest.Password}), w.Notes)
	if b.Cookies["__Host-otl_session"] == "" || b.Cookies["__Host-otl_former"] != kept {
		t.Errorf("%v", b.Cookies)
	}
}

// TestH14_AtMostFive: who was there longest ago makes room.
func TestH14_AtMostFive(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b := w.Browser(t)
	for _, who := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		w.Person(t, who+"@dev.test", w.Notes.Site)
		inAs(b, chooser(b), who+"@dev.test")
	}
	p := chooser(b)
	has(t, p, janeAs+"g@dev.test", "f***@", "b***@", "!a***@")
	if ids := former(p); len(ids) != 5 || !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("%v", ids)
	}
}

// TestH14_AHintChooses: a site that expects somebody else than who is signed in has the person
// choose, unless no page may be shown, or it would learn of an address it may not see (D1).
func TestH14_AHintChooses(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Person(t, bob, w.Notes.Site)
		b := w.Browser(t)
		arrives(t, password(b, b.Get(request(w.Notes, nil))), w.Notes)
		w.Clock.Advance(time.Second)
		hint := func(address string) otltest.Page {
			return b.Get(request(w.Notes, map[string]string{"login_hint": address}))
		}
		for _, same := range []string{jane, "JANE@DEV.TEST", "jane", "+491511234567", ""} {
			arrives(t, hint(same), w.Notes)
		}
		p := hint(bob)
		has(t, p, "Choose an account", janeAs+jane)
		arrives(t, b.Submit(p, "choose", nil), w.Notes)
		p = b.Get("/signin?as=new&" + strings.SplitN(hint(bob).Path, "?", 2)[1])
		has(t, p, `value="`+bob+`"`)
		arrives(t, b.Submit(p, "/signin", map[string]string{"password": otltest.Password}), w.Notes)
		// Of a site that may not see the address, the answer is the same for any.
		form := b.Get("/account").Fields("/account/sites/" + w.Notes.Site.ID)
		form["fields"] = []string{"name"}
		b.Send("/account/sites/"+w.Notes.Site.ID, form)
		w.Clock.Advance(time.Second)
		arrives(t, hint("nobody@dev.test"), w.Notes)
	})
}
