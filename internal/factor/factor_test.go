package factor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const jane = "jane@dev.test"

func limited(o *node.Options) { o.Limits = true }

func write(t *testing.T, w *otltest.World, fn func(context.Context, *store.Tx) error) error {
	t.Helper()
	return w.Store.Write(t.Context(), fn)
}

// verify gives a proof of a factor in a transaction that is kept as the doors keep it.
func verify(t testing.TB, w *otltest.World, c factor.Claim) error {
	var refused error
	err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := w.Factors.Verify(ctx, tx, c)
		refused, err = factor.Refused(err)
		return err
	})
	if err == nil {
		err = refused
	}
	return err
}

func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) || wanted == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, wanted)
	}
}

// totp gives a person an authenticator app and its seed.
func totp(t *testing.T, w *otltest.World, u otl.User) (otl.Factor, secret.Text) {
	t.Helper()
	seed := secret.NewTOTPSeed()
	one, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return one, seed
}

func codeOf(w *otltest.World, seed secret.Text, off time.Duration) secret.Text {
	return secret.NewText(secret.TOTP(seed, w.Clock.Now().Add(off)))
}

func TestMF01_OneCodeIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		one, seed := totp(t, w, u)
		claim := factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: codeOf(w, seed, 0)}
		var accepted atomic.Int32
		var wg sync.WaitGroup
		for range 90 { // below the hundred that would close the factor
			wg.Go(func() {
				switch err := verify(t, w, claim); {
				case err == nil:
					accepted.Add(1)
				case !errors.Is(err, factor.ErrProof):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("one code was accepted %d times", n)
		}
		claim.Proof = codeOf(w, seed, 30*time.Second)
		want(t, "the next step", verify(t, w, claim), nil)
		claim.Proof = codeOf(w, seed, 0)
		want(t, "a step before one that was used", verify(t, w, claim), factor.ErrProof)
	})
}

func TestMF13_AClockThatIsSetBackAcceptsNothingTwice(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane, w.Notes.Site)
	one, seed := totp(t, w, u)
	claim := factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: codeOf(w, seed, 0)}
	want(t, "a code", verify(t, w, claim), nil)
	w.Clock.Advance(-time.Hour)
	for off := range 3 {
		claim.Proof = codeOf(w, seed, time.Duration(off-1)*30*time.Second)
		want(t, "a code of an hour ago", verify(t, w, claim), factor.ErrProof)
	}
	w.Clock.Advance(2 * time.Hour)
	claim.Proof = codeOf(w, seed, 0)
	want(t, "a code an hour on", verify(t, w, claim), nil)
}

func TestMF04_AFactorOfSomebodyElseIsAsUnknownAsNone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, john := w.Person(t, jane, w.Notes.Site), w.Person(t, "john@dev.test", w.Notes.Site)
		one, seed := totp(t, w, u)
		for _, id := range []string{one.ID, secret.NewID(w.Clock.Now()), "", "x", one.ID + "x", strings.ToLower(one.ID)} {
			want(t, "verify "+id, verify(t, w, factor.Claim{User: john, SiteID: w.Notes.Site.ID, FactorID: id, Proof: codeOf(w, seed, 0)}), factor.ErrNone)
			_, err := w.Factors.Send(t.Context(), factor.Prompt{User: john, SiteID: w.Notes.Site.ID, FactorID: id})
			want(t, "send "+id, err, factor.ErrNone)
		}
		want(t, "her own", verify(t, w, factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: codeOf(w, seed, 0)}), nil)
	})
}

// admitted tells what Admit says in one word.
func admitted(t *testing.T, w *otltest.World, st store.Standing, methods ...otl.Method) (string, []factor.Offer) {
	t.Helper()
	pass, offers, err := w.Factors.Admit(t.Context(), w.Store.Read, st, methods, nil)
	switch {
	case errors.Is(err, factor.ErrEnrolment):
		return "enrol", nil
	case errors.Is(err, factor.ErrKind):
		return "kind", nil
	case err != nil:
		t.Fatal(err)
	case len(offers) > 0:
		if pass.Good(st.User.ID, st.Site.ID) {
			t.Error("a pass beside a step")
		}
		return "step", offers
	case !pass.Good(st.User.ID, st.Site.ID):
		t.Fatal("neither a pass nor a step")
	}
	return "in", nil
}

// TestMF05_WhoIsLetIn is the table of policy × factors × way in.
func TestMF05_WhoIsLetIn(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	bare, app := w.Person(t, "bare@dev.test"), w.Person(t, "app@dev.test")
	totp(t, w, app)
	editor := otl.Grant{SiteID: w.Notes.Site.ID, Roles: []string{"editor"}}
	pwd, mail, direct, two := otl.MethodPassword, otl.MethodMailCode, otl.MethodDirect, otl.MethodSMS
	for _, c := range []struct {
		policy  otl.MFAPolicy
		u       otl.User
		grant   otl.Grant
		methods otl.Methods
		want    string
	}{
		{otl.MFAOff, bare, otl.Grant{}, otl.Methods{pwd}, "in"},
		{otl.MFAOff, app, editor, otl.Methods{pwd}, "in"},
		{otl.MFAOptional, bare, editor, otl.Methods{pwd}, "in"},
		{otl.MFAOptional, bare, editor, otl.Methods{direct}, "in"},
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{pwd}, "step"},
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{mail}, "step"},
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{pwd, two}, "in"},
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{mail, otl.MethodMailLink}, "step"}, // one kind twice
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{direct, pwd}, "step"},              // direct is none
		{otl.MFAOptional, app, otl.Grant{}, otl.Methods{direct}, "kind"},                   // nor with the app are there two
		{otl.MFARequired, bare, otl.Grant{}, otl.Methods{pwd}, "enrol"},
		{otl.MFARequired, bare, otl.Grant{}, otl.Methods{direct, pwd}, "enrol"},
		{otl.MFARequired, bare, otl.Grant{}, otl.Methods{pwd, two}, "in"},
		{otl.MFARequired, app, otl.Grant{}, otl.Methods{pwd}, "step"},
		{otl.MFARoles, bare, otl.Grant{}, otl.Methods{pwd}, "in"},
		{otl.MFARoles, bare, editor, otl.Methods{pwd}, "enrol"},
		{otl.MFARoles, app, otl.Grant{}, otl.Methods{pwd}, "step"},
		{otl.MFARoles, app, editor, otl.Methods{pwd}, "step"},
		{otl.MFARequired, bare, otl.Grant{}, otl.Methods{otl.MethodAdmin}, "in"},
		{otl.MFAWished, bare, otl.Grant{}, otl.Methods{pwd}, "in"},
		{otl.MFAWished, app, otl.Grant{}, otl.Methods{pwd}, "step"},
		{otl.MFAWished, app, otl.Grant{}, otl.Methods{direct}, "in"}, // two are out of reach
	} {
		site := w.Notes.Site
		site.MFA, site.MFARoles = c.policy, []string{"editor"}
		if got, _ := admitted(t, w, store.Standing{User: c.u, Site: site, Grant: c.grant}, c.methods...); got != c.want {
			t.Errorf("%s, %s %v by %s: %s, want %s", c.policy, c.u.Email.Key, c.grant.Roles, c.methods, got, c.want)
		}
	}
	// Whoever joins a site is what its roles say, but nobody joins our own pages.
	for id, want := range map[string]string{w.Notes.Site.ID: "enrol", w.Flows.FirstParty: "in"} {
		site, err := w.Store.Read.Sites.ByID(t.Context(), id)
		if err == nil {
			err = write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Roles.Insert(ctx, otl.Role{SiteID: id, Name: "editor", Default: true, CreatedAt: w.Clock.Now()})
				return err
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		site.MFA, site.MFARoles = otl.MFARoles, []string{"editor"}
		if got, _ := admitted(t, w, store.Standing{User: bare, Site: site}, pwd); got != want {
			t.Errorf("who joins %s: %s, want %s", site.Name, got, want)
		}
	}
}

func TestMF06_TwoFactorsAreOfTwoKinds(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := proven(t, w, jane)
	if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorMail}}); err != nil {
		t.Fatal(err)
	}
	st := store.Standing{User: u, Site: w.Notes.Site}
	for _, c := range []struct {
		method otl.Method
		want   string
	}{{otl.MethodMailCode, "kind"}, {otl.MethodMailLink, "kind"}, {otl.MethodPassword, "step"}, {otl.MethodSMS, "step"}} {
		if got, _ := admitted(t, w, st, c.method); got != c.want {
			t.Errorf("a mail after %s: %s, want %s", c.method, got, c.want)
		}
	}
	if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}}); err != nil {
		t.Fatal(err)
	}
	got, offers := admitted(t, w, st, otl.MethodMailCode)
	if got != "step" || len(offers) != 1 || offers[0].Kind != otl.FactorSMS || offers[0].Hint != "•••• 42" {
		t.Errorf("after a mail: %s %+v", got, offers)
	}
	_, offers = admitted(t, w, st, otl.MethodPassword)
	if len(offers) != 2 || offers[0].Kind != otl.FactorMail || !offers[0].Default || offers[0].Hint != "j***@dev.test" {
		t.Errorf("after a password: %+v", offers)
	}
}

// proven is a person whose address was proven.
func proven(t *testing.T, w *otltest.World, email string) otl.User {
	t.Helper()
	u := w.Person(t, email, w.Notes.Site)
	if err := write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
		if _, err = tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now()); err == nil {
			u, err = tx.Users.ByID(ctx, u.ID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMF02_APassIsForOnePersonAtOneSite(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u, john := w.Person(t, jane), w.Person(t, "john@dev.test")
	pass, _, err := w.Factors.Admit(t.Context(), w.Store.Read, store.Standing{User: u, Site: w.Notes.Site}, otl.Methods{otl.MethodPassword}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range []store.Standing{{User: john, Site: w.Notes.Site}, {User: u, Site: w.Shop.Site}} {
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.Open(ctx, tx, &st, pass, &otl.Request{})
			return err
		}); err == nil {
			t.Errorf("%s at %s came in with another's pass", st.User.Email.Key, st.Site.Name)
		}
	}
	if (factor.Pass{}).Good("", "") {
		t.Error("no pass is a good one")
	}
}

func TestOT08_AHundredWrongCodesInARowCloseThePersonsCodes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		one, seed := totp(t, w, u)
		claim := factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: secret.NewText("wrong")}
		for range 100 {
			want(t, "a wrong code", verify(t, w, claim), factor.ErrProof)
		}
		claim.Proof = codeOf(w, seed, 0)
		if err := verify(t, w, claim); otl.As(err).Kind != otl.Limited {
			t.Fatalf("the right code after a hundred wrong ones: %v", err)
		}
		w.Clock.Advance(48 * time.Hour)
		claim.Proof = codeOf(w, seed, 0)
		if err := verify(t, w, claim); otl.As(err).Kind != otl.Limited {
			t.Fatalf("and two days later: %v", err)
		}
		// PW-13: what cannot be guessed still lets the person in, and opens his codes.
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error { return limit.ClearFactors(ctx, tx, u.ID) }); err != nil {
			t.Fatal(err)
		}
		want(t, "after another proof", verify(t, w, claim), nil)
	}, limited)
}

func TestMF11_ThreeCodesInTenMinutes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		one, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}})
		if err != nil {
			t.Fatal(err)
		}
		var sent []time.Time
		for range 3600 / 20 {
			_, err := w.Factors.Send(t.Context(), factor.Prompt{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Slot: "one"})
			if err == nil {
				sent = append(sent, w.Clock.Now())
			} else if otl.As(err).Kind != otl.Limited {
				t.Fatal(err)
			}
			w.Clock.Advance(20 * time.Second)
		}
		for i := range sent[3:] {
			if within := sent[i+3].Sub(sent[i]); within < 10*time.Minute {
				t.Errorf("four codes within %s", within)
			}
		}
		if len(sent) < 6 {
			t.Errorf("%d codes in an hour: the limit never opens again", len(sent))
		}
	}, limited)
}

func TestMF12_TheSeedIsSealedAndShownOnce(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane, w.Notes.Site)
	one, seed := totp(t, w, u)
	_, sealed, err := w.Store.Read.Factors.ByID(t.Context(), u.ID, one.ID)
	if err != nil || len(sealed) == 0 || strings.Contains(string(sealed), seed.Reveal()) {
		t.Fatalf("the seed is stored as it is: %v", err)
	}
	john := w.Person(t, "john@dev.test")
	other, otherSeed := totp(t, w, john)
	if err := write(t, w, func(ctx context.Context, tx *store.Tx) error { return tx.Factors.Seal(ctx, other.ID, sealed) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range []secret.Text{seed, otherSeed} { // SR-02: a seal copied to another row opens nothing
		err := verify(t, w, factor.Claim{User: john, SiteID: w.Notes.Site.ID, FactorID: other.ID, Proof: codeOf(w, s, 0)})
		if !errors.Is(err, secret.ErrSealed) {
			t.Errorf("a copied seal: %v", err)
		}
	}
}

// TestMF12_TheSeedIsShownUntilItIsConfirmed to whoever began to set an app up, and never again: not once it
// is confirmed, nor when its time is over, nor to somebody else, nor by the id of another kind.
func TestMF12_TheSeedIsShownUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, john := w.Person(t, jane, w.Notes.Site), w.Person(t, "john@dev.test")
		st := w.Strong(t, u)
		again := func(who otl.User, id string) error {
			_, err := w.Setup.Again(t.Context(), who, id)
			return err
		}
		e, err := w.Setup.Enrol(t.Context(), st, factor.New{Kind: otl.FactorTOTP})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.Setup.Again(t.Context(), u, e.ID); err != nil || got.Seed.Reveal() != e.Seed.Reveal() || got.Link.Reveal() != e.Link.Reveal() || !got.ExpiresAt.Equal(e.ExpiresAt) {
			t.Errorf("%+v %v", got, err)
		}
		for id, who := range map[string]otl.User{e.ID: john, "x": u, secret.NewID(w.Clock.Now()): u} {
			if err := again(who, id); !errors.Is(err, factor.ErrNone) {
				t.Errorf("%s: %v", id, err)
			}
		}
		w.Clock.Advance(15 * time.Minute)
		if err := again(u, e.ID); !errors.Is(err, factor.ErrNone) {
			t.Errorf("when its time is over: %v", err)
		}
		seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(-15 * time.Minute)
		if _, err := w.Setup.Confirm(t.Context(), st, e.ID, codeOf(w, seed, 0)); err != nil {
			t.Fatal(err)
		}
		if err := again(u, e.ID); !errors.Is(err, factor.ErrNone) {
			t.Errorf("once it is confirmed: %v", err)
		}
	})
}

// TestWH13_EveryFactorThatGoesIsNamed: each event of a factor says which one and of what
// kind, also where all of them go at once.
func TestWH13_EveryFactorThatGoesIsNamed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		want := map[string]string{}
		for kind, number := range map[otl.FactorKind]string{otl.FactorTOTP: "", otl.FactorSMS: "+491705550142"} {
			one, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: kind, Number: number}, Seed: secret.NewTOTPSeed()})
			if err != nil {
				t.Fatal(err)
			}
			want[one.ID] = string(kind)
		}
		if _, err := w.Setup.Reset(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		told, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		n := map[otl.EventType]int{}
		for _, e := range told {
			if e.Type != otl.EventFactorRemoved && e.Type != otl.EventFactorAdded {
				continue
			}
			if n[e.Type]++; want[e.Data[otl.DataFactor]] != e.Data[otl.DataKind] || e.Data[otl.DataBy] != "operator" {
				t.Errorf("%s: %v", e.Type, e.Data)
			}
		}
		if n[otl.EventFactorAdded] != 2 || n[otl.EventFactorRemoved] != 2 {
			t.Errorf("%v", n)
		}
	})
}
