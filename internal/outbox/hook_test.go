package outbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestAWebhookIsSigned by Standard Webhooks, and has what a receiver needs for words of its
// own; without a secret it is not.
func TestAWebhookIsSigned(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := []byte("0123456789abcdef0123456789abcdef")
	post := outbox.Post{From: "login@notes.test", Now: func() time.Time { return time.Unix(1_790_000_000, 0) }, Secret: secret.NewText("whsec_" + base64.StdEncoding.EncodeToString(key))}
	l := message.Letter{ID: "msg_2", Kind: otl.MessageSignIn, Channel: otl.ChannelMail, Locale: "de", Site: "Notes", To: "jane@dev.test", Text: "T", Code: "482917", Link: "https://id.test/l/x"}
	for _, post := range []outbox.Post{post, {From: "login@notes.test"}} {
		mails, err := outbox.NewMail("webhook:"+strings.Replace(p.URL, "http://", "http://otl:pass@", 1), post, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := mails[0].Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		r, body := p.calls[len(p.calls)-1], p.bodies[len(p.bodies)-1]
		p.mu.Unlock()
		h := hmac.New(sha256.New, key)
		h.Write([]byte("msg_2.1790000000." + body))
		want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
		if post.Secret.Empty() {
			want = ""
		}
		if r.Header.Get("Webhook-Signature") != want || want != "" && (r.Header.Get("Webhook-Id") != "msg_2" || r.Header.Get("Webhook-Timestamp") != "1790000000") {
			t.Errorf("%v, want %q", r.Header, want)
		}
		if user, password, _ := r.BasicAuth(); user != "otl" || password != "pass" || strings.Contains(mails[0].Name(), "pass") {
			t.Errorf("%s %s %s", user, password, mails[0].Name())
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(body), &got); err != nil || got["kind"] != "signin" || got["locale"] != "de" || got["site"] != "Notes" || got["code"] != "482917" || got["link"] != l.Link {
			t.Errorf("%v %v", got, err)
		}
	}
}

// TestABodyHasATemplate: JSON, XML or a form, and whatever stands in a letter breaks none of
// them.
func TestABodyHasATemplate(t *testing.T) {
	t.Parallel()
	p, dir := newProvider(t), t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, base64.RawURLEncoding.EncodeToString([]byte(text[:min(len(text), 20)])))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	l := sms()
	l.Text = "a\"b\n</t>&{to}"
	for text, kind := range map[string]string{
		`{"messages":[{"to":"{to}","body":"{text}"}]}`: "application/json", `<sms to="{to}"><t>{text}</t></sms>`: "application/xml", "to={to}&text={text}\n": "application/x-www-form-urlencoded",
	} {
		if err := sender(t, "webhook:"+p.URL+"/sms?x=1#"+file(text)).Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		r, body := p.calls[len(p.calls)-1], p.bodies[len(p.bodies)-1]
		p.mu.Unlock()
		var said string
		switch kind {
		case "application/json":
			var in struct{ Messages []struct{ To, Body string } }
			if err := json.Unmarshal([]byte(body), &in); err != nil {
				t.Fatalf("%v %s", err, body)
			}
			said = in.Messages[0].Body
		case "application/xml":
			var in struct {
				T string `xml:"t"`
			}
			if err := xml.Unmarshal([]byte(body), &in); err != nil {
				t.Fatalf("%v %s", err, body)
			}
			said = in.T
		default:
			_, form := p.last(t)
			said = form.Get("text")
		}
		if said != l.Text || r.Header.Get("Content-Type") != kind || r.URL.String() != "/sms?x=1" {
			t.Errorf("%s to %s as %s", body, r.URL, r.Header.Get("Content-Type"))
		}
	}
	for _, bad := range []string{"/nowhere", file(" "), file(`{"to":{to}}`), file("<" + strings.Repeat("x", 64<<10))} {
		if all, err := outbox.NewSMS("webhook:"+p.URL+"#"+bad, outbox.Post{}, nil); err == nil {
			t.Errorf("%s: %v", bad, all)
		}
	}
}
