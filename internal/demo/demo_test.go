package demo_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/demo"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

const jane = "jane@dev.test"

// shop is a demo site that runs beside a server under test.
type shop struct {
	*otltest.World
	site site.Registered
	url  string
}

// runs serves a demo site for one of the sites of a world.
func runs(t *testing.T, w *otltest.World, s site.Registered) shop {
	t.Helper()
	var h http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { h.ServeHTTP(rw, r) }))
	t.Cleanup(srv.Close)
	callback := srv.URL + "/auth/callback"
	if err := w.Sites.AddCallback(t.Context(), s.Site.ID, callback); err != nil {
		t.Fatal(err)
	}
	d := demo.New(demo.Options{
		Name: s.Site.Name, ID: s.Site.ID, Key: s.Key, Server: w.URL, Own: srv.URL, Callback: callback, Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	h = d
	if id, err := d.Join(t.Context()); err != nil || id == "" {
		t.Fatal(id, err)
	}
	return shop{w, s, srv.URL}
}

// visitor is a browser at a demo site, and the same browser at the server.
type visitor struct {
	t      *testing.T
	shop   shop
	client *http.Client
	there  *otltest.Browser
}

func (s shop) visitor(t *testing.T, there *otltest.Browser) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, s, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), s.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}, there}
}

// answer gives status, text and Location of an answer of the demo site.
func (v visitor) answer(res *http.Response, err error) (int, string, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header.Get("Location")
}

func (v visitor) get(address string) (int, string, string) {
	v.t.Helper()
	return v.answer(v.client.Get(address))
}

func (v visitor) home() string {
	v.t.Helper()
	_, text, _ := v.get(v.shop.url + "/")
	return text
}

// asks goes to the sign-in of the server.
func (v visitor) asks() otltest.Page {
	v.t.Helper()
	_, _, to := v.get(v.shop.url + "/login")
	path, found := strings.CutPrefix(to, v.shop.URL)
	if !found {
		v.t.Fatalf("sent to %q", to)
	}
	return v.there.Get(path)
}

// signsIn goes to the server and back.
func (v visitor) signsIn() {
	v.t.Helper()
	p := v.asks()
	if p.Left == nil && p.Fields("/signin") != nil {
		p = v.there.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	}
	if p.Left == nil {
		p = v.there.Submit(p, "consent", nil)
	}
	if p.Left == nil {
		v.t.Fatalf("still at %s\n%s", p.Path, p.Raw)
	}
	if status, text, _ := v.get(p.Left.String()); status != http.StatusOK || !strings.Contains(text, "Hello Jane Doe") {
		v.t.Fatalf("%d %s", status, text)
	}
}

// TestOneSignInReachesTwoSites: the person signs in at Notes and is let into Shop
// without a password; a change of the name shows at both, and the end of a session at
// the one it was of.
func TestOneSignInReachesTwoSites(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		there := w.Browser(t)
		notes, shop := runs(t, w, w.Notes).visitor(t, there), runs(t, w, w.Shop).visitor(t, there)
		notes.signsIn()
		if p := shop.asks(); p.Fields("/signin") != nil {
			t.Fatalf("the second site asks for a password: %s", p.Raw)
		}
		shop.signsIn()

		w.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1/users/" + u.ID, Key: w.Notes.Key, Body: map[string]any{"name": "Jane Roe", "version": 1}}).Want(t, http.StatusOK)
		w.Deliver(t)
		for _, v := range []visitor{notes, shop} {
			if text := v.home(); !strings.Contains(text, "Hello Jane Roe") || !strings.Contains(text, "user.updated") || strings.Contains(text, "wrong signature") {
				t.Errorf("%s shows\n%s", v.shop.site.Site.Name, text)
			}
		}

		sessions := w.Do(t, otltest.Call{Path: "/api/v1/sessions?user_id=" + u.ID, Key: w.Shop.Key}).Items(t)
		for _, s := range sessions {
			id, _ := s["id"].(string)
			w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + id, Key: w.Shop.Key}).Want(t, http.StatusOK)
		}
		w.Deliver(t)
		if text := shop.home(); strings.Contains(text, "Jane") {
			t.Errorf("Shop still knows her:\n%s", text)
		}
		if text := notes.home(); !strings.Contains(text, "Hello Jane Roe") {
			t.Errorf("Notes forgot her:\n%s", text)
		}
	})
}

func TestASignOutAtTheSiteEndsTheSession(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane)
	v := runs(t, w, w.Notes).visitor(t, w.Browser(t))
	v.signsIn()
	if status, _, _ := v.answer(v.client.PostForm(v.shop.url+"/logout", nil)); status != http.StatusOK {
		t.Fatal(status)
	}
	if strings.Contains(v.home(), "Jane") {
		t.Error("the site still knows her")
	}
	if live := w.Do(t, otltest.Call{Path: "/api/v1/sessions?user_id=" + u.ID, Key: w.Notes.Key}).Items(t); len(live) != 0 {
		t.Errorf("%v", live)
	}
}

// TestACodeIsForTheBrowserThatAsked: the address a browser was sent back to signs no
// other browser in, nor one that did not ask.
func TestACodeIsForTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	s := runs(t, w, w.Notes)
	v := s.visitor(t, w.Browser(t))
	p := v.there.Submit(v.asks(), "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	p = v.there.Submit(p, "consent", nil)
	if p.Left == nil {
		t.Fatalf("%s", p.Raw)
	}
	other := s.visitor(t, w.Browser(t))
	other.home()
	for _, address := range []string{p.Left.String(), s.url + "/auth/callback?code=x&state=y", s.url + "/auth/callback", p.Left.String()} {
		if status, text, _ := other.get(address); status != http.StatusBadRequest || strings.Contains(text, "Jane") {
			t.Errorf("%s: %d %s", address, status, text)
		}
	}
	if v.home(); strings.Contains(v.home(), "Jane") {
		t.Error("signed in by the wrong browser")
	}
}

func TestADeclinedConsentIsSaidPlainly(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	v := runs(t, w, w.Notes).visitor(t, w.Browser(t))
	to, err := url.Parse(v.asks().Path)
	if err != nil || to.Path == "" {
		t.Fatal(err)
	}
	_, _, location := v.get(v.shop.url + "/login")
	asked, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	back := v.shop.url + "/auth/callback?error=access_denied&state=" + url.QueryEscape(asked.Query().Get("state"))
	if status, text, _ := v.get(back); status != http.StatusOK || !strings.Contains(text, "You did not connect Notes") {
		t.Errorf("%d %s", status, text)
	}
}

// TestAWebhookWithAWrongSignatureChangesNothing, and is shown.
func TestAWebhookWithAWrongSignatureChangesNothing(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane)
	v := runs(t, w, w.Notes).visitor(t, w.Browser(t))
	v.signsIn()
	body := `{"id":"evt_1","type":"user.updated","data":{"user":{"id":"` + u.ID + `","name":"Mallory"}}}`
	for _, signature := range []string{"", "t=1,v1=00", "v1=,t=", "t=9999999999999999999999,v1=zz"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.shop.url+"/hooks", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-OTL-Signature-V2", signature)
		if status, _, _ := v.answer(v.client.Do(req)); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", signature, status)
		}
	}
	if text := v.home(); strings.Contains(text, "Mallory") || !strings.Contains(text, "wrong signature, ignored") {
		t.Errorf("%s", text)
	}
}
