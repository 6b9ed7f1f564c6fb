package oidc

import (
	"errors"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/oauth"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// userinfo is /oidc/userinfo (OpenID Connect Core section 5.3): what the client of an
// access token may know of its person, by the token's scopes. A token that is bound to a
// key is only good with a proof of it (RFC 9449 section 7).
func (s *Surface) userinfo(w http.ResponseWriter, r *http.Request) {
	if err := s.Door.Share(w, r, otl.Client{}); err != nil {
		Fail(w, r, err)
		return
	}
	raw, bound := oauth.Bearer(r)
	if raw.Empty() {
		challenge(w, false, "")
		wire.JSON(w, http.StatusUnauthorized, failure{"invalid_token", "Send an access token as Authorization: Bearer."})
		return
	}
	p, st, c, err := s.present(r, raw)
	if err == nil {
		err = s.Door.Share(w, r, c)
	}
	if err == nil {
		err = s.bound(r, c, p, raw, bound)
	}
	if err != nil {
		word := "invalid_token"
		if errors.Is(err, session.ErrProof) {
			word = "invalid_dpop_proof"
		} else if otl.As(err).Kind != otl.Unauthenticated {
			Fail(w, r, err)
			return
		}
		otl.RequestOf(r.Context()).Err = err
		challenge(w, bound || p.Key != "", word)
		wire.JSON(w, http.StatusUnauthorized, failure{word, otl.As(err).Text})
		return
	}
	wire.JSON(w, http.StatusOK, s.Identity.About(st, c, p.Scopes))
}

// challenge says how a token is to come (RFC 6750 section 3, RFC 9449 section 7.1).
func challenge(w http.ResponseWriter, bound bool, word string) {
	head := `Bearer realm="oidc"`
	if bound {
		head = `DPoP realm="oidc", algs="` + strings.Join(session.ProofAlgorithms(), " ") + `"`
	}
	if word != "" {
		head += `, error="` + word + `"`
	}
	w.Header().Set("WWW-Authenticate", head)
}

// bound holds a token against the proof that comes along: both are of one key, or the
// token is of none and came as one that is of none.
func (s *Surface) bound(r *http.Request, c otl.Client, p session.Presented, raw secret.Text, bound bool) error {
	if bound != (p.Key != "") {
		return otl.ErrToken
	}
	if !bound {
		return nil
	}
	key, err := s.Door.Key(r, c, raw)
	if err == nil && key != p.Key {
		err = session.ErrProof
	}
	return err
}

// present reads an access token and finds its session, if that still counts and its
// client may still act (OA-14).
func (s *Surface) present(r *http.Request, raw secret.Text) (p session.Presented, st session.Standing, c otl.Client, err error) {
	if p, err = s.Identity.Present(raw); err != nil {
		return p, st, c, err
	}
	if st, err = s.SignIn.Stands(r.Context(), p.Session, p.Version); err != nil {
		return p, st, c, err
	}
	c, of, err := s.Clients.Find(r.Context(), p.Client)
	if err != nil || of.ID != st.Site.ID || p.Subject != s.Identity.Subjects.Of(c, st.User.ID) {
		return p, st, c, otl.ErrToken
	}
	otl.RequestOf(r.Context()).UserID, otl.RequestOf(r.Context()).SiteID = st.User.ID, st.Site.ID
	return p, st, c, nil
}

// active is the answer to an introspection (RFC 7662 section 2.2); the zero one says
// that the token is none, and no more.
type active struct {
	Active   bool    `json:"active"`
	Scope    string  `json:"scope,omitempty"`
	Client   string  `json:"client_id,omitempty"`
	Type     string  `json:"token_type,omitempty"`
	Subject  string  `json:"sub,omitempty"`
	Audience string  `json:"aud,omitempty"`
	Issuer   string  `json:"iss,omitempty"`
	ID       string  `json:"jti,omitempty"`
	Session  string  `json:"sid,omitempty"`
	IssuedAt int64   `json:"iat,omitempty"`
	Expires  int64   `json:"exp,omitempty"`
	Key      *holder `json:"cnf,omitempty"`
}

// holder names the key that a token is bound to (RFC 9449 section 6).
type holder struct {
	Thumbprint string `json:"jkt"`
}

func holderOf(key string) (*holder, string) {
	if key == "" {
		return nil, "Bearer"
	}
	return &holder{key}, "DPoP"
}

// introspect is POST /oidc/introspect: it knows the client's own tokens alone (OA-09).
func (s *Surface) introspect(w http.ResponseWriter, r *http.Request) {
	c, of, ok := s.client(w, r)
	if !ok {
		return
	}
	if c.Auth == otl.AuthNone { // whoever finds a token could ask for it (RFC 7662 section 2.1)
		refuse(w, r, http.StatusUnauthorized, "invalid_client", "A public client cannot introspect tokens.", nil)
		return
	}
	raw := secret.NewText(single(r.PostForm, "token"))
	if raw.Empty() {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "token is missing.", nil)
		return
	}
	out, err := s.look(r, c, of, raw)
	if err != nil {
		Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, out)
}

func (s *Surface) look(r *http.Request, c otl.Client, of otl.Site, raw secret.Text) (active, error) {
	if p, st, _, err := s.present(r, raw); err == nil {
		if p.Client != c.ID || st.Site.ID != of.ID {
			return active{}, nil
		}
		key, kind := holderOf(p.Key)
		return active{
			true, strings.Join(p.Scopes, " "), p.Client, kind, p.Subject, p.Audience, s.URL, p.ID, p.Session, p.IssuedAt.Unix(), p.ExpiresAt.Unix(), key,
		}, nil
	} else if otl.As(err).Kind != otl.Unauthenticated {
		return active{}, err
	}
	st, err := s.SignIn.ByRefresh(r.Context(), raw, of)
	if err != nil || !mine(st, c) {
		if err != nil && otl.As(err).Kind != otl.Unauthenticated {
			return active{}, err
		}
		return active{}, nil
	}
	key, _ := holderOf(st.Session.ProofKey)
	return active{
		Key: key, Active: true, Scope: st.Session.Scope, Client: c.ID, Subject: s.Identity.Subjects.Of(c, st.User.ID), Issuer: s.URL, Session: st.Session.ID,
		IssuedAt: st.Session.CreatedAt.Unix(), Expires: st.Session.RefreshBy.Unix(),
	}, nil
}

// mine reports whether a session is the client's, whatever key it is bound to: to look at
// it or to end it none is needed.
func mine(st session.Standing, c otl.Client) bool {
	return session.Holder{Client: c.ID, Key: st.Session.ProofKey, Public: c.Auth == otl.AuthNone}.Holds(st.Session)
}

// revoke is POST /oidc/revoke (RFC 7009): either token ends the session. Of a token
// that is none, or another client's, nothing is said.
func (s *Surface) revoke(w http.ResponseWriter, r *http.Request) {
	c, of, ok := s.client(w, r)
	if !ok {
		return
	}
	raw := secret.NewText(single(r.PostForm, "token"))
	if raw.Empty() {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "token is missing.", nil)
		return
	}
	found, err := s.look(r, c, of, raw)
	if err == nil && found.Session != "" {
		_, err = s.SignIn.Revoke(r.Context(), signin.Scope{SiteID: of.ID}, found.Session, otl.EndLogout)
	}
	if err != nil && !otl.Is(err, otl.NoSuch("").Code) {
		Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, struct{}{})
}
