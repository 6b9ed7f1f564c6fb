package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/onetimelogin/otl/internal/secret"
)

// authenticator keeps passkeys: the browser's own, which verifies who holds it, or a security key.
type authenticator struct {
	*tab
	id webauthn.AuthenticatorID
}

// authenticator gives the tab the browser's own, which nobody touches yet.
func (b *tab) authenticator() *authenticator {
	b.t.Helper()
	return b.keeps(webauthn.VirtualAuthenticatorOptions{Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true})
}

// securityKey gives it one that is plugged in and only touched: it cannot tell who does, and keeps nobody's name.
func (b *tab) securityKey() *authenticator {
	b.t.Helper()
	return b.keeps(webauthn.VirtualAuthenticatorOptions{Transport: webauthn.AuthenticatorTransportUsb})
}

func (b *tab) keeps(o webauthn.VirtualAuthenticatorOptions) *authenticator {
	b.t.Helper()
	o.Protocol, o.Ctap2version = webauthn.AuthenticatorProtocolCtap2, webauthn.Ctap2versionCtap21
	made := ask(b, func(ctx context.Context, target *chromedp.Target) (webauthn.AddVirtualAuthenticatorResult, error) {
		if _, err := cdp.Call(ctx, target, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return webauthn.AddVirtualAuthenticatorResult{}, err
		}
		return cdp.Call(ctx, target, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &o})
	})
	return &authenticator{b, made.AuthenticatorID}
}

// touched says whether somebody touches it whenever it asks.
func (a *authenticator) touched(yes bool) {
	a.t.Helper()
	a.do(protocol(webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes}))
}

// verifies says whether who touches it is its owner.
func (a *authenticator) verifies(yes bool) {
	a.t.Helper()
	a.do(protocol(webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: yes}))
}

// kept gives how many passkeys it keeps.
func (a *authenticator) kept() int { return len(a.keys()) }

// keys gives them.
func (a *authenticator) keys() []*webauthn.Credential {
	a.t.Helper()
	return ask(a.tab, func(ctx context.Context, target *chromedp.Target) (webauthn.GetCredentialsResult, error) {
		return cdp.Call(ctx, target, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	}).Credentials
}

// out signs the browser out.
func (w *world) out(b *tab) {
	b.t.Helper()
	b.visit(w.url + "/signout")
	b.press("#signout button")
	b.heading("You're signed out")
}

// minted gives a first-party access token of a person.
func (w *world) minted(t *testing.T, who string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), "token", "mint", "--data", ".otl", "--user", who)
	cmd.Dir, cmd.Env = w.dir, environ("OTL_PUBLIC_URL="+w.url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("otl token mint: %v\n%s", err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// TestMF10_PasskeysInABrowser: one is made on the page that sets a second factor up, and
// signs in alone, by the button and offered by the browser, without a name.
func TestMF10_PasskeysInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	mia := w.member(t, notes)
	var changed any
	w.otl(t, &changed, "sites", "mfa", notes.id, "required")
	b := profile(t, chromiumAlone(t, t.TempDir()))
	key := b.authenticator()

	b.visit(notes.authorize())
	b.fill("identifier", mia)
	b.fill("password", password)
	b.press(`button[value=password]`)
	b.heading("Protect your account")
	key.touched(true)
	b.press("#way-webauthn button")
	b.press("#confirm button")
	b.heading("Your recovery codes")
	if n := ask(b, chromedp.Evaluate[int](`document.querySelectorAll("#codes li").length`)); n != 10 {
		t.Errorf("%d recovery codes", n)
	}
	if !ask(b, chromedp.Evaluate[bool](`[...document.querySelectorAll("[data-codes] button")].every((one) => one.offsetParent)`)) {
		t.Error("the codes cannot be kept by a press")
	}
	key.touched(false)
	b.press(`#saved input[type=checkbox]`)
	b.press("#saved button")
	l := notes.arrived(b)

	w.out(b)
	b.visit(notes.authorize())
	b.heading("Sign in")
	key.verifies(false) // somebody else has the device
	key.touched(true)
	b.press("#passkey button")
	b.do(chromedp.WaitVisible(chromedp.CSS("#passkey [data-failed]")))
	key.touched(false)
	key.verifies(true)

	b.visit(notes.authorize())
	b.do(chromedp.WaitVisible(chromedp.CSS("#passkey button")))
	key.touched(true)
	b.press("#passkey button")
	if got := notes.arrived(b); got.User.ID != l.User.ID {
		t.Errorf("the button signs in %s", got.User.ID)
	}

	b.visit(w.url + "/account/security")
	b.heading("Ways to sign in")
	if n := key.kept(); n != 1 {
		t.Errorf("%d passkeys while it is good", n)
	}

	w.out(b)
	b.visit(notes.authorize()) // and nothing is pressed: the browser offers it, and it is taken
	if got := notes.arrived(b); got.User.ID != l.User.ID {
		t.Errorf("the browser's offer signs in %s", got.User.ID)
	}

	b.visit(w.url + "/account/security") // and once it is removed, the browser forgets it
	b.press(`form[action$="/remove"] button`)
	b.heading("Ways to sign in")
	b.until("no passkey", func() (bool, string, error) {
		n := key.kept()
		return n == 0, strconv.Itoa(n), nil
	})
	b.quiet(w.host(), notes.host())
}

// TestMF10_APasskeyOfTheAPIInABrowser: one that a program registers by the API is the
// second step on the pages.
func TestMF10_APasskeyOfTheAPIInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	mia := w.member(t, notes)
	b := profile(t, chromiumAlone(t, t.TempDir()))
	key := b.authenticator()
	key.touched(true)

	bearer, api := w.minted(t, mia), newClient(t, w.url, "")
	var begun struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	must(t, http.StatusOK)(api.do(http.MethodPost, "/api/v1/auth/mfa/enroll", bearer, map[string]string{"kind": "webauthn"})).into(&begun)
	b.visit(w.url + "/nothing")
	made := ask(b, chromedp.Evaluate[string](`navigator.credentials.create({
		publicKey: PublicKeyCredential.parseCreationOptionsFromJSON((`+string(begun.Options)+`).publicKey),
	}).then((key) => JSON.stringify(key.toJSON()))`, chromedp.EvalAwaitPromise))
	must(t, http.StatusOK)(api.do(http.MethodPost, "/api/v1/auth/mfa/confirm", bearer, map[string]any{"factor_id": begun.ID, "credential": json.RawMessage(made)}))

	key.touched(false)
	b.visit(notes.authorize())
	b.fill("identifier", mia)
	b.fill("password", password)
	b.press(`button[value=password]`)
	b.heading("One more step")
	if ask(b, chromedp.Evaluate[bool](`!!document.querySelector("[data-keyless]").offsetParent`)) {
		t.Error("the page says that it runs no scripts")
	}
	key.touched(true)
	b.press("#second button")
	notes.arrived(b)
	b.quiet(w.host(), notes.host())

	// Without scripts the page says what is missing, and has another way.
	plain := profile(t, chromium(t)).scriptless()
	plain.visit(notes.authorize())
	plain.fill("identifier", mia)
	plain.fill("password", password)
	plain.press(`button[value=password]`)
	plain.heading("One more step")
	if got := plain.text("main"); !strings.Contains(got, "A passkey needs scripts") || !strings.Contains(got, "Use a recovery code") {
		t.Errorf("without scripts: %s", got)
	}
	plain.quiet(w.host())
}

// unverified has the key sign what the page asks any passkey for, as a browser would that does not care who
// touches it, and sends that with the page's form, under the name of somebody. It gives the flags that are signed.
const unverified = `(async (id, holder) => {
	const form = document.querySelector("#passkey"), o = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(form.dataset.key).publicKey);
	o.userVerification = "discouraged";
	o.allowCredentials = [{type: "public-key", id: Uint8Array.from(atob(id), (one) => one.charCodeAt(0))}];
	const key = await navigator.credentials.get({publicKey: o}), sent = key.toJSON();
	sent.response.userHandle = btoa(holder).replaceAll("=", "");
	form.elements.credential.value = JSON.stringify(sent);
	setTimeout(() => HTMLFormElement.prototype.submit.call(form));
	return new Uint8Array(key.response.authenticatorData)[32] & 5;
})`

// TestMF10_ASecurityKeyThatIsOnlyTouched is a second factor, set up on the page and asked for after a password. Alone it
// lets nobody in: whoever found it could touch it (ADR 24). Neither the browser nor the server takes it for more.
func TestMF10_ASecurityKeyThatIsOnlyTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	mia := w.member(t, notes)
	var changed any
	w.otl(t, &changed, "sites", "mfa", notes.id, "required")
	b := profile(t, chromiumAlone(t, t.TempDir()))
	key := b.securityKey()
	prove := func() {
		t.Helper()
		b.visit(notes.authorize())
		b.fill("identifier", mia)
		b.fill("password", password)
		b.press(`button[value=password]`)
	}

	prove()
	b.heading("Protect your account")
	key.touched(true)
	b.press("#way-webauthn button")
	b.press("#confirm button")
	b.heading("Your recovery codes")
	b.press(`#saved input[type=checkbox]`)
	b.press("#saved button")
	l := notes.arrived(b)
	if n := key.kept(); n != 1 {
		t.Errorf("it keeps %d", n)
	}

	w.out(b)
	key.touched(false)
	prove()
	b.heading("One more step")
	key.touched(true)
	b.press("#second button")
	if got := notes.arrived(b); got.User.ID != l.User.ID {
		t.Errorf("with it came %s", got.User.ID)
	}

	w.out(b)
	b.visit(notes.authorize())
	b.heading("Sign in")
	b.press("#passkey button") // the browser asks it to verify, which it cannot
	b.do(chromedp.WaitVisible(chromedp.CSS("#passkey [data-failed]")))
	b.visit(notes.authorize())
	b.heading("Sign in")
	forged := fmt.Sprintf("%s(%q, %q)", unverified, base64.StdEncoding.EncodeToString(key.keys()[0].CredentialID), l.User.ID)
	if flags := ask(b, chromedp.Evaluate[int](forged, chromedp.EvalAwaitPromise)); flags != 1 { // it was touched, and verified nobody
		t.Errorf("it signs with %d", flags)
	}
	b.do(chromedp.WaitVisible(chromedp.CSS("#problem")))
	b.heading("Sign in")
	b.visit(w.url + "/account/security")
	b.heading("Sign in")
	b.quiet(w.host(), notes.host())
}

// TestAnAppIsSetUpInABrowser: with scripts and without, and the pages of it before axe.
func TestAnAppIsSetUpInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	people := map[bool]string{true: "nia@dev.test", false: "noa@dev.test"}
	for _, who := range people {
		must(t, http.StatusCreated)(notes.register(who, password, "Nia New"))
	}
	var changed any
	w.otl(t, &changed, "sites", "mfa", notes.id, "required")
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, scripts bool) {
		b := open(t)
		seen := func(string) {}
		if scripts {
			seen = newLooker(t, b).look
		}
		b.visit(notes.authorize())
		b.fill("identifier", people[scripts])
		b.fill("password", password)
		b.press(`button[value=password]`)
		b.heading("Protect your account")
		seen("setup")
		b.press("#way-totp button")
		b.do(chromedp.WaitVisible(chromedp.CSS(".qr")))
		seen("setup-app")
		seed, err := secret.ParseTOTPSeed(b.text("#seed"))
		if err != nil {
			t.Fatal(err)
		}
		b.fill("code", "000000")
		b.press("#confirm button")
		b.do(chromedp.WaitVisible(chromedp.CSS(".banner")))
		b.fill("code", secret.TOTP(seed, time.Now()))
		b.press("#confirm button")
		b.heading("Your recovery codes")
		seen("codes")
		b.press(`#saved input[type=checkbox]`)
		b.press("#saved button")
		notes.arrived(b)
		b.visit(w.url + "/account/security")
		b.heading("Ways to sign in")
		seen("security")
		if got := b.text("main"); !strings.Contains(got, "Codes left: 10") {
			t.Errorf("%s", got)
		}
		b.quiet(w.host(), notes.host())
	})
}
