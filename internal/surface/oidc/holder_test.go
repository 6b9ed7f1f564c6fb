package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/site"
)

// call makes a call of the Transmit wire by a client of Notes.
func (x *provider) call(t *testing.T, c site.MadeClient, path string, body map[string]any) otltest.Reply {
	t.Helper()
	own := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"client_credentials"}}).Want(t, http.StatusOK).Text("access_token")
	return x.Do(t, otltest.Call{Path: path, Bearer: own, Body: body})
}

// TestSE17_APublicClientHoldsItsOwnSessionsAlone: it has proven nothing, so the refresh
// token of a session of the site itself is as worthless to it as to a thief.
func TestSE17_APublicClientHoldsItsOwnSessionsAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		app := x.made(t, site.NewClient{Auth: "none"})
		stolen := x.Login(t, x.Notes, jane).Text("refresh_token")
		if r := x.bare(t, "/oidc/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "refresh_token": {stolen}}); r.Text("error") != "invalid_grant" {
			t.Errorf("renewed: %d %s", r.Status, r.Raw)
		}
		x.bare(t, "/oidc/revoke", url.Values{"token": {stolen}, "client_id": {app.ID}}).Want(t, http.StatusOK)
		renewed := x.Refresh(t, x.Notes, stolen).Want(t, http.StatusOK).Text("refresh_token") // neither ended nor used
		x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {renewed}}).Want(t, http.StatusOK)
	})
}

// TestOA05_SessionsOfOtherClients: the id of a session, which every ID token says, gives
// nobody else's client tokens of it, on no wire.
func TestOA05_SessionsOfOtherClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		other := x.made(t, site.NewClient{})
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		sid, _ := x.claims(t, r.Text("id_token"))["sid"].(string)
		if r := x.call(t, other, "/v1/auth/session/authenticate", map[string]any{"session_id": sid}); r.Status != http.StatusBadRequest || r.Text("message") != "Session not found" {
			t.Errorf("resumed: %d %s", r.Status, r.Raw)
		}
		x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
		x.call(t, x.client, "/v1/auth/session/authenticate", map[string]any{"session_id": sid}).Want(t, http.StatusOK)
	})
}

// TestDPoP_NoWireGivesUnboundTokens: of a client whose tokens are bound to a key.
func TestDPoP_NoWireGivesUnboundTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		app := x.made(t, site.NewClient{RequireDPoP: true})
		in := x.Login(t, x.Notes, jane)
		for path, body := range map[string]map[string]any{
			"/v1/auth/token/refresh":           {"refresh_token": in.Text("refresh_token")},
			"/v1/auth/password/authenticate":   {"username": jane, "password": otltest.Password},
			"/v1/auth/session/authenticate":    {"session_id": "01HKZ3M5Q8J9X2V7C4B6N1D0FG"},
			"/v1/auth/otp/authenticate":        {"passcode": "123456", "identifier_type": "email", "identifier": jane},
			"/v1/auth/link/email/authenticate": {"code": "x"},
		} {
			if r := x.call(t, app, path, body); r.Status != http.StatusBadRequest || !strings.Contains(r.Text("message"), "bound to a key") {
				t.Errorf("%s: %d %s", path, r.Status, r.Raw)
			}
		}
	})
}

func TestHolder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		by   session.Holder
		of   otl.Session
		want bool
	}{
		{session.Holder{}, otl.Session{}, true},
		{session.Holder{}, otl.Session{Client: "a"}, false},
		{session.Holder{Client: "a"}, otl.Session{}, true},
		{session.Holder{Client: "a"}, otl.Session{Client: "a"}, true},
		{session.Holder{Client: "a"}, otl.Session{Client: "b"}, false},
		{session.Holder{Client: "a", Public: true}, otl.Session{}, false},
		{session.Holder{Client: "a", Public: true}, otl.Session{Client: "a"}, true},
		{session.Holder{Client: "a"}, otl.Session{Client: "a", ProofKey: "k"}, false},
		{session.Holder{Client: "a", Key: "k"}, otl.Session{Client: "a", ProofKey: "k"}, true},
		{session.Holder{Client: "a", Key: "k"}, otl.Session{Client: "a"}, true},
	} {
		if got := c.by.Holds(c.of); got != c.want {
			t.Errorf("%+v holds %+v: %t", c.by, c.of, got)
		}
	}
}

// TestHT09_WhoSaysToBeAPublicClientIsCounted: by where he calls from, so that he does not
// use up what there is for its people.
func TestHT09_WhoSaysToBeAPublicClientIsCounted(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	app, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "app", Auth: "none", RedirectURIs: []string{callback}})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {app.ID}}
	try := func() otltest.Reply {
		return w.Do(t, otltest.Call{Path: "/oidc/token", Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	}
	for i := range 240 {
		if r := try(); r.Text("error") != "invalid_grant" {
			t.Fatalf("call %d: %d %s", i, r.Status, r.Raw)
		}
	}
	if r := try(); r.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", r.Status, r.Raw)
	}
}
