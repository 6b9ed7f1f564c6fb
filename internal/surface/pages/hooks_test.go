package pages_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// keeper is the owner of a site, signed in with two factors.
func keeper(t *testing.T, w *otltest.World) (*otltest.Browser, otl.Site) {
	t.Helper()
	u := verified(t, w)
	seed := secondFactors(t, w, u)
	b := w.Browser(t)
	b.Submit(password(b, b.Get("/account")), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
	return b, w.Register(t, site.Registration{Name: "Mine", Owner: u.ID, Callbacks: []string{"https://mine.test/callback"}}).Site
}

// press presses one of the buttons of an endpoint.
func press(t *testing.T, b *otltest.Browser, p otltest.Page, form, do string, more map[string]string) otltest.Page {
	t.Helper()
	values := map[string]string{"do": do}
	for name, v := range more {
		values[name] = v
	}
	return b.Submit(p, form, values)
}

// TestTheWebhooksPage: the owner makes an endpoint, sees its secret once, tests, pauses, rolls and
// removes it, reads what became of deliveries and sends them again, without a script.
func TestTheWebhooksPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := "/account/sites/" + mine.ID + "/webhooks"
		h := otltest.NewHook(t)
		p := b.Get(at)
		holds(t, p, "Webhooks of", "No endpoint yet.")
		holds(t, b.Submit(p, "new", map[string]string{"url": "ftp://mine.test/", "events": "user.updated"}), "url-wrong", `value="ftp://mine.test/"`, `value="user.updated" checked`, `!value="role.assigned" checked`)
		holds(t, b.Submit(p, "new", map[string]string{"url": h.URL, "events": "no.such"}), "events-wrong")
		form := p.Fields("new")
		form.Set("url", h.URL)
		form["events"] = []string{"role.assigned", "payment.completed"}
		p = b.Send(at, form)
		holds(t, p, "Saved.", `data-copy="secret"`, "whsec_", "Signing secret", h.URL)
		all, err := w.Webhooks.List(t.Context(), mine.ID)
		if err != nil || len(all) != 1 || len(all[0].Events) != 2 {
			t.Fatalf("%+v %v", all, err)
		}
		one := at + "/" + all[0].ID
		p = b.Get(one)
		holds(t, p, "!whsec_", "Nothing was sent yet.")
		holds(t, press(t, b, p, "act", "test", nil), "A test is on its way.")
		w.Deliver(t)
		if got := h.Take(); len(got) != 1 || got[0].Text("type") != "webhook.test" {
			t.Fatalf("%d requests", len(got))
		}
		p = b.Get(one)
		holds(t, p, "webhook.test", "delivered", "attempts: ")
		events, _, err := w.Webhooks.Deliveries(t.Context(), mine.ID, all[0].ID, "", otl.LogFilter{Limit: 10})
		if err != nil || len(events) != 1 {
			t.Fatal(err)
		}
		d := b.Get(one + "/deliveries/" + events[0].Event.Event.ID)
		holds(t, d, events[0].Event.Event.ID, "Attempt 1 · ", " ms · \u2068HTTP 200\u2069")
		b.Submit(d, "resend", nil)
		if w.Deliver(t); len(h.Take()) != 1 {
			t.Error("it was not sent again")
		}
		holds(t, press(t, b, p, "replay", "count", map[string]string{"days": "2", "all": "yes"}), "Would be sent again: 1", `max="30" value="2"`, `value="yes" checked`)
		if w.Deliver(t); len(h.Take()) != 0 {
			t.Error("counting sends")
		}
		holds(t, press(t, b, p, "replay", "replay", map[string]string{"days": "2", "all": "yes"}), "Sent again: 1")
		if w.Deliver(t); len(h.Take()) != 1 {
			t.Error("not replayed")
		}
		p = press(t, b, p, "act", "pause", nil)
		holds(t, p, "Paused", "Saved.")
		holds(t, press(t, b, p, "act", "on", nil), "Saved.")
		p = press(t, b, b.Get(one), "act", "rotate", nil)
		holds(t, p, "Make a new signing secret?", "For 24 hours", "!whsec_")
		holds(t, b.Submit(p, "ask", nil), "whsec_")
		p = press(t, b, b.Get(one), "act", "delete", nil)
		holds(t, p, "Remove this endpoint?", "Nothing is sent to "+h.URL)
		holds(t, b.Get(one), h.URL) // nothing was done yet
		holds(t, b.Submit(p, "ask", nil), "No endpoint yet.", `value="user.updated">`)
	})
}

// TestWH15_ThePageVerifies: what the endpoint answered instead of the challenge is said.
func TestWH15_ThePageVerifies(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := "/account/sites/" + mine.ID + "/webhooks"
	h := otltest.NewHook(t)
	b.Submit(b.Get(at), "new", map[string]string{"url": h.URL})
	all, err := w.Webhooks.List(t.Context(), mine.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.Doubt(t, all[0], true)
	p := b.Get(at + "/" + all[0].ID)
	holds(t, p, "not verified")
	holds(t, press(t, b, p, "act", "verify", nil), "did not show that it is yours", "its answer is not the challenge")
	h.Echo()
	holds(t, press(t, b, p, "act", "verify", nil), "Saved.", "!not verified")
}

// TestTE01_NobodyElsesWebhooks: of a site that is not one's own there is no page, and no form
// from elsewhere counts (AD-01); who has not proven two factors changes nothing.
func TestTE01_NobodyElsesWebhooks(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	_, m := w.Hook(t, w.Notes)
	form := b.Get("/account/sites/" + mine.ID + "/webhooks").Fields("new")
	for _, path := range []string{
		"/account/sites/" + w.Notes.Site.ID + "/webhooks", "/account/sites/x/webhooks", "/account/sites/" + w.Notes.Site.ID + "/webhooks/" + m.ID,
		"/account/sites/" + mine.ID + "/webhooks/" + m.ID, "/account/sites/" + mine.ID + "/webhooks/x",
	} {
		if got := b.Get(path); got.Status != http.StatusNotFound || strings.Contains(string(got.Raw), m.URL) {
			t.Errorf("GET %s: %d", path, got.Status)
		}
		send := url.Values{"token": form["token"], "url": {"https://evil.test/"}, "do": {"delete"}}
		if got := b.Send(path, send); got.Status != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, got.Status)
		}
	}
	form.Set("url", "https://evil.test/")
	form.Set("token", strings.Repeat("A", 43))
	if got := b.Send("/account/sites/"+mine.ID+"/webhooks", form); got.Status != http.StatusForbidden {
		t.Errorf("with another's token: %d", got.Status)
	}
	if all, err := w.Webhooks.List(t.Context(), mine.ID); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := w.Webhooks.Get(t.Context(), w.Notes.Site.ID, m.ID); err != nil {
		t.Error(err)
	}
	if got := w.Browser(t).Get("/account/sites/" + mine.ID + "/webhooks"); got.Title != "Sign in" {
		t.Errorf("nobody sees %s", got.Title)
	}
}

// TestTheWebhooksPageShowsHowItWent: from the account, by state, type, person and day, the last
// seven days in a line, and a delivery as a command that carries its signature.
func TestTheWebhooksPageShowsHowItWent(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := "/account/sites/" + mine.ID + "/webhooks"
	holds(t, b.Get("/account"), "Sites you run", "Mine", at)
	holds(t, b.Get(at), ownAt(mine, "ways"), `href="`+at+`" aria-current="page"`)
	elsewhere := otltest.New(t, otltest.SQLite)
	verified(t, elsewhere)
	holds(t, home(t, elsewhere).Get("/account"), "!Sites you run")
	h := otltest.NewHook(t)
	b.Submit(b.Get(at), "new", map[string]string{"url": h.URL, "events": "role.assigned"})
	all, err := w.Webhooks.List(t.Context(), mine.ID)
	if err != nil {
		t.Fatal(err)
	}
	one := at + "/" + all[0].ID
	holds(t, b.Get(one), "!Last 7 days", "Nothing was sent yet.")
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		h.Status(status)
		press(t, b, b.Get(one), "act", "test", nil)
		w.Deliver(t)
		if status == http.StatusOK {
			holds(t, b.Get(one), "Last 7 days: \u2068100 %\u2069 of 1 attempt succeeded")
		}
	}
	holds(t, b.Get(one), "Last 7 days: \u206850 %\u2069 of 2 attempts succeeded", "M24 10v-5h3V10z")
	nobody := secret.NewID(w.Clock.Now())
	for query, wants := range map[string][]string{
		"state=waiting": {"\u2068HTTP 500\u2069 · next try ", "!answered", "!HTTP 200", `value="waiting" selected`}, "type=webhook.test": {"HTTP 500", "delivered ·"}, "type=user.created": {"No delivery fits these filters.", "!Nothing was sent yet."},
		"user=" + nobody: {"No delivery fits", nobody}, "since=2020-01-01": {"HTTP 500"}, "since=2099-01-01": {"No delivery fits"},
		"user=%00": {`id="user-wrong">Enter a user ID`, "!Nothing was sent yet.", "!Check what you entered"}, "since=yesterday": {`id="since-wrong">Enter a day, such as 2026-01-31.`},
		"type=x": {`id="type-wrong">Choose one of the list.`}, "state=x": {`id="state-wrong">Choose one of the list.`},
	} {
		holds(t, b.Get(one+"?"+query), wants...)
	}
	events, _, err := w.Webhooks.Deliveries(t.Context(), mine.ID, all[0].ID, "", otl.LogFilter{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	d := one + "/deliveries/" + events[0].Event.Event.ID
	holds(t, b.Get(d), "<summary>Request</summary>", "webhook-id: "+events[0].Event.Event.ID, "x-otl-signature: ", "<summary>Answer</summary>", "content-length: ")
	holds(t, b.Get(d), "?curl=1", "!curl -X POST")
	holds(t, b.Get(d+"?curl=1"), "curl -X POST", "x-otl-signature: ", "webhook.test", "openssl dgst", `data-copy="curl"`, `data-copy="check"`)
}

// TestAnAttemptSaysWhatItsTimeWentInto as bars, which stand one behind the other, and in numbers.
func TestAnAttemptSaysWhatItsTimeWentInto(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	h := otltest.NewHook(t)
	h.Answer(func(http.ResponseWriter, *http.Request) {
		for begun := time.Now(); time.Since(begun) < 2*time.Millisecond; { // so that there is something to draw
		}
	})
	at := "/account/sites/" + mine.ID + "/webhooks"
	b.Submit(b.Get(at), "new", map[string]string{"url": h.URL})
	all, err := w.Webhooks.List(t.Context(), mine.ID)
	if err != nil {
		t.Fatal(err)
	}
	at += "/" + all[0].ID
	press(t, b, b.Get(at), "act", "test", nil)
	w.Deliver(t)
	sent, _, err := w.Webhooks.Deliveries(t.Context(), mine.ID, all[0].ID, "", otl.LogFilter{Limit: 1})
	if err != nil || len(sent) != 1 {
		t.Fatal(len(sent), err)
	}
	at += "/deliveries/" + sent[0].Event.Event.ID
	holds(t, b.Get(at), `class="bars"`, "· waiting ", "!waiting 0 ·")
	ms := time.Millisecond
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Deliveries.Attempted(ctx, []store.Attempted{{Delivery: sent[0].Delivery, Attempt: otl.Attempt{
			Number: 2, StartedAt: w.Clock.Now(), Took: 100 * ms, Status: http.StatusOK, Timing: otl.Timing{Lookup: 10 * ms, Connect: 20 * ms, Handshake: 30 * ms, Wait: 35 * ms},
		}}})
	}); err != nil {
		t.Fatal(err)
	}
	holds(t, b.Get(at), "DNS 10 · TCP 20 · TLS 30 · waiting 35 · the rest 5 ms",
		`<rect x="0" width="100" height="10"/><rect x="100" width="200" height="10"/><rect x="300" width="300" height="10"/><rect x="600" width="350" height="10"/><rect x="950" width="50" height="10"/>`)
}
