package onelogin_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// form presents a session token as a form does.
func (x *tenant) form(t *testing.T, token string, headers map[string]string) otltest.Reply {
	t.Helper()
	return x.posted(t, url.Values{"session_token": {token}}, headers)
}

func (x *tenant) posted(t *testing.T, form url.Values, headers map[string]string) otltest.Reply {
	t.Helper()
	all := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for k, v := range headers {
		all[k] = v
	}
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/session_via_api_token", Body: form.Encode(), Headers: all})
}

// script presents a session token as a page's script does.
func (x *tenant) script(t *testing.T, token, origin string) otltest.Reply {
	t.Helper()
	headers := map[string]string{"Origin": origin, "Authorization": "bearer anything"}
	if origin == "" {
		delete(headers, "Origin")
	}
	return x.Do(t, otltest.Call{Path: "/session_via_api_token", Body: object{"session_token": token}, Headers: headers})
}

func (x *tenant) preflight(t *testing.T, origin string) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{
		Method: http.MethodOptions, Path: "/session_via_api_token",
		Headers: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"},
	})
}

// cookies gives the cookies an answer sets, "name=value" and what goes with them.
func cookies(r otltest.Reply) map[string]string {
	out := map[string]string{}
	for _, c := range r.Header.Values("Set-Cookie") {
		name, rest, _ := strings.Cut(c, "=")
		out[name] = rest
	}
	return out
}

// held gives the cookie header of a browser that an answer signed in.
func held(t *testing.T, r otltest.Reply) string {
	t.Helper()
	for _, name := range []string{"__Host-otl_session", "__Host-otl_across"} {
		if value, _, _ := strings.Cut(cookies(r)[name], ";"); value != "" {
			return name + "=" + value
		}
	}
	t.Fatalf("nobody was signed in: %v", r.Header)
	return ""
}

// browserSessions gives the live browser sessions of jane.
func (x *tenant) browserSessions(t *testing.T) []otl.Session {
	t.Helper()
	live, err := x.Store.Read.Sessions.Live(t.Context(), x.jane.ID, x.Installation.SiteID, "", x.Clock.Now(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return live
}

const failedSession = "/signin?error=session_token"

// TestSessionByForm is contract 2.8: the form opens the session, once, within two minutes.
func TestSessionByForm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		token := x.sessionToken(t, nil)
		r := x.form(t, token, nil).Want(t, http.StatusSeeOther)
		c := cookies(r)["__Host-otl_session"]
		if r.Header.Get("Location") != "/account" || r.Header.Get("Cache-Control") != "no-store" ||
			!strings.HasPrefix(c, "otl_bs_") || !strings.HasSuffix(c, "; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("%v", r.Header)
		}
		if live := x.browserSessions(t); len(live) != 1 || live[0].Methods.String() != "pwd" {
			t.Errorf("%v", live)
		}
		late := x.sessionToken(t, nil)
		x.Clock.Advance(2 * time.Minute)
		for name, bad := range map[string]string{"used": token, "expired": late, "unknown": strings.Repeat("0", 40), "none": ""} {
			r := x.form(t, bad, nil).Want(t, http.StatusSeeOther)
			where := failedSession
			if name == "used" {
				where += "_used"
			}
			if r.Header.Get("Location") != where || cookies(r)["__Host-otl_session"] != "" {
				t.Errorf("%s: %v", name, r.Header)
			}
		}
		failed(t, x.script(t, token, ""), http.StatusUnauthorized, unauthorized, "Session token was used already")
		failed(t, x.script(t, late, ""), http.StatusUnauthorized, unauthorized, "Session token is invalid or has expired")
		fresh := x.sessionToken(t, nil)
		for _, bad := range []otltest.Call{
			{Method: http.MethodPost, Path: "/session_via_api_token", Body: "session_token=" + fresh, Headers: map[string]string{"Content-Type": "text/plain"}},
			{Path: "/session_via_api_token?session_token=" + fresh},
			{Method: http.MethodHead, Path: "/session_via_api_token?session_token=" + fresh},
		} {
			if r := x.Do(t, bad); r.Header.Get("Location") != failedSession || len(cookies(r)) != 0 {
				t.Errorf("%v: %d %v", bad, r.Status, r.Header)
			}
		}
		if r := x.form(t, fresh, nil); r.Header.Get("Location") != "/account" { // it was not used up
			t.Errorf("%v", r.Header)
		}
	})
}

// TestMN01_ASessionTokenIsUsedOnce: of many at once, in whatever way.
func TestMN01_ASessionTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		token := x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", "https://a.test")
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				if i%2 == 0 {
					x.form(t, token, nil)
				} else {
					x.script(t, token, "https://a.test")
				}
			})
		}
		wg.Wait()
		if n := len(x.browserSessions(t)); n != 1 {
			t.Errorf("%d sessions were opened by one token", n)
		}
	})
}

// TestSessionByScript: only of the origins the site named, with cookies for calls across
// sites (AD-11); a preflight lets through what some token names.
func TestSessionByScript(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const named = "https://login.notes.test"
		if r := x.preflight(t, named); r.Status != http.StatusNoContent || r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Vary") != "Origin" {
			t.Errorf("before any token: %d %v", r.Status, r.Header)
		}
		token := x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", named)
		h := x.preflight(t, named).Want(t, http.StatusNoContent).Header
		if h.Get("Access-Control-Allow-Origin") != named || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Allow-Methods") != "POST" ||
			h.Get("Access-Control-Allow-Headers") != "content-type" || h.Get("Access-Control-Max-Age") != "120" || h.Get("Vary") != "Origin" {
			t.Errorf("%v", h)
		}
		for _, other := range []string{"null", "*", "https://evil.test", "http://login.notes.test", "https://login.notes.test.evil.test", "https://LOGIN.notes.test", named + ":443"} {
			if r := x.preflight(t, other); r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("preflight of %s: %v", other, r.Header)
			}
			r := x.script(t, token, other)
			failed(t, r, http.StatusUnauthorized, unauthorized, "Origin is not allowed for this session token")
			if r.Header.Get("Access-Control-Allow-Origin") != "" || len(cookies(r)) != 0 || r.Header.Get("Vary") != "Origin" {
				t.Errorf("%s: %v", other, r.Header)
			}
		}
		r := x.script(t, token, named)
		if r.Status != http.StatusOK || strings.TrimSpace(string(r.Raw)) != "{}" || r.Header.Get("Access-Control-Allow-Origin") != named || r.Header.Get("Access-Control-Allow-Credentials") != "true" || r.Header.Get("Vary") != "Origin" {
			t.Errorf("%d %s %v", r.Status, r.Raw, r.Header)
		}
		if c := cookies(r)["__Host-otl_across"]; !strings.HasSuffix(c, "; HttpOnly; Secure; SameSite=None") {
			t.Errorf("%v", r.Header)
		}
		r = x.script(t, token, named)
		failed(t, r, http.StatusUnauthorized, unauthorized, "Session token was used already")
		if r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", r.Header)
		}
		// A token that names no origin is for no script; a program that is no browser may
		// send JSON.
		plain := x.sessionToken(t, nil)
		failed(t, x.script(t, plain, named), http.StatusUnauthorized, unauthorized, "Origin is not allowed for this session token")
		x.script(t, plain, "").Want(t, http.StatusOK)
		failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/session_via_api_token", Body: ""}), http.StatusBadRequest, "bad request", "Input JSON is not valid")
		x.Clock.Advance(13 * time.Minute)
		if r := x.preflight(t, named); r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("long after the token: %v", r.Header)
		}
	})
}

// TestOA07_ASessionTokenLeadsNowhereElse: only to what is registered, or where an origin
// is the site's or was named.
func TestOA07_ASessionTokenLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		if err := x.Store.Write(t.Context(), addOrigin(x.Notes.Site.ID, "https://app.notes.test")); err != nil {
			t.Fatal(err)
		}
		for to, want := range map[string]string{
			"https://notes.test/callback": "https://notes.test/callback", "https://app.notes.test/in": "https://app.notes.test/in",
			"https://app.notes.test/anything?x=1": "https://app.notes.test/anything?x=1", "https://named.test/x": "https://named.test/x",
			"": "/account", "https://notes.test/other": "/account", "https://shop.test/callback": "/account", "https://evil.test": "/account", "//evil.test": "/account", "/account/x": "/account",
			"https://notes.test/callback@evil.test": "/account", "https://notes.test/callback/../x": "/account", "https://app.notes.test@evil.test/": "/account",
			"https://app.notes.test.evil.test/": "/account", "https://app.notes.test:8443/": "/account", "http://app.notes.test/": "/account", "javascript:alert(1)": "/account",
			"https://app.notes.test\\@evil.test/": "/account", "https:/app.notes.test/": "/account", "https://app.notes.test/#x": "/account", "\thttps://evil.test": "/account",
		} {
			r := x.form(t, x.sessionToken(t, object{"return_to_url": to}, "Custom-Allowed-Origin-Header-7", "https://named.test"), nil)
			if got := r.Header.Get("Location"); r.Status != http.StatusSeeOther || got != want {
				t.Errorf("%q leads to %d %q, want %q", to, r.Status, got, want)
			}
		}
	})
}

// TestAD02_AForeignFormIsAsked: a form of another site's page brings no cookie along, so
// that the browser is sent back here first; one who is signed in as somebody else is
// asked, and stays who he is unless he says so.
func TestAD02_AForeignFormIsAsked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		bob := x.Person(t, "bob@dev.test", x.Notes.Site)
		foreign := map[string]string{"Origin": "https://login.notes.test", "Sec-Fetch-Site": "cross-site"}
		present := func(change object, has string) otltest.Reply {
			t.Helper()
			r := x.form(t, x.sessionToken(t, change), foreign).Want(t, http.StatusSeeOther)
			c, _, _ := strings.Cut(cookies(r)["__Host-otl_handover"], ";")
			if r.Header.Get("Location") != "/session_via_api_token" || c == "" || cookies(r)["__Host-otl_session"] != "" {
				t.Fatalf("%v", r.Header)
			}
			return x.Do(t, otltest.Call{Path: "/session_via_api_token", Headers: map[string]string{"Cookie": "__Host-otl_handover=" + c + "; " + has}})
		}
		r := present(object{"return_to_url": "https://notes.test/callback"}, "")
		jane := held(t, r)
		if r.Header.Get("Location") != "https://notes.test/callback" || !strings.HasPrefix(cookies(r)["__Host-otl_handover"], "; Path=/; Max-Age=0") {
			t.Errorf("%v", r.Header)
		}
		// The same person again: a new session in the place of the one before (SE-04).
		again := held(t, present(nil, jane))
		if live := x.browserSessions(t); again == jane || len(live) != 1 || !strings.Contains(again, live[0].ID) {
			t.Errorf("%v", live)
		}
		// Somebody else.
		ask := present(object{"username_or_email": "bob@dev.test", "return_to_url": "https://notes.test/callback"}, again)
		if ask.Status != http.StatusOK || !strings.Contains(string(ask.Raw), "b***@dev.test") || !strings.Contains(string(ask.Raw), "j***@dev.test") || !strings.Contains(string(ask.Raw), "Notes") ||
			!strings.Contains(ask.Header.Get("Content-Security-Policy"), "form-action 'self' https://notes.test") || cookies(ask)["__Host-otl_session"] != "" {
			t.Errorf("%d %s %v", ask.Status, ask.Raw, ask.Header)
		}
		token, _, _ := strings.Cut(cookies(ask)["__Host-otl_handover"], ";")
		both := again + "; __Host-otl_handover=" + token
		user := bob.ID
		choose := func(choice, cookie, site string) otltest.Reply {
			return x.posted(t, url.Values{"switch": {choice}, "user": {user}}, map[string]string{"Cookie": cookie, "Sec-Fetch-Site": site})
		}
		for name, r := range map[string]otltest.Reply{"another site": choose("yes", both, "cross-site"), "another browser": choose("yes", again, "same-origin")} {
			if r.Header.Get("Location") != failedSession || cookies(r)["__Host-otl_session"] != "" {
				t.Errorf("%s chose: %v", name, r.Header)
			}
		}
		if r := choose("no", both, "same-origin"); r.Header.Get("Location") != "/account" || cookies(r)["__Host-otl_session"] != "" || len(x.browserSessions(t)) != 1 {
			t.Errorf("%v", r.Header)
		}
		user = x.jane.ID // the page asked about somebody else
		if r := choose("yes", both, "same-origin"); r.Status != http.StatusOK || !strings.Contains(string(r.Raw), bob.ID) || cookies(r)["__Host-otl_session"] != "" {
			t.Errorf("%d %v", r.Status, r.Header)
		}
		user = bob.ID
		r = choose("yes", both, "same-origin")
		if bob := held(t, r); bob == again || r.Header.Get("Location") != "https://notes.test/callback" || len(x.browserSessions(t)) != 0 {
			t.Errorf("%v", r.Header)
		}
		// A form of our own page, or of no browser, says at once who is signed in.
		mine := held(t, x.form(t, x.sessionToken(t, nil), nil))
		r = x.form(t, x.sessionToken(t, object{"username_or_email": "bob@dev.test"}), map[string]string{"Cookie": mine, "Origin": otltest.Issuer, "Sec-Fetch-Site": "same-origin"})
		if r.Status != http.StatusOK || !strings.Contains(string(r.Raw), `id="switch"`) {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		r = x.script(t, x.sessionToken(t, object{"username_or_email": "bob@dev.test"}), "")
		_ = r.Want(t, http.StatusOK) // it holds no session
	})
}

// TestATenFive_AFormOfAnOriginThatIsNotNamed: where the site named origins, a form of any
// other page is refused, also one without an origin of its own.
func TestATenFive_AFormOfAnOriginThatIsNotNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, from := range []string{"https://evil.test", "null"} {
			token := x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", "https://login.notes.test")
			r := x.form(t, token, map[string]string{"Origin": from, "Sec-Fetch-Site": "cross-site"})
			if r.Header.Get("Location") != failedSession || len(cookies(r)) != 0 {
				t.Errorf("%s: %v", from, r.Header)
			}
		}
		r := x.form(t, x.sessionToken(t, nil), map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}) // a page in a file, as in the seed
		if r.Header.Get("Location") != "/session_via_api_token" {
			t.Errorf("%v", r.Header)
		}
	})
}

// TestSE13_ASessionTokenEndsWithItsPerson: disabled, given another password or deleted
// meanwhile, he is not let in.
func TestSE13_ASessionTokenEndsWithItsPerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		token := x.sessionToken(t, nil)
		if err := x.Accounts.SetDisabled(t.Context(), x.jane.ID, true); err != nil {
			t.Fatal(err)
		}
		if r := x.form(t, token, nil); r.Header.Get("Location") != failedSession || len(x.browserSessions(t)) != 0 {
			t.Errorf("disabled: %v", r.Header)
		}
		if err := x.Accounts.SetDisabled(t.Context(), x.jane.ID, false); err != nil {
			t.Fatal(err)
		}
		token = x.sessionToken(t, nil)
		if _, err := x.Accounts.Change(t.Context(), account.Change{
			Bearer: store.Standing{User: x.jane, Site: x.Notes.Site}, Current: secret.NewText(otltest.Password), New: secret.NewText("staple-battery-8"),
		}); err != nil {
			t.Fatal(err)
		}
		if r := x.form(t, token, nil); r.Header.Get("Location") != failedSession || len(x.browserSessions(t)) != 0 {
			t.Errorf("another password: %v", r.Header)
		}
		token = x.sessionToken(t, object{"password": "staple-battery-8"})
		if err := x.Accounts.Delete(t.Context(), x.jane.ID); err != nil {
			t.Fatal(err)
		}
		if r := x.form(t, token, nil); r.Header.Get("Location") != failedSession {
			t.Errorf("deleted: %v", r.Header)
		}
	})
}

// TestPlainHTTPCookies: on loopback without https, cookies without the prefix (D8).
func TestPlainHTTPCookies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		c := cookies(x.form(t, x.sessionToken(t, nil), nil))["otl_session"]
		if !strings.HasSuffix(c, "; HttpOnly; SameSite=Lax") {
			t.Error(c)
		}
		c = cookies(x.script(t, x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", "http://localhost:8788"), "http://localhost:8788"))["otl_across"]
		if !strings.HasSuffix(c, "; HttpOnly; SameSite=Lax") {
			t.Error(c)
		}
	}, loopback)
}

// loopback is a server that people reach by http.
func loopback(o *node.Options) { o.PublicURL = "http://localhost:8787" }

// follow is a client that keeps cookies and follows redirects, as programs do that sign
// in for people.
func (x *tenant) follow(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), x.URL) {
			return fmt.Errorf("sent to %s", r.URL)
		}
		return nil
	}}
}

// TestContract42_9_AFormEndsIn200: what a program that follows redirects with its cookies
// finds in the end is the portal, with the name of the person.
func TestContract42_9_AFormEndsIn200(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		res, err := x.follow(t).PostForm(x.URL+"/session_via_api_token", url.Values{"session_token": {x.sessionToken(t, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if page := read(t, res.Body); res.StatusCode != http.StatusOK || res.Request.URL.Path != "/account" || !strings.Contains(page, "confirm that it&#39;s you") {
			t.Errorf("%d %s %s", res.StatusCode, res.Request.URL, page)
		}
	}, loopback)
}

// TestSE06_NoNeighbourOfASessionTokenIsGood: of ten thousand that differ from one in a
// place, in length or wholly, none is taken; the token itself then is.
func TestSE06_NoNeighbourOfASessionTokenIsGood(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		token, tried := x.sessionToken(t, nil), 0
		refused := func(s string) {
			tried++
			if _, err := x.SignIn.Second.Present(t.Context(), signin.Presented{Token: secret.NewText(s)}); !errors.Is(err, signin.ErrSessionToken) {
				t.Fatalf("%q of %q: %v", s, token, err)
			}
		}
		for i := range token {
			for _, c := range "0123456789abcdefABCDEFgz \x00" {
				if s := token[:i] + string(c) + token[i+1:]; s != token {
					refused(s)
				}
			}
			refused(token[:i])
			refused(token + token[:i+1])
		}
		for tried < 10_000 {
			refused(hex.EncodeToString(secret.Bytes(20)))
		}
		if r := x.form(t, token, nil); r.Header.Get("Location") != "/account" {
			t.Errorf("%v", r.Header)
		}
	})
}

// TestMF05_ThePagesAskForThemselves: a site that asks for no second factor hands over who
// has one; the browser session is not opened without it. The person is told so, and where he
// gives it; a script of a page that was named can read it.
func TestMF05_ThePagesAskForThemselves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.app(t, x.jane)
		x.policy(t, otl.MFAOff)
		r := x.form(t, x.sessionToken(t, nil), nil)
		if r.Header.Get("Location") != "/signin?error=mfa_required" || len(x.browserSessions(t)) != 0 || cookies(r)["__Host-otl_session"] != "" {
			t.Errorf("%v", r.Header)
		}
		r = x.script(t, x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", "https://a.test"), "https://a.test")
		failed(t, r, http.StatusForbidden, "forbidden", signin.ErrSecondStep.Text)
		if r.Header.Get("Access-Control-Allow-Origin") != "https://a.test" || r.Header.Get("Access-Control-Allow-Credentials") != "true" || len(x.browserSessions(t)) != 0 {
			t.Errorf("%v", r.Header)
		}
	})
}

// TestWhoseFactorWasLeftOutGetsOn: by the page that a form leads to he signs in, with the factor.
func TestWhoseFactorWasLeftOutGetsOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		x.policy(t, otl.MFAOff)
		b := x.Browser(t)
		p := b.Get(x.form(t, x.sessionToken(t, nil), nil).Header.Get("Location"))
		if p.Status != http.StatusOK || !strings.Contains(string(p.Raw), `class="button" href="/signin">Sign in</a>`) || !strings.Contains(string(p.Raw), "asks for a second step") {
			t.Fatalf("%d %s", p.Status, p.Raw)
		}
		p = b.Submit(b.Get("/signin"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		if p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now())}); p.Path != "/account" || p.Status != http.StatusOK {
			t.Errorf("%d %s %s", p.Status, p.Path, p.Raw)
		}
	})
}

// TestSE13_ARevokedClientsTokenOpensNothing: neither by form, also half-way, nor by script.
func TestSE13_ARevokedClientsTokenOpensNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const from = "Custom-Allowed-Origin-Header-1"
		other, theirs := x.bearer, x.newClient(t, x.Notes)
		good := x.sessionToken(t, nil)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", theirs).Text("access_token")
		tokens := []string{x.sessionToken(t, nil), x.sessionToken(t, nil, from, "https://a.test"), x.sessionToken(t, nil)}
		x.form(t, tokens[2], map[string]string{"Sec-Fetch-Site": "cross-site"}).Want(t, http.StatusSeeOther)
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, theirs.ID); err != nil {
			t.Fatal(err)
		}
		if r := x.form(t, tokens[0], nil); r.Header.Get("Location") != failedSession || cookies(r)["__Host-otl_session"] != "" {
			t.Errorf("by form: %v", r.Header)
		}
		r := x.script(t, tokens[1], "https://a.test")
		failed(t, r, http.StatusUnauthorized, unauthorized, "Session token is invalid or has expired")
		if r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("by script: %v", r.Header)
		}
		back := x.Do(t, otltest.Call{Path: "/session_via_api_token", Headers: map[string]string{"Cookie": "__Host-otl_handover=" + tokens[2]}})
		if back.Header.Get("Location") != failedSession || len(x.browserSessions(t)) != 0 {
			t.Errorf("half-way: %d %v", back.Status, back.Header)
		}
		x.bearer = other
		if r := x.form(t, good, nil); r.Header.Get("Location") != "/account" {
			t.Errorf("another client's: %v", r.Header)
		}
	})
}
