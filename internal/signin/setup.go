package signin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Recent is how fresh the proof of who somebody is must be for what hands out power, or
// changes how he proves it (decision D2).
const Recent = 15 * time.Minute

// Late reports whether the person of a session is to prove himself anew: the proof it
// began with is not recent any more, or was given to a site, which handed the session
// over and may still hold it (D1).
func Late(s otl.Session, now time.Time) bool { return s.HandedBy != "" || now.Sub(s.AuthAt) > Recent }

// Proven reports whether the person of a session has just proven to us who he is, by two
// factors if he has them: a device he trusts, or a site that asks for one factor, does not
// stand in for the second where something is handed out or taken away (D2, AD-06).
func (s *SignIn) Proven(ctx context.Context, st store.Standing) (bool, error) {
	switch {
	case Late(st.Session, s.Now()):
		return false, nil
	case st.Session.Methods.Strong():
		return true, nil
	}
	two, err := (&factor.Setup{Factors: s.Second.Factors}).Enrolled(ctx, st.User.ID)
	return err == nil && !two, err
}

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

// Offers reports whether a passkey is to be offered to who has just signed in to go on to a
// site: he has none, and proved himself in this visit by something else.
func (s SetUps) Offers(ctx context.Context, v Visit) (bool, error) {
	if v.Site.FirstParty || !v.Site.Offers(otl.WayPasskey) || v.Asked.Mode == ModeDevice || !v.proven() || slices.Contains(v.Who.Session.Methods, otl.MethodKey) || !slices.Contains(s.Ways(v), otl.FactorKey) {
		return false, nil
	}
	has, err := s.Store.Read.Factors.Of(ctx, v.Who.User.ID)
	return err == nil && !slices.ContainsFunc(has, func(f otl.Factor) bool { return f.Kind == otl.FactorKey }), err
}

// Want notes whether somebody who was offered a passkey wants one.
func (s SetUps) Want(ctx context.Context, v Visit, wants bool) (Visit, error) {
	v.Progress.Wants = wants
	return v, s.save(ctx, v)
}

// Enrol begins to set a factor up for the person of a visit whose next step is
// StepSetUp. The errors are those of factor.Setup.Enrol.
func (s SetUps) Enrol(ctx context.Context, v Visit, n factor.New) (factor.Enrolment, error) {
	if !slices.Contains(s.Ways(v), n.Kind) {
		return factor.Enrolment{}, otl.InvalidField("kind", "unknown_value", "is no way that can be set up here")
	}
	e, err := s.setup().Enrol(ctx, v.Who.Standing, n)
	if err == nil && e.Kind == otl.FactorTOTP {
		v.Progress.App = e.ID
		err = s.save(ctx, v)
	}
	return e, err
}

// Again gives the app that is being set up in a visit once more with its key, where a code of it was
// wrong: to the browser that began it, and until it is confirmed (MF-12). The error is
// factor.ErrNone for any other.
func (s SetUps) Again(ctx context.Context, v Visit, id string) (factor.Enrolment, error) {
	if v.Progress.App != id {
		return factor.Enrolment{}, factor.ErrNone
	}
	return s.setup().Again(ctx, v.Who.User, id)
}

// Confirm finishes setting a factor up in a visit whose next step is StepSetUp. The proof
// counts for the browser's session too: one of a single factor gives way, in the same
// transaction, to a new one of two (SE-04). The errors are those of factor.Setup.Confirm.
func (s SetUps) Confirm(ctx context.Context, v Visit, id string, proof secret.Text) (factor.Confirmed, Arrival, error) {
	home, err := s.Home(ctx)
	if err != nil {
		return factor.Confirmed{}, Arrival{}, err
	}
	from, was := otl.RequestOf(ctx), v.Who
	v.Progress.SetUp, v.ExpiresAt = s.Now(), s.Now().Add(flowTTL)
	var c factor.Confirmed
	var b session.Browser
	var refused error
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		b = was
		if c, refused, err = s.setup().ConfirmIn(ctx, tx, was.Standing, id, proof); err != nil || refused != nil {
			return err
		}
		if err := tx.Flows.Save(ctx, v.Flow); err != nil {
			return err
		}
		now := was.Session.Methods.With(c.Kind.Method())
		if was.Session.Methods.Strong() || !now.Strong() {
			return nil
		}
		b, refused, err = s.Second.open(ctx, tx, Proved{Standing: store.Standing{User: was.User, Site: home}, Methods: now}, from)
		if err = cmp.Or(err, refused); err != nil { // with a refusal goes the factor
			return err
		}
		return supersede(ctx, tx, s.Sessions, v)
	})
	if err == nil {
		err = refused
	}
	return c, Arrival{Browser: b}, err
}
