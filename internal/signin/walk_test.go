package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
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
	people  []holder // as they are by now; without a seed where they have no factor
	doors   []signin.Door
	begun   []begun
	handed  []secret.Text // session tokens
	access  []secret.Text
	refresh []secret.Text
	seats   []*seat
	ways    map[string]int // how often each way ended in a session
}

// begun is a second step with where it was begun, and by whom.
type begun struct {
	token    secret.Text
	site, by int
	door     signin.Door
}

// one gives one of some, by the dice.
func one[T any](x *walker, of []T) T { return of[x.dice.IntN(len(of))] }

// kept keeps what is new among the latest four: what was used is tried again too.
func kept[T any](all []T, is T) []T {
	if all = append(all, is); len(all) > 4 {
		all = all[1:]
	}
	return all
}

// asks reports whether a site asks somebody for two factors by now, by the rule alone: our own
// site everybody who has them, a partner as its policy says.
func (x *walker) asks(siteID string, h holder) bool {
	if siteID == x.home.ID {
		return !h.seed.Empty()
	}
	s := x.sites[slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == siteID })].Site
	return x.demands(s, h) || !h.seed.Empty() && s.MFA != otl.MFAOff
}

// demands reports whether a site demands two of somebody, whether he has them or not. The
// first of the people is an editor.
func (x *walker) demands(s otl.Site, h holder) bool {
	return s.MFA == otl.MFARequired || s.MFA == otl.MFARoles && h.ID == x.people[0].ID
}

// in counts what a way came to, and holds it against the rule at this moment.
func (x *walker) in(way string, s otl.Session, asks bool) {
	x.ways[way]++
	if asks && s.Methods.Factors() < 2 {
		x.Errorf("%s gave a session by %s at %s to %s", way, s.Methods, s.SiteID, s.UserID)
	}
}

// who gives a person as he is by now.
func (x *walker) who(id string) holder {
	return x.people[slices.IndexFunc(x.people, func(h holder) bool { return h.ID == id })]
}

// sound holds an error against the rule that no order of steps leads to a mistake of our own:
// a session that nobody was admitted to is one.
func (x *walker) sound(way string, err error) {
	if err != nil && otl.As(err).Kind == otl.Internal {
		x.Errorf("%s: %v", way, err)
	}
}

// took holds a proof that was taken against the rule.
func (x *walker) took(way string, right bool, err error) {
	x.sound(way, err)
	if err == nil && !right {
		x.Errorf("%s took a proof that is none", way)
	}
}

// proves reports whether a proof is what somebody's app shows.
func (x *walker) proves(h holder, proof secret.Text) bool {
	_, ok := secret.MatchTOTP(h.seed, proof, x.w.Clock.Now())
	return ok && !h.seed.Empty()
}

// entered notes what somebody came to at a site.
func (x *walker) entered(way string, by, at int, d signin.Door, e signin.Entered, err error) {
	x.sound(way, err)
	switch {
	case err != nil:
	case e.Step != nil:
		x.begun = kept(x.begun, begun{e.Step.Token, at, by, d})
	default:
		x.in(way, e.Session, x.asks(e.Session.SiteID, x.people[by]))
		x.access, x.refresh = kept(x.access, e.Access), kept(x.refresh, e.Refresh)
	}
}

// code gives what somebody's app shows, or what nobody's does.
func (x *walker) code(h holder) secret.Text {
	seed := h.seed
	switch x.dice.IntN(8) {
	case 0:
		seed = one(x, x.people).seed
	case 1:
		seed = secret.Text{}
	}
	if seed.Empty() {
		seed = secret.NewTOTPSeed()
	}
	return secret.NewText(secret.TOTP(seed, x.w.Clock.Now()))
}

// proof gives a proof of a second step with where and by whom that was begun, right or wrong
// in one way or another, and whether it is right.
func (x *walker) proof() (sp signin.StepProof, b begun, right bool) {
	b = one(x, x.begun)
	at, door := b.site, b.door
	sp = signin.StepProof{Token: b.token, Door: b.door, Kind: otl.FactorTOTP, Proof: x.code(x.people[b.by])}
	switch x.dice.IntN(8) {
	case 0:
		b.site = x.dice.IntN(len(x.sites))
	case 1:
		sp.Door = one(x, x.doors)
	}
	sp.Site = x.sites[b.site].Site
	return sp, b, b.site == at && sp.Door.Name == door.Name && sp.Door.Client == door.Client && x.proves(x.people[b.by], sp.Proof)
}

// password proves a password at a site and goes on: to tokens, to a session token, or to a
// browser session of our own.
func (x *walker) password() {
	by, at, d := x.dice.IntN(len(x.people)), x.dice.IntN(len(x.sites)), one(x, x.doors)
	p, err := x.w.SignIn.Prove(x.Context(), signin.Attempt{Site: x.sites[at].Site, Email: x.people[by].Email.Address, Password: secret.NewText(otltest.Password)})
	if err != nil {
		x.Fatal(err)
	}
	x.goOn("password", by, at, p, d)
}

// goOn takes a proof to one of the places it can lead to.
func (x *walker) goOn(way string, by, at int, p signin.Proved, d signin.Door) {
	switch x.dice.IntN(4) {
	case 0, 1:
		e, err := x.w.SignIn.Second.Enter(x.Context(), p, &d)
		x.entered(way, by, at, d, e, err)
	case 2:
		h, err := x.w.SignIn.Second.HandOver(x.Context(), p, d, signin.Handover{})
		x.sound("handed over", err)
		switch {
		case err != nil:
		case h.Step != nil:
			x.begun = kept(x.begun, begun{h.Step.Token, at, by, d})
		default:
			x.in("handed over", otl.Session{UserID: p.User.ID, SiteID: p.Site.ID, Methods: p.Methods}, x.asks(p.Site.ID, x.people[by]))
			x.handed = kept(x.handed, h.Token)
		}
	case 3:
		p.Site, p.Grant = x.home, otl.Grant{}
		b, err := x.w.SignIn.Second.Open(x.Context(), p)
		if x.sound("a browser", err); err == nil {
			x.in("a browser", b.Session, x.asks(x.home.ID, x.people[by]))
		}
	}
}

// arrive presents a session token.
func (x *walker) arrive() {
	p := signin.Presented{Token: one(x, x.handed)}
	if shown, err := x.w.SignIn.Second.Present(x.Context(), p); err == nil {
		p.Switch = shown.Person.ID
	}
	a, err := x.w.SignIn.Second.Arrive(x.Context(), p)
	if x.sound("arrived", err); err == nil {
		x.in("arrived", a.Session, x.asks(x.home.ID, x.who(a.User.ID)))
	}
}

// renew refreshes a session, which has to be what its site demands by now, or raises one.
func (x *walker) renew() {
	if x.dice.IntN(2) == 0 {
		t, err := x.w.SignIn.Refresh(x.Context(), one(x, x.refresh), one(x, x.sites).Site)
		if x.sound("refreshed", err); err == nil {
			x.in("refreshed", t.Session, x.demands(t.Site, x.who(t.User.ID)))
			x.access, x.refresh = kept(x.access, t.Access), kept(x.refresh, t.Refresh)
		}
		return
	}
	b, err := x.w.SignIn.Authenticate(x.Context(), one(x, x.access))
	if err != nil {
		return
	}
	proof := x.code(x.who(b.User.ID))
	t, err := x.w.SignIn.Second.Raise(x.Context(), signin.StepUp{Bearer: b, Kind: otl.FactorTOTP, Proof: proof})
	if x.took("raised", x.proves(x.who(b.User.ID), proof), err); err == nil {
		x.in("raised", t.Session, true)
		x.access, x.refresh = kept(x.access, t.Access), kept(x.refresh, t.Refresh)
	}
}

// change changes what a site asks for, or what somebody has.
func (x *walker) change(at, by int) {
	h := &x.people[by]
	switch x.dice.IntN(3) {
	case 0:
		policies := []otl.MFAPolicy{otl.MFAOff, otl.MFAOptional, otl.MFARequired, otl.MFARequired, otl.MFARoles}
		x.sites[at] = demand(x.T, x.w, x.sites[at], one(x, policies), "editor")
	case 1:
		if !h.seed.Empty() && x.dice.IntN(3) == 0 {
			if _, err := x.w.Setup.Reset(x.Context(), h.User); err != nil {
				x.Fatal(err)
			}
			h.seed = secret.Text{}
		}
	case 2:
		if h.seed.Empty() {
			h.seed = secret.NewTOTPSeed()
			if _, err := x.w.Setup.Give(x.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: h.seed}); err != nil {
				x.Fatal(err)
			}
		}
	}
}

// leave ends sessions, one way or another.
func (x *walker) leave() {
	at, h := one(x, x.sites).Site, one(x, x.people)
	switch x.dice.IntN(4) {
	case 0:
		_, _ = x.w.SignIn.Logout(x.Context(), signin.Logout{Site: at, Refresh: one(x, x.refresh), Everywhere: x.dice.IntN(2) == 0})
	case 1:
		if err := x.w.SignIn.Second.LogOut(x.Context(), at.ID, h.ID); err != nil {
			x.Fatal(err)
		}
	case 2:
		if _, err := x.w.SignIn.RevokeAll(x.Context(), h.ID); err != nil {
			x.Fatal(err)
		}
	case 3:
		one(x, x.seats).leave(x)
	}
}

// act takes one step of the walk.
func (x *walker) act() {
	switch x.dice.IntN(16) {
	case 0, 1:
		x.password()
	case 2:
		sp, _, _ := x.proof()
		_, _, err := x.w.SignIn.Second.Challenge(x.Context(), sp)
		x.sound("challenged", err)
	case 3, 4:
		sp, b, right := x.proof()
		p, _, err := x.w.SignIn.Second.Verify(x.Context(), sp)
		if x.took("verified", right, err); err == nil {
			x.goOn("verified", b.by, b.site, p, sp.Door)
		}
	case 5, 6:
		sp, b, right := x.proof()
		e, err := x.w.SignIn.Second.Complete(x.Context(), sp)
		x.took("completed", right, err)
		x.entered("completed", b.by, b.site, sp.Door, e, err)
	case 7:
		x.arrive()
	case 8:
		x.renew()
	case 9:
		x.change(x.dice.IntN(len(x.sites)), x.dice.IntN(len(x.people)))
	case 10:
		if x.dice.IntN(3) == 0 {
			x.leave()
		}
	case 11:
		x.w.Clock.Advance(time.Duration(x.dice.IntN(90)) * time.Second)
	default:
		one(x, x.seats).act(x)
	}
}

// walkVerifier is what every visit of a walk is redeemed with (RFC 7636).
const walkVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// seat is a browser with what it holds: a visit, the second step under way in it, a factor
// that is being set up, and the cookie of its session.
type seat struct {
	browser  secret.Text
	flow     string
	held     []secret.Text
	step     secret.Text
	enrolled factor.Enrolment
}

// leave signs the browser out.
func (b *seat) leave(x *walker) {
	all, err := x.w.Flows.All(x.Context(), b.held)
	if err == nil {
		err = x.w.Flows.SignOut(x.Context(), all, x.dice.IntN(2) == 0)
	}
	if err != nil {
		x.Fatal(err)
	}
}

// act takes one step of a visit: what is next, or what is not.
func (b *seat) act(x *walker) {
	s := signin.SetUps{Arrivals: signin.Arrivals{Flows: x.w.Flows}}
	v, err := s.Visit(x.Context(), b.flow, b.browser, b.held)
	if err != nil || x.dice.IntN(12) == 0 {
		sum := sha256.Sum256([]byte(walkVerifier))
		asked := otl.Asked{Redirect: back, Factors: x.dice.IntN(3), Wish: x.dice.IntN(2) == 0, Challenge: base64.RawURLEncoding.EncodeToString(sum[:])}
		if f, err := s.Begin(x.Context(), one(x, x.sites).Site, b.browser, asked); err == nil {
			b.flow = f.ID
		}
		return
	}
	next, err := s.Next(x.Context(), v)
	if err != nil {
		next = signin.StepSignIn
	}
	if x.dice.IntN(5) == 0 {
		next = one(x, []signin.Next{signin.StepSignIn, signin.StepSecond, signin.StepSetUp, signin.StepDone})
	}
	switch next {
	case signin.StepSignIn:
		a, err := s.Password(x.Context(), v, one(x, x.people).Email.Address, secret.NewText(otltest.Password))
		b.came(x, "a visit", a, err)
	case signin.StepSecond:
		b.second(x, s, v)
	case signin.StepSetUp:
		b.setUp(x, s, v)
	case signin.StepDone:
		b.finish(x, v)
	}
}

// came notes what the browser came to.
func (b *seat) came(x *walker, way string, a signin.Arrival, err error) {
	x.sound(way, err)
	switch {
	case err != nil:
	case a.Step != nil:
		b.step = a.Step.Token
	case !a.Browser.Cookie.Empty():
		b.held = []secret.Text{a.Browser.Cookie}
		x.in(way, a.Browser.Session, x.asks(x.home.ID, x.who(a.Browser.User.ID)))
	}
}

// second begins or takes the second step of a visit, its own or that of another browser.
func (b *seat) second(x *walker, s signin.SetUps, v signin.Visit) {
	step := b.step
	if x.dice.IntN(8) == 0 {
		step = one(x, x.seats).step
	}
	look, err := s.Look(x.Context(), v, step)
	if err != nil {
		if step, err := s.Raise(x.Context(), v); v.Known() && err == nil && step != nil {
			b.step = step.Token
		}
		return
	}
	proof := x.code(x.who(look.User.ID))
	a, err := s.Complete(x.Context(), v, signin.StepProof{Token: step, Kind: otl.FactorTOTP, Proof: proof})
	x.took("a second step", x.proves(x.who(look.User.ID), proof), err)
	b.came(x, "a second step", a, err)
}

// setUp sets a factor up on the way, where nothing but that is next.
func (b *seat) setUp(x *walker, s signin.SetUps, v signin.Visit) {
	if next, err := s.Next(x.Context(), v); err != nil || next != signin.StepSetUp {
		return // the pages lead here from nowhere else
	}
	if b.enrolled.ID == "" || b.enrolled.UserID != v.Who.User.ID {
		b.enrolled, _ = s.Enrol(x.Context(), v, factor.New{Kind: otl.FactorTOTP})
		return
	}
	seed, err := secret.ParseTOTPSeed(b.enrolled.Seed.Reveal())
	if err != nil {
		x.Fatal(err)
	}
	c, a, err := s.Confirm(x.Context(), v, b.enrolled.ID, secret.NewText(secret.TOTP(seed, x.w.Clock.Now())))
	b.enrolled = factor.Enrolment{}
	if err != nil {
		return
	}
	for i := range x.people {
		if x.people[i].ID == c.UserID {
			x.people[i].seed = seed
		}
	}
	b.came(x, "set up", a, nil)
}

// finish goes back to the site, if nothing else is next, and has it exchange the code; half the
// time something happens in between, or is wrong about it.
func (b *seat) finish(x *walker, v signin.Visit) {
	if next, err := x.w.Flows.Next(x.Context(), v); err != nil || next != signin.StepDone {
		return // the pages ask before they end a visit
	}
	to, err := x.w.Flows.Finish(x.Context(), v)
	if err != nil {
		return
	}
	u, err := url.Parse(to.To)
	if err != nil {
		x.Fatal(err)
	}
	at := slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == v.Site.ID })
	by := slices.IndexFunc(x.people, func(h holder) bool { return h.ID == v.Who.User.ID })
	ex, right := signin.Exchange{Code: secret.NewText(u.Query().Get("code")), Verifier: walkVerifier}, true
	switch x.dice.IntN(12) {
	case 0, 1, 2:
		x.change(at, by)
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
	if x.took("exchanged", right, err); err == nil {
		x.in("exchanged", e.Session, x.asks(ex.Site.ID, x.who(e.User.ID)))
		x.access, x.refresh = kept(x.access, e.Access), kept(x.refresh, e.Refresh)
	}
}

// TestSE15_NoOrderOfStepsOpensASessionWithOneFactor walks at random through beginning,
// challenging, verifying, entering, handing over, arriving, raising, refreshing, visits of
// browsers and their ends, with right and wrong tokens, proofs, doors, sites and people,
// while sites change what they ask for, factors come and go and people sign out; and holds
// every session, at the moment it is opened or kept, and every proof that is taken against the
// rule. It says how long each tenth of it took.
func TestSE15_NoOrderOfStepsOpensASessionWithOneFactor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	notes, shop := demand(t, w, w.Notes, otl.MFARequired), w.Shop
	jane, john := hold(t, w, "jane@dev.test", "+491705550101", true, notes.Site, shop.Site), hold(t, w, "john@dev.test", "+491705550102", true, notes.Site, shop.Site)
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
	none := []secret.Text{{}, secret.NewText("otl_mt_x")}
	x := &walker{
		T: t, w: w, dice: rand.New(rand.NewPCG(1, 2)), sites: []site.Registered{notes, shop}, home: home, doors: []signin.Door{{Name: "a"}, {Name: "b"}, {Name: "a", Client: "c"}},
		people: []holder{jane, john}, handed: none, refresh: none, access: none, ways: map[string]int{},
		seats: []*seat{{browser: signin.NewBrowser()}, {browser: signin.NewBrowser()}, {browser: signin.NewBrowser()}},
	}
	x.begun = []begun{{none[0], 0, 0, x.doors[0]}, {none[1], 1, 1, x.doors[1]}}
	steps, since := walkSteps(t), time.Now()
	for i := range steps {
		x.act()
		if (i+1)%1000 == 0 { // as the node does
			if err := errors.Join(w.Accounts.PruneTickets(t.Context()), w.Flows.Prune(t.Context()), w.Limits.Prune(t.Context())); err != nil {
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
	for _, way := range []string{"password", "completed", "verified", "handed over", "arrived", "a browser", "refreshed", "raised", "a visit", "a second step", "set up", "exchanged"} {
		if x.ways[way] == 0 {
			t.Errorf("the walk never came in by %q: %v", way, x.ways)
		}
	}
	t.Log(x.ways)
}
