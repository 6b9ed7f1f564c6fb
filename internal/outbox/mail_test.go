package outbox_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
)

// letter gives a mail with a logo, and the image it is.
func letter() (l message.Letter, image []byte) {
	image = []byte("\x89PNG\r\n\x1a\nxxxx+/")
	return message.Letter{
		ID: "msg_7", Channel: otl.ChannelMail, To: "jane@dev.test", Sender: "Notes", Subject: "S", Text: "T", HTML: `<img src="cid:logo"><p>&#34;cid:logo&#34;`,
		Logo: "data:image/png;base64," + base64.StdEncoding.EncodeToString(image), Thread: "abc", Request: "6f1c",
	}, image
}

// written gives the mail that a directory was handed.
func written(t *testing.T, l message.Letter) *mail.Message {
	t.Helper()
	dir := t.TempDir()
	mails, err := outbox.NewMail("dir:"+dir, outbox.Post{From: "login@notes.test", Host: "id.test", Now: time.Now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := mails[0].Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, l.ID+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// part is one of the parts of a mail, down to its leaves.
type part struct {
	kind, id string
	body     []byte
}

func parts(t *testing.T, kind string, body io.Reader) []part {
	t.Helper()
	media, params, err := mime.ParseMediaType(kind)
	if err != nil || !strings.HasPrefix(media, "multipart/") {
		t.Fatalf("%q %v", kind, err)
	}
	var out []part
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		media, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if strings.HasPrefix(media, "multipart/") {
			out = append(out, parts(t, p.Header.Get("Content-Type"), p)...)
			continue
		}
		var in io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "base64" {
			in = base64.NewDecoder(base64.StdEncoding, p)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part{media, p.Header.Get("Content-ID"), body})
	}
}

// TestALogoGoesBesideTheLetter: mailboxes show what a mail brings along and names by its
// Content-ID, not what stands in the HTML; where nothing goes beside it, it stands there.
func TestALogoGoesBesideTheLetter(t *testing.T) {
	t.Parallel()
	l, image := letter()
	m := written(t, l)
	all := parts(t, m.Header.Get("Content-Type"), m.Body)
	if len(all) != 3 || all[0].kind != "text/plain" || all[1].kind != "text/html" || all[2].kind != "image/png" {
		t.Fatalf("%+v", all)
	}
	if !bytes.Equal(all[2].body, image) || all[2].id != "<logo.msg_7@id.test>" || string(all[1].body) != `<img src="cid:logo.msg_7@id.test"><p>&#34;cid:logo&#34;` {
		t.Errorf("%q %q %s", all[2].id, all[2].body, all[1].body)
	}
	box := &outbox.Inbox{Now: time.Now}
	if err := box.Send(t.Context(), l); err != nil || box.Letters("")[0].HTML != `<img src="`+l.Logo+`"><p>&#34;cid:logo&#34;` {
		t.Errorf("%v %+v", err, box.Letters(""))
	}
	for _, none := range []string{"", "data:image/png;base64,%%", "nonsense"} {
		l.Logo = none
		m := written(t, l)
		if all := parts(t, m.Header.Get("Content-Type"), m.Body); len(all) != 2 {
			t.Errorf("%q: %+v", none, all)
		}
	}
}

// TestAMailSaysWhatItFollowsFrom: the request for whoever looks it up, the conversation for
// mailboxes that keep one together.
func TestAMailSaysWhatItFollowsFrom(t *testing.T) {
	t.Parallel()
	l, _ := letter()
	for range 2 {
		h := written(t, l).Header
		if h.Get("X-OTL-Request-Id") != "6f1c" || h.Get("References") != "<abc@id.test>" || h.Get("Message-ID") != "<msg_7@id.test>" || h.Get("Auto-Submitted") != "auto-generated" || h.Get("User-Agent")+h.Get("X-Mailer") != "" {
			t.Errorf("%v", h)
		}
	}
	l.Thread, l.Request = "", ""
	if h := written(t, l).Header; h.Get("X-OTL-Request-Id") != "" || h.Get("References") != "" {
		t.Errorf("%v", h)
	}
}

// TestOT13_MailsGoToTheASCIIFormOfADomain: a mail server that has not announced SMTPUTF8 takes mail for
// a domain outside ASCII, and from one; files and webhooks name the same mailbox. What stands before the "@"
// stays as it was typed.
func TestOT13_MailsGoToTheASCIIFormOfADomain(t *testing.T) {
	t.Parallel()
	const typed, mailbox = "Jane@München.example", "Jane@xn--mnchen-3ya.example"
	p, hook, dir := openPostOffice(t, 0), newProvider(t), t.TempDir()
	post := outbox.Post{From: "login@bücher.example", ReplyTo: "help@bücher.example", Host: "id.test", Now: time.Now}
	mails, err := outbox.NewMail("smtp://"+p.Addr().String()+"?tls=none webhook:"+hook.URL+" dir:"+dir, post, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := letter()
	l.To = typed
	for _, one := range mails {
		if err := one.Send(t.Context(), l); err != nil {
			t.Errorf("%s: %v", one.Name(), err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.Join(p.envelopes, " "); !strings.HasPrefix(got, "MAIL FROM:<login@xn--bcher-kva.example>") || !strings.HasSuffix(got, "RCPT TO:<"+mailbox+">") {
		t.Errorf("the envelope says %s", got)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.bodies) != 1 || !strings.Contains(hook.bodies[0], `"to":"`+mailbox+`"`) || !strings.Contains(hook.bodies[0], `"from":"login@xn--bcher-kva.example"`) {
		t.Errorf("the webhook says %s", hook.bodies)
	}
	raw, err := os.ReadFile(filepath.Join(dir, l.ID+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	for _, line := range []string{"To: <" + mailbox + ">", "<login@xn--bcher-kva.example>", "Reply-To: <help@xn--bcher-kva.example>"} {
		if !strings.Contains(head, line) {
			t.Errorf("no %q in\n%s", line, head)
		}
	}
}
