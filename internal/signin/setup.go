package signin

import (
	"context"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Recent is how fresh the proof of who somebody is must be for what hands out power, or
// changes how he proves it (decision D2).
const Recent = 15 * time.Minute

// Late reports whether the proof a session began with is not recent any more.
func Late(s otl.Session, now time.Time) bool { return now.Sub(s.AuthAt) > Recent }

// setUp gives the step of somebody who is to set a factor up: he proves who he is, and
// then he does (MF-08).
func (v Visit) setUp(now time.Time) Next {
	if Late(v.Who.Session, now) {
		return StepSignIn
	}
	return StepSetUp
}

// SetUps has people set second factors up on the pages of a visit.
type SetUps struct{ Arrivals }

func (s SetUps) setup() *factor.Setup { return &factor.Setup{Factors: s.Second.Factors} }

// Ways gives the kinds of factors that the person of a visit can set up, the best first:
// where a site demands one, only those that make two factors with how he signed in.
func (s SetUps) Ways(v Visit) []otl.FactorKind {
	ways := s.setup().Ways(v.Who.User)
	if v.Site.FirstParty {
		return ways
	}
	return slices.DeleteFunc(ways, func(k otl.FactorKind) bool { return !v.Who.Session.Methods.Adds(k.Method()) })
}

// Enrol begins to set a factor up for the person of a visit whose next step is
// StepSetUp. The errors are those of factor.Setup.Enrol.
func (s SetUps) Enrol(ctx context.Context, v Visit, n factor.New) (factor.Enrolment, error) {
	if !slices.Contains(s.Ways(v), n.Kind) {
		return factor.Enrolment{}, otl.InvalidField("kind", "unknown_value", "is no way that can be set up here")
	}
	return s.setup().Enrol(ctx, v.Who.Standing, n)
}

// Confirm finishes setting a factor up in a visit whose next step is StepSetUp. The proof
// counts for the browser's session too: one of a single factor gives way to a new one of
// two (SE-04). The errors are those of factor.Setup.Confirm.
func (s SetUps) Confirm(ctx context.Context, v Visit, id string, proof secret.Text) (factor.Confirmed, Arrival, error) {
	c, err := s.setup().Confirm(ctx, v.Who.Standing, id, proof)
	if err != nil {
		return c, Arrival{}, err
	}
	v.Progress.SetUp = s.Now()
	if err := s.save(ctx, v); err != nil {
		return c, Arrival{}, err
	}
	was := v.Who.Session.Methods
	if now := was.With(c.Kind.Method()); !was.Strong() && now.Strong() {
		a, err := s.arrived(ctx, v, Proved{Standing: store.Standing{User: v.Who.User}, Methods: now})
		return c, a, err
	}
	return c, Arrival{Browser: v.Who}, nil
}
