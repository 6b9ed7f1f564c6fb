package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// walkVerifier is what every visit of a walk is redeemed with (RFC 7636).
const walkVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// seat is a browser with what it holds: a visit, the second step under way in it, a factor
// that is being set up, and the cookie of its session.
type seat struct {
	browser  secret.Text
	flow     string
	held     []secret.Text
	step     *begun // nil for none
	enrolled factor.Enrolment
	code     string   // that was sent for it
	device   *trusted // that it is, nil for none
}

// leave signs the browser out.
func (b *seat) leave(x *walker) {
	everywhere := x.once(2)
	all, err := x.w.Flows.All(x.Context(), b.held)
	if err == nil {
		err = x.w.Flows.SignOut(x.Context(), all, everywhere)
	}
	if err != nil {
		x.Fatal(err)
	}
	if everywhere && len(all) > 0 {
		gates{x}.ends(x.who(all[0].User.ID), "", "")
	}
}

// asks gives what a site asks for, at random.
func asks(x *walker) otl.Asked {
	sum := sha256.Sum256([]byte(walkVerifier))
	return otl.Asked{Redirect: back, Factors: x.dice.IntN(3), Wish: x.once(2), Challenge: base64.RawURLEncoding.EncodeToString(sum[:])}
}

// begin begins a visit, on behalf of a site or to set a factor up.
func (b *seat) begin(ctx context.Context, x *walker, s signin.SetUps) {
	at, asked := one(x, x.sites).Site, asks(x)
	if x.once(6) {
		at, asked = x.home, otl.Asked{Return: "/account/security", MaxAge: int(signin.Recent.Seconds()), Factors: 2, SetUp: true}
	}
	if f, err := s.Begin(ctx, at, b.browser, asked); err == nil {
		b.flow = f.ID
	}
}

// act takes one step of a visit: what is next, or what is not.
func (b *seat) act(ctx context.Context, x *walker, d *trusted) {
	ctx, d = b.from(ctx, x, d)
	s := signin.SetUps{Arrivals: signin.Arrivals{Flows: x.w.Flows}}
	v, err := s.Visit(ctx, b.flow, b.browser, b.held)
	if err == nil && v.Known() {
		x.took("a cookie", !x.ended[v.Who.Session.ID], nil)
	}
	switch {
	case b.device != nil && !b.device.gone && x.once(3):
		b.anew(ctx, x, s, d)
		return
	case len(b.held) > 0 && x.once(10):
		b.straight(ctx, x, d)
		return
	case len(b.held) > 0 && x.once(20):
		passwords{x}.renew(ctx, b)
		return
	case x.once(12):
		waits{x}.enter(ctx, b)
		return
	case err != nil || x.once(12):
		b.begin(ctx, x, s)
		return
	}
	next, err := s.Next(ctx, v)
	if err != nil {
		next = signin.StepSignIn
	}
	if x.once(5) {
		next = one(x, []signin.Next{signin.StepSignIn, signin.StepSecond, signin.StepSetUp, signin.StepDone})
	}
	switch next {
	case signin.StepSignIn:
		b.signIn(ctx, x, s, v, d)
	case signin.StepSecond:
		b.second(ctx, x, s, v, d)
	case signin.StepSetUp:
		b.setUp(ctx, x, s, v, d)
	case signin.StepDone:
		b.finish(ctx, x, v, d)
	}
}

// came notes what the browser came to, from a device.
func (b *seat) came(x *walker, way string, is *begun, d *trusted, a signin.Arrival, err error) {
	x.sound(way, err)
	switch {
	case err != nil:
	case a.Step != nil:
		is.token = a.Step.Token
		b.step = is
		x.ways[way+", and a step"]++
	case !a.Browser.Cookie.Empty():
		b.held = []secret.Text{a.Browser.Cookie}
		x.in(way, a.Browser.Session, is, d)
		if !a.Device.Empty() && d != nil && d.by == is.by && d.at == x.home.ID {
			d.gone = true // it makes room
		}
		if t := x.trust(a.Device, is.by, x.home, a.Trusts); t != nil {
			b.device = t
		}
	}
}

// signIn gives a first proof: a password, a code or link by mail, or a passkey.
func (b *seat) signIn(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	switch x.dice.IntN(12) {
	case 0, 1:
		f := somebody(x, d)
		said, right := passwords{x}.say(f)
		a, err := s.Password(ctx, v, f.Email.Address, secret.NewText(said))
		x.took("a visit by password", right, err)
		b.came(x, "a visit", &begun{by: f, methods: otl.Methods{otl.MethodPassword}}, d, a, err)
	case 2, 3:
		b.mailed(ctx, x, s, v)
	case 4, 5, 6:
		b.enter(ctx, x, s, v, d)
	case 7, 8:
		b.press(ctx, x, s, v, d)
	case 9, 10:
		b.elsewhere(ctx, x, s, v, d)
	default:
		b.passkey(ctx, x, s, v, d)
	}
}

// mailed has a link and a code sent for the visit.
func (b *seat) mailed(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit) {
	f := one(x, x.people)
	if (gates{x}).refused(f, s.SendCode(ctx, v, f.Email.Address)) {
		return
	}
	if (gates{x}).out(f) { // whether it went out depends on why
		x.w.Letters(x.T, "")
		x.w.Inbox.Empty()
		return
	}
	l := post{x}.letter(f.Email.Address, otl.MessageSignIn)
	m := &posted{by: f, site: v.Site.ID, flow: v.ID, method: otl.MethodMailCode, code: l.Code, link: tokenOf(l.Link)}
	if v, err := s.Visit(ctx, b.flow, b.browser, b.held); err == nil {
		m.number = v.Progress.Number
	}
	post{x}.sent(m)
}

// enter enters a code in the visit, which knows to whom it went.
func (b *seat) enter(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	i := slices.IndexFunc(x.people, func(f *folk) bool { return f.Email.Address == v.Progress.Name })
	if len(x.mails) == 0 || i < 0 {
		return
	}
	m := post{x}.pick(v.ID)
	a, err := s.Code(ctx, v, secret.NewText(m.code))
	if x.took("a visit by code", post{x}.good(x.people[i], v.Site.ID, v.ID, m.code), err); err == nil {
		m.gone = true
	}
	b.came(x, "a visit by code", &begun{by: x.people[i], methods: otl.Methods{otl.MethodMailCode}}, d, a, err)
}

// press opens a link of a visit, which goes on in this browser.
func (b *seat) press(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	if len(x.mails) == 0 {
		return
	}
	m := post{x}.pick(v.ID)
	is := post{x}.opens(m)
	moved, a, err := s.Press(ctx, m.link, b.browser, b.held)
	if x.took("a visit by link", is != nil && is.flow != "", err); err != nil || is == nil {
		return
	}
	is.gone, b.flow = true, moved.ID
	b.came(x, "a visit by link", &begun{by: is.by, methods: otl.Methods{otl.MethodMailLink}}, d, a, nil)
}

// elsewhere opens the link of another browser's visit on its behalf, naming a number, or goes on
// in one that somebody else may have opened the link of.
func (b *seat) elsewhere(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	if x.ready[v.ID] == nil && len(x.mails) > 0 && !x.once(4) {
		m := one(x, x.mails)
		if i := slices.IndexFunc(x.mails, func(m *posted) bool { return m.flow != "" && !m.gone }); i >= 0 && !x.once(5) {
			m = x.mails[i]
		}
		is, number := post{x}.opens(m), m.number
		if x.once(5) {
			number = "00"
		}
		right, err := s.Approve(ctx, m.link, number)
		if x.took("approved", is != nil && is.flow != "" && (!right || number == is.number), err); err != nil || is == nil {
			return
		}
		if is.gone = true; right {
			x.ready[is.flow] = is.by
		}
		return
	}
	f := x.ready[v.ID]
	a, err := s.Continue(ctx, v)
	if x.took("a visit opened elsewhere", f != nil, err); err != nil || f == nil {
		return
	}
	delete(x.ready, v.ID)
	b.came(x, "a visit opened elsewhere", &begun{by: f, methods: otl.Methods{otl.MethodMailLink}}, d, a, nil)
}

// passkey signs in by a passkey alone, which has to verify who holds it.
func (b *seat) passkey(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	if len(x.keys) == 0 {
		return
	}
	k := one(x, x.keys)
	fresh, err := s.Invite(v)
	if err != nil {
		x.Fatal(err)
	}
	options, verified := fresh, !x.once(6)
	if x.once(6) && x.stray.options != "" {
		options = x.stray.options
	}
	counter, on := k.count(x)
	a, err := s.Passkey(ctx, v, k.signed(x.T, options, counter, verified))
	right := k == k.by.key && options == fresh && !x.signed[fresh] && verified && on
	x.stray.options, x.signed[fresh] = fresh, true // it is used up whatever comes of it
	if x.took("a visit by passkey", right, err); err == nil {
		k.seen = counter
	}
	b.came(x, "a visit by passkey", &begun{by: k.by, methods: otl.Methods{otl.MethodKey, otl.MethodVerified}}, d, a, err)
}

// second begins or takes the second step of a visit, its own or that of another browser.
func (b *seat) second(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	step := b.step
	if x.once(8) {
		step = one(x, x.seats).step
	}
	if step == nil {
		step = x.begun[0]
	}
	look, err := s.Look(ctx, v, step.token)
	if err != nil {
		if !v.Known() {
			return
		}
		if due, err := s.Raise(ctx, v); err == nil && due != nil {
			b.step = &begun{token: due.Token, by: x.who(v.Who.User.ID), methods: x.proven[v.Who.Session.ID]}
		}
		return
	}
	if x.once(2) {
		proofs{x}.ask(step.by, &step.prompt, func(k otl.FactorKind) (factor.Offer, error) {
			i := slices.IndexFunc(look.Factors, func(o factor.Offer) bool { return o.Kind == k })
			if i < 0 {
				return factor.Offer{}, factor.ErrNone
			}
			return s.Challenge(ctx, v, step.token, look.Factors[i].ID)
		})
	}
	p := proofs{x}.prove(step.by, &step.prompt)
	a, err := s.Complete(ctx, v, signin.StepProof{Token: step.token, Kind: p.kind, Proof: p.proof, Trust: !x.once(3)})
	if x.took("a second step", p.right && step.stands(x) && step.methods.Adds(p.kind.Method()), err); err == nil {
		x.note(p)
	}
	b.came(x, "a second step", step.with(p.kind.Method()), d, a, err)
}

// setUp sets a factor up on the way, where nothing but that is next.
func (b *seat) setUp(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, d *trusted) {
	if next, err := s.Next(ctx, v); err != nil || next != signin.StepSetUp {
		return // the pages lead here from nowhere else
	}
	f, e := x.who(v.Who.User.ID), b.enrolled
	if e.ID == "" || e.UserID != f.ID || f.has(e.Kind) {
		b.enroll(ctx, x, s, v, f)
		return
	}
	b.enrolled = factor.Enrolment{}
	var seed, proof secret.Text
	var key *passkey
	switch e.Kind {
	case otl.FactorTOTP:
		var err error
		if seed, err = secret.ParseTOTPSeed(e.Seed.Reveal()); err != nil {
			x.Fatal(err)
		}
		proof = secret.NewText(secret.TOTP(seed, x.w.Clock.Now()))
	case otl.FactorKey:
		key = newPasskey(f)
		proof = key.made(x.T, e.Options)
	default:
		proof = secret.NewText(b.code)
	}
	c, a, err := s.Confirm(ctx, v, e.ID, proof)
	if x.sound("set up", err); err != nil {
		return
	}
	changes{x}.equipped(f, c, seed, key)
	is := &begun{by: f, methods: x.proven[v.Who.Session.ID]}
	if !is.methods.Strong() {
		is = is.with(e.Kind.Method())
	}
	if is.methods.Strong() { // otherwise the session is what it was
		b.came(x, "set up", is, d, a, nil)
	}
}

// enroll begins to set something up that somebody has not.
func (b *seat) enroll(ctx context.Context, x *walker, s signin.SetUps, v signin.Visit, f *folk) {
	kind := one(x, []otl.FactorKind{otl.FactorTOTP, otl.FactorMail, otl.FactorSMS, otl.FactorKey})
	if f.has(kind) {
		return
	}
	var err error
	if b.enrolled, err = s.Enrol(ctx, v, factor.New{Kind: kind, Number: f.Phone}); err != nil {
		b.enrolled = factor.Enrolment{}
	} else if kind.Sent() {
		b.code = post{x}.letter(f.at(kind), otl.MessageFactorCode).Code
	}
	x.sound("begun to be set up", err)
}

// straight goes to a site at once, where nothing is to be asked.
func (b *seat) straight(ctx context.Context, x *walker, d *trusted) {
	at, asked := one(x, x.sites).Site, asks(x)
	who, err := x.w.Flows.Who(ctx, b.held)
	if err != nil {
		x.Fatal(err)
	}
	to, next, err := x.w.Flows.Straight(ctx, at, b.held, asked)
	if x.sound("straight", err); err != nil || next != signin.StepDone {
		return
	}
	is := &begun{by: x.who(who.User.ID), methods: x.proven[who.Session.ID]}
	owes(x, at, asked, is)
	b.redeem(x, "straight", to.To, at.ID, is, d)
}

// owes holds the end of a visit against what its site asked for this time: two factors, or two of
// whoever has them.
func owes(x *walker, at otl.Site, asked otl.Asked, is *begun) {
	if asked.Factors < 2 || is.methods.Factors() > 1 {
		return
	}
	if owed := !asked.Wish; at.FirstParty && is.by.enrolled() || !at.FirstParty && (owed || is.by.enrolled() && is.by.could(is.methods)) {
		x.Errorf("a visit that asked for two factors (%+v) of %s ended by %q", asked, is.by.ID, is.methods)
	}
}

// finish goes back to the site, if nothing else is next.
func (b *seat) finish(ctx context.Context, x *walker, v signin.Visit, d *trusted) {
	if next, err := x.w.Flows.Next(ctx, v); err != nil || next != signin.StepDone {
		return // the pages ask before they end a visit
	}
	if v.Asked.Mode == signin.ModeDevice {
		waits{x}.decide(ctx, v)
		return
	}
	to, err := x.w.Flows.Finish(ctx, v)
	if err != nil {
		return
	}
	is := &begun{by: x.who(v.Who.User.ID), methods: x.proven[v.Who.Session.ID]}
	owes(x, v.Site, v.Asked, is)
	if v.Asked.Redirect != "" {
		b.redeem(x, "exchanged", to.To, v.Site.ID, is, d)
	}
}

// redeem has the site exchange the code of a visit, at times twice; half the time something
// happens in between, or is wrong about it.
func (b *seat) redeem(x *walker, way, to, siteID string, is *begun, d *trusted) {
	u, err := url.Parse(to)
	if err != nil {
		x.Fatal(err)
	}
	at := slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == siteID })
	ex, right := signin.Exchange{Code: secret.NewText(u.Query().Get("code")), Verifier: walkVerifier}, true
	switch x.dice.IntN(12) {
	case 0, 1, 2:
		changes{x}.change(at, is.by)
	case 3:
		b.leave(x)
		right = false
	case 4:
		ex.Verifier, right = strings.Repeat("x", 43), false
	case 5:
		at, right = (at+1)%len(x.sites), false
	}
	ex.Site = x.sites[at].Site
	e, err := x.w.Flows.Exchange(x.Context(), ex)
	if x.took(way, right, err); err != nil {
		return
	}
	x.in(way, e.Session, is, d)
	x.holds(is.by, e.Session.ID, e.Access, e.Refresh)
	if x.once(8) {
		_, err := x.w.Flows.Exchange(x.Context(), ex)
		x.took(way+" again", false, err)
	}
}
