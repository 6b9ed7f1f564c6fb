package bench

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/secret"
)

// Client is a client of the wires of others, that codes may be handed to.
type Client struct {
	ID        string
	Secret    secret.Text
	Subdomain string // of its site, on OneLogin's wire
}

// transmitter does on Transmit's wire what a coder does on our own (contract 3.1, 3.2);
// header carries the client's token.
type transmitter struct{ coder }

func (w *transmitter) step() (bool, error) {
	who := map[string]string{"channel": "direct", "identifier_type": "email", "identifier": w.person().Email}
	status, err := w.do(w.request(http.MethodPost, "/cis/v1/auth/otp/send", w.header, marshal(who)))
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	delete(who, "channel")
	who["passcode"] = w.text("code")
	status, err = w.do(w.request(http.MethodPost, "/cis/v1/auth/otp/authenticate", w.header, marshal(who)))
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	return true, nil
}

// bearer gets the token of a client, as the header that carries it.
func (r coding) bearer(ctx context.Context, of Client) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {of.ID}, "client_secret": {of.Secret.Reveal()}}
	body, err := newBrowser(r.Nodes[0]).open(ctx, http.MethodPost, "/oidc/token", form)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(body, &answer)
	return "Authorization: Bearer " + answer.Token + "\r\n", err
}

// transmits signs people in with one-time codes on Transmit's wire, whose answers hold
// two tokens signed with RS256 (decision D5).
func (r coding) transmits(ctx context.Context) error {
	if r.Client.ID == "" {
		return nil
	}
	header, err := r.bearer(ctx, r.Client)
	if err != nil {
		return err
	}
	workers, err := r.coders(r.Connections, func(c coder) worker {
		c.header = header
		return &transmitter{c}
	})
	return r.simple(ctx, "otp on Transmit's wire", workers, err)
}
