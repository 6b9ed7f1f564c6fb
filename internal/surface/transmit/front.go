package transmit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// front are the calls whose answer a browser takes to the client (contract 3.8): they
// name an address when they send, and end in a code there.
type front struct{ *Surface }

// results are what codes lead to.
func (s front) results() signin.Results { return signin.Results{Codes: s.Codes} }

func (s front) routes() {
	s.serve("POST /v1/auth/links/email", byFront(s, s.sendLink))
	s.serve("POST /v1/auth/otp/email", byFront(s, s.sendMail))
	s.serve("POST /v1/auth/otp/email/validation", byFront(s, s.enterMail))
	s.serve("POST /v1/auth/otp/sms", byFront(s, s.sendSMS))
	s.serve("POST /v1/auth/otp/sms/validation", byFront(s, s.enterSMS))
	s.serve("GET /v1/auth/result/{code}", s.result)
	s.serve("POST /v1/token", s.exchange)
}

// byFront serves a call of a client that words its errors like the Users calls.
func byFront[In any](s front, do func(*call, *In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(r, otl.ScopeAuth)
		if err != nil {
			fail(w, r, restShape, err)
			return
		}
		in := new(In)
		if err = read(w, r, in); err == nil {
			var out any
			if out, err = do(c, in); err == nil {
				wire.JSON(w, http.StatusOK, out)
				return
			}
		}
		failFront(w, r, err)
	}
}

// failFront words errors as these calls do, which know 400 and 404 alone (contract 3.8):
// whatever of a code or a person is refused is a 400.
func failFront(w http.ResponseWriter, r *http.Request, err error) {
	switch e := otl.As(err); e.Kind {
	case otl.Unauthenticated, otl.Forbidden, otl.Conflict:
		e = wire.Failed(w, r, err)
		wire.JSON(w, http.StatusBadRequest, restBody{Message: []string{e.Text}, Code: http.StatusBadRequest})
	case otl.NotFound:
		failUsers(w, r, otl.NoSuch("user").Because(err))
	default:
		failUsers(w, r, err)
	}
}

// frontIn is what every call that sends has.
type frontIn struct {
	Redirect   string        `json:"redirect_uri"`
	Create     bool          `json:"create_new_user"`
	RequireMFA bool          `json:"require_mfa"`
	Resource   string        `json:"resource"`
	Claims     claimsIn      `json:"claims"`
	Approval   approvalData  `json:"approval_data"`
	Mail       *emailContent `json:"email_content"`
	Attributes attributes    `json:"client_attributes"`
	Org        string        `json:"org_id"`
}

type approvalData map[string]string

// claimsIn names claims, as the parameter of OpenID Connect Core section 5.5 does.
type claimsIn struct {
	ID     map[string]any `json:"id_token"`
	Access map[string]any `json:"access_token"`
}

type frontMailIn struct {
	Email string `json:"email"`
	frontIn
}

type frontSMSIn struct {
	Phone   string `json:"phone_number"`
	Message string `json:"custom_message"`
	Sender  string `json:"sender_id"`
	frontIn
}

// Members of a ticket's data: what the tokens at its end are to hold, and whether the
// person was created on the way.
const (
	dataWanted  = "wanted"
	dataCreated = "created"
)

// request checks what the calls that send have in common.
func (s front) request(c *call, in frontIn, who signin.Identifier, channel otl.Channel) (signin.CodeRequest, error) {
	r := signin.CodeRequest{Site: c.site, Who: who, Channel: channel, Known: true, Client: c.client.ID, Redirect: in.Redirect}
	if err := needed("redirect_uri", in.Redirect); err != nil {
		return r, err
	}
	if !c.client.Redirects(in.Redirect) {
		return r, errRedirect
	}
	data, err := approval(in.Approval)
	if err != nil {
		return r, err
	}
	if _, err := c.ask(wanted{Resource: in.Resource, Attributes: in.Attributes, Org: in.Org}); err != nil {
		return r, err
	}
	ask, err := json.Marshal(wantedData{in.Resource, names(in.Claims.ID), names(in.Claims.Access)})
	if err != nil {
		return r, err
	}
	if r.Data = data; data == nil {
		r.Data = map[string]string{}
	}
	r.Data[dataWanted] = string(ask)
	if in.Create && c.client.SignUp {
		r.Welcome = s.welcome(c, who, r.Data)
	}
	return r, nil
}

// raise begins the visit in which a second factor is asked for, where the call demands
// one. It gives its id, "" for none.
func (s front) raise(c *call, in frontIn, r signin.CodeRequest) (string, error) {
	if !in.RequireMFA {
		return "", nil
	}
	return signin.Arrivals{Flows: s.Flows}.Demand(c.r.Context(), c.site, c.client.ID, otl.Asked{Redirect: in.Redirect, More: r.Data})
}

// sendCode sends a code. It cannot lead to that visit: it is the client that is told it
// (signin.Arrivals.Demand).
func (s front) sendCode(c *call, in frontIn, r signin.CodeRequest) error {
	if in.RequireMFA {
		return otl.InvalidField("require_mfa", "unsupported", "is for links: send one by /v1/auth/links/email, or have the policy of the site demand a second factor")
	}
	_, err := s.Codes.Send(c.r.Context(), r)
	return err
}

// wantedData is what the tokens at the end are to hold, as a ticket keeps it.
type wantedData struct {
	Resource   string
	ID, Access []string
}

// welcome gives what adds somebody whom nobody knows. The client is told that he was
// created until he has come for the first time, however often he is sent something.
func (s front) welcome(c *call, who signin.Identifier, data map[string]string) func(context.Context, otl.User) error {
	var address, number string
	if who.Type == signin.ByEmail {
		address = who.Value
	} else {
		number = who.Value
	}
	return func(ctx context.Context, u otl.User) error {
		if u.ID == "" {
			data[dataCreated] = "true"
			_, err := s.Members.Welcome(ctx, c.site, address, number)
			return err
		}
		if err := s.Members.Met(ctx, c.site, u); err != nil {
			return err
		}
		if !u.LastLoginAt.IsZero() {
			return nil
		}
		kept, err := s.results().Kept(ctx, u.ID, c.site.ID)
		if kept[dataCreated] != "" {
			data[dataCreated] = kept[dataCreated]
		}
		return err
	}
}

// sendLink is POST /v1/auth/links/email.
func (s front) sendLink(c *call, in *frontMailIn) (any, error) {
	if err := needed("email", in.Email); err != nil {
		return nil, err
	}
	r, err := s.request(c, in.frontIn, signin.Identifier{Type: signin.ByEmail, Value: in.Email}, otl.ChannelMail)
	if err == nil {
		r.Custom, err = custom(in.Mail, nil)
	}
	if err != nil {
		return nil, err
	}
	l := signin.LinkRequest{CodeRequest: r, Confirm: c.client.LinkConfirm}
	if l.Flow, err = s.raise(c, in.frontIn, r); err != nil {
		return nil, err
	}
	_, err = s.Codes.SendLink(c.r.Context(), l)
	return map[string]string{"message": "Email sent successfully"}, err
}

// sendMail is POST /v1/auth/otp/email.
func (s front) sendMail(c *call, in *frontMailIn) (any, error) {
	if err := needed("email", in.Email); err != nil {
		return nil, err
	}
	r, err := s.request(c, in.frontIn, signin.Identifier{Type: signin.ByEmail, Value: in.Email}, otl.ChannelMail)
	if err == nil {
		r.Custom, err = custom(in.Mail, nil)
	}
	if err == nil {
		err = s.sendCode(c, in.frontIn, r)
	}
	return sentOut{Message: "OTP email sent", Approval: in.Approval}, err
}

// sendSMS is POST /v1/auth/otp/sms.
func (s front) sendSMS(c *call, in *frontSMSIn) (any, error) {
	if err := needed("phone_number", in.Phone); err != nil {
		return nil, err
	}
	r, err := s.request(c, in.frontIn, signin.Identifier{Type: signin.ByPhone, Value: in.Phone}, otl.ChannelSMS)
	if err == nil {
		r.Custom, err = custom(nil, &smsInput{in.Message, in.Sender})
	}
	if err == nil {
		err = s.sendCode(c, in.frontIn, r)
	}
	return sentOut{Message: "SMS sent", Approval: in.Approval}, err
}

type enterIn struct {
	Email    string `json:"email"`
	Phone    string `json:"phone_number"`
	Passcode string `json:"passcode"`
	Answer   string `json:"response_type"`
	Nonce    string `json:"nonce"`
}

// enterMail is POST /v1/auth/otp/email/validation.
func (s front) enterMail(c *call, in *enterIn) (any, error) {
	if err := needed("email", in.Email); err != nil {
		return nil, err
	}
	return s.enter(c, in, signin.Identifier{Type: signin.ByEmail, Value: in.Email})
}

// enterSMS is POST /v1/auth/otp/sms/validation.
func (s front) enterSMS(c *call, in *enterIn) (any, error) {
	if err := needed("phone_number", in.Phone); err != nil {
		return nil, err
	}
	return s.enter(c, in, signin.Identifier{Type: signin.ByPhone, Value: in.Phone})
}

// maxNonce is the longest nonce in bytes.
const maxNonce = 512

func (s front) enter(c *call, in *enterIn, who signin.Identifier) (any, error) {
	if err := needed("passcode", in.Passcode); err != nil {
		return nil, err
	}
	if in.Answer == "" {
		in.Answer = "code"
	}
	if in.Answer != "code" && in.Answer != "id_token" {
		return nil, otl.InvalidField("response_type", "unknown_value", "must be code or id_token")
	}
	if len(in.Nonce) > maxNonce {
		return nil, otl.InvalidField("nonce", "too_long", "must be at most 512 bytes")
	}
	code, err := s.results().Enter(c.r.Context(), signin.Result{
		CodeAttempt: signin.CodeAttempt{Site: c.site, Who: who, Code: secret.NewText(in.Passcode)}, Client: c.client.ID, Nonce: in.Nonce, Answer: in.Answer,
	})
	return map[string]string{"result": s.URL + "/v1/auth/result/" + code.Reveal()}, err
}

// errAhead is the answer to whoever fetches an address ahead that is used up by it; with
// this status browsers fetch it again when somebody goes there.
var errAhead = &otl.Error{Kind: otl.Unavailable, Code: "not_ahead", Text: "This address is good once, and is fetched when somebody goes there."}

// result is GET /v1/auth/result/{code}, to which a validation leads: it sends the
// browser to the client, with the code or the ID token.
func (s front) result(w http.ResponseWriter, r *http.Request) {
	code := secret.NewText(r.PathValue("code"))
	l, err := s.results().Land(r.Context(), code)
	switch {
	case err != nil || l.Answer != "id_token":
	case wire.Unread(r) != "": // by HEAD too, which the mux gives to GET
		err = errAhead
	default:
		l.To, err = s.identify(r, l, code)
	}
	if err != nil {
		failFront(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the code stands in this address
	http.Redirect(w, r, l.To, http.StatusSeeOther)   //nolint:gosec // G710: an address that was checked against those registered
}

// identify signs the person in and gives the address with the ID token, behind "#":
// what stands there reaches no server.
func (s front) identify(r *http.Request, l signin.Landing, code secret.Text) (string, error) {
	c, of, err := s.Clients.Find(r.Context(), l.Client)
	if err != nil {
		return "", err
	}
	t, a, err := s.redeem(r, c, of, code, "")
	if err != nil {
		return "", err
	}
	if err := s.Identity.Wait(r.Context()); err != nil {
		return "", err
	}
	pair, err := s.Identity.Person(t.Standing, a)
	return l.Redirect + "#" + url.Values{"id_token": {pair.ID.Reveal()}}.Encode(), err
}

// redeem signs a person in with the code that a browser brought, and gives what the
// tokens are to hold.
func (s *Surface) redeem(r *http.Request, c otl.Client, of otl.Site, code secret.Text, redirect string) (signin.Proven, session.Ask, error) {
	p, err := s.come(r.Context(), c, signin.LinkAttempt{Site: of, Client: c.ID, Code: code, Redirect: redirect})
	if err != nil {
		return p, session.Ask{}, err
	}
	if p.Added {
		p.Ticket.Data[dataCreated] = "true"
	}
	a, err := asked(c, p.Ticket.Data)
	a.Nonce = p.Nonce()
	return p, a, err
}

// asked reads what the tokens are to hold from what was kept of the call that sent.
func asked(c otl.Client, kept map[string]string) (session.Ask, error) {
	a := session.Ask{Client: c}
	if raw := kept[dataWanted]; raw != "" {
		var w wantedData
		if err := json.Unmarshal([]byte(raw), &w); err != nil {
			return a, err
		}
		a.Resource, a.ID, a.Access = w.Resource, w.ID, w.Access
	}
	if raw := kept[dataApproval]; raw != "" {
		return a, json.Unmarshal([]byte(raw), &a.Approval)
	}
	return a, nil
}

// redeemed redeems a code of these calls, of whichever kind, and gives what was kept of
// the call that sent too.
func (s front) redeemed(r *http.Request, c otl.Client, of otl.Site, code secret.Text) (session.Tokens, session.Ask, map[string]string, error) {
	if c.RequireDPoP { // this call knows no proof of a key
		return session.Tokens{}, session.Ask{}, nil, errUnbound
	}
	if strings.HasPrefix(code.Reveal(), signin.LinkCodePrefix) {
		p, a, err := s.redeem(r, c, of, code, "")
		return p.Tokens, a, p.Ticket.Data, err
	}
	e, err := s.Flows.Exchange(r.Context(), signin.Exchange{Site: of, Client: c.ID, Code: code})
	if err != nil {
		return e.Tokens, session.Ask{}, nil, err
	}
	a, err := asked(c, e.More)
	return e.Tokens, a, e.More, err
}

type exchangeIn struct {
	Code   string `json:"code"`
	Client string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// maxCredential is the longest id or secret of a client on this call, in bytes.
const maxCredential = 50

// exchange is POST /v1/token: a client that proves itself in the body redeems a code.
func (s front) exchange(w http.ResponseWriter, r *http.Request) {
	var in exchangeIn
	err := read(w, r, &in)
	for _, one := range [][2]string{{"code", in.Code}, {"client_id", in.Client}, {"client_secret", in.Secret}} {
		if err == nil {
			err = needed(one[0], one[1])
		}
		if err == nil && one[0] != "code" && len(one[1]) > maxCredential {
			err = otl.InvalidField(one[0], "too_long", "must be at most "+strconv.Itoa(maxCredential)+" characters")
		}
	}
	if err != nil {
		failFront(w, r, err)
		return
	}
	c, of, err := s.Clients.Authenticate(r.Context(), in.Client, secret.NewText(in.Secret))
	if err != nil {
		failFront(w, r, err)
		return
	}
	t, a, kept, err := s.redeemed(r, c, of, secret.NewText(in.Code))
	if err == nil {
		err = s.Identity.Wait(r.Context())
	}
	if err != nil {
		failFront(w, r, err)
		return
	}
	pair, err := s.Identity.Person(t.Standing, a)
	if err != nil {
		failFront(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, map[string]any{
		"id_token": pair.ID.Reveal(), "access_token": pair.Access.Reveal(), "refresh_token": t.Refresh.Reveal(), "is_user_created": kept[dataCreated] == "true",
	})
}
