package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// alone is a demo site whose server nobody runs.
func alone() *Site {
	return New(Options{
		Name: "Notes", ID: "01HKZ2A7R4T6Y8W3E5P9S1K0MH", Key: secret.NewText("otr_none"), Server: "http://127.0.0.1:1", Own: "http://localhost:8788",
		Callback: "http://localhost:8788/auth/callback", Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Log: slog.New(slog.DiscardHandler),
	})
}

func ask(s *Site, method, path string, headers map[string]string, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestWhatAPersonLetsTheSiteSee(t *testing.T) {
	t.Parallel()
	got := seen(map[string]any{"id": "x", "phone": "+491705550100", "name": "Jane Doe", "picture": nil, "locale": "", "roles": []any{}, "email": 7})
	if want := []field{{"name", "Jane Doe"}, {"phone", "+491705550100"}}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	for want, fields := range map[string][]field{
		"you": nil, "J": {{"name", "Jane"}, {"display_name", "J"}}, "Jane": {{"email", "j@dev.test"}, {"name", "Jane"}}, "j@dev.test": {{"email", "j@dev.test"}},
	} {
		if got := (&visitor{fields: fields}).greeting(); got != want {
			t.Errorf("%v: %q", fields, got)
		}
	}
}

// TestThePageSaysWhomToTry who is not signed in, and nobody where there is nobody to try.
func TestThePageSaysWhomToTry(t *testing.T) {
	t.Parallel()
	for try, says := range map[Guest]bool{{}: false, {"jane@dev.test", "horse-7"}: true} {
		s := alone()
		s.Try = try
		s.visitors["c"] = &visitor{fields: []field{{"name", "Jane"}}}
		for cookie, in := range map[string]bool{"": false, s.cookieName() + "=c": true} {
			body := ask(s, http.MethodGet, "/", map[string]string{"Cookie": cookie}, "").Body.String()
			if got := strings.Contains(body, "Try it as"); got != (says && !in) || got && !strings.Contains(body, "as <code>"+try.Name+"</code> with the password <code>"+try.Password+"</code></p>") {
				t.Errorf("%+v, signed in %v: %s", try, in, body)
			}
		}
	}
}

func TestThePageRunsNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := alone()
	s.visitors["c"] = &visitor{fields: []field{{"name", `<script>alert(1)</script>`}}}
	page := ask(s, http.MethodGet, "/", map[string]string{"Cookie": s.cookieName() + "=c"}, "")
	if body := page.Body.String(); strings.Contains(body, "<script>alert") || !strings.Contains(body, "Hello &lt;script&gt;") {
		t.Errorf("%s", body)
	}
	policy := page.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'") || strings.Contains(policy, "unsafe") || page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", page.Header())
	}
	for path, kind := range map[string]string{"/site.js": "text/javascript", "/site.css": "text/css"} {
		if got := ask(s, http.MethodGet, path, nil, ""); got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), kind) || got.Body.Len() == 0 {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
	}
	if got := ask(s, http.MethodGet, "/x", nil, ""); got.Code != http.StatusNotFound {
		t.Error(got.Code)
	}
}

func TestAnotherSiteSignsNobodyOut(t *testing.T) {
	t.Parallel()
	s := alone()
	s.visitors["c"] = &visitor{}
	cookie := map[string]string{"Cookie": s.cookieName() + "=c", "Sec-Fetch-Site": "cross-site"}
	if got := ask(s, http.MethodPost, "/logout", cookie, ""); got.Code != http.StatusForbidden || s.visitors["c"] == nil {
		t.Error(got.Code)
	}
	cookie["Sec-Fetch-Site"] = "same-origin"
	if got := ask(s, http.MethodPost, "/logout", cookie, ""); got.Code != http.StatusSeeOther || s.visitors["c"] != nil {
		t.Error(got.Code, "the server is away, the site forgets all the same")
	}
}

// TestWhatIsKeptIsBounded: sign-ins that nobody finishes, and webhooks, do not pile up.
func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	s := alone()
	for range keepVisitors + 10 {
		ask(s, http.MethodGet, "/login", nil, "")
	}
	for i := range keepHeard + 10 {
		ask(s, http.MethodPost, "/hooks", nil, fmt.Sprint(i))
	}
	if len(s.asked) > keepVisitors || len(s.heard) != keepHeard {
		t.Errorf("%d sign-ins, %d webhooks", len(s.asked), len(s.heard))
	}
	if got := ask(s, http.MethodPost, "/hooks", nil, strings.Repeat("x", 65<<10)); got.Code != http.StatusRequestEntityTooLarge {
		t.Error(got.Code)
	}
}

// TestAWebhookThatComesAgainCountsOnce: deliveries repeat, with the same id.
func TestAWebhookThatComesAgainCountsOnce(t *testing.T) {
	t.Parallel()
	s := alone()
	s.secret = "whsec_a"
	hear := func(body string) int {
		return ask(s, http.MethodPost, "/hooks", map[string]string{"X-OTL-Signature-V2": sign(s.secret, s.Now(), body)}, body).Code
	}
	s.visitors["c"] = &visitor{id: "jane", session: "one"}
	for range 3 {
		if code := hear(`{"id":"evt_1","type":"session.revoked","data":{"session":{"id":"other"},"user_id":"jane"}}`); code != http.StatusNoContent {
			t.Fatal(code)
		}
	}
	if len(s.heard) != 1 || s.visitors["c"] == nil {
		t.Fatalf("%v", s.heard)
	}
	if code := hear(`{`); code != http.StatusBadRequest || len(s.heard) != 1 {
		t.Error(code)
	}
	s.visitors["c"].fields = []field{{"name", "Jane"}, {"phone", "+491705550100"}}
	if hear(`{"id":"evt_3","type":"consent.granted","data":{"user_id":"jane","fields":["email","name"]}}`); !slices.Equal(s.visitors["c"].fields, []field{{"name", "Jane"}}) {
		t.Errorf("she took the number back, and the site shows %v", s.visitors["c"].fields)
	}
	if hear(`{"id":"evt_2","type":"consent.revoked","data":{"user_id":"jane"}}`); s.visitors["c"] != nil {
		t.Error("she took the consent back and is still known")
	}
}

// TestPagesAreToldOfAChange: one that waits is answered when a webhook comes, and one
// whose reader leaves ends.
func TestPagesAreToldOfAChange(t *testing.T) {
	t.Parallel()
	s := alone()
	srv := httptest.NewServer(s)
	defer srv.Close()
	told := make(chan int)
	s.mu.Lock() // the page waits before the change
	go func() {
		res, err := http.Get(srv.URL + "/changes")
		if err != nil {
			told <- 0
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		told <- res.StatusCode
	}()
	s.mu.Unlock()
	for code := 0; code != http.StatusOK; { // the request may come after the first change
		s.mu.Lock()
		s.tell()
		s.mu.Unlock()
		select {
		case code = <-told:
		default:
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/changes", nil)
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusNoContent {
		t.Error(w.Code)
	}
}
