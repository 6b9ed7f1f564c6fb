package pages_test

import (
	"errors"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

var (
	pathData = regexp.MustCompile(`viewBox="0 0 (\d+) \d+".*?<path d="([^"]*)"`)
	runs     = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	seedText = regexp.MustCompile(`id="seed" dir="ltr">([A-Z2-7 ]*)<`)
	linkHref = regexp.MustCompile(`id="otpauth" href="([^"]*)"`)
	codeText = regexp.MustCompile(`<code dir="ltr">([a-z0-9-]*)</code>`)
)

// scanned reads the QR code of a page as somebody else's program does.
func scanned(t *testing.T, p otltest.Page) string {
	t.Helper()
	m := pathData.FindSubmatch(p.Raw)
	if m == nil {
		t.Fatalf("no QR code\n%s", p.Raw)
	}
	number := func(b []byte) int {
		n, err := strconv.Atoi(string(b))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const quiet = 4
	size := number(m[1]) - 2*quiet
	fields := make([][]bool, size)
	for i := range fields {
		fields[i] = make([]bool, size)
	}
	for _, run := range runs.FindAllSubmatch(m[2], -1) {
		x, y, n := number(run[1]), number(run[2]), number(run[3])
		for i := range n {
			fields[y-quiet][x+i-quiet] = true
		}
	}
	bits, err := gozxing.ParseBoolMapToBitMatrix(fields)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decoder.NewDecoder().Decode(bits, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.GetText()
}

// seedOf gives the seed that a page shows.
func seedOf(t *testing.T, p otltest.Page) secret.Text {
	t.Helper()
	m := seedText.FindSubmatch(p.Raw)
	if m == nil {
		t.Fatalf("no seed\n%s", p.Raw)
	}
	seed, err := secret.ParseTOTPSeed(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// setsUp brings a browser to the page where a second factor is chosen, because Notes
// demands one.
func setsUp(t *testing.T, w *otltest.World) (*otltest.Browser, otltest.Page) {
	t.Helper()
	demand(t, w, w.Notes.Site)
	b := w.Browser(t)
	p := password(b, b.Get(request(w.Notes, nil)))
	if p.Title != "Protect your account" || !strings.Contains(string(p.Raw), "\u2068Notes\u2069 asks for a second step") {
		t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
	}
	return b, p
}

// TestASecondFactorIsSetUpOnTheWay: H7. An app: the QR code holds what can be typed, the
// recovery codes are shown once, and the sign-in goes on, with two factors.
func TestASecondFactorIsSetUpOnTheWay(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b, p := setsUp(t, w)
		p = b.Submit(p, "way-totp", nil)
		seed := seedOf(t, p)
		link := html.UnescapeString(string(linkHref.FindSubmatch(p.Raw)[1]))
		if got := scanned(t, p); got != link || !strings.HasPrefix(got, "otpauth://totp/id.test:jane@dev.test?") || !strings.Contains(got, "secret="+secret.EncodeTOTPSeed(seed).Reveal()) {
			t.Errorf("the code says %s, the link %s", got, link)
		}
		harmless(t, p)
		holds(t, p, "Choose another step", "!Start again", `id="back" method="post" action="/consent"`)
		wrong := b.Submit(p, "confirm", map[string]string{"code": "000000"})
		holds(t, wrong, "set its clock by itself", ">Choose another step</a>", `id="back"`)
		if wrong.Status != http.StatusUnauthorized || wrong.Title != p.Title || seedOf(t, wrong).Reveal() != seed.Reveal() {
			t.Errorf("a wrong code: %d", wrong.Status)
		}
		before := b.Cookies["__Host-otl_session"]
		code := secret.TOTP(seed, w.Clock.Now())
		p = b.Submit(wrong, "confirm", map[string]string{"code": code})
		codes := codeText.FindAllSubmatch(p.Raw, -1)
		if p.Title != "Your recovery codes" || len(codes) != 10 {
			t.Fatalf("%s, %d codes\n%s", p.Title, len(codes), p.Raw)
		}
		if now := b.Cookies["__Host-otl_session"]; now == "" || now == before {
			t.Error("SE-04: the session is that of one factor")
		}
		old := w.Browser(t)
		old.Cookies["__Host-otl_session"] = before
		if p := old.Get("/account"); !strings.HasPrefix(p.Path, "/signin") {
			t.Errorf("SE-04: the cookie of one factor still opens %s", p.Path)
		}
		back := arrives(t, b.Submit(p, "saved", nil), w.Notes)
		if again := b.Get(p.Path); codeText.Match(again.Raw) {
			t.Error("MF-12: the codes have an address")
		}
		if got := introspected(t, w, exchange(t, w, w.Notes, back).Want(t, http.StatusOK)); !strings.Contains(got, `"amr":["pwd","otp","mfa"]`) {
			t.Errorf("%s", got)
		}
		for _, hidden := range []string{secret.EncodeTOTPSeed(seed).Reveal(), string(codes[0][1])} {
			if strings.Contains(w.Log.String(), hidden) {
				t.Error("MF-12: a secret is in the log")
			}
		}
		// One of the codes, at the next sign-in; the code of the app that set it up is used.
		other := w.Browser(t)
		p = password(other, other.Get(request(w.Notes, nil)))
		if got := other.Submit(p, "second", map[string]string{"code": code}); got.Left != nil {
			t.Error("MF-01: the code that set the app up signs in")
		}
		with := regexp.MustCompile(`with=([0-9A-Z]{26})">Lost your device`).FindSubmatch(p.Raw)
		p = other.Get(p.Path + "&with=" + string(with[1]))
		arrives(t, other.Submit(p, "second", map[string]string{"code": string(codes[3][1])}), w.Notes)
	})
}

// TestAPasskeyIsSetUpOnTheWay and signs in alone from then on.
func TestAPasskeyIsSetUpOnTheWay(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b, p := setsUp(t, w)
		k := blank(u.ID)
		p = b.Submit(p, "way-webauthn", nil)
		if got := b.Submit(p, "confirm", map[string]string{"credential": "{}"}); got.Status != http.StatusUnauthorized || got.Fields("way-webauthn") == nil {
			t.Errorf("nothing made: %d\n%s", got.Status, got.Raw)
		}
		p = b.Submit(b.Get("/mfa/setup/confirm?f="+p.Fields("confirm").Get("f")), "way-webauthn", nil) // as a change of the language does
		p = b.Submit(p, "confirm", map[string]string{"credential": k.made(t, invited(t, p)).Reveal()})
		if p.Title != "Your recovery codes" {
			t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
		}
		arrives(t, b.Submit(p, "saved", nil), w.Notes)
		other := w.Browser(t)
		p = other.Get(request(w.Notes, nil))
		arrives(t, other.Submit(p, "passkey", map[string]string{"credential": k.signed(t, invited(t, p))}), w.Notes)
	})
}

// TestCodesAreSetUpOnTheWay by SMS, to a number that gets them, and by mail to an address
// that was proven.
func TestCodesAreSetUpOnTheWay(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b, p := setsUp(t, w)
		if p.Fields("way-email_otp") != nil {
			t.Error("an address that nobody has proven is offered")
		}
		for number, said := range map[string]string{"01705550100": "with its country code", "nonsense": "with its country code", "+12025550100": "be texted to this number"} {
			if got := b.Submit(p, "way-sms_otp", map[string]string{"phone": number}); got.Status/100 != 4 || !strings.Contains(string(got.Raw), said) || got.Fields("way-sms_otp").Get("phone") != number {
				t.Errorf("%s: %d %s", number, got.Status, got.Raw)
			}
		}
		p = b.Submit(p, "way-sms_otp", map[string]string{"phone": "+49 (170) 555-0100"})
		if !strings.Contains(html.UnescapeString(string(p.Raw)), "Enter the code we sent to \u2068+491705550100\u2069") {
			t.Fatalf("%s", p.Raw)
		}
		p = b.Submit(p, "confirm", map[string]string{"code": "000000"})
		if p.Status != http.StatusUnauthorized || !strings.Contains(html.UnescapeString(string(p.Raw)), "+491705550100") {
			t.Errorf("a wrong code: %d\n%s", p.Status, p.Raw)
		}
		p = b.Submit(p, "confirm", map[string]string{"code": letter(t, w, "+491705550100").Code})
		arrives(t, b.Submit(p, "saved", nil), w.Notes)

		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "mia@dev.test", Password: secret.NewText(otltest.Password), Verified: true, Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		other := w.Browser(t)
		p = other.Submit(other.Get(request(w.Notes, nil)), "/signin", map[string]string{"identifier": "mia@dev.test", "password": otltest.Password})
		p = other.Submit(p, "way-email_otp", nil)
		p = other.Submit(p, "confirm", map[string]string{"code": letter(t, w, "mia@dev.test").Code})
		arrives(t, other.Submit(p, "saved", nil), w.Notes)
	})
}

// TestMF08_SettingUpNeedsAFreshProof, another kind than the first one, and a site that
// asks; and it can be left.
func TestMF08_SettingUpNeedsAFreshProof(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		b, p := setsUp(t, w)
		w.Clock.Advance(16 * time.Minute)
		late := b.Submit(p, "way-totp", nil)
		if late.Title != "Confirm it's you" {
			t.Fatalf("after 16 minutes: %s", late.Title)
		}
		p = password(b, late)
		begun := b.Submit(p, "way-totp", nil)
		w.Clock.Advance(16 * time.Minute)
		code := secret.TOTP(seedOf(t, begun), w.Clock.Now())
		if got := b.Submit(begun, "confirm", map[string]string{"code": code}); got.Title != "Confirm it's you" {
			t.Errorf("finished after 16 minutes: %s", got.Title)
		}
		if back := b.Submit(p, "back", nil); back.Left == nil || back.Left.Query().Get("error") != "access_denied" {
			t.Errorf("back: %v", back.Left)
		}
		// Where nobody asks for one, the form is worth nothing.
		fresh := w.Browser(t)
		q := password(fresh, fresh.Get(request(w.Shop, map[string]string{"prompt": "consent"})))
		fields := q.Fields("consent")
		fields.Set("kind", "totp")
		if got := fresh.Send("/mfa/setup", fields); seedText.Match(got.Raw) {
			t.Error("a seed where no step asks for it")
		}
		// By mail and by mail is one kind (MF-06).
		mail := w.Browser(t)
		q = asks(mail, mail.Get(request(w.Notes, nil)), jane)
		q = mail.Submit(q, "code-form", map[string]string{"code": letter(t, w, jane).Code})
		if q.Title != "Protect your account" || q.Fields("way-email_otp") != nil {
			t.Errorf("after a code by mail: %s\n%s", q.Title, q.Raw)
		}
		q.Fields("way-totp").Set("kind", string(otl.FactorMail))
		if got := mail.Send("/mfa/setup", q.Fields("way-totp")); got.Fields("confirm") != nil {
			t.Error("MF-06: a code by mail was begun after a code by mail")
		}
	})
}

// TestMF06_WhoHasOnlyTheSameKindIsLedElsewhere: a code by mail after a code by mail is no
// second step, and the page says what to do.
func TestMF06_WhoHasOnlyTheSameKindIsLedElsewhere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: jane, Password: secret.NewText(otltest.Password), Verified: true, Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Setup.Give(t.Context(), m.User, factor.Given{New: factor.New{Kind: otl.FactorMail}}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		p = b.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code})
		other := regexp.MustCompile(`href="(/signin[^"]*as=other)"`).FindSubmatch(p.Raw)
		if p.Status != http.StatusForbidden || !strings.Contains(string(p.Raw), "of the same kind") || other == nil {
			t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
		}
		p = password(b, b.Get(html.UnescapeString(string(other[1]))))
		p = b.Submit(b.Submit(p, "send", nil), "second", nil)
		if p.Title != "One more step" {
			t.Errorf("%d %s", p.Status, p.Title)
		}
	})
}

// TestMF08_NothingIsSetUpFromASessionThatEnded (SE-04): a sign-out everywhere between the
// look at the session and the proof leaves neither a factor nor a new session, whatever
// the factor.
func TestMF08_NothingIsSetUpFromASessionThatEnded(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b, p := setsUp(t, w)
		p = b.Submit(p, "way-totp", nil)
		fields := p.Fields("confirm")
		v, err := w.Flows.Visit(t.Context(), fields.Get("f"), secret.NewText(b.Cookies["__Host-otl_flow"]), []secret.Text{secret.NewText(b.Cookies["__Host-otl_session"])})
		if err != nil || !v.Known() {
			t.Fatal(err)
		}
		if err := w.Flows.SignOut(t.Context(), []session.Browser{v.Who}, true); err != nil {
			t.Fatal(err)
		}
		setups := signin.SetUps{Arrivals: signin.Arrivals{Flows: w.Flows}}
		proof := secret.NewText(secret.TOTP(seedOf(t, p), w.Clock.Now()))
		if _, a, err := setups.Confirm(t.Context(), v, fields.Get("factor"), proof); !errors.Is(err, otl.ErrSessionRevoked) || !a.Browser.Cookie.Empty() {
			t.Errorf("got %v", err)
		}
		if own, err := w.Setup.List(t.Context(), u); err != nil || len(own.Factors) != 0 {
			t.Errorf("left: %+v %v", own, err)
		}
		if live, err := w.SignIn.List(t.Context(), signin.Scope{UserID: u.ID}, "", 10); err != nil || len(live) != 0 {
			t.Errorf("sessions: %+v %v", live, err)
		}
		strong := v.Who.Standing
		strong.Session.Methods = otl.Methods{otl.MethodPassword, otl.MethodTOTP}
		secondFactors(t, w, u)
		if _, _, err := w.Setup.NewCodes(t.Context(), strong); !errors.Is(err, otl.ErrSessionRevoked) {
			t.Errorf("new codes: %v", err)
		}
		own, err := w.Setup.List(t.Context(), u)
		if err != nil || len(own.Factors) != 2 || own.CodesLeft != 0 {
			t.Fatalf("left: %+v %v", own, err)
		}
		if _, err := w.Setup.Remove(t.Context(), strong, own.Factors[0].ID); !errors.Is(err, otl.ErrSessionRevoked) {
			t.Errorf("remove: %v", err)
		}
	})
}
