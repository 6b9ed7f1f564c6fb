package pages_test

import (
	"encoding/base64"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

const ways = "/account/security"

// atHome signs a browser in on our own pages.
func atHome(t *testing.T, w *otltest.World) *otltest.Browser {
	t.Helper()
	b := w.Browser(t)
	if p := password(b, b.Get(ways)); p.Title != "Ways to sign in" {
		t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
	}
	return b
}

var signalData = regexp.MustCompile(`data-signal="([^"]*)"`)

// told gives what a page tells the browser of passkeys.
func told(t *testing.T, p otltest.Page) string {
	t.Helper()
	m := signalData.FindSubmatch(p.Raw)
	if m == nil {
		t.Fatalf("nothing is told the browser\n%s", p.Raw)
	}
	return html.UnescapeString(string(m[1]))
}

// TestWaysToSignIn: one's own factors are set up, named, preferred and taken away, with
// the recovery codes that go with them.
func TestWaysToSignIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := atHome(t, w)
		p := b.Get(ways)
		if !strings.Contains(string(p.Raw), "No second step yet") || strings.Count(string(p.Raw), "<nav") != 1 {
			t.Errorf("%s", p.Raw)
		}
		p = b.Submit(p, "add", nil)
		if p.Title != "Protect your account" || !strings.Contains(string(p.Raw), "even if they know your password") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		p = b.Submit(p, "way-totp", nil)
		seed := seedOf(t, p)
		p = b.Submit(p, "confirm", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		p = b.Submit(p, "saved", nil)
		if p.Title != "Ways to sign in" || !strings.Contains(string(p.Raw), "Codes left: 10") || !strings.Contains(string(p.Raw), "Saved.") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		// The proof of the first counts: a second needs no further one.
		k := blank(u.ID)
		p = b.Submit(b.Submit(p, "add", nil), "way-webauthn", nil)
		p = b.Submit(p, "confirm", map[string]string{"credential": k.made(t, invited(t, p)).Reveal()})
		if p.Title != "Ways to sign in" || !strings.Contains(string(p.Raw), "Passkey") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		id := func(label string) string {
			t.Helper()
			has, err := w.Setup.List(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range has.Factors {
				if one.Label == label {
					return one.ID
				}
			}
			t.Fatalf("no factor %s", label)
			return ""
		}
		of := func(label, verb string) string { return ways + "/factors/" + id(label) + "/" + verb }
		p = b.Submit(p, of("Passkey", "rename"), map[string]string{"label": "Work<b>"})
		if !strings.Contains(string(p.Raw), ">Work&lt;b&gt;</bdi></h3>") {
			t.Errorf("%s", p.Raw)
		}
		if got := b.Submit(p, of("Work<b>", "rename"), map[string]string{"label": strings.Repeat("x", 61)}); got.Status != http.StatusBadRequest || got.Title != p.Title {
			t.Errorf("a long name: %d %s", got.Status, got.Title)
		}
		p = b.Submit(p, of("Work<b>", "prefer"), nil)
		if at := strings.Index(string(p.Raw), "Offered first"); at < 0 || at < strings.Index(string(p.Raw), "Work&lt;b&gt;</h3>") {
			t.Errorf("%s", p.Raw)
		}
		codes := b.Submit(p, "codes", nil)
		if n := len(codeText.FindAll(codes.Raw, -1)); n != 10 || codes.Title != "Your recovery codes" {
			t.Errorf("%d codes, %s", n, codes.Title)
		}
		harmless(t, codes)
		p = b.Submit(codes, "saved", nil)
		harmless(t, p)
		if got := told(t, p); !strings.Contains(got, `"rpId":"id.test"`) || !strings.Contains(got, base64.RawURLEncoding.EncodeToString(k.key.ID)) {
			t.Errorf("the browser is told %s", got)
		}
		p = b.Submit(p, of("Work<b>", "remove"), nil)
		if got := told(t, p); !strings.Contains(got, `"allAcceptedCredentialIds":[]`) || !strings.Contains(got, base64.RawURLEncoding.EncodeToString([]byte(u.ID))) {
			t.Errorf("after the removal: %s", got)
		}
		p = b.Submit(p, of("Authenticator app", "remove"), nil)
		if !strings.Contains(string(p.Raw), "No second step yet") || strings.Contains(string(p.Raw), "Codes left") {
			t.Errorf("%s", p.Raw)
		}
	})
}

// TestMF08_TakingAwayNeedsBothFactorsAndFresh: a session of one factor, or an old one, is
// led to prove what is missing; somebody else's factor is none.
func TestMF08_TakingAwayNeedsBothFactorsAndFresh(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := atHome(t, w) // of one factor
		seed := secondFactors(t, w, u)
		p := b.Get(ways)
		var remove string
		for _, action := range p.Actions() {
			if strings.HasSuffix(action, "/remove") {
				remove = action
				break
			}
		}
		step := b.Submit(p, remove, nil)
		if step.Title != "One more step" || strings.Contains(string(step.Raw), "Trust this device") {
			t.Fatalf("%s\n%s", step.Title, step.Raw)
		}
		back := b.Submit(step, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		if back.Title != "Ways to sign in" || back.Fields(remove) == nil {
			t.Fatalf("%s\n%s", back.Title, back.Raw)
		}
		w.Clock.Advance(16 * time.Minute)
		for _, form := range []string{remove, "add", "codes"} {
			if got := b.Submit(back, form, nil); got.Title != "Confirm it's you" {
				t.Errorf("%s after 16 minutes: %s", form, got.Title)
			}
		}
		p = password(b, b.Submit(back, remove, nil))
		p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		john := w.Person(t, "john@dev.test")
		secondFactors(t, w, john)
		hers, err := w.Setup.List(t.Context(), john)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"remove", "prefer", "rename"} {
			fields := p.Fields("add")
			fields.Set("label", "mine")
			if got := b.Send(ways+"/factors/"+hers.Factors[0].ID+"/"+verb, fields); got.Status != http.StatusNotFound {
				t.Errorf("MF-04: %s somebody else's: %d", verb, got.Status)
			}
		}
		if p = b.Submit(p, remove, nil); p.Fields(remove) != nil || p.Title != "Ways to sign in" {
			t.Errorf("%s\n%s", p.Title, p.Raw)
		}
		w.Clock.Advance(15 * time.Minute)
		if got := w.Browser(t).Get(ways); got.Title != "Sign in" {
			t.Errorf("nobody: %s", got.Title)
		}
	})
}

// TestOT19_WhenAnotherCodeCanBeAskedFor stands on the page, in words, until it can.
func TestOT19_WhenAnotherCodeCanBeAskedFor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := w.Browser(t)
	p := asks(b, b.Get(request(w.Notes, nil)), jane)
	const at = "You can ask for another in 30 s."
	if page := string(p.Raw); !strings.Contains(page, at) || !strings.Contains(page, `data-left="30"`) {
		t.Errorf("no %s\n%s", at, page)
	}
	w.Clock.Advance(30 * time.Second)
	if page := string(b.Get(p.Path).Raw); strings.Contains(page, "You can ask for another") {
		t.Errorf("%s", page)
	}
}
