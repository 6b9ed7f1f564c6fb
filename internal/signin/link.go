package signin

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// LinkRequest asks for a link to be sent to somebody, by mail or the channel direct.
type LinkRequest struct {
	CodeRequest
	State   string // handed back there
	Confirm otl.Confirm
	Flow    string // id of the visit to the hosted pages it is for; "" for none
}

// LinkSent is what became of a request.
type LinkSent struct {
	CodeSent             // the code that goes with the link
	Link     secret.Text // by the channel direct only
}

// ErrLink is the answer to a link, or the code it led to, that is unknown, used,
// expired or replaced.
var ErrLink = &otl.Error{Kind: otl.Unauthenticated, Code: "link_invalid", Text: "The link was used already, has expired, or a newer one took its place."}

// Members of the data of a link's ticket.
const (
	dataRedirect = "redirect"
	dataState    = "state"
	dataClient   = "client"
	dataConfirm  = "confirm"
	dataLocale   = "locale"
	dataFlow     = "flow"
	dataOf       = "of" // id of the ticket that the code of a link uses up when it is redeemed
)

// redeemTime is how long the code of an opened link is good (OT-15).
const redeemTime = time.Minute

// way gives the way that a link is by its channel.
func (r LinkRequest) way() otl.Way {
	if r.Channel == otl.ChannelMail {
		return otl.WayLink
	}
	return ""
}

// SendLink makes a link for somebody and sends it, with a code beside it: they are
// one ticket, of which one can be used. Where the site takes no codes by mail it is the link
// alone. Who may know what is as with Send, and so are the errors.
func (s *Codes) SendLink(ctx context.Context, r LinkRequest) (LinkSent, error) {
	if err := takes(ctx, s, r.CodeRequest, r.way()); err != nil {
		return LinkSent{}, err
	}
	if err := r.Who.Check(); err != nil {
		return LinkSent{}, err
	}
	if r.Channel != otl.ChannelMail && r.Channel != otl.ChannelDirect {
		return LinkSent{}, otl.InvalidField("channel", "unknown_value", "must be email or direct")
	}
	if err := s.Messages.Reaches(r.Channel); err != nil {
		return LinkSent{}, err
	}
	m, to, err := s.receiver(ctx, &r.CodeRequest)
	if err != nil {
		return LinkSent{}, err
	}
	if r.TTL == 0 {
		r.TTL = s.LinkTTL
	}
	if r.Confirm == otl.ConfirmNever && r.Channel == otl.ChannelMail && r.Flow == "" {
		if r.Confirm, err = unread(ctx, s, r.CodeRequest, m); err != nil {
			return LinkSent{}, err
		}
	}
	r.Data = withData(r.Data, map[string]string{dataRedirect: r.Redirect, dataState: r.State, dataClient: r.Client, dataConfirm: string(r.Confirm), dataLocale: m.User.Locale, dataFlow: r.Flow})
	r.Data = withData(r.Data, asker(ctx, r))
	if r.Channel == otl.ChannelMail {
		r.crosses = s.Now().Add(crossing)
	}
	token := secret.NewToken(linkPrefix).Reveal()
	link := strings.TrimSuffix(s.PublicURL, "/") + "/l/" + token
	sent, err := s.issue(ctx, r.CodeRequest, m.User, to, secret.Digest(token), link)
	out := LinkSent{CodeSent: sent}
	if r.Channel == otl.ChannelDirect {
		out.Link = secret.NewText(link)
	}
	return out, err
}

// unread gives what the page of a link by mail does whose client wants none: it asks for a press all the same where the link may add
// somebody to the site, tell it who somebody is, or prove an address. That is whoever is none of its people, hides what he is
// named by from it, or has not proven his address: it may be that of another, whose scanner of mails opens the link. Machines
// connect nobody, and prove nothing (D1, OT-14, OT-16). Who was found is looked for once more among the site's people where
// he need not be one, which is the same work whoever it is (OT-10).
func unread(ctx context.Context, s *Codes, r CodeRequest, found store.Member) (otl.Confirm, error) {
	if !r.members() {
		var err error
		if found, err = s.find(ctx, r.Site, r.Who, true); err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
	}
	if found.User.EmailVerifiedAt.IsZero() {
		return otl.ConfirmAuto, nil
	}
	return otl.ConfirmNever, nil
}

// withData puts members together.
func withData(a, b map[string]string) map[string]string {
	out := maps.Clone(b)
	maps.Copy(out, a)
	return out
}

// linkPrefix starts the secret of every link.
const linkPrefix = "otl_ln_"

// Opened is what the page of a link shows.
type Opened struct {
	SiteName string
	Locale   string
	Origin   string // of where the browser goes afterwards
	Confirm  otl.Confirm
	Flow     string // id of the visit to the hosted pages it is for; "" for none
	Newcomer bool   // whoever follows it may be given an account, or connected with the site
	// What is known of whoever asked for it, where that was no visit: his browser and address, as far as his site said them, and when.
	Agent, IP string
	At        time.Time
}

// FlowOf gives the id of the visit to the hosted pages that a link is for, "" for none,
// and reads only. The error is ErrLink.
func (s *Codes) FlowOf(ctx context.Context, token string) (string, error) {
	t, err := s.held(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrLink
	}
	return t.Data[dataFlow], err
}

// Look gives what the page of a link shows and notes that it was opened, and how where
// that was not to be read by somebody: "head", "prefetch". Nothing is used up by it,
// however often it happens (OT-14), nor is a link worth less for wrong guesses at the
// code beside it: it is not guessed. The error is ErrLink; of a link that no longer works it is noted, too,
// why it does not.
func (s *Codes) Look(ctx context.Context, token, how string) (Opened, error) {
	t, err := s.held(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		t, why, _, err := Deaths{s}.find(ctx, otl.PurposeSignIn, token)
		if err == nil && t.ID != "" {
			err = opened(ctx, s, t, how, why)
		}
		return Opened{}, cmp.Or(err, error(ErrLink))
	}
	if err != nil {
		return Opened{}, err
	}
	site, err := s.Store.Read.Sites.ByID(ctx, t.SiteID)
	if errors.Is(err, store.ErrNotFound) {
		return Opened{}, ErrLink
	}
	if err != nil {
		return Opened{}, err
	}
	err = opened(ctx, s, t, how, "")
	o := Opened{SiteName: site.Name, Locale: t.Data[dataLocale], Confirm: otl.Confirm(t.Data[dataConfirm]), Flow: t.Data[dataFlow], Newcomer: t.Newcomer}
	o.Origin = otl.Origin(t.Data[dataRedirect])
	o.Agent, o.IP, o.At = t.Data[dataAgent], t.Data[dataIP], t.CreatedAt
	return o, err
}

// opened notes that a link was opened; why is its death, "" for one that works.
func opened(ctx context.Context, s *Codes, t otl.Ticket, how string, why Death) error {
	from := otl.RequestOf(ctx)
	seen := map[string]string{otl.DataIP: from.Client.String(), otl.DataUserAgent: userAgent(from)}
	if how != "" {
		seen[otl.DataBy] = how
	}
	if why != "" {
		seen[otl.DataReason] = string(why)
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return noted(ctx, tx, s, otl.EventLinkOpened, t, seen) })
}

// noted appends an entry about a link. One to a newcomer is nobody's: whoever it becomes is erased without it, and
// the site reads of nobody's entries from where they came. So those say neither address nor browser (PR-05).
func noted(ctx context.Context, tx *store.Tx, s *Codes, what otl.EventType, t otl.Ticket, data map[string]string) error {
	if t.Newcomer {
		from := otl.RequestOf(ctx)
		ctx = otl.WithRequest(ctx, &otl.Request{ID: from.ID, By: from.By})
		delete(data, otl.DataIP)
		delete(data, otl.DataUserAgent)
	}
	return tx.Events.Append(ctx, s.event(what, t.UserID, t.SiteID, data))
}

// crossing is how long a link can be used after a newer one took its place, where both
// lead to the same: mails cross.
const crossing = time.Minute

// held gives the ticket of a link, or the one that took its place a moment ago.
func (s *Codes) held(ctx context.Context, token string) (otl.Ticket, error) {
	now, digest := s.Now(), secret.Digest(token)
	t, err := s.Store.Read.Tickets.Live(ctx, otl.PurposeSignIn, digest, now)
	if errors.Is(err, store.ErrNotFound) {
		t, err = s.Store.Read.Tickets.Crossed(ctx, otl.PurposeSignIn, digest, now)
	}
	return t, err
}

// use uses that ticket up.
func (s *Codes) use(ctx context.Context, tx *store.Tx, token string) (otl.Ticket, error) {
	now, digest := s.Now(), secret.Digest(token)
	t, err := tx.Tickets.Use(ctx, otl.PurposeSignIn, digest, now)
	if errors.Is(err, store.ErrNotFound) {
		t, err = tx.Tickets.UseCrossed(ctx, otl.PurposeSignIn, digest, now)
	}
	return t, err
}

func userAgent(r *otl.Request) string { return r.UserAgent[:min(len(r.UserAgent), 255)] }

// Confirm uses a link up and gives where the browser goes: to the site, with a code
// that the site redeems within a minute. The code goes to the browser that confirmed,
// never to one that only asked (OT-18). The error is ErrLink, or otl.ErrWay.
func (s *Codes) Confirm(ctx context.Context, token string) (string, error) {
	code := secret.NewToken(LinkCodePrefix)
	var to string
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		t, err := s.use(ctx, tx, token)
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Data[dataFlow] != "" {
			return ErrLink
		}
		if err != nil {
			return err
		}
		if err := opens(ctx, tx, t); err != nil {
			return err
		}
		to = landing(t.Data[dataRedirect], code.Reveal(), t.Data[dataState])
		return s.follow(ctx, tx, t, code)
	})
	return to, err
}

// linkMethod gives what a link shows of whoever opens it.
func linkMethod(t otl.Ticket) otl.Method {
	if t.Channel == otl.ChannelDirect {
		return otl.MethodDirect
	}
	return otl.MethodMailLink
}

// opens is otl.ErrWay where the site of a link takes none any more: in a transaction it undoes
// that, so that nothing is used up. It is ErrLink where there is no such site.
func opens(ctx context.Context, tx *store.Tx, t otl.Ticket) error {
	site, err := tx.Sites.ByID(ctx, t.SiteID)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrLink
	}
	if err != nil {
		return err
	}
	return site.Opens(linkMethod(t).Way())
}

// Follow gives where the browser goes of whoever opened a link whose client asked for no
// page (otl.ConfirmNever): to the site, with a code as of Confirm. Mail scanners open such
// links too, and get a code each: the link is used up when the site redeems the first of
// them, within a minute and while the link is good. The error is ErrLink, also for a link
// that has a page, otl.ErrWay where the site takes links no more, or limit.Exceeded for a
// network that opens too many.
func (s *Codes) Follow(ctx context.Context, token string) (string, error) {
	t, err := s.held(ctx, token)
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.Data[dataFlow] != "" || otl.Confirm(t.Data[dataConfirm]) != otl.ConfirmNever) {
		err = ErrLink
	}
	if err == nil {
		err = opens(ctx, s.Store.Read, t)
	}
	if err != nil {
		return "", err
	}
	if err := s.Limits.Take(ctx, limit.From(ctx, limit.Public)); err != nil {
		return "", err // each opening writes
	}
	code := secret.NewToken(LinkCodePrefix)
	to := landing(t.Data[dataRedirect], code.Reveal(), t.Data[dataState])
	t.Data[dataOf] = t.ID
	return to, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return s.follow(ctx, tx, t, code) })
}

// landing adds what a site gets to its address, whose own query is kept.
func landing(redirect, code, state string) string {
	join := "?"
	if strings.Contains(redirect, "?") {
		join = "&"
	}
	out := redirect + join + "code=" + url.QueryEscape(code)
	if state != "" {
		out += "&state=" + url.QueryEscape(state)
	}
	return out
}

// Deny makes a link worthless on behalf of whoever got it and did not ask for it.
func (s *Codes) Deny(ctx context.Context, token string) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		t, err := s.use(ctx, tx, token)
		if errors.Is(err, store.ErrNotFound) {
			return ErrLink
		}
		if err != nil {
			return err
		}
		return s.denied(ctx, tx, t, nil)
	})
}

// dataDenied marks, among the data of a link, that it was used up by being refused.
const dataDenied = "denied"

// denied notes that nobody got in by a link that was used up.
func (s *Codes) denied(ctx context.Context, tx *store.Tx, t otl.Ticket, data map[string]string) error {
	t.Data = withData(map[string]string{dataDenied: "1"}, t.Data)
	if err := tx.Tickets.Note(ctx, t); err != nil {
		return err
	}
	return noted(ctx, tx, s, otl.EventLinkDenied, t, data)
}

// LinkAttempt is the code of an opened link that a site redeems.
type LinkAttempt struct {
	Site      otl.Site
	Client    string
	Code      secret.Text
	Redirect  string // as it was registered, where the wire sends it again
	RequestID string
	Join      string // as in CodeAttempt
	Door      *Door  // as in CodeAttempt
	// Add adds whoever holds an address that nobody has, where the link was a newcomer's (CodeRequest.Newcomer);
	// nil where the site takes nobody new.
	Add func(ctx context.Context, tx *store.Tx, address string) (otl.User, error)
}

// Redeem signs a person in with the code of a link he opened. The error is ErrLink,
// ErrDisabled, ErrNewcomer, or session.ErrNone for Join; the code stays good where it was presented
// by somebody it is not for. One that is presented again was stolen, or its answer was:
// the session it opened ends (OA-05).
func (s *Codes) Redeem(ctx context.Context, a LinkAttempt) (Proven, error) {
	var p Proven
	var e entrance
	var refused error
	from, digest := otl.RequestOf(ctx), secret.Digest(a.Code.Reveal())
	err := inOrder(ctx, s, func(ctx context.Context, tx *store.Tx, locked string) error {
		p, refused = Proven{}, nil
		t, err := tx.Tickets.Use(ctx, otl.PurposeLinkCode, digest, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			refused = ErrLink
			return replayed(ctx, tx, s.Sessions, otl.PurposeLinkCode, digest, a.Site.ID, refused)
		}
		if err != nil {
			return err
		}
		if t.SiteID != a.Site.ID || t.Data[dataClient] != a.Client || a.Redirect != "" && a.Redirect != t.Data[dataRedirect] || !requested(t, a.RequestID) {
			return ErrLink // and nothing of this remains
		}
		if err := spend(ctx, tx, t.Data[dataOf], s.Now()); err != nil {
			return err
		}
		method := linkMethod(t)
		if how := t.Data[dataHow]; how != "" {
			method = otl.Method(how)
		}
		if t.Newcomer {
			if t.UserID, p.Added, err = a.holder(ctx, tx, t); err != nil {
				return err
			}
			if p.Added {
				locked = t.UserID // nobody else sees the row before the transaction ends
			}
		}
		p.Ticket = t
		way := entry{site: a.Site, door: a.Door, join: a.Join, by: a.Client, ticket: t, method: method, locked: locked, known: t.Newcomer && !p.Added}
		e, err = s.enter(ctx, tx, way, from)
		if err == nil && p.Added {
			err = e.refused // nobody is there who was not let in
		}
		if err != nil || e.opened.Session.ID == "" {
			return err
		}
		t.Data[dataSession] = e.opened.Session.ID
		return tx.Tickets.Note(ctx, t)
	})
	if err == nil {
		err = refused
	}
	failed := failure{site: a.Site.ID, name: p.Ticket.UserID, user: p.Ticket.UserID, method: otl.MethodMailLink}
	if err != nil && p.Added {
		failed.name, failed.user = "", "" // whoever was added is not there
	}
	if err != nil {
		return Proven{}, s.Second.Failures.note(ctx, failed, err)
	}
	from.UserID = p.Ticket.UserID
	e.client = a.Client
	p.Entered, err = s.Second.entered(e, nil)
	return p, s.Second.Failures.note(ctx, failed, err)
}

// spend uses up the link of a code that was given out without doing so; "" is none. The
// error is ErrLink where another code of the link, or the one beside it, was faster.
func spend(ctx context.Context, tx *store.Tx, id string, now time.Time) error {
	if id == "" {
		return nil
	}
	first, err := tx.Tickets.Spend(ctx, id, now)
	if err == nil && !first {
		err = ErrLink
	}
	return err
}

// requested reports whether a request id is the one a ticket is bound to, if it is
// bound to any.
func requested(t otl.Ticket, id string) bool {
	want := t.Data[dataRequest]
	if want == "" {
		return true
	}
	known, err := hex.DecodeString(want)
	return err == nil && secret.SameDigest(secret.Digest(id), known)
}

// kind says what the message is about: to whoever would create an account, that he has
// one, or that the address is to be confirmed.
func (r CodeRequest) kind(u otl.User) otl.MessageKind {
	switch {
	case !r.Opens:
		return otl.MessageSignIn
	case u.EmailVerifiedAt.IsZero():
		return otl.MessageVerify
	}
	return otl.MessageExisting
}
