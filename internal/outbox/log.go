package outbox

import (
	"context"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/message"
)

// Log tells of a letter in the log and delivers it to nobody. What is in the
// letter stays out of the log (OT-23).
type Log struct{ note func(msg string, args ...any) }

// Name implements Sender.
func (Log) Name() string { return "log" }

// Send implements Sender.
func (g Log) Send(_ context.Context, l message.Letter) error {
	g.note("message not delivered: its provider is log:", "id", l.ID, "channel", string(l.Channel))
	return nil
}

// senders makes the providers of a list of URLs, none for an empty one.
func senders(list string, make func(*url.URL) (Sender, error)) ([]Sender, error) {
	var out []Sender
	for _, one := range strings.Fields(list) {
		u, err := url.Parse(one)
		if err != nil {
			return nil, ErrURL // the parser's error quotes the URL, with its password
		}
		s, err := make(u)
		if err != nil {
			return nil, err
		}
		out = append(out, accounted{s, account(u)})
	}
	return out, nil
}
