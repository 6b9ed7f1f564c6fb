package native_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// passkey is an authenticator of somebody else's making with one key.
type passkey struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newPasskey(u otl.User) *passkey {
	return &passkey{
		virtualwebauthn.RelyingParty{ID: "id.test", Name: "id.test", Origin: otltest.Issuer},
		virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(u.ID)}),
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

// options gives what an answer holds for the browser, as text.
func options(t *testing.T, r otltest.Reply) string {
	t.Helper()
	raw, err := json.Marshal(r.JSON["options"])
	if err != nil || !strings.Contains(string(raw), "challenge") {
		t.Fatalf("no options: %s", r.Raw)
	}
	return string(raw)
}

func unmarshal(t *testing.T, raw string) (out object) {
	t.Helper()
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// made is what navigator.credentials.create gives.
func (p *passkey) made(t *testing.T, options string) object {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	return unmarshal(t, virtualwebauthn.CreateAttestationResponse(p.rp, p.auth, p.key, *o))
}

// signed is what navigator.credentials.get gives.
func (p *passkey) signed(t *testing.T, options string) object {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	p.key.Counter++
	return unmarshal(t, virtualwebauthn.CreateAssertionResponse(p.rp, p.auth, p.key, *o))
}

// register sets a passkey up for a person and gives its id.
func (p *passkey) register(t *testing.T, w *otltest.World, bearer string) string {
	t.Helper()
	begun := enrol(t, w, bearer, object{"kind": "webauthn", "label": "Laptop"}).Want(t, http.StatusOK)
	as(t, w, bearer)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": begun.Text("id"), "credential": p.made(t, options(t, begun))}).Want(t, http.StatusOK)
	return begun.Text("id")
}

func TestMF10_APasskeyIsSetUpAndUsed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		p := newPasskey(u)
		id := p.register(t, w, home(t, w, u, otl.MethodPassword))
		token := step(t, w, w.Notes, "jane@dev.test")
		ask := func(token string) string {
			return options(t, call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": id}).Want(t, http.StatusOK))
		}
		given := p.signed(t, ask(token))
		in := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "factor_id": id, "assertion": given}).Want(t, http.StatusOK)
		if got := amr(t, in); got != "[pwd webauthn mfa]" {
			t.Errorf("amr %s", got)
		}
		next := step(t, w, w.Notes, "jane@dev.test") // what was used is worth nothing in another step
		verifyFactor(t, w, w.Notes, object{"mfa_token": next, "factor_id": id, "assertion": given}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		verifyFactor(t, w, w.Notes, object{"mfa_token": next, "method": "webauthn", "assertion": p.signed(t, ask(next))}).Want(t, http.StatusOK)

		late := step(t, w, w.Notes, "jane@dev.test")
		given = p.signed(t, ask(late))
		w.Clock.Advance(5 * time.Minute)
		verifyFactor(t, w, w.Notes, object{"mfa_token": late, "factor_id": id, "assertion": given}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
	})
}

// TestMF10_EveryOtherSignatureIsRefused changes each thing an assertion binds.
func TestMF10_EveryOtherSignatureIsRefused(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u, john := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "john@dev.test", w.Notes.Site)
	p := newPasskey(u)
	id := p.register(t, w, home(t, w, u, otl.MethodPassword))
	other := newPasskey(john)
	other.register(t, w, home(t, w, john, otl.MethodPassword))
	try := func(what string, spoil func(string) object) {
		t.Helper()
		token := step(t, w, w.Notes, "jane@dev.test")
		asked := options(t, call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": id}))
		r := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "factor_id": id, "assertion": spoil(asked)})
		if r.Status != http.StatusUnauthorized || r.Text("code") != "mfa_code_invalid" {
			t.Errorf("%s: %d %s", what, r.Status, r.Raw)
		}
		// MF-10: the challenge is used up by it.
		if r := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "factor_id": id, "assertion": p.signed(t, asked)}); r.Status == http.StatusOK {
			t.Errorf("%s: its challenge was good once more", what)
		}
	}
	with := func(change func(*passkey)) func(string) object {
		return func(asked string) object {
			q := *p
			change(&q)
			p.key.Counter += 2
			return q.signed(t, asked)
		}
	}
	try("another origin", with(func(q *passkey) { q.rp.Origin = "https://evil.test" }))
	try("another relying party", with(func(q *passkey) { q.rp.ID = "evil.test" }))
	try("plain http", with(func(q *passkey) { q.rp.Origin = "http://id.test" }))
	try("nobody present", with(func(q *passkey) { q.auth.Options.UserNotPresent = true }))
	try("another key under the same id", with(func(q *passkey) {
		id := q.key.ID
		q.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		q.key.ID = id
	}))
	try("somebody else's key", func(asked string) object { return other.signed(t, asked) })
	try("another challenge", func(asked string) object {
		o := unmarshal(t, asked)
		o["publicKey"].(object)["challenge"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return p.signed(t, string(raw))
	})
	for _, member := range []string{"authenticatorData", "clientDataJSON", "signature"} {
		try("an altered "+member, func(asked string) object {
			given := p.signed(t, asked)
			response := given["response"].(object)
			b := []byte(response[member].(string))
			if b[10]++; b[10] > 'y' || b[10] < 'A' {
				b[10] = 'B'
			}
			response[member] = string(b)
			return given
		})
	}
	try("nothing", func(string) object { return object{} })
	token := step(t, w, w.Notes, "jane@dev.test")
	asked := options(t, call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": id}))
	verifyFactor(t, w, w.Notes, object{"mfa_token": token, "factor_id": id, "assertion": p.signed(t, asked)}).Want(t, http.StatusOK)

	// A counter that goes back means that there are two of the key.
	try("a copy of the key", with(func(q *passkey) { q.key.Counter = 0 }))
	if n := suspected(t, w, u); n != 1 {
		t.Errorf("%d events of a suspected copy", n)
	}
}

// suspected gives how often a key of a person was taken for a copy.
func suspected(t *testing.T, w *otltest.World, u otl.User) (n int) {
	t.Helper()
	page, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page {
		if e.Type == otl.EventFactorCloned {
			n++
		}
	}
	return n
}

// TestMF10_AKeyIsOfWhoRegistersIt: the registration of one person makes no key of
// another, nor twice a key of the same.
func TestMF10_AKeyIsOfWhoRegistersIt(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u, john := w.Person(t, "jane@dev.test"), w.Person(t, "john@dev.test")
	p := newPasskey(u)
	mine, his := home(t, w, u, otl.MethodPassword), home(t, w, john, otl.MethodPassword)
	begun, theirs := enrol(t, w, mine, object{"kind": "webauthn"}).Want(t, http.StatusOK), enrol(t, w, his, object{"kind": "webauthn"}).Want(t, http.StatusOK)
	made := p.made(t, options(t, begun))
	as(t, w, his)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": begun.Text("id"), "credential": made}).Want(t, http.StatusNotFound, "mfa_factor_unknown")
	as(t, w, his)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": theirs.Text("id"), "credential": made}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
	evil := *p
	evil.rp.Origin = "https://evil.test"
	as(t, w, mine)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": begun.Text("id"), "credential": evil.made(t, options(t, begun))}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
	as(t, w, mine)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": begun.Text("id"), "credential": made}).Want(t, http.StatusOK)
	strong := home(t, w, u, otl.MethodPassword, otl.MethodKey)
	again := enrol(t, w, strong, object{"kind": "webauthn"}).Want(t, http.StatusOK)
	if excluded := unmarshal(t, options(t, again))["publicKey"].(object)["excludeCredentials"].([]any); len(excluded) != 1 {
		t.Errorf("the key that is known is not excluded: %v", excluded)
	}
}
