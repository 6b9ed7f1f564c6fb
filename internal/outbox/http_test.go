package outbox_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

// provider is an HTTP server that takes letters the way a provider does, and answers
// what it is told to.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []*http.Request
	bodies []string
	status int
	answer string
}

func newProvider(t *testing.T) *provider {
	p := &provider{status: http.StatusOK, answer: "{}"}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a test's own request
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls, p.bodies = append(p.calls, r), append(p.bodies, string(body))
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, p.answer)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) host() string { return strings.TrimPrefix(p.URL, "http://") }

func (p *provider) answers(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.answer = status, body
}

// last gives the latest call and its form.
func (p *provider) last(t *testing.T) (*http.Request, url.Values) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) == 0 {
		t.Fatal("nobody called")
	}
	form, err := url.ParseQuery(p.bodies[len(p.bodies)-1])
	if err != nil {
		t.Fatal(err)
	}
	return p.calls[len(p.calls)-1], form
}

func sms() message.Letter {
	return message.Letter{ID: "msg_1", Channel: otl.ChannelSMS, To: "+491705550100", Text: "482917 is your Notes code."}
}

func sender(t *testing.T, list string) outbox.Sender {
	t.Helper()
	all, err := outbox.NewSMS(list, outbox.Post{}, nil)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	return all[0]
}

func TestTwilio(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := sender(t, "twilio://AC123:tok%2Fen@"+p.host()+"?from=%2B15550100&tls=none")
	p.answers(http.StatusCreated, `{"sid":"SM1"}`)
	if err := s.Send(t.Context(), sms()); err != nil {
		t.Fatal(err)
	}
	r, form := p.last(t)
	user, password, _ := r.BasicAuth()
	if r.URL.Path != "/2010-04-01/Accounts/AC123/Messages.json" || user != "AC123" || password != "tok/en" || form.Get("To") != "+491705550100" || form.Get("From") != "+15550100" || form.Get("Body") != sms().Text {
		t.Errorf("%s %s %s %v", r.URL, user, password, form)
	}
	named := sms()
	named.From = "ACME"
	if err := s.Send(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	if _, form = p.last(t); form.Get("From") != "ACME" {
		t.Errorf("%v", form)
	}
	for status, final := range map[int]bool{400: true, 401: false, 429: false, 500: false, 302: false} {
		p.answers(status, `{"code":21211,"message":"The 'To' number is not a valid phone number."}`)
		if err := s.Send(t.Context(), sms()); err == nil || errors.Is(err, outbox.ErrRefused) != final {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestVonage(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := sender(t, "vonage://key:secret@"+p.host()+"?from=ACME&tls=none")
	p.answers(http.StatusOK, `{"message-count":"1","messages":[{"status":"0"}]}`)
	l := sms()
	l.Text = "رمزك 1"
	if err := s.Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	r, form := p.last(t)
	if r.URL.Path != "/sms/json" || form.Get("to") != "491705550100" || form.Get("from") != "ACME" || form.Get("type") != "unicode" || form.Get("api_key") != "key" || form.Get("api_secret") != "secret" || form.Get("client-ref") != "msg_1" {
		t.Errorf("%s %v", r.URL, form)
	}
	for answer, final := range map[string]bool{
		`{"messages":[{"status":"0"},{"status":"6","error-text":"unroutable"}]}`: true, `{"messages":[{"status":"1","error-text":"throttled"}]}`: false,
		`{"messages":[]}`: false, `nonsense`: false,
	} {
		p.answers(http.StatusOK, answer)
		if err := s.Send(t.Context(), sms()); err == nil || errors.Is(err, outbox.ErrRefused) != final {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	mails, err := outbox.NewMail("webhook:"+p.URL+"/mail?key=1", outbox.Post{From: "login@notes.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := message.Letter{ID: "msg_2", Channel: otl.ChannelMail, To: "jane@dev.test", Sender: "Notes", Subject: "S", Text: "T", HTML: "<p>H"}
	if err := mails[0].Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	r, _ := p.last(t)
	var got map[string]string
	if err := json.Unmarshal([]byte(p.bodies[0]), &got); err != nil || r.URL.String() != "/mail?key=1" || r.Header.Get("Idempotency-Key") != "msg_2" || r.Header.Get("Content-Type") != "application/json" ||
		got["to"] != "jane@dev.test" || got["from"] != "login@notes.test" || got["sender"] != "Notes" || got["subject"] != "S" || got["text"] != "T" || got["html"] != "<p>H" || got["channel"] != "email" {
		t.Errorf("%s %v %v", r.URL, got, err)
	}
	filled := sender(t, "webhook:"+p.URL+"/send?to={to}&text={text}")
	if err := filled.Send(t.Context(), sms()); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.last(t); r.URL.Query().Get("to") != "+491705550100" || r.URL.Query().Get("text") != sms().Text || p.bodies[1] != "" {
		t.Errorf("%s %q", r.URL, p.bodies[1])
	}
}

// TestProviderURLs: what is wrong with one is said without its password.
func TestProviderURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"twilio://", "twilio://AC:canary@", "twilio://AC@?from=1", "twilio://AC:canary@?from=1&x=2", "twilio://AC:canary@/path?from=1", "twilio://AC:canary@?from=1&tls=maybe",
		"vonage://k:canary@host", "webhook:", "webhook:ftp://canary", "webhook:/canary", "sns://canary", "dir:", "http://jane:canary@host/x", "twilio://AC:canary@host:port?from=1",
	} {
		if all, err := outbox.NewSMS(bad, outbox.Post{}, nil); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v %v", bad, all, err)
		}
	}
	all, err := outbox.NewSMS("twilio://AC:token@?from=%2B1555 vonage://k:s@?from=ACME", outbox.Post{}, nil)
	if err != nil || len(all) != 2 || all[0].Name() != "twilio api.twilio.com" || all[1].Name() != "vonage rest.nexmo.com" {
		t.Errorf("%v %v", all, err)
	}
}

// TestProvidersOfOneKindFailApart: whatever they are called, a provider that fails is
// passed over by itself, and those of the other channel are not.
func TestProvidersOfOneKindFailApart(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		down, up := newProvider(t), newProvider(t)
		down.answers(http.StatusInternalServerError, "")
		mails, err := outbox.NewMail("webhook:"+down.URL+" webhook:"+up.URL, outbox.Post{From: "login@notes.test"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		d := newDesk(st)
		d.Senders = map[otl.Channel][]outbox.Sender{otl.ChannelMail: mails, otl.ChannelSMS: {sender(t, "webhook:"+up.URL+"/sms")}}
		var last string
		for range 7 {
			last = d.queue(t, message.Note{})
			d.deliver(t)
		}
		if len(down.calls) != 5 || len(up.calls) != 7 {
			t.Errorf("the one that fails was asked %d times, the other %d", len(down.calls), len(up.calls))
		}
		if m := d.message(t, last); m.State != otl.MessageSent || m.Provider != "webhook "+up.host() {
			t.Errorf("%+v", m.Message)
		}
		up.answers(http.StatusInternalServerError, "")
		for range 5 {
			d.queue(t, message.Note{})
			d.deliver(t)
		}
		up.answers(http.StatusOK, "{}")
		text := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelSMS, To: "+491705550100"})
		if d.deliver(t); d.message(t, text).State != otl.MessageSent {
			t.Error("mails that fail hold SMS")
		}
	})
}
