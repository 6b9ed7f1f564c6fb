package native

import (
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// factors are the operations of a person on the factors he has. All that change them
// take a first-party token: a site neither plants a factor nor takes one away
// (decisions D1 and D2).
type factors struct{ *Surface }

// FactorOut is one factor of the person who asks. It is exported because schemas pass
// over embedded types that are not.
type FactorOut struct {
	OfferOut
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"null if never."`
}

func newFactorOut(o factor.Offer) FactorOut {
	return FactorOut{newOfferOut(o), o.CreatedAt, seen(o.LastUsedAt)}
}

type factorsOut struct {
	Data       []FactorOut `json:"data"`
	CodesLeft  int         `json:"recovery_codes_left"`
	NextCursor *string     `json:"next_cursor" doc:"Always null: a person has at most 20 factors."`
}

func (s factors) list(c *call, _ *nothing) (*factorsOut, error) {
	has, err := s.Setup.List(c.ctx, c.bearer.User)
	out := &factorsOut{Data: []FactorOut{}, CodesLeft: has.CodesLeft}
	for _, o := range has.Factors {
		out.Data = append(out.Data, newFactorOut(o))
	}
	return out, err
}

type enrolIn struct {
	Kind  string `json:"kind" enum:"totp,sms_otp,email_otp,webauthn" doc:"What to set up."`
	Label string `json:"label,omitempty" maxLength:"60" doc:"What the person calls it."`
	Phone string `json:"phone,omitempty" maxLength:"16" doc:"Where codes go, for sms_otp; E.164."`
}

type enrolledOut struct {
	ID        string       `json:"id" doc:"For confirming it."`
	Kind      string       `json:"kind"`
	Label     string       `json:"label"`
	Secret    *shown       `json:"secret,omitempty" doc:"For an authenticator app, in base32. Shown this once."`
	URL       *shown       `json:"otpauth_url,omitempty" doc:"The same for a QR code. Shown this once."`
	Options   *shownObject `json:"options,omitempty" doc:"For webauthn: what navigator.credentials.create takes; its publicKey is in the form of PublicKeyCredential.parseCreationOptionsFromJSON."`
	ExpiresAt time.Time    `json:"expires_at" doc:"Until when it can be confirmed."`
}

func (s factors) enrol(c *call, in *enrolIn) (*enrolledOut, error) {
	e, err := s.Setup.Enrol(c.ctx, c.bearer.Standing, factor.New{Kind: otl.FactorKind(in.Kind), Label: in.Label, Number: in.Phone})
	if err != nil {
		return nil, err
	}
	out := &enrolledOut{ID: e.ID, Kind: string(e.Kind), Label: e.Label, ExpiresAt: e.ExpiresAt}
	if !e.Seed.Empty() {
		out.Secret, out.URL = &shown{e.Seed}, &shown{e.Link}
	}
	if e.Options != "" {
		out.Options = ptr(shownObject(e.Options))
	}
	return out, nil
}

type confirmIn struct {
	FactorID string `json:"factor_id" minLength:"1" maxLength:"26" doc:"Of the answer that began it."`
	Code     hidden `json:"code,omitempty" doc:"What the app shows, or the code that was sent."`
	Given    object `json:"credential,omitempty" doc:"In place of a code, for webauthn: what navigator.credentials.create gave, by its toJSON()."`
}

type confirmedOut struct {
	ID             string  `json:"id"`
	RecoveryCodes  []shown `json:"recovery_codes,omitempty" doc:"With the first factor: ten codes, each good once, that stand in for it. Shown this once."`
	SessionVersion int     `json:"session_version" doc:"The person's new session version; access tokens with a lower one are void. Refresh."`
}

func (s factors) confirm(c *call, in *confirmIn) (*confirmedOut, error) {
	proof := in.Code.Text
	if in.Given != "" {
		proof = secret.NewText(string(in.Given))
	}
	done, err := s.Setup.Confirm(c.ctx, c.bearer.Standing, in.FactorID, proof)
	if err != nil {
		return nil, err
	}
	out := &confirmedOut{ID: done.ID, SessionVersion: done.Version}
	for _, code := range done.RecoveryCodes {
		out.RecoveryCodes = append(out.RecoveryCodes, shown{code})
	}
	return out, nil
}

type changeFactorIn struct {
	ID      string  `path:"id" json:"-" doc:"Factor id."`
	Label   *string `json:"label,omitempty" minLength:"1" maxLength:"60" doc:"What the person calls it."`
	Default bool    `json:"default,omitempty" doc:"Offer it first from now on."`
}

func (s factors) change(c *call, in *changeFactorIn) (*FactorOut, error) {
	o, err := s.Setup.Update(c.ctx, c.bearer.Standing, in.ID, in.Label, in.Default)
	if err != nil {
		return nil, err
	}
	out := newFactorOut(o)
	return &out, nil
}

type factorIn struct {
	ID string `path:"id" json:"-" doc:"Factor id."`
}

type removedFactorOut struct {
	Deleted        bool `json:"deleted" doc:"Always true."`
	SessionVersion int  `json:"session_version" doc:"The person's new session version; access tokens with a lower one are void. Refresh."`
}

func (s factors) remove(c *call, in *factorIn) (*removedFactorOut, error) {
	version, err := s.Setup.Remove(c.ctx, c.bearer.Standing, in.ID)
	return &removedFactorOut{true, version}, err
}

type recoveryCodesOut struct {
	RecoveryCodes  []shown `json:"recovery_codes" doc:"Ten codes, each good once. Shown this once; those before are void."`
	SessionVersion int     `json:"session_version" doc:"The person's new session version; access tokens with a lower one are void. Refresh."`
}

func (s factors) newCodes(c *call, _ *nothing) (*recoveryCodesOut, error) {
	codes, version, err := s.Setup.NewCodes(c.ctx, c.bearer.Standing)
	out := &recoveryCodesOut{SessionVersion: version}
	for _, code := range codes {
		out.RecoveryCodes = append(out.RecoveryCodes, shown{code})
	}
	return out, err
}
