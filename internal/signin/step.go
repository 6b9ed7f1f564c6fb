package signin

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Pending is a sign-in that waits for its second step. Its token opens nothing else and
// is no good at another site, door or client (MF-03).
type Pending struct {
	Token     secret.Text
	ExpiresAt time.Time
	User      otl.User
	Factors   []factor.Offer // to choose from, the default first
	Trusts    time.Duration  // of a visit: how long the device can be trusted from then on, 0 where it cannot
	Tries     int            // of a visit: wrong proofs so far
}

// Door is where somebody comes in, for a step that may be due.
type Door struct {
	Name   string            // the wire: a step that began at one does not end at another
	Client string            // id of the client, "" for the site itself
	TTL    time.Duration     // of the step; 0 for five minutes
	Token  secret.Text       // of the step, where the wire has a form for it; at least 160 random bits
	Data   map[string]string // what the door would like back after the step; no secrets
}

// stepTTL is how long a step is good unless the door says otherwise.
const stepTTL = 5 * time.Minute

const stepPrefix = "otl_mt_"

// Errors of steps.
var (
	// ErrStep is the answer to the token of a step that is unknown, over, of another
	// site or door, or that too many wrong proofs have ended.
	ErrStep = &otl.Error{Kind: otl.Unauthenticated, Code: "mfa_token_invalid", Text: "The sign-in has expired or was given up. Begin again."}
	// ErrSecondStep is the answer of a door that has no second step where one is due.
	ErrSecondStep = &otl.Error{Kind: otl.Forbidden, Code: "mfa_required", Text: "A second factor is needed, which this call cannot ask for."}
)

// Members of a step's data; those of the door are prefixed.
const (
	stepMethods  = "methods"
	stepPassword = "password_version"
	stepDoor     = "door"
	stepClient   = "client"
	stepOwn      = "own_"
)

// begin writes a step.
func (s *SecondStep) begin(ctx context.Context, tx *store.Tx, p Proved, d Door, offers []factor.Offer) (*Pending, error) {
	now, token := s.Now(), d.Token
	if token.Empty() {
		token = secret.NewKey(stepPrefix)
	}
	if d.TTL == 0 {
		d.TTL = stepTTL
	}
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeStep, UserID: p.User.ID, SiteID: p.Site.ID, CreatedAt: now, ExpiresAt: now.Add(d.TTL),
		Data: p.pack(),
	}
	t.Slot, t.Data[stepDoor], t.Data[stepClient] = t.ID, d.Name, d.Client
	for k, v := range d.Data {
		t.Data[stepOwn+k] = v
	}
	step := &Pending{Token: token, ExpiresAt: t.ExpiresAt, User: p.User, Factors: offers}
	return step, tx.Tickets.Insert(ctx, t, secret.Digest(token.Reveal()), nil)
}

// StepProof is a proof of a second factor that somebody gave in a step.
type StepProof struct {
	Token    secret.Text
	Site     otl.Site
	Door     Door           // name and client must be those of the step; the rest is for one more step
	FactorID string         // one of those offered
	Kind     otl.FactorKind // used where FactorID is "": the first of the kind
	Proof    secret.Text
	Trust    bool // trust the device from now on, as long as the site allows
	Quiet    bool // of Challenge: send nothing, only tell of the factor
}

// mine reports whether a step belongs to the door it is presented at.
func mine(t otl.Ticket, siteID string, d Door) bool {
	return t.SiteID == siteID && t.Data[stepDoor] == d.Name && t.Data[stepClient] == d.Client
}

// Verify checks a second factor, ends the step and gives what is proven by now, with
// the data of the door; a session is still to be opened. Five wrong proofs end the
// step (ErrStep from then on); a single one is factor.ErrProof, a factor the person
// does not have factor.ErrNone, and too many in a row at whatever door
// limit.Exceeded.
func (s *SecondStep) Verify(ctx context.Context, sp StepProof) (p Proved, data map[string]string, err error) {
	var refused error
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		p, data, err = s.verify(ctx, tx, sp)
		refused, err = factor.Refused(err)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Proved{}, nil, s.Failures.note(ctx, sp.failure(p), err)
	}
	otl.RequestOf(ctx).UserID = p.User.ID
	return p, data, nil
}

// Complete checks a second factor and opens the session the step was for, or begins
// one more step. The errors are those of Verify and Enter.
func (s *SecondStep) Complete(ctx context.Context, sp StepProof) (Entered, error) {
	from := otl.RequestOf(ctx)
	var e entrance
	var p Proved
	err := s.Store.WriteWithOthers(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		e = entrance{}
		var data map[string]string
		if p, data, err = s.verify(ctx, tx, sp); err != nil {
			e.refused, err = factor.Refused(err)
			return err
		}
		if e, err = s.admit(ctx, tx, p, &sp.Door, from); err != nil || e.step != nil || e.refused != nil {
			return err
		}
		from.UserID, e.data = p.User.ID, data
		if sp.Trust && p.Site.TrustDays > 0 {
			e.device, err = s.Factors.Trust(ctx, tx, p.User.ID, p.Site.ID, p.Site.TrustTTL())
		}
		return err
	})
	in, err := s.entered(e, err)
	return in, s.Failures.note(ctx, sp.failure(p), err)
}

// verify counts the try, checks the proof and uses the step up. A step that is
// presented where it does not belong is tried like by a wrong proof. Whose step it was is
// given with the error of a wrong proof too.
func (s *SecondStep) verify(ctx context.Context, tx *store.Tx, sp StepProof) (Proved, map[string]string, error) {
	t, err := tx.Tickets.Try(ctx, otl.PurposeStep, secret.Digest(sp.Token.Reveal()), s.Now(), s.Tries)
	if errors.Is(err, store.ErrNotFound) || err == nil && !mine(t, sp.Site.ID, sp.Door) {
		return Proved{}, nil, ErrStep
	}
	if err != nil {
		return Proved{}, nil, err
	}
	p, err := s.proved(ctx, tx, t, sp.Site)
	if err != nil {
		return Proved{}, nil, err
	}
	used, err := s.Factors.Verify(ctx, tx, factor.Claim{User: p.User, SiteID: t.SiteID, FactorID: sp.FactorID, Kind: sp.Kind, Slot: t.ID, Used: p.Methods, Proof: sp.Proof})
	if err != nil {
		p.tried = used.Kind
		return p, nil, err
	}
	switch first, err := tx.Tickets.Spend(ctx, t.ID, s.Now()); {
	case err != nil:
		return Proved{}, nil, err
	case !first:
		return Proved{}, nil, ErrStep
	}
	p.Methods = p.Methods.With(used.Kind.Method())
	return p, own(t), nil
}

// pack gives what of a proof is kept in a ticket until it leads to something.
func (p Proved) pack() map[string]string {
	return map[string]string{stepMethods: p.Methods.String(), stepPassword: strconv.Itoa(p.passwordVersion)}
}

// proved gives whom a ticket with a packed proof is for, as he stands now. The error
// is ErrStep for somebody who is gone.
func (s *SecondStep) proved(ctx context.Context, tx *store.Tx, t otl.Ticket, site otl.Site) (p Proved, err error) {
	p.Site, p.Methods = site, otl.StoredMethods(t.Data[stepMethods])
	if p.passwordVersion, err = strconv.Atoi(t.Data[stepPassword]); err != nil {
		return p, err
	}
	if p.User, p.Grant, err = tx.Users.At(ctx, t.UserID, site.ID); store.Gone(p.User, err) {
		err = ErrStep
	}
	return p, err
}

// own gives the data of the door in a step.
func own(t otl.Ticket) map[string]string {
	out := map[string]string{}
	for k, v := range t.Data {
		if name, ok := strings.CutPrefix(k, stepOwn); ok {
			out[name] = v
		}
	}
	return out
}

// Challenge sends the code of a factor that is one, for a step, and gives the factor
// and when the step ends. The errors are ErrStep and those of factor.Factors.Send.
func (s *SecondStep) Challenge(ctx context.Context, sp StepProof) (factor.Offer, time.Time, error) {
	t, err := s.Store.Read.Tickets.Live(ctx, otl.PurposeStep, secret.Digest(sp.Token.Reveal()), s.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && (!mine(t, sp.Site.ID, sp.Door) || t.Tries >= s.Tries) {
		return factor.Offer{}, time.Time{}, ErrStep
	}
	if err != nil {
		return factor.Offer{}, time.Time{}, err
	}
	p, err := s.proved(ctx, s.Store.Read, t, sp.Site)
	if err != nil {
		return factor.Offer{}, time.Time{}, err
	}
	o, err := s.Factors.Send(ctx, factor.Prompt{User: p.User, SiteID: t.SiteID, FactorID: sp.FactorID, Kind: sp.Kind, Slot: t.ID, Used: p.Methods, Until: t.ExpiresAt, Quiet: sp.Quiet})
	return o, t.ExpiresAt, err
}
