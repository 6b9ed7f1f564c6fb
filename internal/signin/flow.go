package signin

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Flows leads a browser from what a site asked for to the site's callback URL: who is
// he, what may the site see, and a code that the site exchanges. The pages show what a
// flow says is next and decide nothing.
type Flows struct {
	Store      *store.Store
	Sessions   *session.Sessions
	SignIn     *SignIn
	Second     *SecondStep
	Codes      *Codes
	Limits     *limit.Limits
	Now        func() time.Time
	Issuer     string // public URL of the installation
	FirstParty string // id of the installation's own site
	Subjects   session.Subjects

	Pushes *limit.Pace // of requests sent ahead, of each client; nil for none
}

// Members of the data of the ticket at the end of a flow.
const (
	dataChallenge = "challenge"
	dataHolder    = "holder"  // the browser session it came from
	dataSession   = "session" // the session it opened
	dataIP        = "ip"
	dataAgent     = "user_agent"
	dataDevice    = "device" // digest of the token of a trusted device, in hexadecimal
	dataMore      = "more_"  // begins what the wire that began the flow added
)

// Members of Asked.More that the session keeps: its scope, and the claims asked for by name.
const (
	MoreScope  = "scope"
	MoreClaims = "claims"
	MoreKey    = "dpop_jkt" // the key that the code is bound to, "" for none
)

// Next is what a visit needs next.
type Next string

// The steps, in the order they come.
const (
	StepSignIn  Next = "signin"  // the person is to prove who he is
	StepLeaving Next = "leaving" // he asked for his account to be deleted: he is to take that back, or goes no further
	StepChoose  Next = "choose"  // he is to say as whom he goes on
	StepBarred  Next = "barred"  // the site has suspended him: he can only go back
	StepSecond  Next = "second"  // the site demands a second factor
	StepSetUp   Next = "set_up"  // he has none, or wants another, and is to set one up
	StepConsent Next = "consent" // he is to say what the site may see
	StepDone    Next = "done"    // the browser can go back
)

// Visit is a flow with the site it is for and with whom the browser is signed in as.
type Visit struct {
	otl.Flow
	Site   otl.Site
	Who    session.Browser
	beside []session.Browser // what the browser holds beside it, whose place goes with its own

	subjects session.Subjects
}

// Known reports whether the browser is signed in.
func (v Visit) Known() bool { return v.Who.Session.ID != "" }

// other reports whether the site asked for somebody else than who is signed in.
func (v Visit) other() bool {
	return v.Asked.Person != "" && v.subjects.Of(otl.Client{SiteID: v.Site.ID, SubjectType: v.Asked.Subject}, v.Who.User.ID) != v.Asked.Person
}

// proven reports whether who is signed in has proven himself on our own pages since the
// site asked.
func (v Visit) proven() bool {
	return v.Who.Session.HandedBy == "" && !v.Who.Session.AuthAt.Before(v.CreatedAt)
}

// open reports whether the person has not said yet, since the site asked, as whom he goes on.
func (v Visit) open() bool { return v.Progress.Chosen.IsZero() && !v.proven() }

// hinted reports whether the site expects somebody with another address than who is signed
// in has (login_hint). A site that may not see his address learns nothing about it by a page
// in between (D1), and where no page may be shown a hint counts for nothing.
func (v Visit) hinted(g otl.Grant) bool {
	if v.Asked.Silent || v.Asked.Hint == "" || v.Who.Session.HandedBy != "" || v.Who.User.Email.Key == "" || g.Live() && !g.Fields.Has(otl.FieldEmail) {
		return false
	}
	hint, err := otl.ParseEmail(v.Asked.Hint)
	return err == nil && hint.Key != v.Who.User.Email.Key
}

// Wrong reports whether somebody else than the site asked for was signed in before it
// did: whom it asked for can still sign in.
func (v Visit) Wrong() bool { return v.Known() && v.other() && !v.proven() }

// demanding gives the site of a visit with the second factor it asked for this time, of
// somebody who has some roles there: a wish never asks for less than the site's rule. No browser that he trusts stands in
// for it where he lets another device in, which nobody trusts.
func (v Visit) demanding(roles []string) otl.Site {
	s := v.Site
	if v.Asked.Mode == ModeDevice {
		s.TrustDays = 0
	}
	switch {
	case v.Asked.Factors < 2:
	case !v.Asked.Wish:
		s.MFA = otl.MFARequired
	case !s.Demands(roles):
		s.MFA = otl.MFAWished
	}
	return s
}

const (
	flowPrefix    = "fl_"
	browserPrefix = "otl_fb_"
	flowTTL       = 30 * time.Minute
	nonceSize     = 32 // bytes
)

// Errors of flows.
var (
	// ErrFlow is the answer to a flow that is unknown, over, or another browser's.
	ErrFlow = &otl.Error{Kind: otl.NotFound, Code: "flow_unknown", Text: "This took too long or was begun in another browser. Start again at the site."}
	// ErrRedirect is the answer to a callback URL that is not registered, to the letter.
	ErrRedirect = &otl.Error{Kind: otl.Invalid, Code: "redirect_not_registered", Text: "is not one of the callback URLs registered for this site", Field: "redirect_uri"}
	// ErrSite is the answer to a request on behalf of a site that there is not.
	ErrSite = &otl.Error{Kind: otl.Invalid, Code: "site_unknown", Text: "No such site.", Field: "site"}
)

// NewBrowser makes the value of the cookie that binds flows to a browser.
func NewBrowser() secret.Text { return secret.NewKey(browserPrefix) }

// ValidBrowser reports whether a cookie has the form of those made here.
func ValidBrowser(v secret.Text) bool {
	_, ok := secret.CheckKey(browserPrefix, v.Reveal())
	return ok
}

// Partner gives a partner site. The error is ErrSite.
func (s *Flows) Partner(ctx context.Context, id string) (otl.Site, error) {
	if !secret.ValidID(id) {
		return otl.Site{}, ErrSite
	}
	site, err := s.Store.Read.Sites.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && site.FirstParty {
		return otl.Site{}, ErrSite
	}
	return site, err
}

// Site gives the site a browser is sent from and reports with ErrSite or ErrRedirect,
// before anything is believed of the request, that there is none or that the address
// is none of its own (OA-02, OA-03).
func (s *Flows) Site(ctx context.Context, id, redirect string) (otl.Site, error) {
	site, err := s.Partner(ctx, id)
	if err != nil {
		return otl.Site{}, err
	}
	if site.CallbackURLs, err = s.Store.Read.Sites.Callbacks(ctx, id); err != nil {
		return otl.Site{}, err
	}
	if !slices.Contains(site.CallbackURLs, redirect) {
		return site, ErrRedirect
	}
	return site, nil
}

// Home gives the installation's own site, for visits on nobody else's behalf.
func (s *Flows) Home(ctx context.Context) (otl.Site, error) {
	return s.Store.Read.Sites.ByID(ctx, s.FirstParty)
}

// Begin starts a flow in a browser for what a site asked, which the caller has checked.
func (s *Flows) Begin(ctx context.Context, site otl.Site, browser secret.Text, a otl.Asked) (otl.Flow, error) {
	now := s.Now()
	if err := s.Limits.Take(ctx, limit.From(ctx, limit.Flows)); err != nil {
		return otl.Flow{}, err
	}
	f := otl.Flow{
		ID: secret.NewKey(flowPrefix).Reveal(), Browser: secret.Digest(browser.Reveal()), SiteID: site.ID, Asked: a,
		Progress: seen(ctx), Nonce: secret.Bytes(nonceSize), CreatedAt: now, ExpiresAt: now.Add(flowTTL),
	}
	f.Progress.Name = a.Hint
	return f, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Insert(ctx, f) })
}

// Visit gives a flow to the browser it belongs to, with whom its session cookie says
// it is signed in as. The error is ErrFlow.
func (s *Flows) Visit(ctx context.Context, id string, browser secret.Text, held []secret.Text) (Visit, error) {
	f, err := s.live(ctx, id)
	if err != nil {
		return Visit{}, err
	}
	if !isOf(f, browser) || f.Asked.Mode == ModeLogout {
		return Visit{}, ErrFlow
	}
	v := Visit{Flow: f}
	if v.Site, err = s.Store.Read.Sites.ByID(ctx, f.SiteID); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = ErrFlow
		}
		return v, err
	}
	otl.RequestOf(ctx).SiteID = f.SiteID
	return Rivals{s}.With(ctx, v, held)
}

// supersede ends every session that the browser of a visit holds: another one takes their
// place, with id and cookie of its own (SE-04).
func supersede(ctx context.Context, tx *store.Tx, sessions *session.Sessions, v Visit) error {
	if v.Known() {
		if err := sessions.Supersede(ctx, tx, v.Who); err != nil {
			return err
		}
	}
	return sessions.Supersede(ctx, tx, v.beside...)
}

func (s *Flows) live(ctx context.Context, id string) (otl.Flow, error) {
	if _, ok := secret.CheckKey(flowPrefix, id); !ok {
		return otl.Flow{}, ErrFlow
	}
	f, err := s.Store.Read.Flows.Live(ctx, id, s.Now())
	if errors.Is(err, store.ErrNotFound) {
		err = ErrFlow
	}
	return f, err
}

// Next gives what a visit needs before the browser can go back.
func (s *Flows) Next(ctx context.Context, v Visit) (Next, error) {
	if !v.Known() || !s.fresh(v) || v.Wrong() || !v.Site.Offers(v.Who.Session.Methods.Way()) {
		return StepSignIn, nil
	}
	if v.other() {
		return StepDone, nil // and the site is told that it is somebody else
	}
	if !v.Who.User.DeleteAt.IsZero() {
		return StepLeaving, nil
	}
	if v.Asked.Choose && v.open() {
		return StepChoose, nil
	}
	if v.Site.FirstParty && v.Asked.Factors < 2 {
		return StepDone, nil
	}
	g, err := s.Store.Read.Grants.Of(ctx, v.Who.User.ID, v.Site.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return StepSignIn, err
	}
	if !g.SuspendedAt.IsZero() {
		return StepBarred, nil
	}
	if v.hinted(g) && v.open() {
		return StepChoose, nil
	}
	_, offers, err := s.Second.Factors.Admit(ctx, s.Store.Read, store.Standing{User: v.Who.User, Site: v.demanding(g.Roles), Grant: g}, v.Who.Session.Methods, otl.RequestOf(ctx).Device)
	switch none := errors.Is(err, factor.ErrEnrolment); {
	case none && !v.Site.FirstParty, (none || err == nil && len(offers) == 0) && (v.Asked.SetUp || v.Progress.Wants) && v.Progress.SetUp.IsZero():
		return v.setUp(s.Now()), nil
	case none: // to prove, on our own pages
	case err != nil:
		return StepSignIn, err
	case len(offers) > 0:
		return StepSecond, nil
	}
	if v.Site.FirstParty {
		return StepDone, nil
	}
	if v.Asked.Consent && v.Progress.Agreed.IsZero() || consentDue(v.Site, g) {
		if v.Who.Session.HandedBy != "" {
			return StepSignIn, nil // the site that handed it over may hold it as well (D2)
		}
		return StepConsent, nil
	}
	return StepDone, nil
}

// fresh reports whether the person proved himself to us as lately as the site asks.
func (s *Flows) fresh(v Visit) bool {
	if v.Asked.MaxAge == 0 || v.proven() {
		return true
	}
	at := v.Who.Session
	return v.Asked.MaxAge > 0 && at.HandedBy == "" && s.Now().Sub(at.AuthAt) <= time.Duration(v.Asked.MaxAge)*time.Second
}

// consentDue reports whether a site asks for something its person has not decided on.
func consentDue(site otl.Site, g otl.Grant) bool {
	return !g.Live() || len(site.Lacks(g.Fields)) > 0 || slices.ContainsFunc(site.Requested, func(f otl.Field) bool { return !g.Fields.Has(f) && !g.Asked.Has(f) })
}

// Chosen notes that the person goes on as whom the browser is signed in as.
func (s *Flows) Chosen(ctx context.Context, v Visit) (Visit, error) {
	v.Progress.Chosen = s.Now()
	return v, s.save(ctx, v)
}

// Agreed notes that the person decided what the site may see.
func (s *Flows) Agreed(ctx context.Context, v Visit) (Visit, error) {
	v.Progress.Agreed = s.Now()
	return v, s.save(ctx, v)
}

// save keeps how far a visit has come, and the flow alive.
func (s *Flows) save(ctx context.Context, v Visit) error {
	v.ExpiresAt = s.Now().Add(flowTTL)
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Save(ctx, v.Flow) })
}

// redeemable is how long the code at the end of a flow is good (OA-05).
const redeemable = time.Minute

// Finish ends a flow whose next step is StepDone and gives where the browser goes: to
// the site with a code, or to a page of our own. The error is ErrFlow for one that
// ended already.
func (s *Flows) Finish(ctx context.Context, v Visit) (Answer, error) {
	if v.other() {
		return s.Refuse(ctx, v, "login_required")
	}
	if v.Asked.Mode == ModeDevice {
		return Answer{To: "/device/confirm?f=" + url.QueryEscape(v.ID)}, nil // where the last question is asked
	}
	code, t := s.ticket(ctx, v)
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Flows.Finish(ctx, v.ID, s.Now())
		if err == nil && !first {
			err = ErrFlow
		}
		if err != nil || v.Asked.Redirect == "" {
			return err
		}
		return tx.Tickets.Insert(ctx, t, secret.Digest(code), nil)
	})
	if v.Asked.Redirect == "" {
		return Answer{To: v.Asked.Return}, err
	}
	return s.Back(v.Asked, "code", code), err
}

// Straight gives where a browser goes at once that is signed in and of which nothing is
// to be asked: then there is no flow, and the step is StepDone. Any other step says what
// there is to ask.
func (s *Flows) Straight(ctx context.Context, site otl.Site, held []secret.Text, a otl.Asked) (Answer, Next, error) {
	begun := s.Now().Add(time.Millisecond) // nobody has proven himself for it yet
	v := Visit{Flow: otl.Flow{Asked: a, Progress: seen(ctx), CreatedAt: begun}, Site: site}
	v, err := Rivals{s}.With(ctx, v, held)
	if err != nil {
		return Answer{}, StepSignIn, err
	}
	step, err := s.Next(ctx, v)
	if err != nil || step != StepDone {
		return Answer{}, step, err
	}
	code, t := s.ticket(ctx, v)
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tickets.Insert(ctx, t, secret.Digest(code), nil)
	})
	return s.Back(a, "code", code), StepDone, err
}

// ticket makes the code at the end of a visit and what is kept of it.
func (s *Flows) ticket(ctx context.Context, v Visit) (string, otl.Ticket) {
	now := s.Now()
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeFlow, UserID: v.Who.User.ID, SiteID: v.Site.ID, CreatedAt: now, ExpiresAt: now.Add(redeemable),
		Data: map[string]string{
			dataRedirect: v.Asked.Redirect, dataChallenge: v.Asked.Challenge, dataClient: v.Asked.Client, dataHolder: v.Who.Session.ID,
			dataIP: v.Progress.IP, dataAgent: v.Progress.Agent, dataDevice: hex.EncodeToString(otl.RequestOf(ctx).Device),
		},
	}
	for k, more := range v.Asked.More {
		t.Data[dataMore+k] = more
	}
	t.Slot = t.ID
	return secret.NewKey("otl_ac_").Reveal(), t
}

// seen gives what is known of the browser of a request.
func seen(ctx context.Context) otl.Progress {
	from := otl.RequestOf(ctx)
	p := otl.Progress{Agent: userAgent(from)}
	if from.Client.IsValid() {
		p.IP = from.Client.String()
	}
	return p
}

// Refuse ends a flow on behalf of the person and gives where the browser goes: to the
// site with an error of RFC 6749 section 4.1.2.1.
func (s *Flows) Refuse(ctx context.Context, v Visit, word string) (Answer, error) {
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if first, err := tx.Flows.Finish(ctx, v.ID, s.Now()); err != nil || !first {
			if err == nil {
				err = ErrFlow
			}
			return err
		}
		return nil
	})
	if v.Asked.Redirect == "" {
		return Answer{To: "/"}, err
	}
	return s.Back(v.Asked, "error", word), err
}

// CheckChallenge refuses a request without a challenge of S256 (OA-04, decision D13).
func CheckChallenge(challenge, method string) error {
	if challenge == "" {
		return otl.InvalidField("code_challenge", "required", "is missing: this server asks for PKCE with S256 (RFC 7636)")
	}
	if method != "S256" {
		return otl.InvalidField("code_challenge_method", "unknown_value", "must be S256")
	}
	if len(challenge) != 43 || strings.Trim(challenge, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return otl.InvalidField("code_challenge", "bad_challenge", "must be the SHA-256 of the verifier in base64url, 43 characters")
	}
	return nil
}

// Wish reads the levels that a client would like, the preferred first (acr_values, OpenID
// Connect Core section 3.1.2.1): "2" has people asked for a second factor who have one, what
// nobody knows is passed over. It changes nothing where two factors are demanded.
func Wish(a *otl.Asked, levels ...string) {
	i := slices.IndexFunc(levels, func(one string) bool { return one == "1" || one == "2" })
	if i >= 0 && levels[i] == "2" && a.Factors < 2 {
		a.Factors, a.Wish = 2, true
	}
}

// Prune deletes flows that expired, which nobody can go on with, and waiting devices that
// did so a day ago.
func (s *Flows) Prune(ctx context.Context) error {
	return s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		n, err := tx.Flows.Prune(ctx, s.Now(), store.Batch)
		if err != nil {
			return n, err
		}
		more, err := tx.DeviceGrants.Prune(ctx, s.Now().Add(-24*time.Hour), store.Batch)
		return max(n, more), err
	})
}

// Minutes gives a time in whole minutes, at least one, for people to read.
func Minutes(d time.Duration) string {
	return strconv.Itoa(max(int((d+time.Minute-1)/time.Minute), 1))
}
