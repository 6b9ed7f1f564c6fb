package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// passwordAt is where somebody who is signed in chooses a new password.
const passwordAt = "/account/password"

// passwordPage asks for it.
type passwordPage struct {
	Email  string // for password managers
	Secure bool   // he is led through what to do when somebody else was in his account
	Back   string // path at which nothing is done
}

// passwords are the pages on which somebody who has just proven who he is chooses a password
// (H16): his mailbox may be in other hands, and he need not know the present one.
type passwords struct{ accounts }

func (p passwords) routes() {
	p.get(passwordAt, p.ask)
	p.post(passwordAt, p.sent)
}

// from gives where a request comes from: the page it leads back to, and the address of its own.
func (p passwords) from(r *http.Request) (back, here string) {
	if r.FormValue("secure") == "1" {
		return securedAt, passwordAt + "?secure=1"
	}
	return security, passwordAt
}

func (p passwords) ask(w http.ResponseWriter, r *http.Request) error {
	_, here := p.from(r)
	v, ok, err := p.proven(w, r, here)
	if err != nil || !ok {
		return err
	}
	p.showAsk(w, r, v, nil)
	return nil
}

func (p passwords) showAsk(w http.ResponseWriter, r *http.Request, v signin.Visit, wrong error) {
	s := p.screen(w, r, v, nil)
	back, here := p.from(r)
	s.portal(s.Say("password_change"))
	s.Here, s.Data = placed(here), passwordPage{Email: v.Who.User.Email.Address, Secure: back == securedAt, Back: back}
	p.show(w, p.wrong(&s, wrong), "password.html", "", s)
}

func (p passwords) sent(w http.ResponseWriter, r *http.Request) error {
	back, here := p.from(r)
	v, ok, err := p.proven(w, r, here)
	if err != nil || !ok {
		return err
	}
	err = account.Renewal{Accounts: p.Accounts}.Renew(r.Context(), v.Who.Standing, secret.NewText(r.PostForm.Get("password")))
	if err != nil && mendable(err) {
		p.showAsk(w, r, v, err)
		return nil
	}
	if err == nil {
		p.send(w, r, back+"?saved=1&alone=1")
	}
	return err
}
