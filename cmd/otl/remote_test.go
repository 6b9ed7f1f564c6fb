package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/secret"
)

// siteShell is a development world with its commands as a site's developer runs them.
type siteShell struct {
	*testing.T
	dir string
	env []string
	url string
	key string
}

func newSiteShell(t *testing.T) siteShell {
	t.Helper()
	dir := t.TempDir()
	startDev(t, dir, nil)
	v := sourced(t, filepath.Join(dir, ".otl", "dev.env"))
	return siteShell{t, dir, []string{"OTL_URL=" + v["OTL_URL"], "OTL_SITE_KEY=" + v["OTL_SITE_KEY"]}, v["OTL_URL"], v["OTL_SITE_KEY"]}
}

// run runs a command to its end and gives what it printed.
func (s siteShell) run(args ...string) string {
	s.Helper()
	p := start(s.T, s.dir, s.env, args...)
	if code := p.wait(s.T); code != exitOK {
		s.Fatalf("otl %s: %d\n%s%s", strings.Join(args, " "), code, p.stdout, p.stderr)
	}
	return p.stdout.String()
}

// until runs a command until it prints what it is to: what became of a delivery is
// written after it arrived.
func (s siteShell) until(pattern string, args ...string) {
	s.Helper()
	var out string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if out = s.run(args...); regexp.MustCompile(pattern).MatchString(out) {
			return
		}
	}
	s.Fatalf("otl %s printed %s", strings.Join(args, " "), out)
}

// object runs a command with --json.
func (s siteShell) object(args ...string) map[string]any {
	s.Helper()
	var out map[string]any
	if raw := s.run(append(args, "--json")...); json.Unmarshal([]byte(raw), &out) != nil {
		s.Fatalf("otl %s printed %s", strings.Join(args, " "), raw)
	}
	return out
}

func (s siteShell) login() {
	s.Helper()
	call(s.T, "POST", s.url+"/api/v1/auth/login", `{"email":"jane@dev.test","password":"correct-horse-7"}`, "X-OTL-Site-Key", s.key).wantStatus(s.T, 200)
}

// received is one request to a receiver.
type received struct {
	head http.Header
	body []byte
}

func newReceiver(t *testing.T, status *atomic.Int32) (string, <-chan received) {
	got := make(chan received, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, body}
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "TypeError: x is undefined")
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/hooks", got
}

// TestListenForwardsAndTriggerPlays: what happens at the site reaches a receiver that
// nobody could reach from outside, signed as a webhook; a played event does so too, and
// a failure says how to try again.
func TestListenForwardsAndTriggerPlays(t *testing.T) {
	t.Parallel()
	s := newSiteShell(t)
	var status atomic.Int32
	status.Store(http.StatusOK)
	to, got := newReceiver(t, &status)
	s.login() // before: it is not brought
	l := start(t, s.dir, s.env, "listen", "--forward-to", strings.TrimPrefix(to, "http://"), "--events", "session.created,user.updated")
	key := l.stderr.wait(t, `Ready\. Signing secret  (whsec_\S+)   \(stays the same for this site key\)`)[1]
	if key != listenSecret(secret.NewText(s.key)).Reveal() {
		t.Errorf("the secret is %s", key)
	}
	s.login()
	one := <-got
	var told struct {
		ID, Type string
		Attempt  int
		Data     map[string]any
	}
	if err := json.Unmarshal(one.body, &told); err != nil || told.Type != "session.created" || told.Attempt != 1 || told.ID != one.head.Get("Webhook-Id") || told.Data["session"] == nil {
		t.Errorf("%s %v", one.body, one.head)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(one.body)
	if one.head.Get("X-OTL-Signature") != hex.EncodeToString(mac.Sum(nil)) || one.head.Get("X-OTL-Event") != "session.created" || one.head.Get("Webhook-Signature") == "" {
		t.Errorf("%v", one.head)
	}
	l.stdout.wait(t, `(?m)^\d\d:\d\d:\d\d  session\.created +`+told.ID+`  →  200  OK +\d+ ms$`)

	status.Store(http.StatusInternalServerError)
	ids := s.object("trigger", "user.updated", "--set", "user.email=me@example.com", "--set", "version=7", "--times", "2")["event_ids"].([]any)
	for range 2 {
		one := <-got
		if text := string(one.body); !strings.Contains(text, `"test":true`) || !strings.Contains(text, `"email":"me@example.com"`) || !strings.Contains(text, `"version":7`) {
			t.Errorf("%s", text)
		}
	}
	again := l.stdout.wait(t, `user\.updated +(evt_\S+)  →  500  Internal Server Error +\d+ ms   body: "TypeError: x is undefined"\n +(otl events resend evt_\S+ --forward-to \S+)   to try again`)
	if len(ids) != 2 || again[1] != ids[0] {
		t.Errorf("%v, and %v", ids, again)
	}
	wantRefused(t, start(t, s.dir, s.env, "trigger", "user.updated", "--set", "user.emial=x"), exitInvalid, "user.email_verified")
	s.run("trigger", "role.assigned") // nobody asked for these
	status.Store(http.StatusNoContent)
	if out := s.run(strings.Fields(again[2])[1:]...); !strings.Contains(out, "→  204  No Content") || string((<-got).body) == "" {
		t.Error(out)
	}
	l.interrupt(t, exitInterrupted)
	if len(got) != 0 {
		t.Errorf("%d more came", len(got))
	}
}

// interrupt ends a command as Ctrl-C does.
func (p *process) interrupt(t *testing.T, want int) {
	t.Helper()
	p.signal(t, syscall.SIGINT)
	if code := p.wait(t); code != want {
		t.Errorf("ended with %d", code)
	}
}

// TestEventsAndWebhooksByCommand goes once through every command that manages them.
func TestEventsAndWebhooksByCommand(t *testing.T) {
	t.Parallel()
	s := newSiteShell(t)
	made := s.object("webhooks", "create", s.url+"/dev/catch/mine", "--events", "session.created,user.updated", "--description", "ours")
	id := made["id"].(string)
	if !strings.HasPrefix(made["secret"].(string), "whsec_") || made["description"] != "ours" {
		t.Errorf("%v", made)
	}
	if out := s.run("webhooks", "list"); !regexp.MustCompile(`(?m)^` + id + ` +on +` + regexp.QuoteMeta(s.url) + `/dev/catch/mine +user\.updated session\.created$`).MatchString(out) {
		t.Error(out)
	}
	event := strings.TrimSpace(strings.TrimPrefix(s.run("webhooks", "test", id, "--type", "user.updated"), "sent "))
	caught := func(n int) {
		t.Helper()
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			var out struct{ Requests []map[string]any }
			raw := call(t, "GET", s.url+"/dev/catch.json?name=mine", "").body
			if err := json.Unmarshal([]byte(raw), &out); err != nil {
				t.Fatal(err)
			}
			if len(out.Requests) >= n {
				return
			}
		}
		t.Fatalf("fewer than %d were caught", n)
	}
	caught(1)
	s.run("events", "resend", event)
	caught(2)
	s.run("events", "resend", event, "--webhook", id)
	caught(3)
	s.until(event+"  user\\.updated \\(played\\)  delivered", "webhooks", "deliveries", id, "--state", "delivered")
	s.until(`(?m)^3  .*  200  \d+ ms`, "webhooks", "deliveries", id, event)
	if out := s.run("events", "show", event); !strings.Contains(out, `"type": "user.updated"`) || !strings.Contains(out, `"test": true`) {
		t.Error(out)
	}
	if out := s.run("events", "list"); !strings.Contains(out, event) {
		t.Error(out)
	}
	if out := s.run("webhooks", "replay", id, "--since", "2020-01-01T00:00:00Z", "--all", "--dry-run"); !strings.Contains(out, "would be sent again: ") {
		t.Error(out)
	}
	if out := s.run("webhooks", "replay", id, "--since", "2020-01-01T00:00:00Z"); out != "sent again: 0\n" {
		t.Error(out)
	}
	if out := s.run("webhooks", "rotate-secret", id, "--overlap", "1h"); !strings.Contains(out, "Signing secret  whsec_") || strings.Contains(out, made["secret"].(string)) {
		t.Error(out)
	}
	wantRefused(t, start(t, s.dir, s.env, "webhooks", "verify", id), exitInvalid, "its answer is not the challenge")
	if out := s.run("webhooks", "update", id, "--state", "paused", "--events", ""); out != id+"  paused  "+s.url+"/dev/catch/mine\n" {
		t.Error(out)
	}
	if out := s.run("webhooks", "delete", id); out != "deleted\n" {
		t.Error(out)
	}
	for want, args := range map[int][]string{
		exitNotFound: {"webhooks", "delete", id}, exitUsage: {"webhooks", "update", id}, exitInvalid: {"webhooks", "create", "http://example.com/"},
	} {
		wantRefused(t, start(t, s.dir, s.env, args...), want, "")
	}
}

// TestRemoteCommandsSayWhatIsWrong before and after they called.
func TestRemoteCommandsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	free := "OTL_URL=http://" + freeAddress(t)
	for _, c := range []struct {
		code int
		text string
		env  []string
		args []string
	}{
		{exitForbidden, "OTL_SITE_KEY is not in the environment", nil, []string{"events", "list"}},
		{exitUsage, "a site key is not sent in the clear", []string{"OTL_URL=http://id.example.com", "OTL_SITE_KEY=x"}, []string{"events", "list"}},
		{exitUsage, "OTL_URL must be the address", []string{"OTL_URL=id.example.com", "OTL_SITE_KEY=x"}, []string{"events", "list"}},
		{exitUnreachable, "cannot reach http://127.0.0.1", []string{free, "OTL_SITE_KEY=x"}, []string{"listen", "--print"}},
		{exitUsage, "say where events go", []string{free, "OTL_SITE_KEY=x"}, []string{"listen"}},
		{exitUsage, "must list only user.created", []string{free, "OTL_SITE_KEY=x"}, []string{"listen", "--print", "--events", "x"}},
		{exitUsage, "--forward-to must be a URL", []string{free, "OTL_SITE_KEY=x"}, []string{"listen", "--forward-to", "ftp://x"}},
		{exitUsage, "--set must be PATH=VALUE", []string{free, "OTL_SITE_KEY=x"}, []string{"trigger", "user.updated", "--set", "x"}},
		{exitUsage, "--times must be", []string{free, "OTL_SITE_KEY=x"}, []string{"trigger", "user.updated", "--times", "0"}},
		{exitUnreachable, "cannot reach", []string{free, "OTL_SITE_KEY=x"}, []string{"trigger", "user.updated"}},
	} {
		wantRefused(t, start(t, dir, c.env, c.args...), c.code, c.text)
	}
}

// TestListenGoesOnWhereItWas: the server is away for a while; what happened before and
// after comes, each once.
func TestListenGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	first := startDev(t, dir, nil, "--listen", address)
	v := sourced(t, filepath.Join(dir, ".otl", "dev.env"))
	s := siteShell{t, dir, []string{"OTL_URL=" + v["OTL_URL"], "OTL_SITE_KEY=" + v["OTL_SITE_KEY"]}, v["OTL_URL"], v["OTL_SITE_KEY"]}
	l := start(t, dir, s.env, "listen", "--print", "--json", "--events", "session.created")
	l.stderr.wait(t, `Ready\.`)
	s.login()
	l.stdout.wait(t, `"type":"session\.created"`)
	first.stop(t)
	l.stderr.wait(t, `otl: cannot reach `+regexp.QuoteMeta(v["OTL_URL"])+`: .*; asking again`)
	startDev(t, dir, nil, "--listen", address)
	s.login()
	l.stdout.wait(t, `(?s)session\.created.*"id".*session\.created`)
	l.interrupt(t, exitInterrupted)
	ids := map[string]bool{}
	for line := range strings.Lines(l.stdout.String()) {
		var e struct {
			ID      string
			Attempt int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" || ids[e.ID] || e.Attempt != 1 || strings.Contains(line, "deliveries") {
			t.Errorf("%s %v", line, err)
		}
		ids[e.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("%d events came", len(ids))
	}
}

// TestRefusals: what a server answers has the exit code of what it means, and names the
// request.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		400: exitInvalid, 401: exitForbidden, 403: exitForbidden, 404: exitNotFound, 409: exitInvalid, 415: exitInvalid, 422: exitInvalid,
		429: exitFailed, 500: exitFailed, 503: exitUnreachable,
	} {
		err := refusal(egress.Answer{Status: status, Body: []byte(`{"detail":"url: is bad","code":"validation_failed","request_id":"7f3c"}`)})
		if code, text, _ := explain(err); code != want || text != "url: is bad (request 7f3c)" {
			t.Errorf("%d: %d %s", status, code, text)
		}
	}
	for _, body := range []string{"", "<html>", "{}", `{"detail":7}`, `[]`} {
		if code, text, _ := explain(refusal(egress.Answer{Status: 502, Body: []byte(body)})); code != exitFailed || text != "the server answers 502" {
			t.Errorf("%q: %d %s", body, code, text)
		}
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	got, err := assignments([]string{"a=1", "b.c=x", "d={\"e\":[true]}", "f=a=b", "g=1 2", "h="})
	if raw, _ := json.Marshal(got); err != nil || string(raw) != `{"a":1,"b.c":"x","d":{"e":[true]},"f":"a=b","g":"1 2","h":""}` {
		t.Errorf("%s %v", raw, err)
	}
	for _, bad := range []string{"", "=", "=x", "a", "a..b=1", ".a=1", "a.=1"} {
		if _, err := assignments([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestListenSecret: it follows from the site key, differs from key to key, does not hold
// it, and is one that Standard Webhooks libraries take.
func TestListenSecret(t *testing.T) {
	t.Parallel()
	one, other := secret.NewText("otr_one"), secret.NewText("otr_other")
	got := listenSecret(one).Reveal()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "whsec_"))
	if err != nil || len(raw) != 32 || !strings.HasPrefix(got, "whsec_") || strings.Contains(string(raw), "otr_") {
		t.Errorf("%s %v", got, err)
	}
	if got != listenSecret(one).Reveal() || got == listenSecret(other).Reveal() {
		t.Error("it does not follow from the key")
	}
	for to, want := range map[string]string{
		"localhost:3000/hooks": "http://localhost:3000/hooks", "https://localhost/x": "https://localhost/x", "http://127.0.0.1:1": "http://127.0.0.1:1", "": "",
	} {
		if l, err := newListener(nil, &remote{key: one}, forward{to: to}); err != nil || l.how.to != want {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, bad := range []string{"ftp://localhost/", "http://", "http:///x", "https://[::1", "file:///etc/passwd"} {
		if _, err := newListener(nil, &remote{key: one}, forward{to: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
