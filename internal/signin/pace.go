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

// JustAsked reports whether an error says that a message was asked for a moment ago and another can be shortly.
func JustAsked(err error) bool { return limit.JustAsked(err) }

// places are where people are known.
func places(s *SecondStep) factor.Places { return factor.Places{Factors: s.Factors} }

// names reports whether the caller knows where a message goes, or may. A number that was looked
// up for somebody who may not is counted when an SMS is sent there: that it was sent others would
// tell whose it is (OT-10).
func (r CodeRequest) names() bool { return r.Known || r.typed() != "" }

// countSMS counts an SMS as it is written: where it goes, among those of its site and of a day, and
// among those of its range (OT-20). It reports whether it goes anywhere: not where there is nobody,
// or as many went as may and the caller may not learn of whom that is told. Of nobody it is the
// same work, on counters that are nobody's (OT-10), for what counts is what is sent and not what
// is asked for. It notes what is withheld: where those of a day are used up, nobody gets one.
func (s *Codes) countSMS(ctx context.Context, tx *store.Tx, r *CodeRequest, u otl.User, to string) (sends bool, err error) {
	at := func(number string) (uses []limit.Use) {
		if !r.names() {
			uses = limit.Sending(number)
		}
		if r.typed() == "" { // one that came with the request was counted then
			uses = append(uses, limit.Neighbour(number))
		}
		return uses
	}
	told := func(err error) bool { return err != nil && (r.Known || otl.As(err).Kind != otl.Limited) }
	nobody, day := "nobody "+r.Who.Value, s.SMS.Day(r.Site.ID)
	if u.ID == "" {
		to = nobody
	}
	refused := s.Limits.Look(ctx, tx, append([]limit.Use{day}, at(to)...)...)
	if told(refused) {
		return false, refused
	}
	r.withheld = r.withheld || day.Over(refused)
	uses := append(at(to), day)
	if sends = refused == nil && u.ID != ""; !sends {
		to, uses = "", append(at(nobody), s.SMS.DayOfNobody(r.Site.ID))
	}
	if err := s.Limits.TakeIn(ctx, tx, uses...); told(err) {
		return false, err
	} else if err != nil { // others took the last one meanwhile
		sends, to = false, ""
	}
	stopped, err := limit.Sent(ctx, tx, r.Site.ID, to, s.Now())
	if err != nil || !stopped {
		return sends, err
	}
	return sends, s.Messages.SMSStopped(ctx, tx, r.Site.ID, limit.Range(to))
}

// nobodys makes a ticket that was to be somebody's nobody's.
func (r CodeRequest) nobodys(t otl.Ticket) otl.Ticket {
	t.UserID, t.Slot, t.Data = "", r.slot(otl.User{}), withData(map[string]string{dataNumber: ""}, t.Data)
	if t.Data[dataProves] != "" {
		t.Data[dataProves] = ""
	}
	return t
}

// slot gives where the code of whoever was found stands.
func (r CodeRequest) slot(u otl.User) string {
	if r.invites {
		return r.Who.newcomers()
	}
	if r.withheld {
		return r.Who.withheld(r.Data[dataFlow])
	}
	return r.Who.slot(u)
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
