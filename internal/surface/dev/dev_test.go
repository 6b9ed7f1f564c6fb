package dev_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/surface/dev"
	"github.com/onetimelogin/otl/internal/surface/native"
)

type world struct {
	*dev.Dev
	path string // of the clock's file
}

func newWorld(t *testing.T) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dev.clock")
	clock, err := dev.NewClock(path)
	if err != nil {
		t.Fatal(err)
	}
	return &world{dev.New(&outbox.Inbox{Now: clock.Now}, clock, native.Fail), path}
}

func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func TestInbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, l := range []message.Letter{
		{ID: "msg_1", Channel: otl.ChannelMail, To: "jane@dev.test", Sender: "Notes", Subject: "482917 <is> your code", Text: "Text", HTML: "<head></head><p>Mail</p>", Code: "482917", Link: "http://localhost/l/x"},
		{ID: "msg_2", Channel: otl.ChannelSMS, To: "+491705550100", Text: "123456", Code: "123456", From: "ACME"},
	} {
		if err := w.Inbox.Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	type list struct{ Messages []map[string]any }
	read := func(query string) list {
		t.Helper()
		rec := w.do(http.MethodGet, "/dev/inbox.json"+query, "")
		var l list
		if err := json.Unmarshal(rec.Body.Bytes(), &l); err != nil || rec.Code != http.StatusOK || l.Messages == nil {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		return l
	}
	all := read("")
	if len(all.Messages) != 2 || all.Messages[0]["id"] != "msg_2" || all.Messages[0]["from"] != "ACME" || all.Messages[0]["channel"] != "sms" || all.Messages[0]["link"] != "" {
		t.Errorf("%v", all)
	}
	one := read("?to=jane@dev.test")
	if len(one.Messages) != 1 || one.Messages[0]["code"] != "482917" || one.Messages[0]["link"] != "http://localhost/l/x" || one.Messages[0]["created_at"] == nil {
		t.Errorf("%v", one)
	}
	page := w.do(http.MethodGet, "/dev/inbox", "")
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "482917 &lt;is&gt; your code") || page.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%d %s", page.Code, page.Body)
	}
	if mail := w.do(http.MethodGet, "/dev/inbox/msg_1", ""); mail.Body.String() != "<head></head><p>Mail</p>" || !strings.Contains(mail.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%s", mail.Body)
	}
	if dark := w.do(http.MethodGet, "/dev/inbox/msg_1?as=dark", ""); !strings.HasPrefix(dark.Body.String(), "<head><style>html{filter:invert") || !strings.HasSuffix(dark.Body.String(), "</head><p>Mail</p>") || !strings.Contains(dark.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%s", dark.Body)
	}
	if text := w.do(http.MethodGet, "/dev/inbox/msg_1?as=text", ""); text.Body.String() != "Text" || !strings.HasPrefix(text.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%s", text.Body)
	}
	for _, missing := range []string{"/dev/inbox/msg_2", "/dev/inbox/x", "/dev/x", "/dev/"} {
		if rec := w.do(http.MethodGet, missing, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", missing, rec.Code)
		}
	}
	if rec := w.do(http.MethodGet, "/dev/inbox.json", "", "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden {
		t.Errorf("another site reads the inbox: %d", rec.Code)
	}
	if w.do(http.MethodDelete, "/dev/inbox.json", ""); len(read("").Messages) != 0 {
		t.Error("it is not empty")
	}
	for range 1100 {
		if err := w.Inbox.Send(t.Context(), message.Letter{To: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(read("").Messages); n != 1000 {
		t.Errorf("%d letters are kept", n)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ahead := func() time.Duration { return time.Until(w.Clock.Now()).Round(time.Minute) }
	if rec := w.do(http.MethodPost, "/dev/clock", `{"advance":"31m"}`); rec.Code != http.StatusOK || ahead() != 31*time.Minute || !strings.Contains(rec.Body.String(), `"now":"20`) {
		t.Errorf("%d %s: %s ahead", rec.Code, rec.Body, ahead())
	}
	w.do(http.MethodPost, "/dev/clock", `{"advance":"24h"}`)
	again, err := dev.NewClock(w.path)
	if err != nil || time.Until(again.Now()).Round(time.Minute) != 24*time.Hour+31*time.Minute {
		t.Errorf("after a restart: %v %v", again.Now(), err)
	}
	for body, want := range map[string]int{
		`{"advance":"-1m"}`: 422, `{"advance":"soon"}`: 422, `{"advance":"999999h"}`: 422, `{"x":1}`: 400, `[]`: 400, ``: 400, `{"advance":1}`: 400,
	} {
		if rec := w.do(http.MethodPost, "/dev/clock", body); rec.Code != want {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	if ahead() != 24*time.Hour+31*time.Minute {
		t.Errorf("bad input moved the clock: %s", ahead())
	}
	if w.do(http.MethodPost, "/dev/clock", `{"reset":true}`); ahead() != 0 {
		t.Errorf("%s ahead after a reset", ahead())
	}
	if rec := w.do(http.MethodGet, "/dev/clock", ""); rec.Code != http.StatusOK {
		t.Errorf("%d", rec.Code)
	}
	if err := os.WriteFile(w.path, []byte("soon"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dev.NewClock(w.path); err == nil {
		t.Error("a broken file is taken")
	}
}
