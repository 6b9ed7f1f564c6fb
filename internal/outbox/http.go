package outbox

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/message"
)

// gateway is what providers that are called over HTTP have in common. The operator
// named them, so that they may stand in his own network.
type gateway struct {
	name   string
	base   string // scheme and host
	user   string
	secret string
	from   string // sender where a letter names none
	client *egress.Client
}

// newGateway reads the URL of a provider: user and password, the host or else its
// usual one, ?from= and ?tls=none.
func newGateway(u *url.URL, host string) (gateway, error) {
	query := u.Query()
	scheme := "https"
	switch query.Get("tls") {
	case "":
	case "none":
		scheme = "http"
	default:
		return gateway{}, errors.New("?tls= must be none or left out")
	}
	if u.Host != "" {
		host = u.Host
	}
	password, _ := u.User.Password()
	g := gateway{u.Scheme + " " + host, scheme + "://" + host, u.User.Username(), password, query.Get("from"), egress.New(egress.Policy{Trusted: true})}
	query.Del("tls")
	query.Del("from")
	if g.user == "" || g.secret == "" || g.from == "" || len(query) > 0 || u.Path != "" && u.Path != "/" {
		return g, fmt.Errorf("must be %s://KEY:SECRET@%s?from=SENDER", u.Scheme, host)
	}
	return g, nil
}

// Name implements Sender.
func (g gateway) Name() string { return g.name }

func (g gateway) sender(l message.Letter) string {
	if l.From != "" {
		return l.From
	}
	return g.from
}

// post sends a form and sorts the answers: what the provider says of the letter
// itself is final there, everything else may get better.
func (g gateway) post(ctx context.Context, path string, form url.Values, basic bool) (egress.Answer, error) {
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if basic {
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(g.user+":"+g.secret)))
	}
	a, err := g.client.Do(ctx, http.MethodPost, g.base+path, h, []byte(form.Encode()))
	if err != nil {
		return a, err
	}
	return a, judge(a)
}

// judge sorts answers by their status: that we are not let in (401, 403) is no refusal of the letter, for whoever runs
// this may mend it while the letter waits.
func judge(a egress.Answer) error {
	switch a.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %d %.200s", ErrRefused, a.Status, a.Body)
	}
	if a.Status/100 == 2 {
		return nil
	}
	return fmt.Errorf("%d %.200s", a.Status, a.Body)
}

// Twilio sends SMS by the API of that name (2010-04-01, Messages), or one that is
// shaped like it.
type Twilio struct{ gateway }

// Send implements Sender.
func (t Twilio) Send(ctx context.Context, l message.Letter) error {
	a, err := t.post(ctx, "/2010-04-01/Accounts/"+url.PathEscape(t.user)+"/Messages.json", url.Values{"To": {l.To}, "From": {t.sender(l)}, "Body": {l.Text}}, true)
	var said struct {
		Code int `json:"code"`
	}
	if errors.Is(err, ErrRefused) && json.Unmarshal(a.Body, &said) == nil {
		switch said.Code {
		case 21211, 21610, 21614: // no number, whoever has it wants no messages, no telephone that takes them
			return fmt.Errorf("%w: %d %.200s", ErrAddress, a.Status, a.Body)
		}
	}
	return err
}

// Vonage sends SMS by the API of that name (sms/json), or one that is shaped like it.
type Vonage struct{ gateway }

// Send implements Sender. The answer is 200 whatever became of the SMS; it says so
// inside.
func (v Vonage) Send(ctx context.Context, l message.Letter) error {
	form := url.Values{"api_key": {v.user}, "api_secret": {v.secret}, "to": {strings.TrimPrefix(l.To, "+")}, "from": {v.sender(l)}, "text": {l.Text}, "client-ref": {l.ID}}
	if !message.GSM7(l.Text) {
		form.Set("type", "unicode")
	}
	a, err := v.post(ctx, "/sms/json", form, false)
	if err != nil {
		return err
	}
	var said struct {
		Messages []struct {
			Status string `json:"status"`
			Text   string `json:"error-text"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(a.Body, &said); err != nil || len(said.Messages) == 0 {
		return fmt.Errorf("an answer that says nothing: %.200s", a.Body)
	}
	for i, m := range said.Messages {
		if i > 0 && m.Status != "0" { // a part is on its way already, and would come twice
			return fmt.Errorf("%w: a later part: %s %s", ErrAddress, m.Status, m.Text)
		}
		switch m.Status {
		case "0":
		case "7", "33": // barred, given up
			return fmt.Errorf("%w: %s %s", ErrAddress, m.Status, m.Text)
		case "3", "6", "12", "15": // invalid parameters, unroutable, too long, invalid sender
			return fmt.Errorf("%w: %s %s", ErrRefused, m.Status, m.Text)
		default:
			return fmt.Errorf("%s %s", m.Status, m.Text)
		}
	}
	return nil
}
