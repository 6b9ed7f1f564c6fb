package signin_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
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

// walker goes at random through everything that leads to a session, with what it came by on
// the way.
type walker struct {
	*testing.T
	w       *otltest.World
	dice    *rand.Rand
	sites   []site.Registered
	home    otl.Site
	people  []holder
	doors   []signin.Door
	begun   []begun
	handed  []secret.Text // session tokens
	refresh []secret.Text
	ways    map[string]int // how often each way ended in a session
}

// begun is a second step with where it was begun, by whom.
type begun struct {
	token secret.Text
	site  otl.Site
	door  signin.Door
	by    holder
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

// proof gives a proof of a second step and whose it is, right or wrong in one way or another.
func (x *walker) proof() (signin.StepProof, holder) {
	b := one(x, x.begun)
	sp := signin.StepProof{Token: b.token, Site: b.site, Door: b.door, Kind: otl.FactorTOTP}
	seed := b.by.seed
	switch x.dice.IntN(8) {
	case 0:
		sp.Site = one(x, x.sites).Site
	case 1:
		sp.Door = one(x, x.doors)
	case 2:
		seed = one(x, x.people).seed
	case 3:
		seed = secret.NewTOTPSeed()
	}
	sp.Proof = secret.NewText(secret.TOTP(seed, x.w.Clock.Now()))
	return sp, b.by
}

// in counts what a way of somebody came to.
func (x *walker) in(way string, h holder, s otl.Site, d *signin.Door, t signin.Entered, err error) {
	switch {
	case err != nil:
	case t.Step != nil:
		x.begun = kept(x.begun, begun{t.Step.Token, s, *d, h})
	case !t.Access.Empty():
		x.ways[way]++
		x.refresh = kept(x.refresh, t.Refresh)
	}
}

// password proves a password at a site and goes on: to tokens, to a session token, or to a
// browser session of our own.
func (x *walker) password() {
	h, s, d := one(x, x.people), one(x, x.sites), one(x, x.doors)
	p, err := x.w.SignIn.Prove(x.Context(), signin.Attempt{Site: s.Site, Email: h.Email.Address, Password: secret.NewText(otltest.Password)})
	if err != nil {
		x.Fatal(err)
	}
	x.goOn("password", h, p, &d)
}

// goOn takes a proof to one of the places it can lead to.
func (x *walker) goOn(way string, who holder, p signin.Proved, d *signin.Door) {
	switch x.dice.IntN(4) {
	case 0, 1:
		in, err := x.w.SignIn.Second.Enter(x.Context(), p, d)
		x.in(way, who, p.Site, d, in, err)
	case 2:
		h, err := x.w.SignIn.Second.HandOver(x.Context(), p, *d, signin.Handover{})
		switch {
		case err != nil:
		case h.Step != nil:
			x.begun = kept(x.begun, begun{h.Step.Token, p.Site, *d, who})
		default:
			x.ways["handed over"]++
			x.handed = kept(x.handed, h.Token)
		}
	case 3:
		p.Site, p.Grant = x.home, otl.Grant{}
		if _, err := x.w.SignIn.Second.Open(x.Context(), p); err == nil {
			x.ways["a browser"]++
		}
	}
}

// act takes one step of the walk.
func (x *walker) act() {
	switch x.dice.IntN(9) {
	case 0, 1:
		x.password()
	case 2:
		sp, _ := x.proof()
		_, _, _ = x.w.SignIn.Second.Challenge(x.Context(), sp)
	case 3:
		sp, who := x.proof()
		if p, _, err := x.w.SignIn.Second.Verify(x.Context(), sp); err == nil {
			x.goOn("verified", who, p, &sp.Door)
		}
	case 4, 5:
		sp, who := x.proof()
		in, err := x.w.SignIn.Second.Complete(x.Context(), sp)
		x.in("completed", who, sp.Site, &sp.Door, in, err)
	case 6:
		p := signin.Presented{Token: one(x, x.handed)}
		if shown, err := x.w.SignIn.Second.Present(x.Context(), p); err == nil {
			p.Switch = shown.Person.ID
		}
		if a, err := x.w.SignIn.Second.Arrive(x.Context(), p); err == nil && a.Session.ID != "" {
			x.ways["arrived"]++
		}
	case 7:
		if t, err := x.w.SignIn.Refresh(x.Context(), one(x, x.refresh), one(x, x.sites).Site); err == nil {
			x.ways["refreshed"]++
			x.refresh = kept(x.refresh, t.Refresh)
		}
	case 8:
		x.w.Clock.Advance(time.Duration(x.dice.IntN(60)) * time.Second)
	}
}

// TestSE15_NoOrderOfStepsOpensASessionWithOneFactor walks at random through beginning,
// challenging, verifying, entering, handing over, arriving and refreshing, with right and
// wrong tokens, proofs, doors, sites and people, and holds every session there is against
// the rule.
func TestSE15_NoOrderOfStepsOpensASessionWithOneFactor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	notes, shop := demand(t, w, w.Notes, otl.MFARequired), w.Shop
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	none := []secret.Text{{}, secret.NewText("otl_mt_x")}
	x := &walker{
		T: t, w: w, dice: rand.New(rand.NewPCG(1, 2)), sites: []site.Registered{notes, shop}, home: home, doors: []signin.Door{{Name: "a"}, {Name: "b"}, {Name: "a", Client: "c"}},
		people: []holder{hold(t, w, "jane@dev.test", "+491705550101", true, notes.Site, shop.Site), hold(t, w, "john@dev.test", "+491705550102", true, notes.Site, shop.Site)},
		handed: none, refresh: none, ways: map[string]int{},
	}
	x.begun = []begun{{none[0], notes.Site, x.doors[0], x.people[0]}, {none[1], shop.Site, x.doors[1], x.people[1]}}
	for range walkSteps(t) {
		x.act()
	}
	for _, h := range x.people {
		live, err := w.SignIn.List(t.Context(), scope(h.User), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range live {
			if one.Methods.Factors() < 2 {
				t.Errorf("a session by %s at %s", one.Methods, one.SiteID)
			}
		}
	}
	for _, way := range []string{"completed", "verified", "handed over", "arrived", "a browser", "refreshed"} {
		if x.ways[way] == 0 {
			t.Errorf("the walk never came in by %q: %v", way, x.ways)
		}
	}
	if x.ways["password"] != 0 {
		t.Errorf("%d were let in by the password alone", x.ways["password"])
	}
}
