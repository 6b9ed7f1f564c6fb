package signin

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// A session token is what a site's server is given for a person who proved himself to
// it by his password. It stands for that proof; to be signed in the person's browser
// presents it here, within two minutes, once (contract 2.6 and 2.8).

// SessionTokenTTL is how long a session token is good.
const SessionTokenTTL = 2 * time.Minute

// maxOrigins bounds the origins of one session token.
const maxOrigins = 20

// Errors of session tokens.
var (
	// ErrSessionToken is the answer to a session token that is unknown or expired, or
	// whose person can no longer sign in, or whose client was revoked.
	ErrSessionToken = &otl.Error{Kind: otl.Unauthenticated, Code: "session_token_invalid", Text: "Session token is invalid or has expired"}
	// ErrSessionTokenUsed is the answer to a session token that was used already.
	ErrSessionTokenUsed = &otl.Error{Kind: otl.Unauthenticated, Code: "session_token_used", Text: "Session token was used already"}
	// ErrOrigin is the answer to a page whose origin the site did not name.
	ErrOrigin = &otl.Error{Kind: otl.Unauthenticated, Code: "origin_not_allowed", Text: "Origin is not allowed for this session token"}
	// ErrOther is the answer where the browser is signed in as somebody else.
	ErrOther = &otl.Error{Kind: otl.Forbidden, Code: "other_user_signed_in", Text: "Another user is signed in in this browser"}
)

// Handover says what a session token is for.
type Handover struct {
	Origins  []string // of the pages that present it; none for any form and no script
	ReturnTo string   // where the browser goes afterwards, "" for our own pages
}

// Members of the data of a session token's ticket, beside those of its proof. They are
// those of a step too, where one comes first.
const (
	dataOrigins = "origins"
	dataReturn  = "return_to"
)

// with gives data with what is kept of it until the browser comes.
func (h Handover) with(data map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, data)
	out[dataOrigins], out[dataReturn] = strings.Join(h.Origins, " "), h.ReturnTo
	return out
}

// HandoverOf reads it from the data of a second step that came first.
func HandoverOf(data map[string]string) Handover {
	return Handover{Origins: strings.Fields(data[dataOrigins]), ReturnTo: data[dataReturn]}
}

// With gives it with further origins.
func (h Handover) With(origins []string) Handover {
	h.Origins = slices.Clone(h.Origins)
	for _, o := range origins {
		if !slices.Contains(h.Origins, o) {
			h.Origins = append(h.Origins, o)
		}
	}
	return h
}

// CheckOrigins checks the origins a site names, each of them as browsers send it.
func CheckOrigins(member string, origins []string) error {
	if len(origins) > maxOrigins {
		return otl.InvalidField(member, "too_many", "must be at most 20 origins")
	}
	for _, o := range origins {
		if err := otl.CheckOrigin(member, o); err != nil {
			return err
		}
	}
	return nil
}

// SessionToken is a session token, or the second step that comes before it.
type SessionToken struct {
	store.Standing             // of person, site and grant; there is no session
	Token          secret.Text // 40 hexadecimal characters
	ExpiresAt      time.Time
	Step           *Pending
}

// HandOver gives a session token for somebody who has proven who he is, or begins the
// second step that is due. No session is opened. The errors are those of Enter.
func (s *SecondStep) HandOver(ctx context.Context, p Proved, d Door, h Handover) (SessionToken, error) {
	var out SessionToken
	var refused error
	from := otl.RequestOf(ctx)
	err := s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		out, refused, err = s.handOver(ctx, tx, p, d, h, from)
		return err
	})
	if err == nil {
		err = refused
	}
	return out, s.Failures.note(ctx, p.failure(), err)
}

// CompleteHandOver checks a second factor and gives the session token the step was for, or begins one more
// step, which keeps the data of the door as this one did. Pages of further origins may present the token. The errors are
// those of Verify, and nobody stands in what is given with them; and those of HandOver, of whoever stands in it.
func (s *SecondStep) CompleteHandOver(ctx context.Context, sp StepProof, origins []string) (SessionToken, map[string]string, error) {
	var out SessionToken
	var data map[string]string
	var p Proved
	var refused error
	from := otl.RequestOf(ctx)
	err := s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		out = SessionToken{}
		if p, data, err = s.verify(ctx, tx, sp); err != nil {
			refused, err = factor.Refused(err)
			return err
		}
		from.UserID = p.User.ID
		d := sp.Door
		d.Data = data
		out, refused, err = s.handOver(ctx, tx, p, d, HandoverOf(data).With(origins), from)
		if out.User.ID == "" { // refused
			out.Standing = p.Standing
		}
		return err
	})
	if err == nil {
		err = refused
	}
	return out, data, s.Failures.note(ctx, sp.failure(p), err)
}

// handOver is HandOver within a transaction; a refusal, of which what was written is kept, comes apart from errors.
func (s *SecondStep) handOver(ctx context.Context, tx *store.Tx, p Proved, d Door, h Handover, from *otl.Request) (out SessionToken, refused, err error) {
	_, offers, no, err := s.pass(ctx, tx, &p, from)
	if err != nil || no != nil {
		return out, no, err
	}
	if len(offers) > 0 {
		d.Data = h.with(d.Data)
		out.Standing = p.Standing
		out.Step, err = s.begin(ctx, tx, p, d, offers)
		return out, nil, err
	}
	if err := s.came(ctx, tx, &p); err != nil {
		return out, nil, err
	}
	if err := grant(ctx, tx, s, &p); err != nil {
		return out, nil, err
	}
	if ok, err := returns(ctx, tx, p.Site.ID, h); err != nil {
		return out, nil, err
	} else if !ok {
		h.ReturnTo = ""
	}
	out, err = hand(ctx, tx, p, d.Client, h, s.Now())
	return out, nil, err
}

// hand writes a session token for a client.
func hand(ctx context.Context, tx *store.Tx, p Proved, client string, h Handover, now time.Time) (SessionToken, error) {
	token := hex.EncodeToString(secret.Bytes(20))
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeHandover, UserID: p.User.ID, SiteID: p.Site.ID, Data: h.with(p.pack()), CreatedAt: now, ExpiresAt: now.Add(SessionTokenTTL),
	}
	t.Slot, t.Data[stepClient] = t.ID, client
	for _, o := range h.Origins {
		if err := tx.Origins.Announce(ctx, o, t.ExpiresAt); err != nil {
			return SessionToken{}, err
		}
	}
	return SessionToken{Standing: p.Standing, Token: secret.NewText(token), ExpiresAt: t.ExpiresAt}, tx.Tickets.Insert(ctx, t, secret.Digest(token), nil)
}

// returns reports whether a browser may be sent where a site would like it to go: to
// an address that is registered, or to a page of an origin that is the site's or that
// it named. Anywhere else would make this server a way to anywhere (OA-07).
func returns(ctx context.Context, tx *store.Tx, siteID string, h Handover) (bool, error) {
	if bad := otl.CheckCallbackURL(dataReturn, h.ReturnTo); bad != nil {
		return false, nil //nolint:nilerr // it is nowhere to go
	}
	origin := originOf(h.ReturnTo)
	if slices.Contains(h.Origins, origin) {
		return true, nil
	}
	if ok, err := tx.Origins.Allows(ctx, siteID, origin); ok || err != nil {
		return ok, err
	}
	all, err := tx.Sites.Callbacks(ctx, siteID)
	if err != nil {
		return false, err
	}
	if slices.Contains(all, h.ReturnTo) {
		return true, nil
	}
	clients, err := tx.Clients.OfSite(ctx, siteID)
	return slices.ContainsFunc(clients, func(c otl.Client) bool { return c.Redirects(h.ReturnTo) }), err
}

// originOf gives the origin of a URL, "" where there is none.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Presented is a session token as a browser presents it.
type Presented struct {
	Token  secret.Text
	Origin string        // of the page that does, "" where nobody said
	Script bool          // it is a script that does, not a form
	Back   bool          // it was presented before, and the browser came back by itself
	Held   []secret.Text // the cookies that may hold the browser session there is
	Switch string        // id of whom the person wants to be signed in as in the place of another, "" for nobody
}

// Handed is what a session token that a browser presents comes to.
type Handed struct {
	session.Browser          // opened by Arrive
	Person          otl.User // of the token
	From            otl.Site // that handed it over
	ReturnTo        string   // "" for our own pages
	Across          bool     // the site named origins
	Was             session.Browser

	held []session.Browser // every session that the browser holds
}

// Announced reports whether a session token that is good, or was a moment ago, names an
// origin: what a browser asks before its page's script presents one.
func (s *SecondStep) Announced(ctx context.Context, origin string) (bool, error) {
	return s.Store.Read.Origins.Announced(ctx, origin, s.Now())
}

// Present looks at a session token and uses nothing up. The errors are ErrSessionToken,
// ErrSessionTokenUsed and ErrOrigin.
func (s *SecondStep) Present(ctx context.Context, p Presented) (Handed, error) {
	digest := secret.Digest(p.Token.Reveal())
	t, err := s.Store.Read.Tickets.Live(ctx, otl.PurposeHandover, digest, s.Now())
	if errors.Is(err, store.ErrNotFound) {
		return Handed{}, noLonger(ctx, s.Store.Read, digest)
	}
	if err != nil {
		return Handed{}, err
	}
	otl.RequestOf(ctx).SiteID, otl.RequestOf(ctx).UserID = t.SiteID, t.UserID
	h := HandoverOf(t.Data)
	if !p.Back && !h.from(p) {
		return Handed{}, ErrOrigin
	}
	a := Handed{ReturnTo: h.ReturnTo, Across: len(h.Origins) > 0}
	if err := stands(ctx, s.Store.Read, t.Data[stepClient]); err != nil {
		return Handed{}, err
	}
	if a.From, err = s.Store.Read.Sites.ByID(ctx, t.SiteID); err == nil {
		a.Person, err = s.Store.Read.Users.ByID(ctx, t.UserID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return a, ErrSessionToken
	}
	if err != nil {
		return a, err
	}
	if a.held, err = s.Sessions.Browsers(ctx, p.Held...); err == nil && len(a.held) > 0 {
		a.Was = a.held[0]
	}
	return a, err
}

// stands is ErrSessionToken where the client that a token was handed to was revoked (SE-13).
func stands(ctx context.Context, tx *store.Tx, client string) error {
	if client == "" {
		return nil // of before it was kept
	}
	_, _, _, err := tx.Clients.ByID(ctx, client)
	if errors.Is(err, store.ErrNotFound) {
		return ErrSessionToken
	}
	return err
}

// noLonger gives the error for a session token that is not good: it was used, or there
// is none.
func noLonger(ctx context.Context, tx *store.Tx, digest []byte) error {
	switch _, err := tx.Tickets.Spent(ctx, otl.PurposeHandover, digest); {
	case errors.Is(err, store.ErrNotFound):
		return ErrSessionToken
	case err != nil:
		return err
	}
	return ErrSessionTokenUsed
}

// from reports whether a page may present a token: a script only of an origin that was
// named, a form of any where none was. Programs that are no browsers name no origin.
func (h Handover) from(p Presented) bool {
	if p.Origin == "" || !p.Script && len(h.Origins) == 0 {
		return true
	}
	return slices.Contains(h.Origins, p.Origin)
}

// Arrive uses a session token up and opens the browser session. What there was of the
// same person ends, as at every new sign-in (SE-04); that of somebody else only if that
// is what the person wants (AD-02). The errors are those of Present, ErrOther,
// ErrSecondStep, and otl.ErrWay, by which the token stays good.
func (s *SecondStep) Arrive(ctx context.Context, p Presented) (Handed, error) {
	a, err := s.Present(ctx, p)
	if err != nil {
		return a, err
	}
	if a.Was.Session.ID != "" && a.Was.User.ID != a.Person.ID && p.Switch != a.Person.ID {
		return a, ErrOther
	}
	from := otl.RequestOf(ctx)
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		digest := secret.Digest(p.Token.Reveal())
		t, err := tx.Tickets.Use(ctx, otl.PurposeHandover, digest, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			return noLonger(ctx, tx, digest)
		}
		if err != nil {
			return err
		}
		a.Browser, err = s.arrive(ctx, tx, t, a, from)
		return err
	})
	if errors.Is(err, ErrStep) {
		err = ErrSessionToken // disabled, or given another password, meanwhile
	}
	return a, err
}

func (s *SecondStep) arrive(ctx context.Context, tx *store.Tx, t otl.Ticket, a Handed, from *otl.Request) (b session.Browser, err error) {
	home, err := tx.Sites.ByID(ctx, s.Home)
	if err != nil {
		return b, err
	}
	p, err := s.proved(ctx, tx, t, home)
	if err == nil {
		err = stands(ctx, tx, t.Data[stepClient])
	}
	if err == nil {
		err = a.From.Opens(p.Methods.Way()) // switched off since it was handed over
	}
	if err != nil {
		return b, err
	}
	pass, offers, err := s.Factors.Admit(ctx, tx, p.Standing, p.Methods, from.Device)
	if err == nil && len(offers) > 0 {
		err = ErrSecondStep
	}
	if err != nil {
		return b, err
	}
	if err := s.came(ctx, tx, &p); err != nil {
		return b, err
	}
	if err := s.Sessions.Supersede(ctx, tx, a.held...); err != nil {
		return b, err
	}
	p.Session.HandedBy = t.SiteID
	return s.Sessions.OpenBrowser(ctx, tx, p.Standing, pass, from)
}

// LogOut ends the sessions of a person at a site, and the browser sessions that the
// site's session tokens opened; those he opened himself stay (decision D2).
func (s *SecondStep) LogOut(ctx context.Context, siteID, userID string) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := s.Sessions.EndAll(ctx, tx, userID, siteID, "", otl.EndAdmin)
		return err
	})
}
