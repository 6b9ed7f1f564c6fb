package pages

import (
	"net/http"
	"strconv"
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

// forgotPage asks whose password is to be chosen anew, or says that a mail is on its way. It
// says the same, and offers to send again, whether or not one is (OT-10): there may be nobody,
// or another message may have gone there within the time that lies between two.
type forgotPage struct {
	Email  string
	Fixed  bool // it is a hint of somebody who was chosen, and nothing to write in
	Sent   string
	Again  string // why none may come
	Resend string // when another can be asked for
	Left   int    // seconds until then
}

func (p entry) forgot(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("f") == "" { // whoever is signed in, too, may want another
		f, _, err := p.visited(w, r, otl.Asked{Return: "/account"})
		if err == nil {
			p.send(w, r, at("/forgot", f.ID))
		}
		return err
	}
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := forgotPage{Email: shown(v), Fixed: v.Progress.Masked}
	if r.URL.Query().Get("as") == asNew {
		page = forgotPage{}
	}
	if page.Email == "" && v.Known() && v.Who.Session.HandedBy == "" {
		page.Email = v.Who.User.Email.Address
	}
	s := p.screen(w, r, v, nil)
	s.Title, s.Data = s.Say("forgot_heading"), page
	p.show(w, p.wrong(&s, mails(p.Pages)), "forgot.html", "", s)
	return nil
}

func (p entry) forgotSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := forgotPage{Email: strings.TrimSpace(r.PostForm.Get("email"))}
	page.Fixed = v.Progress.Masked && page.Email == shown(v)
	err = account.Resets{Accounts: p.Accounts}.Quietly(r.Context(), v.Site.ID, meant(v, page.Email))
	if err != nil && !mendable(err) {
		return err
	}
	s := p.screen(w, r, v, map[string]string{"address": isolate(page.Email), "minutes": signin.Minutes(account.ResetTTL)})
	s.Title = s.Say("forgot_heading")
	if err == nil {
		pause := account.ResetPause()
		s.Title = s.Say("check_mail")
		page.Sent, page.Again, s.Here = s.Say("forgot_sent"), s.With("wait", s.Voice.Wait(pause)).Say("forgot_again"), nil
		page.Left = int(pause.Seconds())
		page.Resend = s.With("seconds", strconv.Itoa(page.Left)).Say("resend_from")
	}
	s.Data = page
	p.show(w, p.wrong(&s, err), "forgot.html", "", s)
	return nil
}

// resetPage lets somebody with a reset token choose a password.
type resetPage struct {
	Link  string // the token; "" where it is worth nothing, or was used
	Email string // for password managers
	Dead  bool   // another has to be asked for
}

func (p entry) reset(w http.ResponseWriter, r *http.Request) error {
	return p.showReset(w, r, r.PathValue("token"), nil)
}

func (p entry) showReset(w http.ResponseWriter, r *http.Request, link string, wrong error) error {
	e, err := p.Accounts.ResetFor(r.Context(), secret.Digest(link))
	s := screen{Voice: p.voice(w, r, nil), Token: token(p.bind(w, r))}
	s.Title = s.Say("reset_heading")
	if otl.Is(err, account.ErrResetToken.Code) || otl.Is(wrong, account.ErrResetToken.Code) {
		s.Title, s.Problem, s.Data = s.Say("link_dead_heading"), s.Say("reset_dead"), resetPage{Dead: true}
		p.show(w, http.StatusGone, "reset.html", "", s)
		return nil
	}
	if err != nil {
		return err
	}
	s.Data = resetPage{Link: link, Email: e.Address}
	p.show(w, p.wrong(&s, wrong), "reset.html", "", s)
	return nil
}

func (p entry) resetSent(w http.ResponseWriter, r *http.Request) error {
	link := r.PathValue("token")
	site, err := p.Flows.Home(r.Context())
	if err != nil {
		return err
	}
	err = p.Accounts.Reset(r.Context(), site, secret.NewText(link), secret.NewText(r.PostForm.Get("password")))
	if err != nil {
		if !mendable(err) && !otl.Is(err, account.ErrResetToken.Code) {
			return err
		}
		return p.showReset(w, r, link, err)
	}
	p.jar.Drop(w) // every session has ended, this browser's too
	s := screen{Voice: p.voice(w, r, nil), Token: token(p.bind(w, r)), Data: resetPage{}}
	s.Here = placed("/") // the link is used up
	s.Title, s.Good = s.Say("change_done_heading"), s.Say("reset_done")
	p.show(w, http.StatusOK, "reset.html", "", s)
	return nil
}
