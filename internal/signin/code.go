package signin

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Codes signs people in with one-time codes and links.
type Codes struct {
	Store    *store.Store
	Sessions *session.Sessions
	Second   *SecondStep
	Limits   *limit.Limits
	Messages *message.Messages
	Now      func() time.Time

	SMS  limit.SMS  // where SMS are sent (OT-20)
	Mail limit.Mail // how many mails a site sends (OT-19)

	Key       []byte // of the digests of codes; 32 bytes
	PublicURL string // links lead there, whatever a request calls the server (OT-12)

	TTL     time.Duration // how long a code is good
	LinkTTL time.Duration // how long a link is good
	Length  int           // digits
	Tries   int           // wrong guesses that make a code worthless
}

// Identifier names a person the way a site knows him.
type Identifier struct {
	Type  IdentifierType
	Value string
}

// IdentifierType says what an identifier is.
type IdentifierType string

// The types of identifiers (contract 3.3).
const (
	ByEmail    IdentifierType = "email"
	ByPhone    IdentifierType = "phone_number"
	ByUsername IdentifierType = "username"
	ByID       IdentifierType = "user_id"
)

// CodeRequest asks for a code to be sent to somebody.
type CodeRequest struct {
	Site    otl.Site
	Who     Identifier
	Channel otl.Channel
	To      string        // another address or number than the one on record; a code sent there proves neither, and is handed over (OT-22)
	TTL     time.Duration // 0 for the usual one
	Custom  string        // message.Custom as JSON
	Bound   bool          // make a request id, without which the code is no good
	Data    map[string]string
	// Client is the id of the client that alone can redeem what comes of it, "" for the
	// site itself, and Redirect where the browser goes afterwards, which the caller has
	// checked; "" where there is none.
	Client   string
	Redirect string
	// Known reports nobody as an error instead of seeming to send: for wires whose
	// contract has it so. It knows people of the site only.
	Known bool
	// Proven sends to a number only that its person has proven to hold: to any other it
	// seems to.
	Proven bool
	// Welcome, with Known, makes it anybody of the network, who joins the site by it. It is
	// called with who was found once nothing but that keeps the message from being sent,
	// and adds him where that was nobody; nil for people of the site alone.
	Welcome func(context.Context, otl.User) error
	// Newcomer, with Known, has a link go to the address of Who though it is that of none of the site's people, and
	// its code find who holds it, or add him (LinkAttempt.Add).
	Newcomer bool
	Opens    bool // the person is creating an account: the message says so
	// Quiet has it seem to be sent where only whoever is known where he is gets one: pages
	// would tell a neighbour who is signed in behind the same address (OT-10). Not with Known.
	Quiet bool
	// Joins has it sent to somebody with a session at the site though the site has switched
	// its way off: the proof can be added to the session (CodeAttempt.Join).
	Joins bool

	crosses  time.Time // until when a link sent before it for the same can be used
	withheld bool      // it only seems to be sent, as to everybody who is not known: Quiet, or the SMS of the day are used up
	invites  bool      // it goes to the address of a newcomer
}

// CodeSent is what became of a request.
type CodeSent struct {
	Code      secret.Text // by the channel direct only
	RequestID string
	ExpiresAt time.Time
}

// Errors of codes. What is shown for them differs between the wires.
var (
	ErrCode = &otl.Error{Kind: otl.Unauthenticated, Code: "code_invalid", Text: "The code is wrong, was used already or has expired."}
	// ErrCodeExpired and ErrCodeLocked are for wires that tell them from a wrong one.
	ErrCodeExpired = &otl.Error{Kind: otl.Unauthenticated, Code: "code_expired", Text: "The code has expired."}
	ErrCodeLocked  = &otl.Error{Kind: otl.Forbidden, Code: "code_locked", Text: "Too many wrong codes. Ask for a new one."}
	ErrDisabled    = &otl.Error{Kind: otl.Forbidden, Code: "user_disabled", Text: "The person is disabled."}
	ErrNoAddress   = &otl.Error{Kind: otl.NotFound, Code: "no_address", Text: "The person has no e-mail address that the site may see."}
	ErrNoPhone     = &otl.Error{Kind: otl.NotFound, Code: "no_phone", Text: "The person has no telephone number that the site may see."}
	ErrNumber      = limit.ErrNumber
	ErrNoDirect    = &otl.Error{Kind: otl.Forbidden, Code: "direct_refused", Text: "Codes of people who own sites, or hold the role admin, are not handed over."}
)

// Members of a ticket's data.
const (
	dataRequest = "request" // digest of the request id
	dataNumber  = "number"  // it was sent to by SMS
	dataProves  = "proves"  // address or number that using the ticket proves
)

// Send makes a code for somebody and sends it, or gives it to the caller by
// the channel direct. Without Known the answer, and the time it takes, is the same
// whether or not there is anybody (OT-10). The code before it is void (OT-04). A channel that
// the site has switched off is otl.ErrWay.
func (s *Codes) Send(ctx context.Context, r CodeRequest) (CodeSent, error) {
	if err := takes(ctx, s, r, r.way()); err != nil {
		return CodeSent{}, err
	}
	if err := r.Who.Check(); err != nil {
		return CodeSent{}, err
	}
	if err := s.Messages.Reaches(r.Channel); err != nil {
		return CodeSent{}, err
	}
	if number := r.typed(); r.Channel == otl.ChannelSMS && number != "" {
		if err := s.SMS.Reaches(ctx, r.Site.ID, number); err != nil { // the same for a number that nobody has
			return CodeSent{}, err
		}
	}
	m, to, err := s.receiver(ctx, &r)
	if err != nil {
		return CodeSent{}, err
	}
	u := m.User
	if r.Channel == otl.ChannelSMS && r.typed() == "" {
		if err := s.SMS.Open(ctx, r.Site.ID, to); errors.Is(err, limit.ErrNumber) || errors.Is(err, limit.ErrStopped) {
			if r.Known {
				return CodeSent{}, err
			}
			u = otl.User{} // the caller may not learn whose number it is
		} else if err != nil {
			return CodeSent{}, err
		}
	}
	if r.TTL == 0 {
		r.TTL = s.TTL
	}
	if r.Redirect != "" {
		r.Data = withData(r.Data, map[string]string{dataRedirect: r.Redirect, dataClient: r.Client})
	}
	return s.issue(ctx, r, u, to, nil, "")
}

// members reports whether what is asked for is for the site's own people alone. Whoever is handed somebody's code can be him
// at the site: any site could sign in anybody otherwise whom it knows the address of (D1).
func (r CodeRequest) members() bool {
	return r.Known && r.Welcome == nil || r.Channel == otl.ChannelDirect
}

// receiver gives the person something is for and where it goes, and counts it; nobody,
// where the caller may not know that there is nobody. His grant is there where only members are looked for. It notes
// what is withheld.
func (s *Codes) receiver(ctx context.Context, r *CodeRequest) (m store.Member, to string, err error) {
	m, err = s.find(ctx, r.Site, r.Who, r.members())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, "", err
	}
	if r.Proven && m.User.PhoneVerifiedAt.IsZero() {
		m.User = otl.User{} // nor does what is asked for count as sent to the number
	}
	if err := s.pace(ctx, *r, m.User); r.Quiet && errors.Is(err, limit.ErrWithheld) {
		m.User, r.withheld = otl.User{}, true
	} else if err != nil {
		return m, "", err
	}
	if r.Welcome != nil {
		if err := r.Welcome(ctx, m.User); err != nil {
			return m, "", err
		}
		if m, err = s.find(ctx, r.Site, r.Who, false); err != nil && !errors.Is(err, store.ErrNotFound) {
			return m, "", err
		}
	}
	if r.invites = r.newcomer(m.User, err); r.invites {
		return m, r.Who.Value, nil // as it is looked up, however it was written (OT-13)
	}
	if err != nil && r.Known {
		return m, "", otl.NoSuch("user")
	}
	if to, err = r.recipient(m.User, m.Grant); err != nil {
		return m, "", err
	}
	if !m.User.DisabledAt.IsZero() {
		if r.Known {
			return m, "", ErrDisabled
		}
		to = ""
	}
	if to == "" {
		m.User = otl.User{}
	}
	return m, to, nil
}

// way gives the way that a code is by its channel.
func (r CodeRequest) way() otl.Way {
	switch r.Channel {
	case otl.ChannelMail:
		return otl.WayCode
	case otl.ChannelSMS:
		return otl.WaySMS
	}
	return ""
}

// Check holds an identifier against the form its type has, and gives an address or a username the spelling by which it is compared.
func (i *Identifier) Check() error {
	switch i.Type {
	case ByEmail:
		e, err := otl.ParseEmail(i.Value)
		i.Value = e.Key
		return err
	case ByPhone:
		_, err := otl.ParsePhone(i.Value)
		return err
	case ByUsername:
		u, err := otl.ParseUsername(i.Value)
		i.Value = u.Key
		return err
	case ByID:
		return nil
	}
	return otl.InvalidField("identifier_type", "unknown_value", "must be email, phone_number, username or user_id")
}

// find gives the person an identifier names: anybody of the network, or one of the
// site's people for members. An id or a number names people of the site only: the
// one is known to nobody else, the other is not unique. A username, a number or an address names only those
// of its people who let it see that: it would learn whose it is of the others (ADR 57). Of somebody who was
// looked for in the network there is no grant. Whoever it is, it is one statement (OT-10).
func (s *Codes) find(ctx context.Context, site otl.Site, who Identifier, members bool) (m store.Member, err error) {
	read := s.Store.Read
	switch {
	case who.Type == ByPhone:
		m, err = read.Grants.MemberByPhone(ctx, site.ID, who.Value)
	case who.Type == ByUsername:
		m, err = read.Grants.MemberByUsername(ctx, site.ID, who.Value)
	case who.Type == ByEmail && members:
		m, err = read.Grants.MemberByEmail(ctx, site.ID, who.Value)
	case who.Type == ByEmail:
		m.User, err = read.Users.ByEmail(ctx, who.Value)
		return m, err
	case !secret.ValidID(who.Value):
		return m, store.ErrNotFound
	default:
		m, err = read.Grants.MemberByID(ctx, site.ID, who.Value)
	}
	return here(m), err
}

// here gives a member as his site has him: whom it suspended is disabled there.
func here(m store.Member) store.Member {
	if !m.Grant.SuspendedAt.IsZero() {
		m.User.DisabledAt = m.Grant.SuspendedAt
	}
	return m
}

// recipient gives where a code goes: what is on record, unless the caller named
// something else. It is "" where there is nothing and the caller may not know. Where he may, as a site of its
// people, what a person does not let it see is as missing as what he has not: it would learn that he has it.
func (r CodeRequest) recipient(u otl.User, g otl.Grant) (string, error) {
	var has string
	seen, missing := otl.FieldEmail, ErrNoAddress
	switch r.Channel {
	case otl.ChannelMail:
		has = u.Email.Address
		if r.To != "" {
			e, err := otl.ParseEmail(r.To)
			return e.Address, err
		}
	case otl.ChannelSMS:
		has, seen, missing = u.Phone, otl.FieldPhone, ErrNoPhone
		if r.To != "" {
			return otl.ParsePhone(r.To)
		}
	case otl.ChannelDirect:
		return u.ID, nil
	default:
		return "", otl.InvalidField("channel", "unknown_value", "must be email, sms or direct")
	}
	if r.Known && (has == "" || r.Welcome == nil && !g.Fields.Has(seen)) {
		return "", missing
	}
	return has, nil
}

// issue writes a ticket, known by the digest of its long secret, if it has one, and by a
// code, and the message that carries the code and the link, if there is one.
func (s *Codes) issue(ctx context.Context, r CodeRequest, u otl.User, to string, digest []byte, link string) (CodeSent, error) {
	now := s.Now()
	if u.ID == "" && !r.invites {
		to = ""
	}
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeSignIn, UserID: u.ID, Newcomer: r.invites, SiteID: r.Site.ID, Slot: r.slot(u), Channel: r.Channel,
		CreatedAt: now, ExpiresAt: now.Add(r.TTL), Data: map[string]string{},
	}
	for k, v := range r.Data {
		t.Data[k] = v
	}
	codeTTL := r.TTL
	if link != "" {
		codeTTL, t.CrossedUntil = min(s.TTL, r.TTL), r.crosses // OT-02, whatever the link has
		t.CodeUntil = now.Add(codeTTL)
	}
	if r.To == "" && r.Channel != otl.ChannelDirect {
		t.Data[dataProves] = to
	}
	if r.Channel == otl.ChannelSMS {
		t.Data[dataNumber] = to
	}
	sent := CodeSent{ExpiresAt: t.ExpiresAt}
	if r.Bound {
		sent.RequestID = secret.NewKey("otl_rq_").Reveal()
		t.Data[dataRequest] = hex.EncodeToString(secret.Digest(sent.RequestID))
	}
	newcomer := ""
	if r.invites {
		newcomer = "1"
	}
	code := secret.NewCode(s.Length)
	shown := code
	if link != "" && (!r.Site.Offers(otl.WayCode) || r.invites) {
		shown = "" // nobody knows the code beside the link
	}
	key := otl.RequestOf(ctx).SiteKeyID
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		u, to, t, r := u, to, t, r
		if r.Channel == otl.ChannelSMS {
			if sends, err := s.countSMS(ctx, tx, &r, u, to); err != nil {
				return err
			} else if !sends {
				u, to, t = otl.User{}, "", r.nobodys(t)
			}
		}
		if r.handsOver() && u.ID != "" {
			if err := s.handOver(ctx, tx, r, u, key); err != nil {
				return err
			}
		}
		if err := tx.Tickets.Insert(ctx, t, digest, s.codeDigest(t, code)); err != nil {
			return err
		}
		if r.Channel == otl.ChannelDirect {
			return nil
		}
		_, err := s.Messages.Queue(ctx, tx, message.Note{
			Kind: r.kind(u), Channel: r.Channel, To: to, UserID: u.ID, SiteID: r.Site.ID, Locale: u.Locale, Expires: t.ExpiresAt,
			Data: map[string]string{
				message.DataCode: shown, message.DataLink: link, message.DataMinutes: strconv.Itoa(int(codeTTL.Minutes())), message.DataLinkMinutes: strconv.Itoa(int(r.TTL.Minutes())), message.DataCustom: r.Custom, message.DataThread: message.Thread(r.conversation(t)),
				message.DataNewcomer: newcomer,
			},
		})
		return err
	})
	if r.Channel == otl.ChannelDirect {
		sent.Code = secret.NewText(code)
	}
	return sent, err
}

// handOver notes who was given whose code (OT-22). Codes of people who own sites, or manage the roles of this one,
// are given to nobody: whoever is handed one has what they may.
func (s *Codes) handOver(ctx context.Context, tx *store.Tx, r CodeRequest, u otl.User, key string) error {
	owns, err := tx.Businesses.Owns(ctx, u.ID)
	if err != nil {
		return err
	}
	g, err := tx.Grants.Of(ctx, u.ID, r.Site.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if owns || slices.Contains(g.Roles, otl.RoleAdmin) {
		return ErrNoDirect
	}
	return tx.Events.Append(ctx, s.event(otl.EventCodeHandedOver, u.ID, r.Site.ID, map[string]string{"site_key": key, "channel": string(r.Channel)}))
}

func (s *Codes) event(t otl.EventType, userID, siteID string, data map[string]string) otl.Event {
	now := s.Now()
	return otl.Event{ID: "evt_" + secret.NewID(now), Type: t, UserID: userID, SiteID: siteID, Data: data, CreatedAt: now}
}

func (s *Codes) codeDigest(t otl.Ticket, code string) []byte {
	return secret.CodeDigest(s.Key, code, t.ID, t.UserID, string(t.Purpose), t.SiteID)
}

// CodeAttempt is a code that somebody entered at a site.
type CodeAttempt struct {
	Site      otl.Site
	Who       Identifier
	Code      secret.Text
	RequestID string // needed where one was made
	Known     bool   // as in CodeRequest
	Client    string // id of the client that redeems it, "" for the site itself
	Join      string // id of a live session that the proof is added to; "" opens one
	Flow      string // id of the visit to the hosted pages it was mailed for; "" for none
	Door      *Door  // for a second step that may be due; nil where the wire has none
}

// Proven is a sign-in by a ticket.
type Proven struct {
	Entered
	Ticket otl.Ticket
	Added  bool // the person was not there before
}

// Verify signs a person in with a one-time code. Each guess is counted before it is
// looked at: by its code, which five wrong ones make worthless (OT-06), and by the
// person (OT-08). Whatever is wrong the error is ErrCode; on wires that may know
// people, ErrCodeExpired and ErrCodeLocked are told from it.
func (s *Codes) Verify(ctx context.Context, a CodeAttempt) (Proven, error) {
	u, err := a.whose(ctx, s)
	if err != nil {
		return Proven{}, err
	}
	var refused error
	var p Proven
	var e entrance
	from := otl.RequestOf(ctx)
	err = inOrder(ctx, s, func(ctx context.Context, tx *store.Tx, locked string) error {
		p, refused = Proven{}, nil
		var err error
		p.Ticket, err = s.guess(ctx, tx, u, a)
		if counted(err) {
			refused = err
			return nil
		}
		if err != nil {
			return err
		}
		e, err = s.enter(ctx, tx, entry{site: a.Site, door: a.Door, join: a.Join, by: a.Client, ticket: p.Ticket, method: methodOf(p.Ticket), locked: locked}, from)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Proven{}, s.Second.Failures.note(ctx, a.failure(u.ID, err), a.shown(err))
	}
	from.UserID = u.ID
	e.client = a.Client
	p.Entered, err = s.Second.entered(e, nil)
	return p, s.Second.Failures.note(ctx, a.failure(u.ID, err), err)
}

// shown gives the error as the wire may show it.
func (a CodeAttempt) shown(err error) error {
	if !a.Known && (errors.Is(err, ErrCodeExpired) || errors.Is(err, ErrCodeLocked) || errors.Is(err, ErrDisabled) || errors.Is(err, ErrHeld) || errors.Is(err, ErrUnproven)) {
		return ErrCode
	}
	return err
}

// methodOf gives what the code of a ticket shows. One that went where the caller said
// shows no more than one he was given.
func methodOf(t otl.Ticket) otl.Method {
	switch {
	case t.Data[dataProves] == "":
	case t.Channel == otl.ChannelMail:
		return otl.MethodMailCode
	case t.Channel == otl.ChannelSMS:
		return otl.MethodSMS
	}
	return otl.MethodDirect
}
