package transmit

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

type sendLinkIn struct {
	Redirect       string        `json:"redirect_uri"`
	IdentifierType string        `json:"identifier_type"`
	Identifier     string        `json:"identifier"`
	Email          string        `json:"email"`
	Channel        string        `json:"channel"`
	Expiration     *float64      `json:"email_expiration"`
	State          string        `json:"state"`
	Mail           *emailContent `json:"email_content"`
	RequestID      bool          `json:"generate_request_id"`
	Attributes     attributes    `json:"client_attributes"`
	Device         string        `json:"device_id"`
}

type linkSentOut struct {
	Message   string `json:"message"`
	Link      string `json:"link,omitempty"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// errRedirect is worded as the vendor does.
var errRedirect = &otl.Error{
	Kind: otl.Malformed, Code: "redirect_uri_not_registered", Text: "redirect_uri is not one of the allowed redirect URIs configured for this app",
}

// errGone is how the call that redeems a link words that its person is none any more.
var errGone = &otl.Error{Kind: otl.Malformed, Code: otl.NoSuch("").Code, Text: "User not found"}

// errSignUp is worded as the vendor does.
var errSignUp = &otl.Error{Kind: otl.Forbidden, Code: "signup_not_allowed", Text: "Public signup is not allowed for this application"}

// maxState is the longest state in bytes.
const maxState = 2048

// sendLink is POST /v1/auth/link/email/send (contract 3.3).
func (s *Surface) sendLink(c *call, in *sendLinkIn) (any, error) {
	if err := needed("redirect_uri", in.Redirect); err != nil {
		return nil, err
	}
	if !c.client.Redirects(in.Redirect) {
		return nil, errRedirect
	}
	id, err := in.who(c)
	if err != nil {
		return nil, err
	}
	newcomer, err := s.newcomers(c.r.Context(), c.client, c.site)
	if err != nil {
		return nil, err
	}
	r := signin.LinkRequest{
		CodeRequest: signin.CodeRequest{Site: c.site, Who: id, Channel: otl.Channel(in.Channel), Bound: in.RequestID, Known: true, Newcomer: newcomer, Client: c.client.ID, Redirect: in.Redirect},
		State:       in.State, Confirm: c.client.LinkConfirm,
	}
	switch {
	case in.Channel == "":
		r.Channel = otl.ChannelMail
	case r.Channel == otl.ChannelDirect && !c.scopes.Has(otl.ScopeOTPDirect):
		return nil, &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This client lacks the scope otp:direct."}
	}
	if in.Expiration != nil {
		if *in.Expiration < 1 || *in.Expiration > 1440 {
			return nil, otl.InvalidField("email_expiration", "out_of_range", "must be from 1 to 1440 minutes")
		}
		r.TTL = time.Duration(*in.Expiration * float64(time.Minute))
	}
	if len(in.State) > maxState {
		return nil, otl.InvalidField("state", "too_long", "must be at most 2048 bytes")
	}
	if r.Custom, err = custom(in.Mail, nil); err != nil {
		return nil, err
	}
	if err := c.from(in.Attributes, in.Device); err != nil {
		return nil, err
	}
	sent, err := s.Codes.SendLink(c.r.Context(), r)
	if otl.Is(err, otl.NoSuch("").Code) && c.client.AutoCreate && in.Email != "" && r.Channel == otl.ChannelMail {
		err = errSignUp.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return linkSentOut{"Email sent successfully", sent.Link.Reveal(), sent.Code.Reveal(), sent.RequestID}, nil
}

// who reads whom a link is for, by either of the two ways to name him (contract 3.3).
func (in *sendLinkIn) who(c *call) (signin.Identifier, error) {
	if in.Email == "" {
		return c.who(in.IdentifierType, in.Identifier)
	}
	if in.Identifier != "" || in.IdentifierType != "" {
		return signin.Identifier{}, otl.InvalidField("email", "ambiguous", "must not stand beside identifier and identifier_type")
	}
	id, err := c.who(string(signin.ByEmail), in.Email)
	return id, of("email", err)
}

type redeemLinkIn struct {
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	Session   string `json:"session_id"`
	wanted
}

// redeemLink is POST /v1/auth/link/email/authenticate (contract 3.4).
func (s *Surface) redeemLink(c *call, in *redeemLinkIn) (any, error) {
	a, err := c.grants(in.wanted)
	if err == nil {
		err = needed("code", in.Code)
	}
	if err != nil {
		return nil, err
	}
	p, err := s.come(c.r.Context(), c.client, signin.LinkAttempt{
		Site: c.site, Client: c.client.ID, Code: secret.NewText(in.Code), RequestID: in.RequestID, Join: in.Session,
	})
	if errors.Is(err, signin.ErrDisabled) || errors.Is(err, signin.ErrNewcomer) { // since the link was sent
		err = errGone.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return s.answer(p.Tokens, a)
}

// newcomers reports whether the links that a client sends add people: not where its site would let none of them in.
func (s *Surface) newcomers(ctx context.Context, c otl.Client, of otl.Site) (bool, error) {
	if !c.TakesNewcomers() {
		return false, nil
	}
	return account.Newcomers{Accounts: s.Members.Accounts}.LetIn(ctx, of)
}

// come signs in whoever has the code of a link, and adds him where the client may have people created this way at this moment.
func (s *Surface) come(ctx context.Context, c otl.Client, a signin.LinkAttempt) (signin.Proven, error) {
	adds, err := s.newcomers(ctx, c, a.Site)
	if err != nil {
		return signin.Proven{}, err
	}
	if adds {
		a.Add = account.Newcomers{Accounts: s.Members.Accounts}.Of(a.Site)
	}
	return s.Codes.Redeem(ctx, a)
}
