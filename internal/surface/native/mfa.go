package native

import (
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// mfa are the operations on second factors (contract 1.4).
type mfa struct{ *Surface }

// door is this wire as a place where people come in.
func door() *signin.Door { return &signin.Door{Name: "native"} }

// OfferOut is a factor that can be chosen for a second step. It is exported because
// schemas pass over embedded types that are not.
type OfferOut struct {
	ID      string `json:"id"`
	Kind    string `json:"kind" enum:"totp,sms_otp,email_otp,webauthn,recovery_code"`
	Label   string `json:"label" doc:"What the person calls it."`
	Hint    string `json:"hint" doc:"End of the number or part of the address a code goes to; empty for other kinds."`
	Default bool   `json:"default" doc:"Whether it is to be offered first."`
}

func newOfferOut(o factor.Offer) OfferOut {
	return OfferOut{o.ID, string(o.Kind), o.Label, o.Hint, o.Default}
}

// stepDue is the 401 to a right first proof where a second step is due, also beside a proof of it that
// was wrong. It must not be a success: a site that takes a 200 for signed in would skip the step
// (contract 1.4).
type stepDue struct {
	step *signin.Pending
	now  time.Time
	as   *otl.Error // as every wire knows it
}

var errStepDue = &otl.Error{Kind: otl.Unauthenticated, Code: "mfa_required", Text: "mfa_required"}

// Error implements error.
func (d *stepDue) Error() string { return d.as.Error() }

// Unwrap gives the error as every wire knows it.
func (d *stepDue) Unwrap() error { return d.as }

// stepFailure is a Failure with what the second step needs.
type stepFailure struct {
	failure
	Token     shown      `json:"mfa_token"`
	Methods   []string   `json:"methods"`
	Factors   []OfferOut `json:"factors"`
	ExpiresIn int        `json:"expires_in"`
}

func (d *stepDue) body(f failure) stepFailure {
	out := stepFailure{failure: f, Token: shown{d.step.Token}, ExpiresIn: left(d.step.ExpiresAt.Sub(d.now))}
	seen := map[otl.FactorKind]bool{}
	for _, o := range d.step.Factors {
		out.Factors = append(out.Factors, newOfferOut(o))
		if !seen[o.Kind] {
			seen[o.Kind] = true
			out.Methods = append(out.Methods, string(o.Kind))
		}
	}
	return out
}

// enter gives the answer of a door: tokens, or the 401 of a second step.
func (s *Surface) enter(in signin.Entered, err error) (*loginOut, error) {
	if err != nil {
		return nil, err
	}
	if in.Step != nil {
		return nil, &stepDue{in.Step, s.Now(), errStepDue}
	}
	out := newLoginOut(in.Tokens)
	if !in.Device.Empty() {
		out.DeviceToken = &shown{in.Device}
	}
	return out, nil
}

type verifyFactorIn struct {
	MFAToken hidden `json:"mfa_token,omitempty" doc:"Of the 401 that asked for the second step; not beside an access token, whose session is raised."`
	Code     hidden `json:"code,omitempty" doc:"As the person typed it; blanks and hyphens do not matter."`
	Given    object `json:"assertion,omitempty" doc:"In place of a code, for webauthn: what navigator.credentials.get gave, by its toJSON()."`
	FactorID string `json:"factor_id,omitempty" maxLength:"26" doc:"Which of the factors offered it is of."`
	Method   string `json:"method,omitempty" enum:"totp,sms_otp,email_otp,webauthn,recovery_code" doc:"Its kind, where no factor_id is given; totp if left out."`
	Trust    bool   `json:"trust_device,omitempty" doc:"Give a device_token, with which this device needs no second step for as many days as the trust_days of the site, where it does not demand one; none is given where those are 0."`
}

func (s mfa) verify(c *call, in *verifyFactorIn) (*loginOut, error) {
	if !c.token.Empty() {
		u, err := s.stepUp(c)
		if err != nil {
			return nil, err
		}
		u.FactorID, u.Kind, u.Proof = in.FactorID, kindOf(in.Method), in.proof()
		t, err := s.Second.Raise(c.ctx, u)
		return s.enter(signin.Entered{Tokens: t}, err)
	}
	if c.site.ID == "" {
		return nil, otl.ErrNoSiteKey
	}
	return s.enter(s.Second.Complete(c.ctx, signin.StepProof{
		Token: in.MFAToken.Text, Site: c.site, Door: *door(), FactorID: in.FactorID, Kind: kindOf(in.Method), Proof: in.proof(), Trust: in.Trust,
	}))
}

// stepUp gives the session that is to be raised: that of the access token, which must
// be of the site of the key, or first-party where there is none.
func (s mfa) stepUp(c *call) (signin.StepUp, error) {
	b, err := s.SignIn.Authenticate(c.ctx, c.token)
	switch {
	case err != nil:
		return signin.StepUp{}, err
	case c.site.ID == "" && !b.Site.FirstParty:
		return signin.StepUp{}, otl.ErrNoSiteKey
	case c.site.ID != "" && b.Site.ID != c.site.ID:
		return signin.StepUp{}, otl.ErrToken
	}
	return signin.StepUp{Bearer: b}, nil
}

// proof gives the code, or the assertion in its place.
func (in *verifyFactorIn) proof() secret.Text {
	if in.Given != "" {
		return secret.NewText(string(in.Given))
	}
	return in.Code.Text
}

func kindOf(method string) otl.FactorKind {
	if method == "" {
		return otl.FactorTOTP
	}
	return otl.FactorKind(method)
}

type challengeIn struct {
	MFAToken hidden `json:"mfa_token,omitempty" doc:"Of the 401 that asked for the second step; not beside an access token."`
	FactorID string `json:"factor_id" minLength:"1" maxLength:"26" doc:"One of the factors offered."`
}

type challengedOut struct {
	Sent      bool         `json:"sent" doc:"Whether a code was sent: not for kinds that need none."`
	ExpiresIn int          `json:"expires_in,omitempty" doc:"Seconds until the sign-in has to begin again."`
	Factor    OfferOut     `json:"factor"`
	Options   *shownObject `json:"options,omitempty" doc:"For webauthn: what navigator.credentials.get takes; its publicKey is in the form of PublicKeyCredential.parseRequestOptionsFromJSON."`
}

func (s mfa) challenge(c *call, in *challengeIn) (*challengedOut, error) {
	if !c.token.Empty() {
		u, err := s.stepUp(c)
		if err != nil {
			return nil, err
		}
		u.FactorID = in.FactorID
		o, err := s.Second.Prompt(c.ctx, u)
		return newChallengedOut(o, 0), err
	}
	if c.site.ID == "" {
		return nil, otl.ErrNoSiteKey
	}
	o, until, err := s.Second.Challenge(c.ctx, signin.StepProof{Token: in.MFAToken.Text, Site: c.site, Door: *door(), FactorID: in.FactorID})
	return newChallengedOut(o, until.Sub(s.Now())), err
}

func newChallengedOut(o factor.Offer, good time.Duration) *challengedOut {
	out := &challengedOut{Sent: o.Kind.Sent(), ExpiresIn: left(good), Factor: newOfferOut(o)}
	if o.Options != "" {
		out.Options = ptr(shownObject(o.Options))
	}
	return out
}

// offered reports whether a kind of factor can be chosen for a step.
func offered(step *signin.Pending, kind otl.FactorKind) bool {
	return slices.ContainsFunc(step.Factors, func(o factor.Offer) bool { return o.Kind == kind })
}

// finish proves the second factor of a login in the same call. After a wrong code the step goes on: the
// answer has its token, without which the person could only begin again.
func (s auth) finish(c *call, step *signin.Pending, code secret.Text) (*loginOut, error) {
	in, err := s.Second.Complete(c.ctx, signin.StepProof{
		Token: step.Token, Site: c.site, Door: *door(), Kind: otl.FactorTOTP, Proof: code,
	})
	if as := otl.As(err); err != nil && as.Kind == otl.Unauthenticated && as.Code != signin.ErrStep.Code {
		return nil, &stepDue{step, s.Now(), as}
	}
	return s.enter(in, err)
}
