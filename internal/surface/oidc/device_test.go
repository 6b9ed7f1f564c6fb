package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// waiting is a device that shows a code.
type waiting struct {
	*provider
	client site.MadeClient
	code   string // that it asks with
	shown  string
}

func (x *provider) device(t *testing.T, c site.MadeClient) waiting {
	t.Helper()
	r := x.bare(t, "/oidc/device_authorization", url.Values{"client_id": {c.ID}, "scope": {"openid email"}}).Want(t, http.StatusOK)
	shown := r.Text("user_code")
	if len(shown) != 9 || shown[4] != '-' || strings.Trim(shown, "BCDFGHJKLMNPQRSTVWXZ-") != "" || r.JSON["interval"] != 5.0 || r.JSON["expires_in"] != 600.0 ||
		r.Text("verification_uri") != otltest.Issuer+"/device" || r.Text("verification_uri_complete") != otltest.Issuer+"/device?user_code="+shown {
		t.Fatalf("%s", r.Raw)
	}
	return waiting{x, c, r.Text("device_code"), shown}
}

// ask asks what became of the device, five seconds after the last time.
func (d waiting) ask(t *testing.T) otltest.Reply {
	t.Helper()
	d.Clock.Advance(5 * time.Second)
	return d.bare(t, "/oidc/token", url.Values{"grant_type": {deviceGrant}, "client_id": {d.client.ID}, "device_code": {d.code}})
}

func (d waiting) want(t *testing.T, word string) {
	t.Helper()
	if r := d.ask(t); r.Status != http.StatusBadRequest || r.Text("error") != word {
		t.Errorf("%d %s, want %s", r.Status, r.Raw, word)
	}
}

// enter goes as far as the question, in a browser.
func (d waiting) enter(t *testing.T, b *otltest.Browser) otltest.Page {
	t.Helper()
	p := b.Submit(b.Get("/device"), "device", map[string]string{"user_code": strings.ToLower(strings.Replace(d.shown, "-", " ", 1))})
	if p.Fields("/signin") != nil {
		p = b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	}
	if p.Fields("confirm") == nil {
		t.Fatalf("stays at %s: %d %s", p.Path, p.Status, p.Title)
	}
	return p
}

// TestDeviceGrant: a device shows a code, somebody enters it elsewhere, is told what asks
// and from where, and the device has tokens of its own once (RFC 8628).
func TestDeviceGrant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		tv := x.made(t, site.NewClient{Auth: "none", Device: true})
		d := x.device(t, tv)
		d.want(t, "authorization_pending")
		p := d.enter(t, x.browser)
		if text := string(p.Raw); !strings.Contains(text, "Sign in to \u2068Notes\u2069 on \u2068client\u2069?") || !strings.Contains(text, "If somebody sent you the code, cancel") || !strings.Contains(text, "127.0.0.1") || !strings.Contains(text, jane) {
			t.Errorf("%s", p.Raw)
		}
		d.want(t, "authorization_pending")
		p = x.browser.Submit(p, "confirm", map[string]string{"decision": "connect"})
		if !strings.Contains(string(p.Raw), "is now signed in to \u2068Notes\u2069.") {
			t.Errorf("%d %s", p.Status, p.Raw)
		}
		r := d.ask(t).Want(t, http.StatusOK)
		id := x.claims(t, r.Text("id_token"))
		if id["sub"] != x.jane.ID || id["aud"] != tv.ID || id["email"] != jane {
			t.Errorf("%v", id)
		}
		d.want(t, "invalid_grant")
		// Its session is its own: the browser that let it in may sign out.
		x.browser.Submit(x.browser.Get("/signout"), "signout", map[string]string{"where": "here"})
		x.bare(t, "/oidc/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {tv.ID}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
	})
}

// TestDeviceGrantsThatFail: nobody came, somebody said no, the device asks too often, or
// it is none of the client's.
func TestDeviceGrantsThatFail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		tv := x.made(t, site.NewClient{Auth: "none", Device: true})
		denied := x.device(t, tv)
		p := denied.enter(t, x.browser)
		p = x.browser.Submit(p, "confirm", map[string]string{"decision": "cancel"})
		if !strings.Contains(string(p.Raw), "Nobody was signed in on \u2068client\u2069.") {
			t.Errorf("%s", p.Raw)
		}
		denied.want(t, "access_denied")

		d := x.device(t, tv)
		d.want(t, "authorization_pending")
		d.Clock.Advance(-time.Second)
		d.want(t, "slow_down") // four seconds after the last time
		d.want(t, "slow_down") // five, where ten are due by now
		d.Clock.Advance(10 * time.Second)
		d.want(t, "authorization_pending")
		other := d
		other.client = x.made(t, site.NewClient{Auth: "none", Device: true})
		other.want(t, "invalid_grant")
		other = d
		other.code += "x"
		other.want(t, "invalid_grant")
		left := d.enter(t, x.Browser(t))
		d.Clock.Advance(10 * time.Minute)
		d.want(t, "expired_token")
		if p := x.browser.Get(left.Path); p.Fields("confirm") != nil {
			t.Error("another browser may answer")
		}
		for name, c := range map[string]struct {
			client site.MadeClient
			scope  string
			word   string
		}{
			"not made for it": {x.made(t, site.NewClient{Auth: "none"}), "openid", "unauthorized_client"}, "no scope": {tv, "email", "invalid_scope"},
		} {
			if r := x.bare(t, "/oidc/device_authorization", url.Values{"client_id": {c.client.ID}, "scope": {c.scope}}); r.Text("error") != c.word {
				t.Errorf("%s: %s", name, r.Raw)
			}
		}
		plain := x.made(t, site.NewClient{Auth: "none"})
		if r := x.bare(t, "/oidc/token", url.Values{"grant_type": {deviceGrant}, "client_id": {plain.ID}, "device_code": {d.code}}); r.Text("error") != "unauthorized_client" {
			t.Errorf("%s", r.Raw)
		}
		if p := x.browser.Get("/device?user_code=" + url.QueryEscape(`"><script>`)); strings.Contains(string(p.Raw), `"><script>`) || p.Status != http.StatusOK {
			t.Errorf("%s", p.Raw)
		}
	})
}

// TestOT06_UserCodesAreNotGuessed: five tries a minute from one network, right or wrong.
func TestOT06_UserCodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b := w.Browser(t)
		try := func() otltest.Page {
			return b.Submit(b.Get("/device"), "device", map[string]string{"user_code": "BBBB-BBBB"})
		}
		for i := range 5 {
			if p := try(); p.Status != http.StatusBadRequest || !strings.Contains(string(p.Raw), "know this code") {
				t.Fatalf("%d: %d %s", i, p.Status, p.Raw)
			}
		}
		if p := try(); p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") != "" && p.Fields("device") == nil {
			t.Errorf("a sixth: %d", p.Status)
		}
		w.Clock.Advance(time.Minute)
		if p := try(); p.Status != http.StatusBadRequest {
			t.Errorf("a minute later: %d", p.Status)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestMN01_DeviceTokens: of many questions at once one gets the tokens.
func TestMN01_DeviceTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		d := x.device(t, x.made(t, site.NewClient{Auth: "none", Device: true}))
		x.browser.Submit(d.enter(t, x.browser), "confirm", map[string]string{"decision": "connect"})
		var good atomic.Int32
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if x.bare(t, "/oidc/token", url.Values{"grant_type": {deviceGrant}, "client_id": {d.client.ID}, "device_code": {d.code}}).Status == http.StatusOK {
					good.Add(1)
				}
			})
		}
		if all.Wait(); good.Load() != 1 {
			t.Errorf("the tokens were given %d times", good.Load())
		}
	})
}
