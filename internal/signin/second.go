package signin

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// SecondStep leads everybody who has proven who he is to a session: at once, or by a
// second step where one is due. Every door comes through here.
type SecondStep struct {
	Store    *store.Store
	Sessions *session.Sessions
	Factors  *factor.Factors
	Limits   *limit.Limits
	Failures *Failures
	Now      func() time.Time
	Tries    int    // wrong proofs that end a step
	Home     string // id of the first-party site
}

// Entered is what a door gives: tokens, or a step that is due.
type Entered struct {
	session.Tokens
	Step   *Pending
	Device secret.Text       // token of a device that is trusted from now on, if that was asked for
	Data   map[string]string // of the door, after a step
}

// entrance is what the transaction of a door comes to. Refused is an answer for which
// the transaction is kept all the same.
type entrance struct {
	opened  session.Opened
	step    *Pending
	device  secret.Text
	data    map[string]string
	refused error
	client  string // who makes its tokens; "" for us
}

// Enter opens a session for somebody who has proven who he is, or begins the second
// step that is due. A nil door has none: the error is then ErrSecondStep. Where the
// site demands what the person does not have it is factor.ErrEnrolment or
// factor.ErrKind, and otl.ErrWay where it takes his first proof no more.
func (s *SecondStep) Enter(ctx context.Context, p Proved, d *Door) (Entered, error) {
	from := otl.RequestOf(ctx)
	var e entrance
	err := s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		e, err = s.admit(ctx, tx, p, d, from)
		return err
	})
	e.client = p.client
	in, err := s.entered(e, err)
	return in, s.Failures.note(ctx, p.failure(), err)
}

// entered makes the tokens of an entrance, after its transaction.
func (s *SecondStep) entered(e entrance, err error) (Entered, error) {
	if err == nil {
		err = e.refused
	}
	if err != nil || e.step != nil {
		return Entered{Step: e.step, Data: e.data}, err
	}
	t, err := e.opened.For(e.client, s.Sessions)
	return Entered{Tokens: t, Device: e.device, Data: e.data}, err
}

// Begin begins the second step that is due for somebody, and is nil where none is.
// Nothing is opened; whoever opens something later asks again.
func (s *SecondStep) Begin(ctx context.Context, p Proved, d Door) (*Pending, error) {
	from := otl.RequestOf(ctx)
	var step *Pending
	var refused error
	err := s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) error {
		step, refused = nil, nil
		if err := s.settle(ctx, tx, p); err != nil {
			return err
		}
		if p.password != nil && p.password.temporary {
			refused = ErrTemporary
			return nil
		}
		_, offers, err := s.Factors.Admit(ctx, tx, p.Standing, p.Methods, from.Device)
		if err != nil && otl.As(err).Kind == otl.Forbidden {
			refused = err
			return nil
		}
		if err != nil || len(offers) == 0 {
			return err
		}
		step, err = s.begin(ctx, tx, p, d, offers)
		return err
	})
	if err == nil {
		err = refused
	}
	return step, s.Failures.note(ctx, p.failure(), err)
}

// Open opens a browser session at the first-party site, by a cookie, for somebody who
// has proven who he is; where a second step is due the error is ErrSecondStep.
func (s *SecondStep) Open(ctx context.Context, p Proved) (b session.Browser, err error) {
	from := otl.RequestOf(ctx)
	var refused error
	err = s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) error {
		b, refused, err = s.open(ctx, tx, p, from)
		return err
	})
	if err == nil {
		err = refused
	}
	return b, s.Failures.note(ctx, p.failure(), err)
}

// open is Open within a transaction; a refusal comes apart from errors.
func (s *SecondStep) open(ctx context.Context, tx *store.Tx, p Proved, from *otl.Request) (b session.Browser, refused, err error) {
	pass, offers, no, err := s.pass(ctx, tx, &p, from)
	if err != nil || no != nil {
		return b, no, err
	}
	if len(offers) > 0 {
		return b, ErrSecondStep, nil
	}
	first := p.User.LastLoginAt.IsZero()
	if err := s.came(ctx, tx, &p); err != nil {
		return b, nil, err
	}
	if b, err = s.Sessions.OpenBrowser(ctx, tx, p.Standing, pass, from); err != nil {
		return b, nil, err
	}
	return b, nil, announce(ctx, tx, s, p, first)
}

// pass writes what a proof leaves behind and asks whether it is enough. A refusal
// comes apart from errors: what was written is kept.
func (s *SecondStep) pass(ctx context.Context, tx *store.Tx, p *Proved, from *otl.Request) (factor.Pass, []factor.Offer, error, error) {
	if err := p.Site.Opens(p.Methods.Way()); err != nil {
		return factor.Pass{}, nil, err, nil // it was switched off since he proved himself, or began the step
	}
	if err := s.settle(ctx, tx, *p); err != nil {
		return factor.Pass{}, nil, nil, err
	}
	if p.password != nil && p.password.temporary {
		return factor.Pass{}, nil, ErrTemporary, nil
	}
	pass, offers, err := s.Factors.Admit(ctx, tx, p.Standing, p.Methods, from.Device)
	if err != nil && otl.As(err).Kind == otl.Forbidden {
		return pass, nil, err, nil
	}
	if err == nil && len(offers) == 0 {
		return pass, nil, consents(p.Standing), nil
	}
	return pass, offers, nil, err
}

// admit is the one way from a proof to a session or a step.
func (s *SecondStep) admit(ctx context.Context, tx *store.Tx, p Proved, d *Door, from *otl.Request) (e entrance, err error) {
	pass, offers, no, err := s.pass(ctx, tx, &p, from)
	if err != nil || no != nil {
		return entrance{refused: no}, err
	}
	if len(offers) > 0 {
		if d == nil {
			return entrance{refused: ErrSecondStep}, nil
		}
		e.step, err = s.begin(ctx, tx, p, *d, offers)
		return e, err
	}
	if err := s.came(ctx, tx, &p); err != nil {
		return e, err
	}
	if err := grant(ctx, tx, s, &p); err != nil {
		return e, err
	}
	refresh, err := s.Sessions.Open(ctx, tx, &p.Standing, pass, from)
	e.opened = session.Opened{Standing: p.Standing, Refresh: refresh}
	return e, err
}

// came notes the sign-in, which fails if the person was disabled, or got another
// password than the one he proved himself with, meanwhile.
func (s *SecondStep) came(ctx context.Context, tx *store.Tx, p *Proved) (err error) {
	now := s.Now()
	if p.passwordVersion > 0 {
		p.User.SessionVersion, err = tx.Users.SignedIn(ctx, p.User.ID, p.passwordVersion, now)
		p.User.LastLoginAt = now
	} else {
		p.User, err = tx.Users.Came(ctx, p.User, now)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	switch {
	case p.password != nil:
		return otl.ErrCredentials
	case p.passwordVersion > 0:
		return ErrStep
	}
	return ErrDisabled
}

// settle writes what a proof leads to, whatever follows: codes that were closed are open
// again, a right password is no failure, and an old hash is replaced.
func (s *SecondStep) settle(ctx context.Context, tx *store.Tx, p Proved) error {
	var right []limit.Account
	if p.otherwise() {
		right = append(right, limit.Codes(p.User, ""))
	}
	if p.password != nil {
		right = append(right, p.password.account)
	}
	if err := limit.Clear(ctx, tx, right...); err != nil || p.password == nil || p.password.fresh == "" {
		return err
	}
	return tx.Passwords.Rehash(ctx, p.User.ID, p.password.old, p.password.fresh)
}
