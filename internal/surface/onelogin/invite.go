package onelogin

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// invites are the calls by which a site lets a person of its own choose a password
// (contract 2.10, decision D1).
type invites struct{ *Surface }

// resetPath is where invite links lead.
const resetPath = "/password/reset"

func (s invites) serve() {
	s.Mux.HandleFunc("POST /api/1/invites/get_invite_link", withBody(s.Surface, otl.ScopeAdmin, s.get))
	s.Mux.HandleFunc("POST /api/1/invites/send_invite_link", withBody(s.Surface, otl.ScopeAdmin, s.send))
	s.Mux.HandleFunc("GET "+resetPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/reset/"+url.PathEscape(r.URL.Query().Get("token")), http.StatusSeeOther)
	})
}

type inviteIn struct {
	Email    *string `json:"email"`
	Personal string  `json:"personal_email"`
}

// The literals of invite links.
var (
	errNoEmail  = literal(http.StatusBadRequest, "Email Parameter is missing")
	errBadEmail = literal(http.StatusBadRequest, "Email Input is in incorrect format")
	errNobody   = literal(http.StatusBadRequest, "No User exists for input email")
)

// invited gives the one of the site's people with an address.
func (s invites) invited(c *call, in *inviteIn) (account.Member, error) {
	if in.Email == nil || *in.Email == "" {
		return account.Member{}, errNoEmail
	}
	if _, err := otl.ParseEmail(*in.Email); err != nil {
		return account.Member{}, errBadEmail.because(err)
	}
	m, err := s.Members.ByEmail(c.ctx(), c.site.ID, *in.Email)
	if err != nil && otl.As(err).Kind == otl.NotFound {
		err = errNobody
	}
	return m, err
}

// get is POST /api/1/invites/get_invite_link.
func (s invites) get(c *call, in *inviteIn) (reply, error) {
	m, err := s.invited(c, in)
	if err != nil {
		return reply{}, err
	}
	token, err := s.Members.Invite(c.ctx(), c.site, m.User.ID)
	if err != nil {
		return reply{}, err
	}
	return success([]string{s.PublicURL + resetPath + "?token=" + token.Reveal()}), nil
}

// send is POST /api/1/invites/send_invite_link: to the person's address, or to another
// one that the site names.
func (s invites) send(c *call, in *inviteIn) (reply, error) {
	m, err := s.invited(c, in)
	if err != nil {
		return reply{}, err
	}
	to := m.User.Email.Address
	if in.Personal != "" {
		e, err := otl.ParseEmail(in.Personal)
		if err != nil {
			return reply{}, errBadEmail.because(err)
		}
		to = e.Address
	}
	if err := s.Members.SendInvite(c.ctx(), c.site, m.User.ID, to); err != nil {
		return reply{}, err
	}
	return done("Email sent successfully to "+to, nil), nil
}
