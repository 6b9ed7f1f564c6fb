package signin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Arrivals lets people in who prove who they are on the pages of a visit.
type Arrivals struct{ *Flows }

// Arrival is what a proof in a browser comes to: a session the browser holds, or the
// second step that is due.
type Arrival struct {
	Browser session.Browser
	Step    *Pending
	Device  secret.Text   // token of a device that is trusted from now on, if that was asked for
	Trusts  time.Duration // how long it is
}

// door is a visit as a place where people come in.
func (v Visit) door() Door { return Door{Name: "pages", Client: v.ID} }

// Password proves who somebody is with what he calls himself and his password. The
// errors are those of SignIn.Prove.
func (s Arrivals) Password(ctx context.Context, v Visit, name string, password secret.Text) (Arrival, error) {
	if err := v.Site.Opens(otl.WayPassword); err != nil {
		return Arrival{}, err
	}
	home, err := s.Home(ctx)
	if err != nil {
		return Arrival{}, err
	}
	p, err := s.SignIn.Prove(ctx, Named(home, name, password))
	if err == nil {
		err = Tries(s).Named(ctx, v, name)
	}
	if err != nil {
		return Arrival{}, err
	}
	return s.admit(ctx, v, p)
}

// admit opens a session that the browser holds for somebody who has proven who he is,
// or begins the second step that is due.
func (s Arrivals) admit(ctx context.Context, v Visit, p Proved) (Arrival, error) {
	step, err := s.Second.Begin(ctx, p, v.door())
	if err != nil || step != nil {
		return Arrival{Step: step}, err
	}
	b, err := s.Second.Open(ctx, p)
	if err == nil && v.Known() {
		err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return supersede(ctx, tx, s.Sessions, v) })
	}
	return Arrival{Browser: b}, err
}

// Look gives the second step under way in a visit, with what can be used for it. The
// error is ErrStep.
func (s Arrivals) Look(ctx context.Context, v Visit, token secret.Text) (Pending, error) {
	step, _, err := s.step(ctx, v, token)
	return step, err
}

// step gives a step of a visit and the site it is for: our own, or the one the visit
// is for where that demands more than the browser's session is.
func (s Arrivals) step(ctx context.Context, v Visit, token secret.Text) (Pending, otl.Site, error) {
	t, err := s.Store.Read.Tickets.Live(ctx, otl.PurposeStep, secret.Digest(token.Reveal()), s.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && (!mine(t, t.SiteID, v.door()) || t.Tries >= s.Second.Tries) {
		return Pending{}, otl.Site{}, ErrStep
	}
	if err != nil {
		return Pending{}, otl.Site{}, err
	}
	site, err := s.Store.Read.Sites.ByID(ctx, t.SiteID)
	if err != nil {
		return Pending{}, site, err
	}
	p, err := s.Second.proved(ctx, s.Store.Read, t, site)
	if err != nil {
		return Pending{}, site, err
	}
	if site.ID == v.Site.ID {
		site = v.demanding(p.Grant.Roles)
		p.Site = site
	}
	_, offers, err := s.Second.Factors.Admit(ctx, s.Store.Read, p.Standing, p.Methods, nil)
	if err != nil {
		return Pending{}, site, err
	}
	g, err := s.Store.Read.Grants.Of(ctx, t.UserID, v.Site.ID)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	step := Pending{Token: token, ExpiresAt: t.ExpiresAt, User: p.User, Factors: offers, Tries: t.Tries}
	if err == nil && !site.Demands(p.Grant.Roles) && !v.demanding(g.Roles).Demands(g.Roles) {
		step.Trusts, err = s.trusts(ctx, v)
	}
	return step, site, err
}

// trusts gives how long a device can be trusted from a visit on: as our own site allows, and
// the one the visit is for.
func (s Arrivals) trusts(ctx context.Context, v Visit) (time.Duration, error) {
	home, err := s.Home(ctx)
	return min(home.TrustTTL(), v.Site.TrustTTL()), err
}

// Challenge sends the code of a factor that is one, or makes the challenge of a key.
func (s Arrivals) Challenge(ctx context.Context, v Visit, token secret.Text, factorID string) (factor.Offer, error) {
	_, site, err := s.step(ctx, v, token)
	if err != nil {
		return factor.Offer{}, err
	}
	o, _, err := s.Second.Challenge(ctx, StepProof{Token: token, Site: site, Door: v.door(), FactorID: factorID})
	return o, err
}

// Complete proves a second factor and opens the session that the browser holds; site
// and door of the proof are those of the visit. The errors are those of
// SecondStep.Verify.
func (s Arrivals) Complete(ctx context.Context, v Visit, sp StepProof) (Arrival, error) {
	home, err := s.Home(ctx)
	if err != nil {
		return Arrival{}, err
	}
	step, site, err := s.step(ctx, v, sp.Token)
	if err != nil {
		return Arrival{}, err
	}
	sp.Site, sp.Door = site, v.door()
	p, _, err := s.Second.Verify(ctx, sp)
	if err != nil {
		return Arrival{}, err
	}
	p.Site, p.Grant = home, otl.Grant{}
	a, err := s.admit(ctx, v, p)
	if err != nil || !sp.Trust || step.Trusts == 0 || a.Step != nil {
		return a, err
	}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		a.Device, a.Trusts, err = factor.Devices{Factors: s.Second.Factors}.Renew(ctx, tx, p.User.ID, home, step.Trusts)
		return err
	})
	return a, err
}

// Raise begins the second step that the site of a visit demands of somebody whose
// session is of one factor. It is nil where none is due.
func (s Arrivals) Raise(ctx context.Context, v Visit) (*Pending, error) {
	g, err := s.Store.Read.Grants.Of(ctx, v.Who.User.ID, v.Site.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return s.Second.Begin(ctx, Proved{Standing: store.Standing{User: v.Who.User, Site: v.demanding(g.Roles), Grant: g}, Methods: v.Who.Session.Methods}, v.door())
}

// SendCode mails a link and a code to the person with an address, for this visit
// alone, or that of the two which the site takes; otl.ErrWay where it takes neither. What the
// caller learns is the same where there is nobody, and where only whoever is known gets one.
func (s Arrivals) SendCode(ctx context.Context, v Visit, address string) error {
	confirm, err := s.confirm(ctx, v)
	if err != nil {
		return err
	}
	r := CodeRequest{Site: v.Site, Who: Identifier{ByEmail, address}, Channel: otl.ChannelMail, Opens: v.Progress.New, Quiet: true}
	linked := v.Site.Offers(otl.WayLink)
	if linked {
		_, err = s.Codes.SendLink(ctx, LinkRequest{CodeRequest: r, Flow: v.ID, Confirm: confirm})
	} else {
		r.Data = map[string]string{dataFlow: v.ID}
		_, err = s.Codes.Send(ctx, r)
	}
	if err != nil {
		return err
	}
	v.called(address, s.Now())
	if linked {
		v.Progress.Number = number()
		v.Progress.Others = []string{number(v.Progress.Number)}
		v.Progress.Others = append(v.Progress.Others, number(v.Progress.Number, v.Progress.Others[0]))
	}
	return s.save(ctx, v)
}

// confirm gives whether the page of a link asks for a press: as the client wants that
// began the visit, if one did (decision D4).
func (s Arrivals) confirm(ctx context.Context, v Visit) (otl.Confirm, error) {
	if v.Asked.Client == "" {
		return otl.ConfirmAuto, nil
	}
	c, _, _, err := s.Store.Read.Clients.ByID(ctx, v.Asked.Client)
	if errors.Is(err, store.ErrNotFound) { // revoked meanwhile
		return otl.ConfirmAuto, nil
	}
	return c.LinkConfirm, err
}

// SignUp goes on with somebody who wants an account: he proves his address as at a
// sign-in, and only then the password he chose becomes his.
func (s Arrivals) SignUp(ctx context.Context, v Visit, address, hash, scheme string) error {
	v.Progress.New, v.Progress.Hash, v.Progress.Scheme = true, hash, scheme
	return s.SendCode(ctx, v, address)
}

// Code proves who somebody is with the code that was mailed for this visit. The error
// is ErrCode, limit.Exceeded after too many in a row, or otl.ErrWay.
func (s Arrivals) Code(ctx context.Context, v Visit, code secret.Text) (Arrival, error) {
	a := CodeAttempt{Site: v.Site, Who: Identifier{ByEmail, v.Progress.Name}, Code: code, Flow: v.ID}
	u, err := a.whose(ctx, s.Codes)
	if otl.As(err).Kind == otl.Invalid {
		err = ErrCode
	}
	if err != nil {
		return Arrival{}, err
	}
	var p Proved
	var refused error
	err = inOrder(ctx, s.Codes, func(ctx context.Context, tx *store.Tx, locked string) error {
		p, refused = Proved{}, nil
		t, err := s.Codes.guess(ctx, tx, u, a)
		if counted(err) {
			refused = err
			return nil
		}
		if err != nil {
			return err
		}
		if err := v.Site.Opens(methodOf(t).Way()); err != nil {
			return err // and the code stays good, should the site take it again
		}
		p, err = s.holds(ctx, tx, v.Flow, entry{ticket: t, method: methodOf(t), locked: locked}) // by the ticket: a visit may have gone on meanwhile
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Arrival{}, s.Second.Failures.note(ctx, a.failure(u.ID, err), a.shown(err))
	}
	return s.arrived(ctx, v, p)
}

// holds notes that somebody holds the address his ticket was mailed to. A new person's
// password becomes his by the first proof.
func (s Arrivals) holds(ctx context.Context, tx *store.Tx, f otl.Flow, e entry) (Proved, error) {
	t := e.ticket
	if texted(t) && e.locked != t.UserID {
		return Proved{}, personFirst{t.UserID}
	}
	u, err := tx.Users.ByID(ctx, t.UserID)
	if store.Gone(u, err) {
		return Proved{}, ErrDisabled
	}
	if err != nil {
		return Proved{}, err
	}
	if u.Held(t.Channel, "", s.Now()) {
		return Proved{}, ErrHeld // the session of a browser opens every site
	}
	if texted(t) && u.PhoneVerifiedAt.IsZero() {
		return Proved{}, ErrUnproven // somebody has proven the address since it was sent
	}
	first := u.EmailVerifiedAt.IsZero()
	e.site, e.chosen = otl.Site{ID: t.SiteID}, f.Progress.Hash != ""
	if u, err = s.Codes.prove(ctx, tx, u, e); err != nil {
		return Proved{}, err
	}
	if first && f.Progress.Hash != "" && !u.EmailVerifiedAt.IsZero() {
		if err := tx.Passwords.Set(ctx, u.ID, f.Progress.Hash, false, s.Now()); err != nil {
			return Proved{}, err
		}
		if err := tx.Passwords.AddScheme(ctx, f.Progress.Scheme, s.Now()); err != nil {
			return Proved{}, err
		}
	}
	return Proved{Standing: store.Standing{User: u}, Methods: otl.Methods{e.method}}, nil
}

// arrived admits somebody who has proven himself to our own site, in a way that the site of
// the visit takes. The error is otl.ErrWay.
func (s Arrivals) arrived(ctx context.Context, v Visit, p Proved) (Arrival, error) {
	err := v.Site.Opens(p.Methods.Way())
	if err != nil {
		return Arrival{}, err
	}
	if p.Site, err = s.Home(ctx); err != nil {
		return Arrival{}, err
	}
	otl.RequestOf(ctx).UserID = p.User.ID
	return s.admit(ctx, v, p)
}

// ErrWaiting is the answer to a browser that would go on before its link was opened.
var ErrWaiting = &otl.Error{Kind: otl.Conflict, Code: "link_not_opened", Text: "The link has not been opened yet."}

// Ready reports whether somebody has proven himself for a visit by a link that another
// browser opened.
func (v Visit) Ready() bool { return v.UserID != "" && v.Progress.Way != "" }

// Continue lets the browser a visit belongs to in, once: somebody opened the link in
// another one and named the number this one shows. The error is ErrWaiting, or otl.ErrWay.
func (s Arrivals) Continue(ctx context.Context, v Visit) (Arrival, error) {
	if !v.Ready() {
		return Arrival{}, ErrWaiting
	}
	if err := v.Site.Opens(v.Progress.Way.Way()); err != nil {
		return Arrival{}, err
	}
	var p Proved
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Flows.Take(ctx, v.ID, v.UserID)
		if err == nil && !first {
			err = ErrWaiting
		}
		if err != nil {
			return err
		}
		p = Proved{Methods: otl.Methods{v.Progress.Way}}
		p.User, err = tx.Users.ByID(ctx, v.UserID)
		return err
	})
	if err != nil {
		return Arrival{}, err
	}
	return s.arrived(ctx, v, p)
}

// Linked is what the page of a link shows that was mailed for a visit.
type Linked struct {
	Flow    string // id
	Same    bool   // the link was opened in the browser that asked for it
	Numbers []string
	Agent   string // of the browser that asked
	IP      string // of the same
	At      time.Time
	Origin  string // of where the browser goes in the end
}

// Linked gives what the page of a link for a visit shows in a browser. The error is
// ErrLink where the visit is over.
func (s Arrivals) Linked(ctx context.Context, id string, browser secret.Text) (Linked, error) {
	f, err := s.live(ctx, id)
	if errors.Is(err, ErrFlow) {
		err = ErrLink
	}
	if err != nil {
		return Linked{}, err
	}
	l := Linked{Flow: id, Same: isOf(f, browser), Agent: f.Progress.Agent, IP: f.Progress.IP, At: f.Progress.SentAt, Origin: otl.Origin(f.Asked.Redirect)}
	if f.Progress.Number != "" { // otherwise no browser waits for it
		l.Numbers = append([]string{f.Progress.Number}, f.Progress.Others...)
		slices.Sort(l.Numbers) // the right one is anywhere
	}
	return l, nil
}

// Press uses a link for a visit up and lets the browser in that opened it. Where that
// is not the one that asked, the visit goes on in it (OT-18). The error is ErrLink, or
// otl.ErrWay, which leaves the link and the person as they are.
func (s Arrivals) Press(ctx context.Context, token string, browser secret.Text, held []secret.Text) (Visit, Arrival, error) {
	var p Proved
	var f otl.Flow
	err := inOrder(ctx, s.Codes, func(ctx context.Context, tx *store.Tx, locked string) error {
		t, err := s.used(ctx, tx, token, &f)
		if err != nil {
			return err
		}
		if !isOf(f, browser) {
			f.Progress.Hash = "" // whoever chose this password has not shown that he reads the mail (OT-16)
		}
		if err := tx.Flows.Move(ctx, f.ID, secret.Digest(browser.Reveal())); err != nil {
			return err
		}
		p, err = s.holds(ctx, tx, f, entry{ticket: t, method: otl.MethodMailLink, locked: locked})
		return err
	})
	if errors.Is(err, ErrDisabled) {
		err = ErrLink
	}
	if err != nil {
		return Visit{}, Arrival{}, err
	}
	v, err := s.Visit(ctx, f.ID, browser, held)
	if err != nil {
		return v, Arrival{}, err
	}
	a, err := s.arrived(ctx, v, p)
	return v, a, err
}

// used uses up the ticket of a link for a visit and gives the visit in f. The error is
// ErrLink, or otl.ErrWay.
func (s Arrivals) used(ctx context.Context, tx *store.Tx, token string, f *otl.Flow) (otl.Ticket, error) {
	t, err := s.Codes.use(ctx, tx, token)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Data[dataFlow] == "" {
		return t, ErrLink
	}
	if err != nil {
		return t, err
	}
	if *f, err = tx.Flows.Live(ctx, t.Data[dataFlow], s.Now()); errors.Is(err, store.ErrNotFound) {
		err = ErrLink
	}
	if err == nil {
		err = opens(ctx, tx, t)
	}
	return t, err
}

// Approve uses a link for a visit up on behalf of the browser that asked for it, which
// goes on by itself: whoever opened the link names the number that browser shows. With
// another one nobody gets in, and it reports false (decision D4). The errors are those of Press.
func (s Arrivals) Approve(ctx context.Context, token, chosen string) (bool, error) {
	var right bool
	err := inOrder(ctx, s.Codes, func(ctx context.Context, tx *store.Tx, locked string) error {
		var f otl.Flow
		t, err := s.used(ctx, tx, token, &f)
		if err != nil {
			return err
		}
		if right = chosen != "" && chosen == f.Progress.Number; !right {
			return s.Codes.denied(ctx, tx, t, map[string]string{"by": "number"})
		}
		p, err := s.holds(ctx, tx, f, entry{ticket: t, method: otl.MethodMailLink, locked: locked})
		if err != nil {
			return err
		}
		f.Progress.Way = otl.MethodMailLink
		_, err = tx.Flows.Prove(ctx, f, p.User.ID)
		return err
	})
	if errors.Is(err, ErrDisabled) {
		err = ErrLink
	}
	return right, err
}

// Again mails a new link in the place of one that no longer works, to whom that one
// went and for what it was for. The error is ErrLink where that is not known any more.
func (s Arrivals) Again(ctx context.Context, token string, browser secret.Text, held []secret.Text) (Visit, error) {
	t, err := s.Store.Read.Tickets.Any(ctx, otl.PurposeSignIn, secret.Digest(token))
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Data[dataFlow] == "" {
		return Visit{}, ErrLink
	}
	if err != nil {
		return Visit{}, err
	}
	v, err := s.Visit(ctx, t.Data[dataFlow], browser, held)
	if errors.Is(err, ErrFlow) {
		err = ErrLink
	}
	if err != nil {
		return v, err
	}
	return v, s.SendCode(ctx, v, v.Progress.Name)
}

// CanAgain reports whether Again would send a link.
func (s Arrivals) CanAgain(ctx context.Context, token string, browser secret.Text) bool {
	t, err := s.Store.Read.Tickets.Any(ctx, otl.PurposeSignIn, secret.Digest(token))
	if err != nil {
		return false
	}
	v, err := s.Visit(ctx, t.Data[dataFlow], browser, nil)
	return err == nil && v.Progress.Name != ""
}

// Who gives the session that cookies hold; its id is "" where they hold none.
func (s *Flows) Who(ctx context.Context, held []secret.Text) (session.Browser, error) {
	b, err := s.Sessions.Browser(ctx, held...)
	if errors.Is(err, session.ErrNoBrowserSession) {
		return session.Browser{}, nil
	}
	otl.RequestOf(ctx).UserID = b.User.ID
	return b, err
}

// number gives a number of two digits, neither of which stands there in those given: a press beside
// the right one ends the link.
func number(not ...string) string {
	for {
		n := secret.NewCode(2)
		if n[0] != '0' && !slices.ContainsFunc(not, func(o string) bool { return o[0] == n[0] || o[1] == n[1] }) {
			return n
		}
	}
}
