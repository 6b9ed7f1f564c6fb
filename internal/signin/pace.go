package signin

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// pace counts a message by the person who is to get it, whatever the caller called him,
// and by where it goes, so that nobody is flooded (OT-19). Nobody is counted in the same
// way, by what he was called. Who is known where he is passes what is used up of the site's
// mails: strangers can ask for as many as they like, for nobody (PW-13).
func (s *Codes) pace(ctx context.Context, r CodeRequest, u otl.User) error {
	if r.Channel == otl.ChannelDirect {
		return nil
	}
	by, at := limit.To(u), r.To
	if e, err := otl.ParseEmail(r.To); err == nil {
		at = e.Key
	}
	switch sms := r.Channel == otl.ChannelSMS; {
	case u.ID == "" && sms && r.Who.Type == ByPhone:
		by, at = "nobody "+r.Who.Value, r.Who.Value
	case u.ID == "":
		by, at = r.Who.Value, r.Who.Value
	case at == "" && sms:
		at = u.Phone
	case at == "":
		at = by
	}
	uses := append(limit.Sending(by, at), limit.From(ctx, limit.SendsFrom))
	var all []limit.Use // of the site
	if r.Channel == otl.ChannelMail {
		all = s.Mail.Uses(r.Site.ID)
	}
	err := s.Limits.Take(ctx, append(all, uses...)...)
	if err == nil || otl.As(err).Kind != otl.Limited {
		return err
	}
	if is, bad := known(ctx, s.Store.Read, s.Second.Factors, u, r.Site, s.Now()); bad != nil {
		return bad
	} else if !is {
		return err
	}
	return s.Limits.Take(ctx, limit.Kept(uses)...)
}

// known reports whether a person is known where a request to a site comes from: he has a live
// session from that address, or trusted the device. It is the same work for nobody. An address
// that a site names counts for its own sessions alone, or it could ask from where people are
// signed in at others (D1).
func known(ctx context.Context, tx *store.Tx, by *factor.Factors, u otl.User, site otl.Site, now time.Time) (bool, error) {
	from := otl.RequestOf(ctx)
	if from.Client.IsValid() {
		at := ""
		if from.Client != from.Peer {
			at = site.ID
		}
		if live, err := tx.Sessions.LiveFrom(ctx, u.ID, at, from.Client.String(), now); err != nil || live {
			return live, err
		}
	}
	return trusts(ctx, tx, by, u, site)
}

// trusts reports whether a request to a site comes from a device that a person trusts there.
func trusts(ctx context.Context, tx *store.Tx, by *factor.Factors, u otl.User, site otl.Site) (bool, error) {
	device := otl.RequestOf(ctx).Device
	if len(device) == 0 {
		return false, nil
	}
	t, err := by.Trusted(ctx, tx, store.Standing{User: u, Site: site}, device)
	return t.ID != "", err
}

// typed gives the number that came with a request, "" where it is to be looked up.
func (r CodeRequest) typed() string {
	if r.To == "" && r.Who.Type == ByPhone {
		return r.Who.Value
	}
	return r.To
}

// handsOver reports whether a code goes where the caller says rather than to what the
// person has on record: whoever names the place gets the code (OT-22).
func (r CodeRequest) handsOver() bool { return r.Channel == otl.ChannelDirect || r.To != "" }
