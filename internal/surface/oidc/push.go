package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// push is POST /oidc/par: a client that proves itself sends what it will ask for ahead,
// and gets a name for it (RFC 9126 section 2).
func (s *Surface) push(w http.ResponseWriter, r *http.Request) {
	c, of, ok := s.client(w, r)
	if !ok {
		return
	}
	q := r.PostForm
	if q.Has("request_uri") {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "request_uri has no place here.", nil)
		return
	}
	if id := q.Get("client_id"); id != "" && id != c.ID {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "client_id differs from the client that proved itself.", nil)
		return
	}
	if !c.Redirects(q.Get("redirect_uri")) {
		refuse(w, r, http.StatusBadRequest, "invalid_request", "redirect_uri "+legible(q.Get("redirect_uri"))+" "+errRedirect.Text+".", nil)
		return
	}
	a, bad := s.wanted(q, c)
	key, err := s.Door.Key(r, c, secret.Text{})
	switch {
	case err != nil:
		refuseKind(w, r, err)
		return
	case bad == nil && key != "" && a.More[signin.MoreKey] != "" && a.More[signin.MoreKey] != key:
		bad = &wish{"invalid_dpop_proof", "dpop_jkt is not the key of the proof"}
	case key != "":
		a.More[signin.MoreKey] = key
	}
	if bad != nil {
		refuse(w, r, http.StatusBadRequest, bad.word, bad.text, nil)
		return
	}
	name, err := s.Flows.Push(r.Context(), of, a)
	if err != nil {
		Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusCreated, map[string]any{"request_uri": name, "expires_in": int(signin.PushedTTL.Seconds())})
}

// legible gives the beginning of an address as a description of an error may hold it (RFC
// 6749 section 5.2).
func legible(address string) string {
	shown := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, address)
	return "'" + shown[:min(len(shown), 200)] + "'"
}

// pushed goes on with a request that the client sent ahead; what else the browser brings
// does not count (RFC 9126 section 4).
func (s *Surface) pushed(w http.ResponseWriter, r *http.Request, c otl.Client, of otl.Site) {
	signin.FromDevice(r.Context(), s.Jar.Get(r, cookie.Device))
	v, err := s.Flows.Claim(r.Context(), of, c.ID, single(r.Form, "request_uri"), s.bind(w, r), s.Jar.Held(r))
	if err != nil {
		s.Page(w, r, err)
		return
	}
	step, err := s.Flows.Next(r.Context(), v)
	if err != nil {
		s.Page(w, r, err)
		return
	}
	switch {
	case step == signin.StepDone:
		answer, err := s.Flows.Finish(r.Context(), v)
		if err != nil {
			s.Page(w, r, err)
			return
		}
		s.Leave(w, r, of, answer)
	case v.Asked.Silent:
		s.back(w, r, of, v.Asked, needs(step))
	default:
		s.send(w, r, "/signin?f="+url.QueryEscape(v.ID))
	}
}
