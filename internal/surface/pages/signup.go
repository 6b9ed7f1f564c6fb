package pages

import (
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// signUpPage keeps what somebody filled in.
type signUpPage struct {
	Email, Name string
	Secret      bool // a password is asked for
}

func (p entry) signUp(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("f") == "" {
		return p.alone(w, r, "/signup")
	}
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := signUpPage{Email: v.Progress.Name}
	if v.Progress.Masked || !strings.Contains(page.Email, "@") {
		page.Email = ""
	}
	p.showSignUp(w, r, v, page, nil)
	return nil
}

func (p entry) showSignUp(w http.ResponseWriter, r *http.Request, v signin.Visit, page signUpPage, err error) {
	s := p.screen(w, r, v, nil)
	if ways := (signin.Ways{Codes: p.Codes}); err == nil && !ways.Mails(v.Site) {
		err = mails(p.Pages)
	}
	page.Secret = v.Site.Offers(otl.WayPassword)
	s.Title, s.Onward, s.Data = s.Say("signup"), s.Site != "", page
	p.show(w, p.wrong(&s, err), "signup.html", otl.Origin(v.Asked.Redirect), s)
}

// signUpSent takes down who wants an account. Whether the address has one already
// shows nowhere but in the mail.
func (p entry) signUpSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := signUpPage{Email: strings.TrimSpace(r.PostForm.Get("email")), Name: r.PostForm.Get("name")}
	spoken := message.Speak(nil, otl.RequestOf(r.Context()).Locales...).Lang
	hash, scheme, err := p.Accounts.SignUp(r.Context(), account.Registration{
		Site: v.Site, Email: page.Email, Password: secret.NewText(r.PostForm.Get("password")), Profile: account.Profile{Name: &page.Name, Locale: &spoken},
	})
	if err == nil {
		err = p.Arrivals.SignUp(r.Context(), v, page.Email, hash, scheme)
	}
	switch {
	case err == nil:
		p.send(w, r, at("/signin/code", v.ID))
		return nil
	case !mendable(err):
		return err
	}
	p.showSignUp(w, r, v, page, err)
	return nil
}

// alone begins a visit on a page of ours for a browser that was sent by no site; whoever is
// signed in goes on to his account.
func (p entry) alone(w http.ResponseWriter, r *http.Request, path string) error {
	f, site, err := p.visited(w, r, otl.Asked{Return: "/account"})
	if err != nil {
		return err
	}
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	switch {
	case err != nil:
		return err
	case who.Session.ID != "":
		return p.begun(w, r, f, site)
	}
	p.send(w, r, at(path, f.ID))
	return nil
}
