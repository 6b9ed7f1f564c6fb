package pages_test

import (
	"encoding/json"
	"html"
	"math"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// passkey is an authenticator of somebody else's making with one key.
type passkey struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

// blank gives an authenticator without a key anybody knows.
func blank(holder string) *passkey {
	return &passkey{
		virtualwebauthn.RelyingParty{ID: "id.test", Name: "id.test", Origin: otltest.Issuer},
		virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(holder)}),
		newKey(),
	}
}

// newKey makes a key pair of which the library writes down both numbers in full: of one
// in 128 it leaves a leading zero out.
func newKey() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == 77 {
			return c
		}
	}
}

// made is what navigator.credentials.create gives.
func (k *passkey) made(t *testing.T, options string) secret.Text {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	return secret.NewText(virtualwebauthn.CreateAttestationResponse(k.rp, k.auth, k.key, *o))
}

// signed is what navigator.credentials.get gives.
func (k *passkey) signed(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	k.key.Counter++
	return virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.key, *o)
}

// withPasskey gives a person a passkey.
func withPasskey(t *testing.T, w *otltest.World, u otl.User) *passkey {
	t.Helper()
	b := w.Strong(t, u)
	e, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorKey})
	if err != nil {
		t.Fatal(err)
	}
	k := blank(u.ID)
	if _, err := w.Setup.Confirm(t.Context(), b, e.ID, k.made(t, e.Options)); err != nil {
		t.Fatal(err)
	}
	return k
}

var keyData = regexp.MustCompile(`data-key="([^"]*)"`)

// invited gives what a page asks passkeys for.
func invited(t *testing.T, p otltest.Page) string {
	t.Helper()
	m := keyData.FindSubmatch(p.Raw)
	if m == nil {
		t.Fatalf("%s invites no passkey\n%s", p.Path, p.Raw)
	}
	return html.UnescapeString(string(m[1]))
}

// introspected gives what a token of a site is about.
func introspected(t *testing.T, w *otltest.World, r otltest.Reply) string {
	t.Helper()
	return string(w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: w.Notes.Key, Body: map[string]string{"token": r.Text("access_token")}}).Want(t, http.StatusOK).Raw)
}

// TestMF10_APasskeySignsInWithoutAName: one press, two factors, whatever a site demands.
func TestMF10_APasskeySignsInWithoutAName(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		k := withPasskey(t, w, w.Person(t, jane, w.Notes.Site))
		demand(t, w, w.Notes.Site)
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		if asked := invited(t, p); !strings.Contains(asked, `"userVerification":"required"`) || strings.Contains(asked, "allowCredentials") {
			t.Errorf("asks %s", asked)
		}
		given := k.signed(t, invited(t, p))
		back := arrives(t, b.Submit(p, "passkey", map[string]string{"credential": given}), w.Notes)
		if got := introspected(t, w, exchange(t, w, w.Notes, back).Want(t, http.StatusOK)); !strings.Contains(got, `"amr":["webauthn","uv","mfa"]`) {
			t.Errorf("%s", got)
		}
		other := w.Browser(t)
		q := other.Get(request(w.Notes, nil))
		if got := other.Submit(q, "passkey", map[string]string{"credential": given}); got.Left != nil || got.Status != http.StatusUnauthorized {
			t.Errorf("what was used opens another visit: %d %v", got.Status, got.Left)
		}
	})
}

// TestMF10_WhatAPasskeySignsIsOfOneBrowserAndOnce: an invitation is no good in another
// browser's visit; whatever comes of it, it is used up, and the page invites anew.
func TestMF10_WhatAPasskeySignsIsOfOneBrowserAndOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		k := withPasskey(t, w, w.Person(t, jane, w.Notes.Site))
		mine, thief := w.Browser(t), w.Browser(t)
		p, q := mine.Get(request(w.Notes, nil)), thief.Get(request(w.Notes, nil))
		if invited(t, p) == invited(t, q) {
			t.Fatal("two visits ask for the same")
		}
		given := k.signed(t, invited(t, p))
		if got := thief.Submit(q, "passkey", map[string]string{"credential": given}); got.Left != nil || !strings.Contains(string(got.Raw), "passkey didn&#39;t work") {
			t.Errorf("in another browser: %d %v", got.Status, got.Left)
		}
		spoilt := mine.Submit(p, "passkey", map[string]string{"credential": "{}"})
		if spoilt.Status != http.StatusUnauthorized || invited(t, spoilt) == invited(t, p) {
			t.Errorf("%d, and invites the same again", spoilt.Status)
		}
		if got := mine.Submit(spoilt, "passkey", map[string]string{"credential": given}); got.Left != nil {
			t.Error("what was invited before is still good")
		}
		p = mine.Get(p.Path)
		k.key.Counter = math.MaxUint32 // and then 0: passkeys that are on several devices do not count
		given = k.signed(t, invited(t, p))
		var in atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				other := w.Browser(t)
				other.Cookies = map[string]string{"__Host-otl_flow": mine.Cookies["__Host-otl_flow"]}
				if other.Submit(p, "passkey", map[string]string{"credential": given}); other.Cookies["__Host-otl_session"] != "" {
					in.Add(1)
				}
			})
		}
		if all.Wait(); in.Load() != 1 {
			t.Errorf("MN-01: %d of eight got in", in.Load())
		}
	})
}

// TestMF10_EveryOtherPasskeyIsRefused, with one and the same answer.
func TestMF10_EveryOtherPasskeyIsRefused(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane, w.Notes.Site)
	k := withPasskey(t, w, u)
	john := w.Person(t, "john@dev.test", w.Notes.Site)
	secondFactors(t, w, john)
	try := func(what string, change func(*passkey)) {
		t.Helper()
		q := *k
		change(&q)
		k.key.Counter += 2
		q.key.Counter = k.key.Counter
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		got := b.Submit(p, "passkey", map[string]string{"credential": q.signed(t, invited(t, p))})
		if got.Left != nil || got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "passkey didn&#39;t work") {
			t.Errorf("%s: %d %v", what, got.Status, got.Left)
		}
	}
	try("nobody verified", func(q *passkey) { q.auth.Options.UserNotVerified = true })
	try("nobody present", func(q *passkey) { q.auth.Options.UserNotPresent = true })
	try("another origin", func(q *passkey) { q.rp.Origin = "https://evil.test" })
	try("another relying party", func(q *passkey) { q.rp.ID = "evil.test" })
	try("a key nobody has", func(q *passkey) { q.key = newKey() })
	try("a person without keys", func(q *passkey) { q.auth.Options.UserHandle = []byte(john.ID) })
	try("nobody", func(q *passkey) { q.auth.Options.UserHandle = nil })
	try("nobody there ever was", func(q *passkey) { q.auth.Options.UserHandle = []byte(secret.NewID(w.Clock.Now())) })
	try("no id at all", func(q *passkey) { q.auth.Options.UserHandle = []byte("' OR 1=1 --") })
	if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
		t.Fatal(err)
	}
	try("SE-13: somebody disabled", func(*passkey) {})
	if err := w.Accounts.SetDisabled(t.Context(), u.ID, false); err != nil {
		t.Fatal(err)
	}
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	arrives(t, b.Submit(p, "passkey", map[string]string{"credential": k.signed(t, invited(t, p))}), w.Notes)
}

// TestMF10_APasskeyAsTheSecondStep: the page of somebody whose only factor is one shows
// it, says what it needs, and has the recovery codes as the other way.
func TestMF10_APasskeyAsTheSecondStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		k := withPasskey(t, w, w.Person(t, jane, w.Notes.Site))
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		if page := string(p.Raw); p.Title != "One more step" || !strings.Contains(page, "A passkey needs scripts") || !strings.Contains(page, "Use a recovery code") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		ask := func() string {
			t.Helper()
			b.Headers["Accept"] = "application/json"
			defer func() { b.Headers["Accept"] = "text/html" }()
			got := b.Send("/mfa/send", p.Fields("second"))
			if got.Status != http.StatusOK || !json.Valid(got.Raw) || got.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %s", got.Status, got.Raw)
			}
			return string(got.Raw)
		}
		asked := ask()
		if got := b.Submit(p, "second", map[string]string{"credential": "{}"}); got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "passkey didn&#39;t work") {
			t.Errorf("nothing signed: %d\n%s", got.Status, got.Raw)
		}
		if got := b.Submit(p, "second", map[string]string{"credential": k.signed(t, asked)}); got.Left != nil {
			t.Error("a challenge was good after a wrong answer")
		}
		back := arrives(t, b.Submit(p, "second", map[string]string{"credential": k.signed(t, ask())}), w.Notes)
		if got := introspected(t, w, exchange(t, w, w.Notes, back).Want(t, http.StatusOK)); !strings.Contains(got, `"amr":["pwd","webauthn","mfa"]`) {
			t.Errorf("%s", got)
		}
	})
}

// TestDD07_APasskeyIsAskedForAfterTheClockWasSetBack: a challenge that was used later than it is now is no newer than the one that waits.
func TestDD07_APasskeyIsAskedForAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		k := withPasskey(t, w, w.Person(t, jane, w.Notes.Site))
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		ask := func() string {
			b.Headers["Accept"] = "application/json"
			defer func() { b.Headers["Accept"] = "text/html" }()
			return string(b.Send("/mfa/send", p.Fields("second")).Raw)
		}
		ask()
		b.Submit(p, "second", map[string]string{"credential": "{}"})
		w.Clock.Advance(-time.Second)
		arrives(t, b.Submit(p, "second", map[string]string{"credential": k.signed(t, ask())}), w.Notes)
	})
}
