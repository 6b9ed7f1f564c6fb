package signin

import (
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// pace counts a message by the person who is to get it, whatever the caller called him,
// and by where it goes, so that nobody is flooded (OT-19). Nobody is counted in the same
// way, by what he was called. Who is known where he is passes what is used up of the site's
// mails: strangers can ask for as many as they like, for nobody (PW-13). The error is then
// because of limit.ErrWithheld for everybody else.
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
	case at == "" && sms && r.names():
		at = u.Phone
	case at == "":
		at = by
	}
	uses := append(limit.Sending(by, at), limit.From(ctx, limit.SendsFrom))
	known := func() (bool, error) {
		return places(s.Second).Knows(ctx, s.Store.Read, store.Standing{User: u, Site: r.Site})
	}
	if r.Channel == otl.ChannelMail {
		return s.Mail.Take(ctx, r.Site.ID, known, uses...)
	}
	return s.Limits.Keep(ctx, s.Limits.Take(ctx, uses...), known, uses...)
}

// places are where people are known.
func places(s *SecondStep) factor.Places { return factor.Places{Factors: s.Factors} }

// names reports whether the caller knows where a message goes, or may. A number that was looked
// up for somebody who may not is counted when an SMS is sent there: that it was sent others would
// tell whose it is (OT-10).
func (r CodeRequest) names() bool { return r.Known || r.typed() != "" }

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
