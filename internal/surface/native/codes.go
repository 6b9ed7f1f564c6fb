package native

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// codes are the operations that sign people in without a password (contract 1.4).
type codes struct{ *Surface }

// Who names a person; exactly one of its members is given. It is exported because
// schemas pass over embedded types that are not.
type Who struct {
	Email  string `json:"email,omitempty" maxLength:"254" doc:"The person's address; case does not matter."`
	Phone  string `json:"phone,omitempty" maxLength:"16" doc:"The number of one of the people who let the site see theirs, in E.164 form: who has proven it comes first."`
	UserID string `json:"user_id,omitempty" maxLength:"64" doc:"One of the site's people."`
}

func (w Who) identifier() (signin.Identifier, error) {
	var all []signin.Identifier
	for _, one := range []signin.Identifier{
		{Type: signin.ByEmail, Value: w.Email},
		{Type: signin.ByPhone, Value: w.Phone},
		{Type: signin.ByID, Value: w.UserID},
	} {
		if one.Value != "" {
			all = append(all, one)
		}
	}
	if len(all) != 1 {
		return signin.Identifier{}, otl.InvalidField("email", "required", "must be given, or else phone or user_id, and only one of them")
	}
	return all[0], nil
}

type sendCodeIn struct {
	Who
	Channel   string `json:"channel,omitempty" enum:"email,sms,direct" doc:"email or sms sends the code; direct gives it to you, and needs the scope otp:direct. By mail if left out, by SMS to a phone."`
	RequestID bool   `json:"generate_request_id,omitempty" doc:"Give a request_id, without which the code is no good."`
}

type sentOut struct {
	Sent      bool   `json:"sent" doc:"Always true, whether or not there is such a person."`
	ExpiresIn int    `json:"expires_in" doc:"Seconds until the code expires."`
	RequestID string `json:"request_id,omitempty" doc:"To be sent along with the code; only if asked for."`
	Code      *shown `json:"code,omitempty" doc:"The code itself, by the channel direct only."`
}

func (s codes) send(c *call, in *sendCodeIn) (*sentOut, error) {
	who, err := in.identifier()
	if err != nil {
		return nil, err
	}
	channel := otl.Channel(in.Channel)
	if channel == "" {
		channel = otl.ChannelMail
		if who.Type == signin.ByPhone {
			channel = otl.ChannelSMS
		}
	}
	if channel == otl.ChannelDirect && !c.key.Scopes.Has(otl.ScopeOTPDirect) {
		return nil, &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This site key lacks the scope otp:direct."}
	}
	sent, err := s.Codes.Send(c.ctx, signin.CodeRequest{Site: c.site, Who: who, Channel: channel, Bound: in.RequestID})
	if err != nil {
		return nil, err
	}
	out := &sentOut{Sent: true, ExpiresIn: left(sent.ExpiresAt.Sub(s.Now())), RequestID: sent.RequestID}
	if !sent.Code.Empty() {
		out.Code = &shown{sent.Code}
	}
	return out, nil
}

type verifyCodeIn struct {
	Who
	Code      hidden `json:"code" doc:"As the person typed it; blanks and hyphens do not matter."`
	RequestID string `json:"request_id,omitempty" maxLength:"128" doc:"Of the answer that sent the code, if there was one in it."`
}

func (s codes) verify(c *call, in *verifyCodeIn) (*loginOut, error) {
	who, err := in.identifier()
	if err != nil {
		return nil, err
	}
	p, err := s.Codes.Verify(c.ctx, signin.CodeAttempt{Site: c.site, Who: who, Code: in.Code.Text, RequestID: in.RequestID, Door: door()})
	return s.enter(p.Entered, err)
}

type sendLinkIn struct {
	Who
	CallbackURL string `json:"callback_url" minLength:"1" maxLength:"2048" doc:"Where the person is sent with the code: one of the site's callback URLs."`
	State       string `json:"state,omitempty" maxLength:"512" doc:"Handed back to that address."`
	RequestID   bool   `json:"generate_request_id,omitempty" doc:"Give a request_id, without which the code is no good."`
}

func (s codes) sendLink(c *call, in *sendLinkIn) (*sentOut, error) {
	who, err := in.identifier()
	if err != nil {
		return nil, err
	}
	site, err := s.Sites.Get(c.ctx, c.site.ID)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(site.CallbackURLs, in.CallbackURL) {
		return nil, otl.InvalidField("callback_url", "not_registered", "must be one of the site's callback URLs, to the letter")
	}
	sent, err := s.Codes.SendLink(c.ctx, signin.LinkRequest{
		CodeRequest: signin.CodeRequest{Site: c.site, Who: who, Channel: otl.ChannelMail, Bound: in.RequestID, Redirect: in.CallbackURL},
		State:       in.State, Confirm: otl.ConfirmAuto,
	})
	if err != nil {
		return nil, err
	}
	return &sentOut{Sent: true, ExpiresIn: left(sent.ExpiresAt.Sub(s.Now())), RequestID: sent.RequestID}, nil
}

// left gives for how long something is good in whole seconds: what is left of the first one counts, or
// 300 would always be read as 299.
func left(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

type verifyLinkIn struct {
	Code      hidden `json:"code" doc:"The parameter of that name at the callback URL."`
	RequestID string `json:"request_id,omitempty" maxLength:"128" doc:"Of the answer that sent the link, if there was one in it."`
}

func (s codes) verifyLink(c *call, in *verifyLinkIn) (*loginOut, error) {
	p, err := s.Codes.Redeem(c.ctx, signin.LinkAttempt{Site: c.site, Code: in.Code.Text, RequestID: in.RequestID, Door: door()})
	if errors.Is(err, signin.ErrDisabled) {
		err = signin.ErrLink
	}
	return s.enter(p.Entered, err)
}

func (s codes) routes() {
	route(s.Surface, operation{
		id: "sendLink", method: http.MethodPost, path: "/auth/link/send", tag: tagAuth,
		summary: "Send a one-time link",
		text: "Mails a link, good once and for fifteen minutes, with a code beside it that can be used in its place. It leads to a page of this server that asks for one press, " +
			"and from there to the callback URL with a code, which the site exchanges within a minute. The answer is the same where there is nobody.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusAccepted,
		request: map[string]any{"email": sampleEmail, "callback_url": "https://notes.example.com/auth/callback", "state": "x1"}, answer: sentOut{Sent: true, ExpiresIn: 900},
	}, s.sendLink)
	route(s.Surface, operation{
		id: "verifyLink", method: http.MethodPost, path: "/auth/link/verify", tag: tagAuth,
		summary: "Sign in with a one-time link", text: "Exchanges the code that an opened link brought to the callback URL.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401},
		request: map[string]any{"code": "otl_lc_2f8Kq0…"}, answer: sampleLogin(),
	}, s.verifyLink)
	route(s.Surface, operation{
		id: "sendCode", method: http.MethodPost, path: "/auth/otp/send", tag: tagAuth,
		summary: "Send a one-time code",
		text: "Sends a code, good once and for five minutes, by mail or SMS to what the person has on record. The answer is the same where there is nobody. " +
			"A later code makes the one before worthless, and so do five wrong guesses.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusAccepted,
		request: map[string]any{"email": sampleEmail}, answer: sentOut{Sent: true, ExpiresIn: 300},
	}, s.send)
	route(s.Surface, operation{
		id: "verifyCode", method: http.MethodPost, path: "/auth/otp/verify", tag: tagAuth,
		summary: "Sign in with a one-time code",
		text: "Opens a session at the site of the key for the person whose code it is; name him as when it was sent. The first code that proves an address " +
			"makes it verified, and ends what was there before anybody had proven it: password and sessions.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401},
		request: map[string]any{"email": sampleEmail, "code": "482917"}, answer: sampleLogin(),
	}, s.verify)
}
