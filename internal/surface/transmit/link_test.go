package transmit_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

const callback = "https://notes.test/callback"

// link sends a link and gives it with the code that came in the same mail.
func (x *tenant) link(t *testing.T, more object) (path, code string) {
	t.Helper()
	x.Letters(t, "")
	x.Inbox.Empty()
	body := object{"redirect_uri": callback, "email": "jane@dev.test", "state": "a b&c"}
	for k, v := range more {
		body[k] = v
	}
	failed(t, x.post(t, "/cis/v1/auth/link/email/send", body), http.StatusOK, `{"message":"Email sent successfully"}`)
	l := x.Letters(t, "jane@dev.test")
	if len(l) != 1 || !strings.HasPrefix(l[0].Link, otltest.Issuer+"/l/otl_ln_") || l[0].Code == "" || !strings.Contains(l[0].Text, l[0].Link) {
		t.Fatalf("%+v", l)
	}
	return strings.TrimPrefix(l[0].Link, otltest.Issuer), l[0].Code
}

// press confirms a link as a browser does, and gives the code it leads to.
func (x *tenant) press(t *testing.T, path string) string {
	t.Helper()
	r := x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Sec-Fetch-Site": "same-origin"}}).Want(t, http.StatusSeeOther)
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), callback+"?code=otl_lc_") || to.Query().Get("state") != "a b&c" || len(to.Query()) != 2 {
		t.Fatalf("sent to %s", r.Header.Get("Location"))
	}
	return to.Query().Get("code")
}

func (x *tenant) redeem(t *testing.T, code string, more object) otltest.Reply {
	t.Helper()
	body := object{"code": code}
	for k, v := range more {
		body[k] = v
	}
	return x.post(t, "/v1/auth/link/email/authenticate", body)
}

const badLink = `{"error_code":"400","message":"Invalid magic link code"}`

// TestLinks is contract 3.3 and 3.4.
func TestLinks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		path, code := x.link(t, nil)
		got := x.press(t, path)
		r := x.redeem(t, got, object{"claims": object{"id_token": object{"email_verified": nil}}}).Want(t, http.StatusOK)
		id := x.claims(t, r.Text("id_token"))
		if fmt.Sprint(id["amr"]) != "[eml]" || id["sub"] != x.jane.ID || id["email_verified"] != true || r.Text("session_id") == "" {
			t.Errorf("%v", id)
		}
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		// The code of the same mail went with the link.
		failed(t, x.verify(t, code, nil), http.StatusBadRequest, `{"error_code":"auth_invalid_credentials","message":"Invalid credentials"}`)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path}).Want(t, http.StatusGone)
		// And the other way round.
		path, code = x.link(t, nil)
		x.verify(t, code, nil).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path}).Want(t, http.StatusGone)

		path, _ = x.link(t, nil)
		got = x.press(t, path)
		x.Clock.Advance(time.Minute) // OT-15
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		path, _ = x.link(t, object{"email_expiration": 1})
		x.Clock.Advance(50 * time.Second)
		got = x.press(t, path)
		x.Clock.Advance(10 * time.Second)
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink) // no code outlives its link
		path, _ = x.link(t, object{"email_expiration": 1})
		x.Clock.Advance(time.Minute)
		x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusGone)

		// A request id binds, and the code is of one client.
		sent := x.post(t, "/v1/auth/link/email/send", object{
			"redirect_uri": callback, "identifier_type": "user_id", "identifier": x.jane.ID, "channel": "direct", "generate_request_id": true, "state": "a b&c",
		}).Want(t, http.StatusOK)
		got = x.press(t, strings.TrimPrefix(sent.Text("link"), otltest.Issuer))
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		mine, mineBearer := x.client, x.bearer
		var err error
		if x.client, err = x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "other", Scopes: otl.AllScopes()}); err != nil {
			t.Fatal(err)
		}
		x.bearer = x.token(t, nil).Text("access_token")
		failed(t, x.redeem(t, got, object{"request_id": sent.Text("request_id")}), http.StatusBadRequest, badLink)
		x.client, x.bearer = mine, mineBearer
		if id := x.claims(t, x.redeem(t, got, object{"request_id": sent.Text("request_id")}).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[otp]" {
			t.Errorf("%v", id)
		}

		for body, want := range map[string][2]any{
			`{"redirect_uri":"https://notes.test/callback/","email":"jane@dev.test"}`:             {400, `{"error_code":"400","message":"redirect_uri is not one of the allowed redirect URIs configured for this app"}`},
			`{"redirect_uri":"` + callback + `","email":"nobody@dev.test"}`:                       {404, `{"error_code":"404","message":"User not found"}`},
			`{"redirect_uri":"` + callback + `"}`:                                                 {400, `{"error_code":"400","message":"identifier: is required"}`},
			`{"email":"jane@dev.test"}`:                                                           {400, `{"error_code":"400","message":"redirect_uri: is required"}`},
			`{"redirect_uri":"` + callback + `","email":"jane@dev.test","channel":"sms"}`:         {400, `{"error_code":"400","message":"channel: must be email or direct"}`},
			`{"redirect_uri":"` + callback + `","email":"jane@dev.test","email_expiration":1441}`: {400, `{"error_code":"400","message":"email_expiration: must be from 1 to 1440 minutes"}`},
		} {
			failed(t, x.post(t, "/v1/auth/link/email/send", body), want[0].(int), want[1].(string))
		}
	})
}

// TestOT14_OpeningALinkUsesNothingUp: scanners, previews and prefetches come first,
// and the person still gets in.
func TestOT14_OpeningALinkUsesNothingUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		path, _ := x.link(t, nil)
		for i := range 50 {
			h := map[string]string{"User-Agent": "Scanner/1"}
			if i%2 == 0 {
				h["Sec-Purpose"] = "prefetch"
			}
			r := x.Do(t, otltest.Call{Path: path, Headers: h}).Want(t, http.StatusOK)
			if page := string(r.Raw); !strings.Contains(page, `<form id="confirm" method="post" action="`+path+`">`) || strings.Contains(page, "http://") || strings.Contains(page, "<script>") ||
				!strings.Contains(r.Header.Get("Content-Security-Policy"), "form-action 'self' https://notes.test;") || r.Header.Get("Referrer-Policy") != "same-origin" || r.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%v\n%s", r.Header, page)
			}
		}
		for range 5 {
			x.Do(t, otltest.Call{Method: http.MethodHead, Path: path}).Want(t, http.StatusOK)
			x.Do(t, otltest.Call{Method: http.MethodOptions, Path: path})
		}
		// Another site cannot press the button for its visitor.
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Sec-Fetch-Site": "cross-site"}}).Want(t, http.StatusForbidden)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path + "/deny", Headers: map[string]string{"Origin": "https://evil.test"}}).Want(t, http.StatusForbidden)
		x.redeem(t, x.press(t, path), nil).Want(t, http.StatusOK)
		opened := 0
		all, err := x.Store.Read.Events.List(t.Context(), x.jane.ID, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Type == otl.EventLinkOpened && e.Data["user_agent"] == "Scanner/1" {
				opened++
			}
		}
		if opened != 50 {
			t.Errorf("%d of 50 openings are recorded", opened)
		}

		path, code := x.link(t, nil)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path + "/deny"}).Want(t, http.StatusOK)
		for _, p := range []string{path, path + "x", "/l/", "/l/x", "/l/%00"} {
			if r := x.Do(t, otltest.Call{Path: p}); r.Status != http.StatusGone && r.Status != http.StatusNotFound {
				t.Errorf("%s: %d", p, r.Status)
			}
		}
		x.verify(t, code, nil).Want(t, http.StatusBadRequest)
	})
}

// TestLinkConfirmNever is for programs that only follow redirects; a prefetch still
// uses nothing up.
func TestLinkConfirmNever(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "headless", Scopes: otl.AllScopes(), RedirectURIs: []string{callback + "?a=1"}, LinkConfirm: "never"})
		if err != nil {
			t.Fatal(err)
		}
		x.client = made
		x.Proven(t, x.jane)
		x.bearer = x.token(t, nil).Text("access_token")
		path, _ := x.link(t, object{"redirect_uri": callback + "?a=1", "state": ""})
		x.Do(t, otltest.Call{Path: path, Headers: map[string]string{"Sec-Purpose": "prefetch;prerender"}}).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Method: http.MethodHead, Path: path}).Want(t, http.StatusOK)
		open := func() string {
			t.Helper()
			to := x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusSeeOther).Header.Get("Location")
			got, ok := strings.CutPrefix(to, callback+"?a=1&code=")
			if !ok || strings.Contains(got, "&") {
				t.Fatal(to)
			}
			return got
		}
		var scanned string
		for range 50 { // scanners that follow nothing (OT-14)
			scanned = open()
		}
		got := open()
		x.redeem(t, got, nil).Want(t, http.StatusOK)
		x.redeem(t, scanned, nil).Want(t, http.StatusBadRequest)
		x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusGone)
		x.Do(t, otltest.Call{Method: http.MethodHead, Path: path}).Want(t, http.StatusGone)
		ways := map[string]int{}
		all, err := x.Store.Read.Events.List(t.Context(), x.jane.ID, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Type == otl.EventLinkOpened {
				ways[e.Data[otl.DataBy]+e.Data[otl.DataReason]]++
			}
		}
		if fmt.Sprint(ways) != "map[:51 head:1 headused:1 prefetch:1 used:1]" {
			t.Errorf("what is noted of those who opened it: %v", ways)
		}
	})
}

// TestOT12_ALinkLeadsToTheConfiguredHost, whatever a request calls the server.
func TestOT12_ALinkLeadsToTheConfiguredHost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := func(hostile map[string]string) {
			t.Helper()
			x.Inbox.Empty()
			x.Do(t, otltest.Call{Path: "/v1/auth/link/email/send", Bearer: x.bearer, Headers: hostile, Body: object{"redirect_uri": callback, "email": "jane@dev.test"}}).Want(t, http.StatusOK)
			if l := x.Letters(t, ""); len(l) != 1 || !strings.HasPrefix(l[0].Link, otltest.Issuer+"/l/") || strings.Contains(l[0].Text+l[0].HTML, "evil") {
				t.Errorf("%v: %+v", hostile, l)
			}
		}
		for h, value := range map[string]string{
			"X-Forwarded-Host": "evil.test", "Forwarded": "for=1.2.3.4;host=evil.test;proto=http", "X-Forwarded-Proto": "evil", "X-Forwarded-Port": "666", "X-Forwarded-Prefix": "/evil",
			"X-Forwarded-Server": "evil.test", "X-Host": "evil.test", "X-HTTP-Host-Override": "evil.test", "X-Original-Host": "evil.test", "X-Original-URL": "https://evil.test/", "X-Rewrite-URL": "/evil",
			"Via": "1.1 evil.test",
		} {
			for _, host := range []string{"", "evil.test", "id.test@evil.test:80"} {
				hostile := map[string]string{h: value}
				if host != "" {
					hostile["Host"] = host
				}
				send(hostile)
			}
		}
	})
}

// TestMN01_ALinkIsUsedOnce, and so is the code it leads to.
func TestMN01_ALinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		path, _ := x.link(t, nil)
		codes := make(chan string, 40)
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				r := x.Do(t, otltest.Call{Method: http.MethodPost, Path: path})
				if r.Status == http.StatusSeeOther {
					codes <- r.Header.Get("Location")
				} else if r.Status != http.StatusGone {
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		all.Wait()
		if len(codes) != 1 {
			t.Fatalf("%d presses went through", len(codes))
		}
		to, err := url.Parse(<-codes)
		if err != nil {
			t.Fatal(err)
		}
		var won atomic.Int32
		for range 40 {
			all.Go(func() {
				switch r := x.redeem(t, to.Query().Get("code"), nil); r.Status {
				case http.StatusOK:
					won.Add(1)
				case http.StatusBadRequest:
				default:
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		if all.Wait(); won.Load() != 1 {
			t.Errorf("%d were let in", won.Load())
		}
	})
}

// TestOT15_TheCodeOfALinkIsOfItsClientForAMinute: at the address that was registered to the
// letter, for the client that sent it, once.
func TestOT15_TheCodeOfALinkIsOfItsClientForAMinute(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, to := range []string{callback + "/", callback + "?a=1", "https://NOTES.test/callback", "https://notes.test:443/callback", "http://notes.test/callback", "https://notes.test/callback#x", callback + "%2e"} {
			x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": to, "email": "jane@dev.test"}).Want(t, http.StatusBadRequest)
		}
		path, _ := x.link(t, nil)
		page := x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusOK)
		if page.Header.Get("Referrer-Policy") != "same-origin" || strings.Contains(string(page.Raw), `src="http`) || strings.Contains(string(page.Raw), `href="http`) {
			t.Errorf("%v\n%s", page.Header, page.Raw)
		}
		got := x.press(t, path)
		mine, bearer := x.client, x.bearer
		var err error
		if x.client, err = x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "other", Scopes: otl.AllScopes(), RedirectURIs: []string{callback}}); err != nil {
			t.Fatal(err)
		}
		x.bearer = x.token(t, nil).Text("access_token")
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		x.client, x.bearer = mine, bearer
		x.Clock.Advance(time.Minute - time.Millisecond)
		x.redeem(t, got, nil).Want(t, http.StatusOK)
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		path, _ = x.link(t, nil)
		got = x.press(t, path)
		x.Clock.Advance(time.Minute)
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
	})
}

// TestOT21_ASecondSendProlongsNothing: neither the code that was sent first nor its link.
func TestOT21_ASecondSendProlongsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		first, code := x.link(t, nil)
		x.Clock.Advance(15*time.Minute - time.Second)
		_, again := x.link(t, nil)
		if code != again {
			x.verify(t, code, nil).Want(t, http.StatusBadRequest)
		}
		x.Clock.Advance(time.Second)
		x.Do(t, otltest.Call{Path: first}).Want(t, http.StatusGone)
		x.Clock.Advance(5*time.Minute - time.Second)
		failed(t, x.verify(t, again, nil), http.StatusBadRequest, `{"error_code":"auth_otp_passcode_expired","message":"The passcode has expired"}`)
	})
}

// TestALinkAloneSaysHowLongItIsGood: of a mail without a code, as of the link and not of the code beside it.
func TestALinkAloneSaysHowLongItIsGood(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		ways := []string{"password", "link"}
		if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{Ways: &ways}); err != nil {
			t.Fatal(err)
		}
		for minutes, want := range map[int]string{0: "for 15 minutes", 60: "for 60 minutes", 1: "for 1 minute,"} {
			x.Clock.Advance(time.Hour)
			x.bearer = x.token(t, nil).Text("access_token")
			x.Inbox.Empty()
			body := object{"redirect_uri": callback, "email": "jane@dev.test"}
			if minutes > 0 {
				body["email_expiration"] = minutes
			}
			x.post(t, "/v1/auth/link/email/send", body).Want(t, http.StatusOK)
			if l := x.Letters(t, "jane@dev.test"); len(l) != 1 || !strings.Contains(l[0].Text, want) || l[0].Code != "" {
				t.Errorf("%d: %+v", minutes, l)
			}
		}
	})
}

// TestALinkThatIsOffIsNotSent: also not to whoever has a session at the site. A code can be added to that, and a link that is off
// opens nothing (ADR 39).
func TestALinkThatIsOffIsNotSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.post(t, "/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)
		ways := []string{"password"}
		if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{Ways: &ways}); err != nil {
			t.Fatal(err)
		}
		x.Inbox.Empty()
		x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": callback, "email": "jane@dev.test"}).Want(t, http.StatusForbidden)
		if n := len(x.Letters(t, "")); n != 0 {
			t.Errorf("%d letters", n)
		}
		x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}).Want(t, http.StatusOK)
	})
}

// TestOT16_NoMachineProvesAnAddress: of a client whose links have no page, those to somebody have one who has not proven his
// address, whichever call sends them. It may be that of another, whose scanner of mails would prove it for him; once it is
// proven a link shows no more than before.
func TestOT16_NoMachineProvesAnAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		calledBy(t, x, site.NewClient{Name: "headless", LinkConfirm: "never"})
		sends := []func() string{
			func() string {
				x.post(t, "/v1/auth/links/email", object{"email": "jane@dev.test", "redirect_uri": callback}).Want(t, http.StatusOK)
				return strings.TrimPrefix(x.Newest(t, "jane@dev.test").Link, otltest.Issuer)
			},
			func() string { path, _ := x.link(t, nil); return path },
			func() string {
				path, _ := x.link(t, object{"email": nil, "identifier": x.jane.ID, "identifier_type": "user_id"})
				return path
			},
		}
		opens := func(want int) (path string) {
			t.Helper()
			for i, send := range sends {
				x.Clock.Advance(time.Minute)
				path = send()
				if r := x.Do(t, otltest.Call{Path: path}); r.Status != want {
					t.Errorf("call %d: %d, want %d", i, r.Status, want)
				}
			}
			return path
		}
		pressed := x.press(t, opens(http.StatusOK))
		if u, err := x.Accounts.Find(t.Context(), "jane@dev.test"); err != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("%+v %v", u, err)
		}
		x.redeem(t, pressed, nil).Want(t, http.StatusOK)
		if u, err := x.Accounts.Find(t.Context(), "jane@dev.test"); err != nil || u.EmailVerifiedAt.IsZero() {
			t.Errorf("%+v %v", u, err)
		}
		opens(http.StatusSeeOther)
	})
}
