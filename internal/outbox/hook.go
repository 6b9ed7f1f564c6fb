package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/webhook"
)

// Webhook posts letters as JSON to an address of the operator's, signed like the webhooks
// of sites where there is a secret. With members such as {to} in the address they are
// filled in there instead, with a template in its body.
type Webhook struct {
	name    string
	address string
	from    string
	body    template
	secret  secret.Text // "" for none
	now     func() time.Time
	client  *egress.Client
}

// maxTemplate is the longest template of a body, in bytes.
const maxTemplate = 64 << 10

// NewWebhook reads an http or https URL, to which mails or SMS go from an address or number. A
// fragment is the file of a template of the body.
func NewWebhook(address, from string, p Post) (Webhook, error) {
	address, file, _ := strings.Cut(address, "#")
	w := Webhook{address: address, from: from, secret: p.Secret, now: p.Now, client: egress.New(egress.Policy{Trusted: true})}
	filled := w.fill(message.Letter{To: "x", Text: "x", ID: "x"})
	if err := (egress.Policy{Trusted: true}).Check(filled); err != nil {
		return w, err
	}
	u, err := url.Parse(filled)
	if err != nil {
		return w, ErrURL // the parser's error quotes the URL, with its password
	}
	w.name = "webhook " + u.Host
	if file != "" {
		w.body, err = readTemplate(file)
	}
	return w, err
}

// Name implements Sender.
func (w Webhook) Name() string { return w.name }

// members gives what of a letter has a name, for bodies, templates and addresses.
func members(l message.Letter) map[string]string {
	return map[string]string{
		"id": l.ID, "kind": string(l.Kind), "channel": string(l.Channel), "locale": l.Locale, "site": l.Site, "to": l.To, "from": l.From, "sender": l.Sender,
		"subject": l.Subject, "text": l.Text, "html": l.Whole(), "code": l.Code, "link": l.Link,
	}
}

// fill puts the members of a letter into a text, each escaped.
func fill(text string, l message.Letter, escape func(string) string) string {
	var pairs []string
	for name, value := range members(l) {
		pairs = append(pairs, "{"+name+"}", escape(value))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (w Webhook) fill(l message.Letter) string { return fill(w.address, l, url.QueryEscape) }

// Send implements Sender. The header Idempotency-Key is the id of the letter, the
// same at every try.
func (w Webhook) Send(ctx context.Context, l message.Letter) error {
	if l.From == "" {
		l.From = w.from
	}
	address, h := w.fill(l), http.Header{"Idempotency-Key": {l.ID}}
	var body []byte
	switch {
	case w.body.text != "":
		h.Set("Content-Type", w.body.kind)
		body = []byte(fill(w.body.text, l, w.body.escape))
	case address == w.address:
		var err error
		h.Set("Content-Type", "application/json")
		if body, err = json.Marshal(members(l)); err != nil {
			return err
		}
	}
	if body != nil && !w.secret.Empty() {
		for name, value := range webhook.Sign([]secret.Text{w.secret}, l.ID, w.now(), body) {
			h[name] = value
		}
	}
	a, err := w.client.Do(ctx, http.MethodPost, address, h, body)
	if err != nil {
		return err
	}
	return judge(a)
}

// template is the body of a request with {members}: JSON, XML, or a form, by how it begins.
type template struct {
	text, kind string
	escape     func(string) string
}

// readTemplate reads the template of a body from a file.
func readTemplate(file string) (template, error) {
	f, err := os.Open(file)
	if err != nil {
		return template{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return template{}, err
	}
	t := template{text: strings.TrimSpace(string(raw))}
	switch {
	case t.text == "" || len(raw) > maxTemplate:
		return template{}, fmt.Errorf("the template must be of 1 to %d bytes", maxTemplate)
	case strings.HasPrefix(t.text, "<"):
		t.kind, t.escape = "application/xml", escapeXML
	case strings.HasPrefix(t.text, "{") || strings.HasPrefix(t.text, "["):
		t.kind, t.escape = "application/json", escapeJSON
		if !json.Valid([]byte(fill(t.text, message.Letter{}, t.escape))) {
			return template{}, errors.New("the template is no JSON: members stand between quotation marks")
		}
	default:
		t.kind, t.escape = "application/x-www-form-urlencoded", url.QueryEscape
	}
	return t, nil
}

// escapeJSON escapes a text for the inside of a JSON string.
func escapeJSON(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // there is no string that cannot be
		return ""
	}
	return string(raw[1 : len(raw)-1])
}

func escapeXML(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil { // it writes to memory
		return ""
	}
	return b.String()
}
