package signin

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// asker is what is known of whoever asks for a link: where a site's server calls, what it says of the person. A link
// for a visit has none, for the visit knows more. Links of which it is not the same do not cross: the page of the
// older one would show the device that asked for the newer one (OT-18).
func asker(ctx context.Context, r LinkRequest) map[string]string {
	from := otl.RequestOf(ctx)
	out := map[string]string{}
	if agent := userAgent(from); agent != "" && r.Flow == "" {
		out[dataAgent] = agent
	}
	if from.Client.IsValid() && r.Flow == "" {
		out[dataIP] = from.Client.String()
	}
	return out
}

// resends is for how long what is sent again belongs to one conversation where no visit says so, give or take: from one
// full hour to the next, for what was sent before is not looked up.
const resends = time.Hour

// conversation gives what the message of a ticket shares with those that are sent again for the same: the visit, or
// else the person and his site.
func (r CodeRequest) conversation(t otl.Ticket) string {
	if flow := t.Data[dataFlow]; flow != "" {
		return flow
	}
	return strings.Join([]string{t.SiteID, cmp.Or(t.UserID, r.Who.Value), strconv.FormatInt(t.CreatedAt.Truncate(resends).Unix(), 10)}, " ")
}
