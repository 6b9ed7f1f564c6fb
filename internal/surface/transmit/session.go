package transmit

import (
	"net/http"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// tokensOut is the token response (contract 3.4).
type tokensOut struct {
	Access    string `json:"access_token"`
	ID        string `json:"id_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Session   string `json:"session_id"`
}

// wanted is what a call may ask the tokens to hold.
type wanted struct {
	Resource string `json:"resource"`
	Claims   struct {
		ID     map[string]any `json:"id_token"`
		Access map[string]any `json:"access_token"`
	} `json:"claims"`
	Attributes attributes `json:"client_attributes"`
	Device     string     `json:"device_id"`
	Org        string     `json:"org_id"`
}

// organised refuses the id of an organisation: there are none here, and a session at a
// site must not pass for one of a member of something else.
func organised(id string) error {
	if id != "" {
		return otl.InvalidField("org_id", "unsupported", "is not supported: this server keeps no organisations within a site")
	}
	return nil
}

// ask checks what is asked for.
func (c *call) ask(in wanted) (session.Ask, error) {
	a := session.Ask{Client: c.client, Resource: in.Resource, ID: names(in.Claims.ID), Access: names(in.Claims.Access)}
	if in.Resource != "" && !slices.Contains(c.client.Resources, in.Resource) {
		return a, otl.InvalidField("resource", "unknown_value", "is not one of this client's resources")
	}
	if err := organised(in.Org); err != nil {
		return a, err
	}
	return a, c.from(in.Attributes, in.Device)
}

// grants is ask for the calls that answer with tokens. Those of a client whose tokens are
// bound to a key come from the token endpoint alone: these calls know no proof of one.
func (c *call) grants(in wanted) (session.Ask, error) {
	if c.client.RequireDPoP {
		return session.Ask{}, errUnbound
	}
	return c.ask(in)
}

var errUnbound = &otl.Error{Kind: otl.Malformed, Code: session.ErrProof.Code, Text: "This client's tokens are bound to a key: they come from /oidc/token."}

func names(claims map[string]any) []string {
	out := make([]string, 0, len(claims))
	for name := range claims {
		out = append(out, name)
	}
	return out
}

// answer makes the token response of a session.
func (s *Surface) answer(t session.Tokens, a session.Ask) (any, error) {
	pair, err := s.Identity.Person(t.Standing, a)
	if err != nil {
		return nil, err
	}
	kind := "Bearer"
	if a.Key != "" {
		kind = "DPoP"
	}
	return tokensOut{pair.Access.Reveal(), pair.ID.Reveal(), t.Refresh.Reveal(), kind, expiresIn, t.Session.ID}, nil
}

type sessionIn struct {
	Session string `json:"session_id"`
	wanted
}

func needed(field, value string) error {
	if value == "" {
		return otl.InvalidField(field, "required", "is required")
	}
	return nil
}

// resume is POST /v1/auth/session/authenticate.
func (s *Surface) resume(c *call, in *sessionIn) (any, error) {
	a, err := c.grants(in.wanted)
	if err == nil {
		err = needed("session_id", in.Session)
	}
	if err != nil {
		return nil, err
	}
	t, err := s.SignIn.Resume(c.r.Context(), c.site, session.Holder{Client: c.client.ID}, in.Session)
	if err != nil {
		return nil, err
	}
	return s.answer(t, a)
}

// endSession is POST /v1/auth/session/logout; it answers 204.
func (s *Surface) endSession(c *call, in *sessionIn) (any, error) {
	if err := needed("session_id", in.Session); err != nil {
		return nil, err
	}
	_, err := s.SignIn.Revoke(c.r.Context(), signin.Scope{SiteID: c.site.ID}, in.Session, otl.EndLogout)
	if otl.Is(err, otl.NoSuch("").Code) {
		err = errSession
	}
	return nil, err
}

type refreshIn struct {
	Refresh string `json:"refresh_token"`
	wanted
}

// refresh is POST /v1/auth/token/refresh.
func (s *Surface) refresh(c *call, in *refreshIn) (any, error) {
	a, err := c.grants(in.wanted)
	if err == nil {
		err = needed("refresh_token", in.Refresh)
	}
	if err != nil {
		return nil, err
	}
	t, err := s.SignIn.RefreshFor(c.r.Context(), secret.NewText(in.Refresh), c.site, session.Holder{Client: c.client.ID})
	if err != nil {
		return nil, err
	}
	return s.answer(t, a)
}

type passwordIn struct {
	Username string `json:"username"`
	Password string `json:"password"`
	wanted
}

// password is POST /v1/auth/password/authenticate. People are known by their username
// or their address.
func (s *Surface) password(c *call, in *passwordIn) (any, error) {
	a, err := c.grants(in.wanted)
	if err == nil {
		err = needed("username", in.Username)
	}
	if err == nil {
		err = needed("password", in.Password)
	}
	if err != nil {
		return nil, err
	}
	attempt := signin.Named(c.site, in.Username, secret.NewText(in.Password))
	attempt.Client = c.client.ID
	t, err := s.SignIn.Password(c.r.Context(), attempt)
	if e := otl.As(err); err != nil && e.Kind == otl.Invalid {
		err = otl.ErrCredentials // a name that can be nobody's
	}
	if err != nil {
		return nil, err
	}
	return s.answer(t, a)
}

// logout is POST /v1/auth/logout: a person ends all his sessions at the site of his
// access token.
func (s *Surface) logout(w http.ResponseWriter, r *http.Request) {
	raw, err := bearer(r)
	if err != nil {
		fail(w, r, restShape, err)
		return
	}
	sess, version, err := s.Identity.ReadPerson(raw)
	if err != nil {
		fail(w, r, restShape, err)
		return
	}
	n, err := s.SignIn.LogoutEverywhere(r.Context(), sess, version)
	if err != nil {
		if otl.As(err).Kind == otl.Unauthenticated {
			err = otl.ErrToken
		}
		fail(w, r, restShape, err)
		return
	}
	wire.JSON(w, http.StatusOK, map[string]int{"sessions_count": n})
}
