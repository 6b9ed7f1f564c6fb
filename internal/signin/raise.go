package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// dataVisit is the member of the data of a ticket that leads on to our pages: the id of the
// visit in which a second factor is asked for.
const dataVisit = "visit"

// Demand begins a visit that no browser belongs to yet, for a client whose person is to
// prove two factors: the first by a link or a code that the client has sent, which leads
// to it, the second on our pages. It gives the id of the visit; the code at its end is
// Exchange's, which asks for no address with it, as for the codes of links (decision
// D13).
func (s Arrivals) Demand(ctx context.Context, site otl.Site, client string, a otl.Asked) (string, error) {
	a.Client, a.Factors = client, 2
	a.More = withData(map[string]string{dataVisit: "demanded"}, a.More)
	f, err := s.Begin(ctx, site, NewBrowser(), a)
	return f.ID, err
}

// Through has a code that is entered at the client lead on to a visit of Demand.
func (r *CodeRequest) Through(visit string) {
	r.Data = withData(r.Data, map[string]string{dataVisit: visit})
}

// IsLink reports whether what Enter gives is the secret of a link rather than a code: the
// browser opens it on our pages, and proves what else it is asked for there.
func IsLink(code secret.Text) bool { return strings.HasPrefix(code.Reveal(), linkPrefix) }

// onward writes the link that a code which was just used leads on to. It can be pressed
// for as long as a code is redeemed.
func onward(ctx context.Context, tx *store.Tx, t otl.Ticket, now time.Time) (secret.Text, error) {
	link := secret.NewKey(linkPrefix)
	t.Data[dataFlow] = t.Data[dataVisit]
	t.ID, t.CreatedAt, t.ExpiresAt, t.Tries = secret.NewID(now), now, now.Add(redeemTime), 0
	t.Slot = t.ID
	return link, tx.Tickets.Insert(ctx, t, secret.Digest(link.Reveal()), nil)
}

// byLink gives what the ticket of a link shows: that somebody reads his mail, or what the
// code before it did. A number that was never proven shows nothing (OT-16).
func byLink(ctx context.Context, tx *store.Tx, t otl.Ticket) (otl.Method, error) {
	how := t.Data[dataHow]
	if how == "" {
		return otl.MethodMailLink, nil
	}
	u, err := tx.Users.ByID(ctx, t.UserID)
	if errors.Is(err, store.ErrNotFound) || err == nil && planted(u, t) {
		err = ErrLink
	}
	return otl.Method(how), err
}
