package signin

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
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

// Left is a site that a link which no longer works was for.
type Left struct {
	Site otl.Site
	Back string // where it is reached, "" where nobody knows
}

// Left gives whoever holds a link that no longer works the site to go back to, which can send him another: he who holds
// it has had a mail of that site, and learns no more of it than its name and address. It is none where the link is
// unknown, or was for the account here, or the site is gone.
func (s Restarts) Left(ctx context.Context, token string) (Left, error) {
	digest := secret.Digest(token)
	t, err := s.Store.Read.Tickets.Any(ctx, otl.PurposeSignIn, digest)
	if errors.Is(err, store.ErrNotFound) {
		t, err = s.Store.Read.Tickets.Replacing(ctx, otl.PurposeSignIn, digest)
	}
	if err != nil {
		return Left{}, missing(err)
	}
	site, err := s.Partner(ctx, t.SiteID)
	if err != nil {
		return Left{}, missing(err)
	}
	of := otl.Flow{SiteID: t.SiteID, Asked: otl.Asked{Redirect: t.Data[dataRedirect], Client: t.Data[dataClient]}}
	if id := t.Data[dataFlow]; id != "" {
		if of, err = s.Store.Read.Flows.Live(ctx, id, s.Now().Add(-restartable)); missing(err) != nil {
			return Left{}, err
		}
	}
	_, err = s.still(ctx, of)
	back := otl.Origin(of.Asked.Redirect)
	if missing(err) != nil {
		return Left{}, err
	}
	if err != nil || !strings.HasPrefix(back, "https://") && !strings.HasPrefix(back, "http://") { // no browser goes to an app's
		back = ""
	}
	if back == "" && site.Domain != "" {
		back = "https://" + site.Domain
	}
	return Left{site, back}, nil
}

// missing gives an error that is more than that something is not there, or is no more what it was.
func missing(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrSite) || errors.Is(err, ErrRedirect) {
		return nil
	}
	return err
}
