package pages

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// passwordAt is where somebody who is signed in chooses a new password.
const passwordAt = "/account/password"

// passwordPage asks for it.
type passwordPage struct {
	Email   string // for password managers
	Secure  bool   // he is led through what to do when somebody else was in his account
	Back    string // path at which nothing is done
	Present bool   // the present one is asked for
	Anew    string // where he proves himself anew instead, "" where that is no proof
}

// passwords are the pages on which somebody who has just proven who he is chooses a password
// (H16): he shows the present one or a second factor, for his mailbox may be in other hands (PW-14).
type passwords struct{ accounts }

func (p passwords) routes() {
	p.get(passwordAt, p.ask)
	p.post(passwordAt, p.sent)
}

func (p passwords) rule() account.Renewal { return account.Renewal{Accounts: p.Accounts} }

// from gives where a request comes from: the page it leads back to, and the address of its own.
func (p passwords) from(r *http.Request) (back, here string) {
	if r.FormValue("secure") == "1" {
		return securedAt, passwordAt + "?secure=1"
	}
	return security, passwordAt
}

// visitor gives who may choose a password, and what that takes. It is false for who is sent to prove
// himself first: as on every page that hands something out, and in this moment where nothing
// else can be asked for.
func (p passwords) visitor(w http.ResponseWriter, r *http.Request) (v signin.Visit, takes account.Taken, ok bool, err error) {
	_, here := p.from(r)
	if v, ok, err = p.proven(w, r, here); err != nil || !ok {
		return v, takes, false, err
	}
	if takes, err = p.rule().Takes(r.Context(), v.Who.Standing); err != nil {
		return v, takes, false, err
	}
	if takes == account.TakesProof || takes == account.TakesPresent && r.URL.Query().Get("anew") == "1" {
		return v, takes, false, p.own(w, r, otl.Asked{Return: here, MaxAge: int(account.Fresh.Seconds()), Factors: 2})
	}
	return v, takes, true, nil
}

func (p passwords) ask(w http.ResponseWriter, r *http.Request) error {
	v, takes, ok, err := p.visitor(w, r)
	if err != nil || !ok {
		return err
	}
	p.showAsk(w, r, v, takes, nil)
	return nil
}

func (p passwords) showAsk(w http.ResponseWriter, r *http.Request, v signin.Visit, takes account.Taken, wrong error) {
	s := p.screen(w, r, v, nil)
	back, here := p.from(r)
	page := passwordPage{Email: v.Who.User.Email.Address, Secure: back == securedAt, Back: back, Present: takes == account.TakesPresent}
	if v.Who.Session.Methods.Strong() {
		page.Anew = passwordAt + "?" + url.Values{"anew": {"1"}, "secure": {r.FormValue("secure")}}.Encode()
	}
	s.portal(s.Say("password_change"))
	s.Here, s.Data = placed(here), page
	p.show(w, p.wrong(&s, wrong), "password.html", "", s)
}

func (p passwords) sent(w http.ResponseWriter, r *http.Request) error {
	v, takes, ok, err := p.visitor(w, r)
	if err != nil || !ok {
		return err
	}
	back, here := p.from(r)
	form := r.PostForm
	b, err := p.rule().Renew(r.Context(), account.Renewed{By: v.Who.Standing, Present: secret.NewText(form.Get("current_password")), New: secret.NewText(form.Get("password"))})
	switch {
	case otl.Is(err, otl.ErrSessionRevoked.Code):
		return p.home(w, r, here)
	case err != nil && mendable(err):
		p.showAsk(w, r, v, takes, err)
		return nil
	case err != nil:
		return err
	}
	p.jar.Hold(w, b.Cookie, b.Session.ExpiresAt.Sub(p.Now()))
	p.jar.Note(w, cookie.DonePassword)
	p.send(w, r, back)
	return nil
}
