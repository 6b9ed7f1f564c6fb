package factor_test

import (
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSR04_FactorsOutliveTheMasterKey: after one start with the new master key and the
// old one beside it, the old one is not needed any more to check
// a person's app.
func TestSR04_FactorsOutliveTheMasterKey(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			under := func(m secret.Master) func(*node.Options) {
				return func(o *node.Options) { o.Master = func(bool) (secret.Master, error) { return m, nil } }
			}
			first, second := secret.NewMaster(), secret.NewMaster()
			both, err := secret.ParseMaster(second.Encode().Reveal(), first.Encode().Reveal())
			if err != nil {
				t.Fatal(err)
			}
			w := otltest.New(t, e, under(first))
			u := w.Person(t, jane, w.Notes.Site)
			one, seed := totp(t, w, u)
			check := func(what string) {
				t.Helper()
				w.Clock.Advance(30 * time.Second)
				want(t, what, verify(t, w, factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: codeOf(w, seed, 0)}), nil)
			}
			check("before")
			w = w.Again(t, under(both))
			check("with both keys")
			w = w.Again(t, under(second))
			check("with the new one alone")
		})
	}
}

// TestD1_AnAddressASiteChangedIsNoFactor: while a change by a site can be taken back,
// codes are not sent to the new address as a second step, at any site.
func TestD1_AnAddressASiteChangedIsNoFactor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := proven(t, w, jane)
	if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorMail}}); err != nil {
		t.Fatal(err)
	}
	u.HeldFor, u.HeldChannel, u.HeldUntil = w.Notes.Site.ID, otl.ChannelMail, w.Clock.Now().Add(time.Hour)
	for _, at := range []otl.Site{w.Notes.Site, w.Shop.Site} {
		if got, _ := admitted(t, w, store.Standing{User: u, Site: at}, otl.MethodPassword); got != "kind" {
			t.Errorf("a held address at %s: %s", at.Name, got)
		}
	}
	w.Clock.Advance(time.Hour)
	if got, _ := admitted(t, w, store.Standing{User: u, Site: w.Notes.Site}, otl.MethodPassword); got != "step" {
		t.Errorf("afterwards: %s", got)
	}
}
