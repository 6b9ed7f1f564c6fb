package signin

import (
	"cmp"
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// StepUp is a proof of a second factor within a session.
type StepUp struct {
	Bearer   Bearer
	FactorID string
	Kind     otl.FactorKind // used where FactorID is "": the first of the kind
	Proof    secret.Text
}

// used gives the methods that a proof must differ from in kind. Once the session has
// two factors any of them may be proven again.
func (u StepUp) used() otl.Methods {
	if u.Bearer.Session.Methods.Factors() > 1 {
		return nil
	}
	return u.Bearer.Session.Methods
}

// Raise adds a second factor to a session that lives, and gives new tokens that say so
// and when (MF-09). The refresh token before it is exchanged. The errors are those of
// factor.Factors.Verify, and session.ErrNone for a session that has ended meanwhile.
func (s *SecondStep) Raise(ctx context.Context, u StepUp) (session.Tokens, error) {
	b := u.Bearer
	var opened session.Opened
	var used otl.Factor
	var refused error
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		used, err = s.Factors.Verify(ctx, tx, factor.Claim{
			User: b.User, SiteID: b.Site.ID, FactorID: u.FactorID, Kind: u.Kind, Slot: b.Session.ID, Used: u.used(), Proof: u.Proof,
		})
		if refused, err = factor.Refused(err); refused != nil || err != nil {
			return err
		}
		if opened, err = s.Sessions.Resume(ctx, tx, session.Holder{Client: b.Session.Client, Key: b.Session.ProofKey}, b.Site.ID, b.User.ID, b.Session.ID, used.Kind.Method()); err != nil {
			return err
		}
		if err := limit.ClearCodes(ctx, tx, b.User.ID); err != nil {
			return err
		}
		return s.Factors.Elevated(ctx, tx, opened.Session)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return session.Tokens{}, s.Failures.note(ctx, failure{site: b.Site.ID, name: b.User.ID, user: b.User.ID, method: cmp.Or(used.Kind, u.Kind).Method()}, err)
	}
	return s.Sessions.Tokens(opened)
}

// Prompt sends the code of a factor that is one, for a session that is to be raised.
func (s *SecondStep) Prompt(ctx context.Context, u StepUp) (factor.Offer, error) {
	b := u.Bearer
	return s.Factors.Send(ctx, factor.Prompt{
		User: b.User, SiteID: b.Site.ID, FactorID: u.FactorID, Kind: u.Kind, Slot: b.Session.ID, Used: u.used(),
	})
}
