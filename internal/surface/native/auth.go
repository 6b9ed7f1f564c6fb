package native

import (
	"context"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// auth are the operations of the group Auth.
type auth struct{ *Surface }

type loginIn struct {
	Email    string `json:"email" maxLength:"254" minLength:"1" doc:"The person's address; case does not matter."`
	Password hidden `json:"password" doc:"1 to 1024 bytes."`
	MFACode  hidden `json:"mfa_code,omitempty" doc:"A code of the person's authenticator app, to save the second call where a second step is due. Passed over where the person has no such app: the answer is then mfa_required."`
	Device   hidden `json:"device_token,omitempty" doc:"Of a sign-in that trusted this device."`
}

func (s auth) login(c *call, in *loginIn) (*loginOut, error) {
	otl.RequestOf(c.ctx).Device = factor.DeviceDigest(in.Device.Text)
	p, err := s.SignIn.Prove(c.ctx, signin.Attempt{Site: c.site, Email: in.Email, Password: in.Password.Text})
	if err != nil {
		return nil, err
	}
	entered, err := s.Second.Enter(c.ctx, p, door())
	if err == nil && entered.Step != nil && offered(entered.Step, otl.FactorTOTP) && !in.MFACode.Empty() {
		return s.finish(c, entered.Step, in.MFACode.Text)
	}
	return s.enter(entered, err)
}

type registerIn struct {
	Email    string `json:"email" maxLength:"254" minLength:"1" doc:"One address; it becomes the person's name in the network."`
	Password hidden `json:"password" doc:"8 characters to 1024 bytes; not a common one, not the address."`
	ProfileIn
	Fields []string `json:"fields,omitempty" maxItems:"16" doc:"Fields the person grants to this site. Left out: email, name and every field given here."`
}

// judge implements judged.
func (in *registerIn) judge(s *Surface, c *call) error {
	return account.Registrations{Accounts: s.Accounts}.Faults(in.registration(c))
}

func (in *registerIn) registration(c *call) account.Registration {
	return account.Registration{Site: c.site, Email: in.Email, Password: in.Password.Text, Profile: in.profile(), Fields: in.Fields}
}

func (s auth) register(c *call, in *registerIn) (*loginOut, error) {
	return again(c, newLoginOut, func(ctx context.Context) (session.Tokens, error) {
		return s.Accounts.Register(ctx, in.registration(c))
	})
}

type refreshIn struct {
	RefreshToken hidden `json:"refresh_token" doc:"The newest refresh token of the session."`
}

func (s auth) refresh(c *call, in *refreshIn) (*loginOut, error) {
	t, err := s.SignIn.Refresh(c.ctx, in.RefreshToken.Text, c.site)
	if err != nil {
		return nil, err
	}
	return newLoginOut(t), nil
}

type logoutIn struct {
	RefreshToken hidden `json:"refresh_token,omitempty" doc:"Names the session where no access token is at hand."`
	Everywhere   bool   `json:"everywhere,omitempty" doc:"End every session the person has on this site."`
}

func (s auth) logout(c *call, in *logoutIn) (*revokedOut, error) {
	version, err := s.SignIn.Logout(c.ctx, signin.Logout{
		Site: c.site, Access: c.token, Refresh: in.RefreshToken.Text, Everywhere: in.Everywhere,
	})
	if err != nil {
		return nil, err
	}
	return &revokedOut{Revoked: true, SessionVersion: version}, nil
}

type forgotIn struct {
	Email string `json:"email" maxLength:"254" minLength:"1" doc:"The person's address; case does not matter."`
}

type acceptedOut struct {
	Accepted bool `json:"accepted" doc:"Always true, whether or not somebody has the address."`
}

func (s auth) forgot(c *call, in *forgotIn) (*acceptedOut, error) {
	return &acceptedOut{true}, s.Accounts.Forgot(c.ctx, c.site.ID, in.Email)
}

type resetIn struct {
	Token    hidden `json:"token" doc:"The token of the reset mail."`
	Password hidden `json:"password" doc:"The new one: 8 characters to 1024 bytes; not a common one, not the address."`
}

type resetOut struct {
	Reset bool `json:"reset" doc:"Always true. Nobody is signed in by it."`
}

func (s auth) reset(c *call, in *resetIn) (*resetOut, error) {
	return &resetOut{true}, s.Accounts.Reset(c.ctx, c.site, in.Token.Text, in.Password.Text)
}

type changePasswordIn struct {
	CurrentPassword hidden `json:"current_password"`
	Password        hidden `json:"password" doc:"The new one: 8 characters to 1024 bytes; not a common one, not the address."`
}

type changedOut struct {
	Changed        bool `json:"changed" doc:"Always true."`
	SessionVersion int  `json:"session_version" doc:"The person's new session version; access tokens with a lower one are void. Refresh."`
}

func (s auth) changePassword(c *call, in *changePasswordIn) (*changedOut, error) {
	version, err := s.Accounts.Change(c.ctx, account.Change{Bearer: c.bearer.Standing, Current: in.CurrentPassword.Text, New: in.Password.Text})
	return &changedOut{true, version}, err
}

type introspectIn struct {
	Token hidden `json:"token" doc:"An access token your site was sent."`
}

// introspectOut follows RFC 7662 section 2.2; only active is set for a token
// that is not good for this site at this moment.
type introspectOut struct {
	Active         bool     `json:"active"`
	Subject        string   `json:"sub,omitempty" doc:"User id."`
	Session        string   `json:"sid,omitempty" doc:"Session id."`
	SessionVersion int      `json:"session_version,omitempty"`
	Audience       string   `json:"aud,omitempty" doc:"Your site id."`
	Issuer         string   `json:"iss,omitempty"`
	Expires        int64    `json:"exp,omitempty" doc:"Unix time in seconds."`
	IssuedAt       int64    `json:"iat,omitempty" doc:"Unix time in seconds."`
	AuthTime       int64    `json:"auth_time,omitempty" doc:"Unix time in seconds."`
	Roles          []string `json:"roles,omitempty"`
	AMR            []string `json:"amr,omitempty"`
	TokenType      string   `json:"token_type,omitempty"`
}

func (s auth) introspect(c *call, in *introspectIn) (*introspectOut, error) {
	found, err := s.SignIn.Introspect(c.ctx, in.Token.Text, c.site)
	if err != nil || !found.Active {
		return &introspectOut{}, err
	}
	t := found.Token
	return &introspectOut{
		Active: true, Subject: t.Subject, Session: t.Session, SessionVersion: t.SessionVersion, Audience: t.Audience, Issuer: t.Issuer,
		Expires: t.ExpiresAt.Unix(), IssuedAt: t.IssuedAt.Unix(), AuthTime: t.AuthAt.Unix(), Roles: found.Roles, AMR: t.Methods, TokenType: "Bearer",
	}, nil
}
