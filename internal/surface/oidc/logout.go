package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// logout is /oidc/logout (OpenID Connect RP-Initiated Logout 1.0). With an ID token of
// the person who is signed in, his sessions at the site and in this browser end and the
// browser goes on to an address registered for the client; without one a page of ours
// asks him (OA-13).
func (s *Surface) logout(w http.ResponseWriter, r *http.Request) {
	hint := single(r.Form, "id_token_hint")
	if hint == "" {
		s.send(w, r, "/signout")
		return
	}
	client, person, sess, err := s.Identity.Hint(secret.NewText(hint))
	if err != nil || r.Form.Has("client_id") && single(r.Form, "client_id") != client {
		s.Page(w, r, otl.InvalidField("id_token_hint", "invalid", "is no ID token of this client"))
		return
	}
	c, of, err := s.Clients.Find(r.Context(), client)
	if err != nil {
		s.Page(w, r, errClient)
		return
	}
	to := single(r.Form, "post_logout_redirect_uri")
	if to != "" && !c.Redirects(to) {
		s.Page(w, r, &otl.Error{Kind: otl.Invalid, Code: "redirect_not_registered", Text: "is not one of the redirect URIs registered for this client", Field: "post_logout_redirect_uri"})
		return
	}
	who, err := s.Flows.Who(r.Context(), s.Jar.Held(r))
	if err != nil {
		s.Page(w, r, err)
		return
	}
	if who.Session.ID != "" && who.User.ID != person {
		s.send(w, r, "/signout") // somebody else is signed in here: he is asked
		return
	}
	if _, err := s.SignIn.Revoke(r.Context(), signin.Scope{UserID: person, SiteID: of.ID}, sess, otl.EndLogout); err != nil && !otl.Is(err, otl.NoSuch("").Code) {
		s.Page(w, r, err)
		return
	}
	if who.Session.ID != "" {
		if _, err := s.SignIn.Revoke(r.Context(), signin.Scope{UserID: person}, who.Session.ID, otl.EndLogout); err != nil && !otl.Is(err, otl.NoSuch("").Code) {
			s.Page(w, r, err)
			return
		}
		s.Jar.Drop(w)
	}
	s.send(w, r, landing(to, single(r.Form, "state")))
}

// landing gives the address after a logout: the client's, with the state it sent, or a
// page of ours.
func landing(to, state string) string {
	if to == "" {
		return "/"
	}
	if state == "" {
		return to
	}
	join := "?"
	if strings.Contains(to, "?") {
		join = "&"
	}
	return to + join + "state=" + url.QueryEscape(state)
}
