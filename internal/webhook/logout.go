package webhook

import (
	"net/url"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// Request is what is sent to an endpoint.
type Request struct {
	Head map[string][]string
	Body []byte
}

// Logout gives the request that tells a client that one of its sessions has ended
// (OpenID Connect Back-Channel Logout 1.0 section 2.5). The token is made anew at each
// attempt, because it is good for two minutes.
func Logout(token secret.Text) Request {
	return Request{
		map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"OneTimeLogin-Webhooks/1"}},
		[]byte(url.Values{"logout_token": {token.Reveal()}}.Encode()),
	}
}

// Request gives what tells of an event by a webhook, at one attempt.
func (t Told) Request(secrets []secret.Text, now time.Time, attempt int) (Request, error) {
	body, err := t.Body(attempt)
	return Request{t.Head(secrets, now, attempt, body), body}, err
}
