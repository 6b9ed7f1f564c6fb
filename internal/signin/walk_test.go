package signin_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// walkSteps gives how many steps a walk takes: few, or as many as OTL_TEST_WALK says.
func walkSteps(t *testing.T) int {
	t.Helper()
	said := os.Getenv("OTL_TEST_WALK")
	if said == "" {
		return 3000
	}
	n, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// walker goes at random through everything that leads to a session, ends one, or changes what
// one has to be, with what it came by on the way.
type walker struct {
	*testing.T
	w       *otltest.World
	dice    *rand.Rand
	sites   []site.Registered // as they ask by now
	home    otl.Site
	people  []*folk
	doors   []signin.Door
	begun   []*begun
	handed  []*handed
	access  []held
	refresh []held
	devices []*trusted
	mails   []*posted
	landed  []*landed
	keys    []*passkey      // also those that were removed
	stray   prompt          // what was asked for last, wherever
	signed  map[string]bool // what passkeys were to sign in visits, and did
	prompts map[string]*prompt
	ready   map[string]*folk // who opened the link of a visit in another browser
	seats   []*seat
	proven  map[string]otl.Methods // what was proven for each session
	whose   map[string]*folk       // whose each is
	where   map[string]string      // at which site
	ended   map[string]bool        // those that ended with all of his
	bar     *bar                   // nil where nobody is kept out
	resets  []*reset
	waiting []*wait
	clients []string       // that devices of each site ask for
	ways    map[string]int // how often each way ended in a session
}

// begun is a second step, or what would come to one, with where it was begun, by whom, and what
// he has proven by then.
type begun struct {
	token   secret.Text
	site    int
	by      *folk
	door    signin.Door
	methods otl.Methods
	prompt  prompt
	gone    bool // it ended with all sessions of his
}

// stands reports whether it did not end and whoever began it is not disabled.
func (b *begun) stands(x *walker) bool { return !b.gone && !x.bar.keeps(b.by, x.home.ID) }

// with gives it with one proof more, where it comes to something further.
func (b *begun) with(m otl.Method) *begun {
	return &begun{site: b.site, by: b.by, door: b.door, methods: b.methods.With(m)}
}

// held is a token of a session with whose it is.
type held struct {
	token secret.Text
	by    *folk
	id    string // of the session
}

// handed is a session token with whose it is and what was proven for it.
type handed struct {
	token secret.Text
	is    *begun
	used  bool
}

// one gives one of some, by the dice.
func one[T any](x *walker, of []T) T { return of[x.dice.IntN(len(of))] }

// once reports whether the dice say so in one of n throws.
func (x *walker) once(n int) bool { return x.dice.IntN(n) == 0 }

// kept keeps what is new among the latest four: what was used is tried again too.
func kept[T any](all []T, is T) []T {
	if all = append(all, is); len(all) > 4 {
		all = all[1:]
	}
	return all
}

// at gives a site as it asks by now.
func (x *walker) at(id string) otl.Site {
	if id == x.home.ID {
		return x.home
	}
	return x.sites[slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == id })].Site
}

// due reports whether a site asks somebody for two factors by now, by the rule alone: our own
// site everybody who has them, a partner as its policy says, both not on a device that he trusts
// there, unless they are demanded.
func (x *walker) due(siteID string, f *folk, d *trusted) bool {
	s := x.at(siteID)
	return x.demands(s, f) || f.enrolled() && (s.FirstParty || s.MFA != otl.MFAOff) && !d.spares(x, f, s)
}

// demands reports whether two are demanded of somebody, whether he has them or not. The
// first of the people is an editor.
func (x *walker) demands(s otl.Site, f *folk) bool {
	return s.MFA == otl.MFARequired || s.MFA == otl.MFARoles && f == x.people[0]
}

// in counts what a way came to from a device, and holds it against the rule at this moment: the
// session is of whoever has proven himself, says what he has proven, and that is two factors
// where they are due.
func (x *walker) in(way string, s otl.Session, is *begun, d *trusted) {
	if is.methods.Factors() < 2 && x.due(s.SiteID, is.by, nil) {
		x.ways["on a trusted device"]++
		if x.due(s.SiteID, is.by, d) {
			x.Errorf("%s gave a session by %q at %s to %s", way, s.Methods, s.SiteID, s.UserID)
		}
	}
	if x.at(s.SiteID).Opens(is.methods.Way()) != nil {
		x.Errorf("%s gave a session by %q at %s, which does not take that", way, s.Methods, s.SiteID)
	}
	x.says(way, s, is)
}

// stays does it for a session that goes on: by then its site may demand more.
func (x *walker) stays(way string, s otl.Session, is *begun) {
	if is.methods.Factors() < 2 && x.demands(x.at(s.SiteID), is.by) {
		x.Errorf("%s kept a session by %q at %s of %s", way, s.Methods, s.SiteID, s.UserID)
	}
	x.says(way, s, is)
}

// says holds what a session says of itself against what was proven for it.
func (x *walker) says(way string, s otl.Session, is *begun) {
	x.ways[way]++
	if s.UserID != is.by.ID || s.Methods.String() != is.methods.String() {
		x.Errorf("%s gave a session of %s by %q: it was %s, by %q", way, s.UserID, s.Methods, is.by.ID, is.methods)
	}
	if x.bar.keeps(is.by, s.SiteID) {
		x.Errorf("%s let %s in at %s, who is kept out", way, s.UserID, s.SiteID)
	}
	if s.ID != "" {
		x.proven[s.ID], x.whose[s.ID], x.where[s.ID] = is.methods, is.by, s.SiteID
	}
}

// who gives a person as he is by now.
func (x *walker) who(id string) *folk {
	return x.people[slices.IndexFunc(x.people, func(f *folk) bool { return f.ID == id })]
}

// sound holds an error against the rule that no order of steps leads to a mistake of our own:
// a session that nobody was admitted to is one.
func (x *walker) sound(way string, err error) {
	if err != nil && otl.As(err).Kind == otl.Internal {
		x.Errorf("%s: %v", way, err)
	}
}

// took holds what was taken against the rule.
func (x *walker) took(way string, right bool, err error) {
	x.sound(way, err)
	if err == nil && !right {
		x.Errorf("%s took a proof that is none", way)
	}
}

// entered notes what somebody came to at a site, from a device.
func (x *walker) entered(way string, is *begun, d *trusted, e signin.Entered, err error) {
	x.sound(way, err)
	switch {
	case err != nil:
	case e.Step != nil:
		is.token = e.Step.Token
		x.begun = kept(x.begun, is)
		x.ways[way+", and a step"]++
	default:
		x.in(way, e.Session, is, d)
		x.holds(is.by, e.Session.ID, e.Access, e.Refresh)
		x.trust(e.Device, is.by, x.at(e.Session.SiteID), x.at(e.Session.SiteID).TrustTTL())
	}
}

// holds keeps the tokens of a session.
func (x *walker) holds(f *folk, id string, access, refresh secret.Text) {
	x.access, x.refresh = kept(x.access, held{access, f, id}), kept(x.refresh, held{refresh, f, id})
}

// step gives a proof of a second step, of whoever began it or not, where it was begun or not,
// what it comes to, and whether it is right.
func (x *walker) step() (sp signin.StepProof, is *begun, p shown, right bool) {
	b := one(x, x.begun)
	p = proofs{x}.prove(b.by, &b.prompt)
	is = b.with(p.kind.Method())
	sp = signin.StepProof{Token: b.token, Door: b.door, Kind: p.kind, Proof: p.proof, Trust: x.once(2)}
	switch x.dice.IntN(8) {
	case 0:
		is.site = x.dice.IntN(len(x.sites))
	case 1:
		sp.Door = one(x, x.doors)
	}
	is.door, sp.Site = sp.Door, x.sites[is.site].Site
	return sp, is, p, b.stands(x) && is.site == b.site && is.door.Name == b.door.Name && is.door.Client == b.door.Client && p.right && b.methods.Adds(p.kind.Method())
}

// challenge asks for a factor of a step, where it was begun or elsewhere.
func (x *walker) challenge(ctx context.Context) {
	b := one(x, x.begun)
	at := b.site
	if x.once(8) {
		at = x.dice.IntN(len(x.sites))
	}
	proofs{x}.ask(b.by, &b.prompt, func(k otl.FactorKind) (factor.Offer, error) {
		o, _, err := x.w.SignIn.Second.Challenge(ctx, signin.StepProof{Token: b.token, Site: x.sites[at].Site, Door: b.door, Kind: k})
		x.took("challenged", at == b.site && b.stands(x), err)
		return o, err
	})
}

// password proves a password at a site and goes on: to tokens, to a session token, or to a
// browser session of our own.
func (x *walker) password(ctx context.Context, d *trusted) {
	is := &begun{by: somebody(x, d), site: x.dice.IntN(len(x.sites)), door: one(x, x.doors), methods: otl.Methods{otl.MethodPassword}}
	said, right := passwords{x}.say(is.by)
	p, err := x.w.SignIn.Prove(ctx, signin.Attempt{Site: x.sites[is.site].Site, Email: is.by.Email.Address, Password: secret.NewText(said)})
	if x.took("a password", right, err); err != nil {
		return
	}
	x.goOn(ctx, "password", is, d, p)
}

// goOn takes a proof to one of the places it can lead to.
func (x *walker) goOn(ctx context.Context, way string, is *begun, d *trusted, p signin.Proved) {
	switch x.dice.IntN(4) {
	case 0, 1:
		e, err := x.w.SignIn.Second.Enter(ctx, p, &is.door)
		x.entered(way, is, d, e, err)
	case 2:
		h, err := x.w.SignIn.Second.HandOver(ctx, p, is.door, signin.Handover{})
		handedOver(x, "handed over", is, d, h, err)
	case 3:
		p.Site, p.Grant = x.home, otl.Grant{}
		b, err := x.w.SignIn.Second.Open(ctx, p)
		if x.sound("a browser", err); err == nil {
			x.in("a browser", b.Session, is, d)
		}
	}
}

// handedOver notes what somebody came to instead of a session.
func handedOver(x *walker, way string, is *begun, d *trusted, h signin.SessionToken, err error) {
	x.sound(way, err)
	switch {
	case err != nil:
	case h.Step != nil:
		is.token = h.Step.Token
		x.begun = kept(x.begun, is)
	default:
		x.in(way, otl.Session{UserID: h.User.ID, SiteID: h.Site.ID, Methods: is.methods}, is, d)
		x.handed = kept(x.handed, &handed{h.Token, is, false})
	}
}

// arrive presents a session token.
func (x *walker) arrive(ctx context.Context, d *trusted) {
	h := one(x, x.handed)
	p := signin.Presented{Token: h.token}
	if shown, err := x.w.SignIn.Second.Present(ctx, p); err == nil {
		p.Switch = shown.Person.ID
	}
	a, err := x.w.SignIn.Second.Arrive(ctx, p)
	if x.took("arrived", !h.used, err); err == nil {
		h.used = true
		x.in("arrived", a.Session, h.is, d)
	}
}

// renew refreshes a session, which has to be what its site demands by now, or raises one.
func (x *walker) renew(ctx context.Context) {
	if x.once(2) {
		t, err := x.w.SignIn.Refresh(ctx, one(x, x.refresh).token, one(x, x.sites).Site)
		if x.took("refreshed", !x.ended[t.Session.ID], err); err == nil {
			f := x.who(t.User.ID)
			x.stays("refreshed", t.Session, &begun{by: f, methods: x.proven[t.Session.ID]})
			x.holds(f, t.Session.ID, t.Access, t.Refresh)
		}
		return
	}
	b, err := x.w.SignIn.Authenticate(ctx, one(x, x.access).token)
	if x.took("authenticated", !x.ended[b.Session.ID] && (err != nil || !x.bar.keeps(x.who(b.User.ID), b.Site.ID)), err); err != nil {
		return
	}
	if x.once(4) {
		passwords{x}.replace(ctx, b)
		return
	}
	is, asked := &begun{by: x.who(b.User.ID), methods: x.proven[b.Session.ID]}, x.prompts[b.Session.ID]
	if asked == nil {
		asked = &prompt{}
		x.prompts[b.Session.ID] = asked
	}
	if x.once(2) {
		proofs{x}.ask(is.by, asked, func(k otl.FactorKind) (factor.Offer, error) {
			return x.w.SignIn.Second.Prompt(ctx, signin.StepUp{Bearer: b, Kind: k})
		})
	}
	p := proofs{x}.prove(is.by, asked)
	up := signin.StepUp{Bearer: b, Kind: p.kind, Proof: p.proof}
	t, err := x.w.SignIn.Second.Raise(ctx, up)
	right := p.right && (is.methods.Factors() > 1 || is.methods.Adds(p.kind.Method()))
	if x.took("raised by "+string(p.kind), right, err); err == nil {
		x.note(p)
		x.stays("raised", t.Session, is.with(p.kind.Method()))
		x.holds(is.by, t.Session.ID, t.Access, t.Refresh)
		gates{x}.again(ctx, up)
	}
}

// leave ends sessions, one way or another, or has a device trusted no more.
func (x *walker) leave() {
	at, f := one(x, x.sites).Site, one(x, x.people)
	switch x.dice.IntN(5) {
	case 0:
		r, everywhere := one(x, x.refresh), x.once(2)
		if _, err := x.w.SignIn.Logout(x.Context(), signin.Logout{Site: at, Refresh: r.token, Everywhere: everywhere}); err == nil && everywhere {
			gates{x}.ends(r.by, at.ID, "")
		}
	case 1:
		if err := x.w.SignIn.Second.LogOut(x.Context(), at.ID, f.ID); err != nil {
			x.Fatal(err)
		}
		gates{x}.ends(f, at.ID, "")
	case 2:
		if _, err := x.w.SignIn.RevokeAll(x.Context(), f.ID); err != nil {
			x.Fatal(err)
		}
		gates{x}.ends(f, "", "")
	case 3:
		one(x, x.seats).leave(x)
	case 4:
		if len(x.devices) == 0 {
			return
		}
		d := one(x, x.devices)
		err := factor.Devices{Factors: x.w.Factors}.Forget(x.Context(), f.ID, d.id)
		if x.took("forgotten", f == d.by, err); err == nil {
			d.gone = true
		}
	}
}

// pass lets some time go by: seconds as a rule, else hours or days.
func (x *walker) pass() {
	by := time.Duration(x.dice.IntN(90)) * time.Second
	if x.once(10) {
		by = time.Duration(x.dice.IntN(72)) * time.Hour
	}
	x.w.Clock.Advance(by)
}

// act takes one step of the walk.
func (x *walker) act() {
	if x.bar != nil && x.once(4) {
		gates{x}.open()
	}
	ctx, d := x.from()
	switch x.dice.IntN(21) {
	case 0, 1:
		x.password(ctx, d)
	case 2:
		x.challenge(ctx)
	case 3, 4:
		sp, is, shown, right := x.step()
		p, _, err := x.w.SignIn.Second.Verify(ctx, sp)
		if x.took("verified "+string(sp.Kind), right, err); err == nil {
			x.note(shown)
			x.goOn(ctx, "verified", is, d, p)
		}
	case 5:
		sp, is, shown, right := x.step()
		h, _, err := x.w.SignIn.Second.CompleteHandOver(ctx, sp, nil)
		if x.took("completed by "+string(sp.Kind)+", handed over", right, err); err == nil {
			x.note(shown)
		}
		handedOver(x, "completed, handed over", is, d, h, err)
	case 6:
		sp, is, shown, right := x.step()
		e, err := x.w.SignIn.Second.Complete(ctx, sp)
		if x.took("completed "+string(sp.Kind), right, err); err == nil {
			x.note(shown)
		}
		x.entered("completed", is, d, e, err)
	case 7:
		x.arrive(ctx, d)
	case 8:
		x.renew(ctx)
	case 9:
		changes{x}.change(x.dice.IntN(len(x.sites)), one(x, x.people))
	case 10:
		if x.once(3) {
			x.leave()
		}
	case 11:
		x.pass()
	case 12, 13:
		post{x}.mail(ctx, d)
	case 14:
		waits{x}.act(ctx)
	default:
		one(x, x.seats).act(ctx, x, d)
	}
}

// newWalker makes a walker with three people of two sites, two of whom have an app.
func newWalker(t *testing.T) *walker {
	t.Helper()
	w := otltest.New(t, otltest.SQLite)
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	notes, shop := demand(t, w, w.Notes, otl.MFARequired), w.Shop
	jane, john := hold(t, w, "jane@dev.test", "+491705550101", true, notes.Site, shop.Site), hold(t, w, "john@dev.test", "+491705550102", true, notes.Site, shop.Site)
	ann := hold(t, w, "ann@dev.test", "+491705550103", false, notes.Site, shop.Site)
	write(t, w, func(ctx context.Context, tx *store.Tx) error {
		for _, s := range []site.Registered{notes, shop} {
			g, err := tx.Grants.Of(ctx, jane.ID, s.Site.ID)
			if err == nil {
				_, err = tx.Grants.SetRoles(ctx, g, []string{"editor"})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	x := &walker{
		T: t, w: w, dice: rand.New(rand.NewPCG(1, 5)), sites: []site.Registered{notes, shop}, home: home, doors: []signin.Door{{Name: "a"}, {Name: "b"}, {Name: "a", Client: "c"}},
		people: []*folk{{holder: jane}, {holder: john}, {holder: ann}}, prompts: map[string]*prompt{}, signed: map[string]bool{}, ready: map[string]*folk{}, proven: map[string]otl.Methods{}, ways: map[string]int{},
		whose: map[string]*folk{}, where: map[string]string{}, ended: map[string]bool{}, clients: []string{listens(t, w, notes.Site), listens(t, w, shop.Site)},
		seats: []*seat{{browser: signin.NewBrowser()}, {browser: signin.NewBrowser()}, {browser: signin.NewBrowser()}},
	}
	for _, f := range x.people {
		f.pass = otltest.Password
	}
	for i, none := range []secret.Text{{}, secret.NewText("otl_mt_x")} {
		x.begun = append(x.begun, &begun{token: none, site: i, by: x.people[i], door: x.doors[i]})
		x.handed = append(x.handed, &handed{none, x.begun[i], true})
		x.refresh, x.access = append(x.refresh, held{none, x.people[i], ""}), append(x.access, held{none, x.people[i], ""})
	}
	return x
}

// TestSE15_NoOrderOfStepsOpensASessionWithOneFactor walks at random through first proofs by
// password, mail, SMS and passkey, beginning, challenging, verifying by all kinds of factors, entering,
// handing over, arriving, raising, refreshing, visits of browsers and their ends, letting devices in, with right and
// wrong tokens, proofs, doors, sites, people and trusted devices, while sites change what they ask
// for, factors, recovery codes, passwords and devices come and go, people sign out, and somebody is
// disabled, leaves or is suspended, or a way to sign in is switched off, for a while; and holds
// every session, at the moment it is opened or kept, and every proof that is taken against the
// rule. It says how long each tenth of it took.
func TestSE15_NoOrderOfStepsOpensASessionWithOneFactor(t *testing.T) {
	t.Parallel()
	x := newWalker(t)
	steps, since := walkSteps(t), time.Now()
	for i := range steps {
		x.act()
		if (i+1)%1000 == 0 { // as the node does
			if err := errors.Join(x.w.Accounts.PruneTickets(t.Context()), x.w.Flows.Prune(t.Context()), x.w.Limits.Prune(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		if (i+1)%max(steps/10, 1) == 0 {
			t.Log(i+1, time.Since(since))
			since = time.Now()
		}
		if t.Failed() {
			t.Fatalf("after %d steps: %v", i+1, x.ways)
		}
	}
	for _, way := range []string{
		"password", "completed", "completed, handed over", "verified", "handed over", "arrived", "a browser", "refreshed", "raised", "a code", "a link",
		"a visit", "a visit by code", "a visit by link", "a visit by passkey", "a visit opened elsewhere", "a second step", "set up", "exchanged", "straight",
		"on a trusted device", "by totp", "by email_otp", "by sms_otp", "by webauthn", "by recovery_code", "a device", "a new password", "a password replaced", "a password forgotten",
	} {
		if x.ways[way]+x.ways[way+", and a step"] == 0 {
			t.Errorf("the walk never came in by %q: %v", way, x.ways)
		}
	}
	t.Log(x.ways)
}
