package oidc

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// logout is /oidc/logout (OpenID Connect RP-Initiated Logout 1.0). With an ID token of a
// session that the client opened from this browser, that and the browser's own end and the
// browser goes on to an address registered for the client. Without one, or where the
// browser's session is another, if of the same person, a page of ours asks, and the browser
// goes on after that: whoever has kept an old ID token signs nobody out with it (OA-13).
func (s *Surface) logout(w http.ResponseWriter, r *http.Request) {
	sess, id, err := s.hinted(r.Form)
	if err != nil {
		s.Page(w, r, err)
		return
	}
	to := single(r.Form, "post_logout_redirect_uri")
	var of otl.Site
	if id == "" {
		to = "" // whose address it is nobody says
	} else {
		var c otl.Client
		if c, of, err = s.Clients.Find(r.Context(), id); err != nil {
			s.Page(w, r, errClient)
			return
		}
		if to != "" && !c.Lands(to) {
			s.Mismatch(w, r, of, c, errLanding, to)
			return
		}
	}
	held, err := s.Flows.All(r.Context(), s.Jar.Held(r))
	var own bool
	if err == nil && len(held) > 0 {
		own, err = s.SignIn.Opened(r.Context(), held[0], sess)
	}
	switch {
	case err != nil:
		s.Page(w, r, err)
	case sess == "" || len(held) > 0 && !own:
		s.askOut(w, r, of, id, to)
	default:
		s.signOut(w, r, signin.Scope{SiteID: of.ID}, sess, held, to)
	}
}

// hinted gives the session and the client that a request is about, "" each where it does
// not say.
func (s *Surface) hinted(q url.Values) (sess, client string, err error) {
	client = single(q, "client_id")
	hint := single(q, "id_token_hint")
	if hint == "" {
		return "", client, nil
	}
	of, _, sess, err := s.Identity.Hint(secret.NewText(hint))
	if err != nil || q.Has("client_id") && client != of {
		return "", "", otl.InvalidField("id_token_hint", "invalid", "is no ID token of this client")
	}
	return sess, of, nil
}

// askOut has the person asked whether he wants to be signed out.
func (s *Surface) askOut(w http.ResponseWriter, r *http.Request, of otl.Site, client, to string) {
	if to == "" {
		s.send(w, r, "/signout")
		return
	}
	a := otl.Asked{Client: client, Redirect: to, State: single(r.Form, "state"), Locales: single(r.Form, "ui_locales"), Mode: signin.ModeLogout}
	if len(a.State) > maxState || len(a.Locales) > 100 {
		s.Page(w, r, otl.InvalidField("state", "too_long", "must be at most 2048 bytes"))
		return
	}
	f, err := s.Flows.Begin(r.Context(), of, s.bind(w, r), a)
	if err != nil {
		s.Page(w, r, err)
		return
	}
	s.send(w, r, "/signout?f="+url.QueryEscape(f.ID))
}

// signOut ends a session within a scope, and what the browser holds.
func (s *Surface) signOut(w http.ResponseWriter, r *http.Request, sc signin.Scope, sess string, held []session.Browser, to string) {
	if _, err := s.SignIn.Revoke(r.Context(), sc, sess, otl.EndLogout); err != nil && !otl.Is(err, otl.NoSuch("").Code) {
		s.Page(w, r, err)
		return
	}
	if len(held) > 0 {
		if err := s.Flows.SignOut(r.Context(), held, false); err != nil {
			s.Page(w, r, err)
			return
		}
		s.Jar.Drop(w)
	}
	if to == "" {
		to = "/signout" // which says that it is done
	}
	s.send(w, r, signin.Landed(to, single(r.Form, "state")))
}
